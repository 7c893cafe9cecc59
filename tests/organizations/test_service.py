"""Organizations as the surfaces see them: through landform.workspaces.organizations."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import directory
from landform.access.permissions import EVERYTHING, Place
from landform.access.service import permissions
from landform.identity.actor import SYSTEM
from landform.identity.users import actor_of
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.organizations.service import OrganizationSettings
from landform.workspaces import organizations
from landform.workspaces.models import Project
from tests.factories import (
    make_actor,
    make_organization,
    make_owner,
    make_project,
    make_user,
    make_workspace,
    organization_actor,
    owners_of,
)


async def test_whoever_creates_an_organization_owns_it(session: AsyncSession) -> None:
    user = await make_user(session)
    organization = await organizations.create_organization(
        session, actor_of(user), name="Acme", email="ops@acme.example"
    )
    place = Place(organization_id=organization.id)
    assert await permissions(session, actor_of(user), place) == EVERYTHING
    owners = await owners_of(session, organization)
    assert await directory.members_of(session, owners) == [user]
    project = await session.get_one(Project, organization.default_project_id)
    assert (project.name, project.organization_id) == ("Default Project", organization.id)
    names = await session.scalars(
        select(EventRow.name).where(EventRow.organization_id == organization.id)
    )
    assert {"OrganizationCreated", "TeamCreated", "MemberAdded", "ProjectCreated"} <= set(names)


async def test_the_operator_may_keep_organizations_for_site_admins(
    session: AsyncSession,
) -> None:
    user, admin = await make_user(session), await make_user(session, is_site_admin=True)
    with pytest.raises(ForbiddenError, match="site admin"):
        await organizations.create_organization(
            session, actor_of(user), name="acme", only_site_admins=True
        )
    await organizations.create_organization(
        session, actor_of(admin), name="acme", only_site_admins=True
    )


async def test_a_token_of_an_organization_makes_no_other(session: AsyncSession) -> None:
    actor = organization_actor(await make_organization(session))
    with pytest.raises(ForbiddenError, match="Only a user"):
        await organizations.create_organization(session, actor, name="acme")


@pytest.mark.parametrize("name", ["", "ab", "a" * 41, "a b c", "a.b.c", "äöü", "abc\n", "a\0bc"])
async def test_a_malformed_name_is_refused(session: AsyncSession, name: str) -> None:
    with pytest.raises(InvalidError, match="3 to 40 letters") as refused:
        await organizations.create_organization(session, SYSTEM, name=name)
    assert refused.value.pointer == "name"


async def test_a_name_is_taken_in_whatever_case_also_by_two_at_once(
    sessions: Sessions,
) -> None:
    async with transaction(sessions) as session:
        actor = actor_of(await make_user(session))

    async def create(name: str) -> None:
        async with transaction(sessions) as session:
            await organizations.create_organization(session, actor, name=name)

    outcomes = await asyncio.gather(
        *(create(name) for name in ("acme", "Acme", "ACME")), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvalidError) for outcome in outcomes) == 2
    async with transaction(sessions) as session:
        assert await session.scalar(select(func.count()).select_from(Organization)) == 1
        assert await session.scalar(select(func.count()).select_from(Project)) == 1


async def test_an_organization_is_found_by_name_by_those_who_may_know_of_it(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session, "Acme")
    workspace = await make_workspace(session, organization)
    reader = await make_actor(session, workspace, "read")
    assert await organizations.by_name(session, reader, "aCME") is organization
    stranger = await make_owner(session, await make_organization(session))
    for actor, name in ((stranger, "Acme"), (reader, "none"), (reader, "a\0")):
        with pytest.raises(NotFoundError, match="no organization"):
            await organizations.by_name(session, actor, name)


async def test_organizations_are_listed_by_name_and_searched(session: AsyncSession) -> None:
    user = await make_user(session)
    for name in ("Zeta", "alpha", "Beta"):
        await make_organization(session, name, owners=[user])
    await make_organization(session, "hidden")
    listed = await organizations.list_organizations(session, actor_of(user), page=Page())
    assert [row.name for row in listed.items] == ["alpha", "Beta", "Zeta"]
    second = await organizations.list_organizations(
        session, actor_of(user), page=Page(number=2, size=2)
    )
    assert ([row.name for row in second.items], second.total) == (["Zeta"], 3)
    found = await organizations.list_organizations(
        session, actor_of(user), search="ETA", page=Page()
    )
    assert [row.name for row in found.items] == ["Beta", "Zeta"]


async def test_an_owner_changes_the_settings(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner, project = (
        await make_owner(session, organization),
        await make_project(session, organization),
    )
    await organizations.update_organization(
        session,
        owner,
        organization,
        OrganizationSettings(
            name="renamed",
            email="x@y.example",
            default_execution_mode="local",
            default_project_id=project.id,
            allow_force_delete_workspaces=False,
        ),
    )
    assert (organization.name, organization.default_execution_mode) == ("renamed", "local")
    assert organization.default_project_id == project.id
    event = (
        await session.scalars(select(EventRow).where(EventRow.name == "OrganizationUpdated"))
    ).one()
    assert set(event.payload["changed"]) == {
        *("name", "email", "default_execution_mode", "default_project_id"),
        "allow_force_delete_workspaces",
    }


async def test_settings_that_cannot_be_are_refused(session: AsyncSession) -> None:
    organization, other = (
        await make_organization(session),
        await make_organization(session, "taken"),
    )
    owner = await make_owner(session, organization)
    wrong = [
        (OrganizationSettings(name="x"), "name"),
        (OrganizationSettings(name="Taken"), "name"),
        (OrganizationSettings(email="x" * 300), "email"),
        (OrganizationSettings(default_execution_mode="moon"), "default_execution_mode"),
    ]
    for settings, pointer in wrong:
        with pytest.raises(InvalidError) as refused:
            await organizations.update_organization(session, owner, organization, settings)
        assert refused.value.pointer == pointer
    for project_id in (other.default_project_id, "prj-none"):
        with pytest.raises(NotFoundError, match="no project"):
            await organizations.update_organization(
                session, owner, organization, OrganizationSettings(default_project_id=project_id)
            )


async def test_nobody_but_owners_changes_or_deletes_an_organization(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    for actor in (await make_actor(session, workspace, "admin"), organization_actor(organization)):
        with pytest.raises(ForbiddenError, match="change the organization"):
            await organizations.update_organization(
                session, actor, organization, OrganizationSettings(email="a@b.example")
            )
        with pytest.raises(ForbiddenError, match="delete the organization"):
            await organizations.delete_organization(session, actor, organization)


async def test_an_organization_is_deleted_once_it_has_no_workspaces(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    workspace = await make_workspace(session, organization)
    with pytest.raises(ConflictError, match="has workspaces"):
        await organizations.delete_organization(session, owner, organization)
    await session.delete(workspace)
    await organizations.delete_organization(session, owner, organization)
    remaining = select(func.count()).select_from(Project)
    remaining = remaining.where(Project.organization_id == organization.id)
    assert await session.scalar(remaining) == 0
