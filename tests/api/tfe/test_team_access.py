from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from landform.access.models import Team
from landform.access.permissions import (
    PROJECT_CUSTOM,
    PROJECT_LEVELS,
    PROJECT_WORKSPACES_CUSTOM,
    WORKSPACE_CUSTOM,
    WORKSPACE_LEVELS,
    of_settings,
)
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.organizations.models import Organization
from landform.workspaces.models import Project, Workspace
from tests import factories
from tests.api.tfe.people import Caller, Site, ids, open_site, related, to_one


@dataclass(frozen=True)
class Place:
    """An organization with a workspace, and a visible team that `bob` is in."""

    site: Site
    ann: Caller
    bob: Caller
    organization: Organization
    project: Project
    workspace: Workspace
    team: Team

    def on(self, kind: str) -> dict[str, object]:
        """Return the relationships of a grant of that kind to the team."""
        if kind == "team-workspaces":
            there = {"workspace": ("workspaces", self.workspace.id)}
        else:
            there = {"project": ("projects", self.project.id)}
        return to_one(team=("teams", self.team.id), **there)

    def filter(self, kind: str) -> dict[str, str]:
        if kind == "team-workspaces":
            return {"filter[workspace][id]": self.workspace.id}
        return {"filter[project][id]": self.project.id}


@pytest.fixture
async def place(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Place]:
    async with open_site(app, sessions, database_url, keyring) as site:
        ann, bob = await site.user("ann"), await site.user("bob")
        organization = await site.organization("acme", ann)
        project = await site.make(factories.make_project, organization, "shelf")
        workspace = await site.make(factories.make_workspace, organization, "web", project=project)
        team = await site.team(organization, "dev", bob, visibility="organization")
        yield Place(site, ann, bob, organization, project, workspace, team)


KINDS = pytest.mark.parametrize("kind", ["team-workspaces", "team-projects"])


async def test_access_to_a_workspace_is_given_read_changed_and_withdrawn(place: Place) -> None:
    ann, bob = place.ann, place.bob
    await bob.get(f"workspaces/{place.workspace.id}", 404)
    made = await ann.post(
        "team-workspaces",
        "team-workspaces",
        access="custom",
        runs="plan",
        variables="read",
        relationships=place.on("team-workspaces"),
    )
    assert made["data"]["attributes"] == {
        "access": "custom",
        "runs": "plan",
        "variables": "read",
        "state-versions": "none",
        "sentinel-mocks": "none",
        "workspace-locking": False,
        "run-tasks": False,
        "policy-overrides": False,
    }
    assert related(made, "team") == {"type": "teams", "id": place.team.id}
    assert related(made, "workspace") == {"type": "workspaces", "id": place.workspace.id}
    await bob.get(f"workspaces/{place.workspace.id}")
    path = f"team-workspaces/{made['data']['id']}"
    shown = await ann.get(path, include="team,workspace")
    assert len(shown["included"]) == 2
    changed = await ann.patch(path, "team-workspaces", workspace_locking=True, variables="write")
    assert changed["data"]["attributes"] | {"access": "custom", "runs": "plan"} == {
        **made["data"]["attributes"],
        "variables": "write",
        "workspace-locking": True,
    }
    changed = await ann.patch(path, "team-workspaces", access="write")
    assert changed["data"]["attributes"]["access"] == "write"
    assert (await ann.get(path))["data"] == changed["data"]
    await ann.delete(path)
    await ann.get(path, 404)
    await bob.get(f"workspaces/{place.workspace.id}", 404)


async def test_access_to_a_project_is_given_read_changed_and_withdrawn(place: Place) -> None:
    ann, bob = place.ann, place.bob
    made = await ann.post(
        "team-projects",
        "team-projects",
        access="custom",
        project_access={"settings": "update"},
        workspace_access={"runs": "plan", "create": True},
        relationships=place.on("team-projects"),
    )
    attributes = made["data"]["attributes"]
    assert attributes["project-access"] == {
        "settings": "update",
        "teams": "none",
        "variable-sets": "none",
    }
    assert attributes["workspace-access"]["runs"] == "plan"
    assert attributes["workspace-access"]["create"] is True
    assert attributes["workspace-access"]["delete"] is False
    assert related(made, "project") == {"type": "projects", "id": place.project.id}
    await bob.get(f"workspaces/{place.workspace.id}")
    path = f"team-projects/{made['data']['id']}"
    changed = await ann.patch(path, "team-projects", workspace_access={"delete": True})
    assert changed["data"]["attributes"]["workspace-access"] == {
        **attributes["workspace-access"],
        "delete": True,
    }
    assert changed["data"]["attributes"]["project-access"] == attributes["project-access"]
    await ann.patch(path, "team-projects", access="maintain")
    assert (await ann.get(path))["data"]["attributes"]["access"] == "maintain"
    await ann.delete(path)
    await ann.get(path, 404)


@pytest.mark.parametrize("level", WORKSPACE_LEVELS)
async def test_a_level_on_a_workspace_shows_the_settings_it_amounts_to(
    place: Place, level: str
) -> None:
    made = await place.ann.post(
        "team-workspaces",
        "team-workspaces",
        access=level,
        relationships=place.on("team-workspaces"),
    )
    shown = dict(made["data"]["attributes"])
    assert shown.pop("access") == level
    assert shown.keys() == WORKSPACE_CUSTOM.keys()
    most = of_settings(WORKSPACE_CUSTOM, {**HIGHEST, "workspace-locking": True})
    assert of_settings(WORKSPACE_CUSTOM, shown) == WORKSPACE_LEVELS[level] & most


HIGHEST = {"runs": "apply", "variables": "write", "state-versions": "write"}


