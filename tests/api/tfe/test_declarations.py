from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from landform.api.tfe.dialect import TFE
from landform.configurations.models import ConfigurationVersion
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.toolchain.versions import Tool
from tests import factories
from tests.api.tfe.people import Site, open_site, related


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def make_run(session: AsyncSession, organization: Organization, created_by: str) -> Run:
    workspace = await factories.make_workspace(session, organization)
    configuration = ConfigurationVersion(workspace_id=workspace.id, created_by=created_by)
    session.add(configuration)
    await session.flush()
    run = Run(
        workspace_id=workspace.id,
        organization_id=organization.id,
        configuration_version_id=configuration.id,
        tool=Tool.TERRAFORM,
        tool_version="1.11.4",
        created_by=created_by,
    )
    session.add(run)
    await session.flush()
    return run


async def test_task_stages_of_a_run_can_be_asked_for_though_there_are_none(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    run = await site.make(make_run, organization, ann.id)
    shown = await ann.get(f"runs/{run.id}", include="task_stages")
    assert related(shown, "task-stages") == []
    assert shown.get("included", []) == []


async def test_who_made_a_run_can_be_included(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="bob@example.com")
    organization = await site.organization("acme", ann)
    run = await site.make(make_run, organization, bob.id)
    shown = await ann.get(f"runs/{run.id}", include="created_by")
    [maker] = shown["included"]
    assert maker["attributes"]["username"] == "bob"
    assert "email" not in maker["attributes"]


def test_these_types_are_named_by_relationships_but_not_offered_yet() -> None:
    assert TFE.undeclared() == {
        "cost-estimates",
        "policy-checks",
        "task-stages",
        "workspace-readme",
    }
