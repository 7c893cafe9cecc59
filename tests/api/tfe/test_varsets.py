from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.organizations.models import Organization
from landform.workspaces.models import Project, Workspace
from tests import factories
from tests.api.tfe.people import Caller, Site, names, open_site


@dataclass(frozen=True)
class Place:
    """An organization with a workspace in a project, on which bob may read."""

    site: Site
    ann: Caller
    bob: Caller
    organization: Organization
    project: Project
    workspace: Workspace

    async def make(self, **attributes: Any) -> str:
        made = await self.ann.post("organizations/acme/varsets", "varsets", **attributes)
        return str(made["data"]["id"])


@pytest.fixture
async def place(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Place]:
    async with open_site(app, sessions, database_url, keyring) as site:
        ann, bob = await site.user("ann"), await site.user("bob")
        organization = await site.organization("acme", ann)
        project = await site.make(factories.make_project, organization, "shelf")
        workspace = await site.make(factories.make_workspace, organization, "web", project=project)
        team = await site.team(organization, "dev", bob)
        await site.make(factories.grant, team, workspace, "read")
        yield Place(site, ann, bob, organization, project, workspace)


async def test_a_set_is_made_read_changed_and_deleted(place: Place) -> None:
    ann = place.ann
    made = await ann.post(
        "organizations/acme/varsets", "varsets", name="aws", description="Keys", priority=True
    )
    attributes = made["data"]["attributes"]
    assert attributes | {"updated-at": ""} == {
        "name": "aws",
        "description": "Keys",
        "global": False,
        "priority": True,
        "permissions": {"can-update": True},
        "var-count": 0,
        "workspace-count": 0,
        "project-count": 0,
        "updated-at": "",
    }
    relationships = made["data"]["relationships"]
    assert relationships["parent"]["data"] == {"type": "organizations", "id": "acme"}
    path = f"varsets/{made['data']['id']}"
    assert (await ann.get(path))["data"] == made["data"]
    changed = await ann.patch(path, "varsets", **{"global": True}, priority=False)
    assert changed["data"]["attributes"]["global"] is True
    assert changed["data"]["attributes"]["name"] == "aws"
    again = await ann.post(path, "varsets", 200, description="")
    assert again["data"]["attributes"]["description"] == ""
    found = await ann.get("organizations/acme/varsets", **{"filter[global]": "true"})
    assert names(found) == ["aws"]
    assert names(await ann.get("organizations/acme/varsets", **{"filter[global]": "false"})) == []
    assert names(await ann.get("organizations/acme/varsets", q="W")) == ["aws"]
    await ann.delete(path)
    await ann.get(path, 404)


async def test_a_set_is_applied_to_workspaces_and_projects_and_withdrawn(place: Place) -> None:
    ann, set_id = place.ann, await place.make(name="aws")
    at = f"varsets/{set_id}/relationships"
    workspace = {"type": "workspaces", "id": place.workspace.id}
    project = {"type": "projects", "id": place.project.id}
    assert names(await ann.get(f"workspaces/{place.workspace.id}/applicable-varsets")) == ["aws"]
    await ann.post(f"{at}/workspaces", status=204, data=[workspace])
    await ann.post(f"{at}/projects", status=204, data=[project])
    shown = await ann.get(f"varsets/{set_id}", include="workspaces,projects")
    assert shown["data"]["relationships"]["workspaces"]["data"] == [workspace]
    assert shown["data"]["relationships"]["projects"]["data"] == [project]
    assert {each["type"] for each in shown["included"]} == {"workspaces", "projects"}
    assert names(await ann.get(f"workspaces/{place.workspace.id}/varsets")) == ["aws"]
    assert names(await ann.get(f"projects/{place.project.id}/varsets")) == ["aws"]
    assert names(await ann.get(f"workspaces/{place.workspace.id}/applicable-varsets")) == []
    await ann.delete(f"{at}/workspaces", data=[workspace])
    await ann.delete(f"{at}/projects", data=[project])
    assert names(await ann.get(f"workspaces/{place.workspace.id}/varsets")) == []


async def test_a_patch_applies_a_set_to_just_the_workspaces_it_names(place: Place) -> None:
    """As go-tfe's UpdateWorkspaces does."""
    ann, set_id = place.ann, await place.make(name="aws")
    other = await place.site.make(factories.make_workspace, place.organization, "other")
    for wanted in ([place.workspace.id, other.id], [other.id], []):
        data = [{"type": "workspaces", "id": each} for each in wanted]
        changed = await ann.patch(
            f"varsets/{set_id}",
            "varsets",
            relationships={"workspaces": {"data": data}},
        )
        told = changed["data"]["relationships"]["workspaces"]["data"]
        assert {each["id"] for each in told} == set(wanted)