@pytest.mark.parametrize("level", PROJECT_LEVELS)
async def test_a_level_on_a_project_shows_the_settings_it_amounts_to(
    place: Place, level: str
) -> None:
    made = await place.ann.post(
        "team-projects", "team-projects", access=level, relationships=place.on("team-projects")
    )
    own = made["data"]["attributes"]["project-access"]
    inside = made["data"]["attributes"]["workspace-access"]
    switches = dict.fromkeys(("create", "move", "locking", "delete"), True)
    most_own = of_settings(
        PROJECT_CUSTOM, {"settings": "delete", "teams": "manage", "variable-sets": "write"}
    )
    most_inside = of_settings(PROJECT_WORKSPACES_CUSTOM, {**HIGHEST, **switches})
    held = PROJECT_LEVELS[level]
    assert of_settings(PROJECT_CUSTOM, own) == held & most_own
    assert of_settings(PROJECT_WORKSPACES_CUSTOM, inside) == held & most_inside


@KINDS
async def test_access_is_listed_where_it_was_given(place: Place, kind: str) -> None:
    ann = place.ann
    made = await ann.post(kind, kind, access="read", relationships=place.on(kind))
    other = await place.site.team(place.organization, "ops")
    there = place.on(kind) | to_one(team=("teams", other.id))
    second = await ann.post(kind, kind, access="admin", relationships=there)
    both = [made["data"]["id"], second["data"]["id"]]
    where = place.filter(kind)
    assert ids(await ann.get(kind, **where)) == both
    assert ids(await ann.get(kind, **where, **{"filter[team][id]": other.id})) == both[1:]
    beyond = await ann.get(kind, **where, **{"page[number]": "9", "page[size]": "1"})
    assert ids(beyond) == []
    assert beyond["meta"]["pagination"]["total-count"] == 2
    refused = await ann.get(kind, 400)
    assert refused["errors"][0]["source"]["parameter"] == next(iter(where))


@KINDS
async def test_a_team_has_access_to_a_place_once(place: Place, kind: str) -> None:
    await place.ann.post(kind, kind, access="read", relationships=place.on(kind))
    await place.ann.post(kind, kind, 422, access="admin", relationships=place.on(kind))


@KINDS
async def test_access_that_cannot_be_is_refused_by_name(place: Place, kind: str) -> None:
    ann, relationships = place.ann, place.on(kind)
    refused = await ann.post(kind, kind, 422, relationships=relationships)
    assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/access"
    await ann.post(kind, kind, 422, access="all", relationships=relationships)
    await ann.post(kind, kind, 422, access="read")
    without_team = {name: each for name, each in relationships.items() if name != "team"}
    await ann.post(kind, kind, 422, access="read", relationships=without_team)
    setting = {"runs": "all"} if kind == "team-workspaces" else {"project_access": {"rule": True}}
    await ann.post(kind, kind, 422, access="custom", relationships=relationships, **setting)
    single = (
        {"runs": "plan"} if kind == "team-workspaces" else {"project_access": {"teams": "read"}}
    )
    await ann.post(kind, kind, 422, access="read", relationships=relationships, **single)


@KINDS
async def test_who_may_only_read_there_gives_no_access(place: Place, kind: str) -> None:
    ann, bob = place.ann, place.bob
    made = await ann.post(kind, kind, access="read", relationships=place.on(kind))
    path = f"{kind}/{made['data']['id']}"
    status = 403 if kind == "team-workspaces" else 404
    await bob.patch(path, kind, status, access="admin")
    await bob.delete(path, status)
    other = await place.site.team(place.organization, "ops", visibility="organization")
    there = place.on(kind) | to_one(team=("teams", other.id))
    await bob.post(kind, kind, 403, access="admin", relationships=there)
    await bob.get(kind, 200 if kind == "team-workspaces" else 403, **place.filter(kind))


@KINDS
async def test_a_stranger_learns_of_no_access(place: Place, kind: str) -> None:
    made = await place.ann.post(kind, kind, access="read", relationships=place.on(kind))
    path = f"{kind}/{made['data']['id']}"
    mallory = await place.site.user("mallory")
    answers = [
        await mallory.get(path, 404),
        await mallory.patch(path, kind, 404, access="admin"),
        await mallory.delete(path, 404),
    ]
    unknown = await mallory.get(f"{kind}/nothing", 404)
    for answer in answers:
        told = str(answer).replace(made["data"]["id"], "nothing")
        assert told == str(unknown)
    await mallory.get(kind, 404, **place.filter(kind))
    await mallory.post(kind, kind, 404, access="admin", relationships=place.on(kind))


async def test_access_of_a_secret_team_is_secret(place: Place) -> None:
    ann, bob = place.ann, place.bob
    await ann.post(
        "team-workspaces",
        "team-workspaces",
        access="admin",
        relationships=place.on("team-workspaces"),
    )
    secret = await place.site.team(place.organization, "secret")
    there = place.on("team-workspaces") | to_one(team=("teams", secret.id))
    made = await ann.post("team-workspaces", "team-workspaces", access="read", relationships=there)
    path = f"team-workspaces/{made['data']['id']}"
    await bob.get(path, 404)
    await bob.delete(path, 404)
    assert made["data"]["id"] not in ids(
        await bob.get("team-workspaces", **place.filter("team-workspaces"))
    )


async def test_a_team_of_another_organization_gets_no_access(place: Place) -> None:
    foreign = await place.site.team(await place.site.organization("other", place.ann), "dev")
    there = place.on("team-workspaces") | to_one(team=("teams", foreign.id))
    await place.ann.post(
        "team-workspaces", "team-workspaces", 422, access="read", relationships=there
    )
