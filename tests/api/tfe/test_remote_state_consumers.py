"""With which workspaces' runs a workspace shares its state: TFE's remote state consumers."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from landform.workspaces.models import Workspace
from tests import factories
from tests.api.tfe.people import Caller, Site, detail, names, open_site


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def workspace(site: Site, organization: Organization, name: str, **settings: bool) -> str:
    made: Workspace = await site.make(factories.make_workspace, organization, name, **settings)
    return made.id


def consumers(of: str) -> str:
    return f"workspaces/{of}/relationships/remote-state-consumers"


def linked(*ids: str) -> list[dict[str, str]]:
    return [{"type": "workspaces", "id": each} for each in ids]


async def names_at(ann: Caller, of: str, **parameters: str) -> list[str]:
    return names(await ann.get(consumers(of), **parameters))


async def test_consumers_are_added_replaced_and_removed(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    network, app, data, web = [
        await workspace(site, organization, name) for name in ("network", "app", "data", "web")
    ]
    assert await names_at(ann, network) == []
    await ann.post(consumers(network), status=204, data=linked(app, data))
    await ann.post(consumers(network), status=204, data=linked(app))  # once more
    assert await names_at(ann, network) == ["app", "data"]
    await ann.ask("PATCH", consumers(network), 204, body={"data": linked(web, app)})
    assert await names_at(ann, network) == ["app", "web"]
    await ann.delete(consumers(network), data=linked(app, data))
    assert await names_at(ann, network) == ["web"]
    await ann.ask("PATCH", consumers(network), 204, body={"data": []})
    assert await names_at(ann, network) == []
    async with transaction(site.sessions) as session:
        told = await session.scalars(
            select(EventRow)
            .where(EventRow.name == "RemoteStateConsumersChanged")
            .order_by(EventRow.id)
        )
        changes = [(row.payload["added"], row.payload["removed"]) for row in told]
    assert changes == [
        (sorted([app, data]), []),
        ([web], [data]),
        ([], [app]),
        ([], [web]),
    ]


async def test_what_is_shared_with_all_lists_all_others_and_on_demand_those_it_names(
    site: Site,
) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    network = await workspace(site, organization, "network", global_remote_state=True)
    app = await workspace(site, organization, "app")
    await workspace(site, organization, "data")
    await workspace(site, await site.organization("other", ann), "far")
    await ann.post(consumers(network), status=204, data=linked(app))
    assert await names_at(ann, network) == ["app", "data"]
    assert await names_at(ann, network, show_only_configured="true") == ["app"]
    page = await ann.get(consumers(network), **{"page[size]": "1"})
    assert page["meta"]["pagination"]["total-count"] == 2


async def test_what_is_shared_with_the_project_lists_those_of_it_and_those_it_names(
    site: Site,
) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    network = await workspace(site, organization, "network", project_remote_state=True)
    await workspace(site, organization, "app")
    data = await workspace(site, organization, "data")
    lone = await workspace(site, organization, "lone")
    async with transaction(site.sessions) as session:
        project = await factories.make_project(session, organization, "elsewhere")
        for each in (data, lone):
            (await session.get_one(Workspace, each)).project_id = project.id
    await ann.post(consumers(network), status=204, data=linked(data))
    assert await names_at(ann, network) == ["app", "data"]
    assert await names_at(ann, network, show_only_configured="true") == ["data"]


async def test_a_new_workspace_shares_with_nobody_until_told(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    made = await ann.post("organizations/acme/workspaces", "workspaces", name="network")
    links = made["data"]["relationships"]["remote-state-consumers"]["links"]
    assert links["related"] == f"/api/v2/{consumers(made['data']['id'])}"
    path = f"workspaces/{made['data']['id']}"
    for name in ("global", "project"):
        assert made["data"]["attributes"][f"{name}-remote-state"] is False
        changed = await ann.patch(path, "workspaces", **{f"{name}_remote_state": True})
        assert changed["data"]["attributes"][f"{name}-remote-state"] is True


async def test_workspaces_of_elsewhere_and_the_workspace_itself_are_refused(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    network = await workspace(site, organization, "network")
    far = await workspace(site, await site.organization("other", ann), "far")
    answer = await ann.post(consumers(network), status=404, data=linked(far))
    assert detail(answer) == f"There is no workspace {far} in the organization of network."
    await ann.post(consumers(network), status=404, data=linked("ws-none"))
    answer = await ann.post(consumers(network), status=422, data=linked(network))
    assert "reads its own state" in detail(answer)
    assert await names_at(ann, network) == []


async def test_only_who_may_change_the_workspace_changes_them_and_sees_but_what_they_may(
    site: Site,
) -> None:
    ann, bob, eve = [await site.user(name) for name in ("ann", "bob", "eve")]
    organization = await site.organization("acme", ann)
    network = await workspace(site, organization, "network")
    app = await workspace(site, organization, "app")
    team = await site.team(organization, "readers", bob)
    async with transaction(site.sessions) as session:
        row = await session.get_one(Workspace, network)
        await factories.grant(session, team, row, "write")
    await ann.post(consumers(network), status=204, data=linked(app))
    assert await names_at(bob, network) == []  # there is one, of which bob may not know
    await bob.post(consumers(network), status=403, data=linked(app))
    await bob.ask("PATCH", consumers(network), 403, body={"data": []})
    await bob.ask("DELETE", consumers(network), 403, body={"data": linked(app)})
    for method in ("GET", "POST", "PATCH", "DELETE"):
        body = None if method == "GET" else {"data": linked(app)}
        await eve.ask(method, consumers(network), 404, body=body)
    assert await names_at(ann, network) == ["app"]


async def test_a_consumer_that_is_deleted_is_none_any_more(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    network = await workspace(site, organization, "network")
    app = await workspace(site, organization, "app")
    await ann.post(consumers(network), status=204, data=linked(app))
    await ann.delete(f"workspaces/{app}")
    assert await names_at(ann, network) == []
    assert await names_at(ann, network, show_only_configured="true") == []