async def test_variables_of_a_set_are_kept_and_a_sensitive_value_is_not_shown(
    place: Place,
) -> None:
    ann, set_id = place.ann, await place.make(name="aws")
    at = f"varsets/{set_id}/relationships/vars"
    made = await ann.post(at, "vars", key="pw", value="hunter2", category="env", sensitive=True)
    assert made["data"]["attributes"]["value"] is None
    configurable = made["data"]["relationships"]["configurable"]["data"]
    assert configurable == {"type": "varsets", "id": set_id}
    one = f"{at}/{made['data']['id']}"
    assert (await ann.get(one))["data"] == made["data"]
    await ann.patch(one, "vars", description="Password")
    listed = await ann.get(at)
    assert [each["attributes"]["description"] for each in listed["data"]] == ["Password"]
    assert "hunter2" not in str(listed)
    await ann.post(at, "vars", 422, key="pw", value="x", category="env")
    await ann.get(f"workspaces/{place.workspace.id}/vars/{made['data']['id']}", 404)
    included = await ann.get(f"varsets/{set_id}", include="vars")
    assert [each["attributes"]["key"] for each in included["included"]] == ["pw"]
    await ann.delete(one)
    assert (await ann.get(at))["data"] == []


async def test_a_workspace_tells_what_it_inherits_and_what_goes_before_it(place: Place) -> None:
    ann = place.ann
    weak = await place.make(name="weak", **{"global": True})
    strong = await place.make(name="strong", **{"global": True}, priority=True)
    of_workspace = f"workspaces/{place.workspace.id}"
    ids = {}
    for name, at in (
        ("weak", f"varsets/{weak}/relationships/vars"),
        ("strong", f"varsets/{strong}/relationships/vars"),
        ("own", f"{of_workspace}/vars"),
    ):
        made = await ann.post(at, "vars", key="region", value=name, category="terraform")
        ids[name] = made["data"]["id"]
    found = await place.bob.get(f"{of_workspace}/all-vars")
    assert [each["attributes"]["value"] for each in found["data"]] == ["strong"]
    path = f"{of_workspace}/varsets/{weak}/relationships/vars"
    [beaten] = (await place.bob.get(path))["data"]
    assert beaten["relationships"]["overwriter"]["data"] == {"type": "vars", "id": ids["strong"]}
    path = f"{of_workspace}/varsets/{strong}/relationships/vars/{ids['strong']}"
    beats = (await place.bob.get(path))["data"]["relationships"]
    assert beats["overwriter"]["data"] is None
    assert {each["id"] for each in beats["overwritten"]["data"]} == {ids["weak"], ids["own"]}
    other = await place.make(name="other")
    await ann.get(f"{of_workspace}/varsets/{other}/relationships/vars", 404)


async def test_a_set_that_a_project_owns_says_so(place: Place) -> None:
    parent = {"data": {"type": "projects", "id": place.project.id}}
    made = await place.ann.post(
        "organizations/acme/varsets",
        "varsets",
        name="ours",
        relationships={"parent": parent, "projects": {"data": [parent["data"]]}},
    )
    assert made["data"]["relationships"]["parent"] == parent
    assert names(await place.bob.get(f"workspaces/{place.workspace.id}/varsets")) == ["ours"]
    wrong = {"parent": {"data": {"type": "organizations", "id": "else"}}}
    await place.ann.post(
        "organizations/acme/varsets", "varsets", 422, name="x", relationships=wrong
    )


async def test_variables_can_be_given_with_a_new_set(place: Place) -> None:
    given = [{"type": "vars", "attributes": {"key": "a", "value": "1", "category": "env"}}]
    made = await place.ann.post(
        "organizations/acme/varsets",
        "varsets",
        name="aws",
        relationships={"vars": {"data": given}},
    )
    assert made["data"]["attributes"]["var-count"] == 1


async def test_who_only_reads_a_workspace_changes_no_set_and_sees_none_that_is_not_its(
    place: Place,
) -> None:
    bob, applied, hidden = place.bob, await place.make(name="a"), await place.make(name="b")
    data = [{"type": "workspaces", "id": place.workspace.id}]
    await place.ann.post(f"varsets/{applied}/relationships/workspaces", status=204, data=data)
    assert names(await bob.get("organizations/acme/varsets")) == ["a"]
    shown = await bob.get(f"varsets/{applied}")
    assert shown["data"]["attributes"]["permissions"] == {"can-update": False}
    await bob.patch(f"varsets/{applied}", "varsets", 403, name="x")
    await bob.delete(f"varsets/{applied}", 403)
    await bob.get(f"varsets/{hidden}", 404)
    await bob.delete(f"varsets/{hidden}", 404)
    await bob.get(f"varsets/{hidden}/relationships/vars", 404)
    await bob.post("organizations/acme/varsets", "varsets", 403, name="mine")
