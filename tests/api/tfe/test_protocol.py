"""What every client of the protocol relies on, whatever it asks for."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from landform.configurations.models import ConfigurationVersion
from landform.kit.db import transaction
from landform.runs.service import FORCE_CANCEL_AFTER
from tests.api.tfe.people import detail
from tests.api.tfe.server import BASE, Server

JSON_API = "application/vnd.api+json"


async def test_discovery_says_where_each_service_is(server: Server) -> None:
    answer = await server.http.get("/.well-known/terraform.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert {
        key: document[key] for key in ("tfe.v2", "tfe.v2.1", "tfe.v2.2", "state.v2")
    } == dict.fromkeys(("tfe.v2", "tfe.v2.1", "tfe.v2.2", "state.v2"), f"{BASE}/api/v2/")
    # A service that is named must be there; the registry's are not yet.
    assert not {"modules.v1", "providers.v1"} & document.keys()
    assert document["login.v1"] == {
        "client": "terraform-cli",
        "grant_types": ["authz_code"],
        "authz": f"{BASE}/oauth/authorize",
        "token": f"{BASE}/oauth/token",
        "ports": [10000, 10010],
    }


async def test_a_configured_address_is_what_clients_are_told(server: Server) -> None:
    server.with_limits(public_url="https://landform.example.com")
    document = (await server.http.get("/.well-known/terraform.json")).json()
    assert document["tfe.v2"] == "https://landform.example.com/api/v2/"
    shown = await server.owner.get(f"workspaces/{server.world.workspace_id}/runs")
    assert shown["links"]["self"].startswith("https://landform.example.com/api/v2/")


async def test_ping_tells_the_version_to_anybody(server: Server) -> None:
    answer = await server.http.get("/api/v2/ping")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["tfp-api-version"] == "2.6"
    assert answer.headers["tfp-appname"] == "HCP Terraform"


async def test_entitlements_tell_the_truth(server: Server) -> None:
    shown = await server.owner.get(f"organizations/{server.world.organization}/entitlement-set")
    data = shown["data"]
    assert (data["type"], data["id"]) == ("entitlement-sets", server.world.organization_id)
    offered = {name for name, value in data["attributes"].items() if value is True}
    assert offered == {
        "agents",
        "audit-logging",
        "operations",
        "sso",
        "state-storage",
        "teams",
        "vcs-integrations",
    }
    assert data["attributes"]["user-limit"] is None


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", "Bearer \x01", "bearer\tx"],
)
async def test_no_token_that_is_known_is_no_way_in(server: Server, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = await server.http.get("/api/v2/account/details", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == JSON_API
    assert answer.headers["www-authenticate"] == "Bearer"
    [error] = answer.json()["errors"]
    assert (error["status"], error["title"]) == ("401", "unauthorized")


async def test_an_expired_token_is_told_so_with_what_to_do(server: Server) -> None:
    expired = await server.expired()
    assert "expired on" in detail(await expired.get("account/details", 401))
    assert "make a new one" in detail(await expired.get("account/details", 401))


async def test_the_scheme_of_a_token_is_read_in_any_case(server: Server) -> None:
    headers = {"Authorization": f"bearer   {server.owner.token}"}
    answer = await server.http.get("/api/v2/account/details", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON_API


@pytest.mark.parametrize("path", ["nowhere", "runs/run-none/nothing", "workspaces//runs", "%2e%2e"])
async def test_a_path_that_is_none_is_answered_in_the_protocol_s_form(
    server: Server, path: str
) -> None:
    answer = await server.http.get(f"/api/v2/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, JSON_API)
    assert answer.json()["errors"][0]["title"] == "not found"


async def test_a_method_that_a_path_does_not_take_is_told_with_those_it_does(
    server: Server,
) -> None:
    answer = await server.http.put("/api/v2/runs/run-1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert "does not take PUT but GET" in detail(answer.json())


@pytest.mark.parametrize("name", ["nul%00", "tab%09", "bell%07"])
async def test_a_name_with_a_control_character_is_not_there(server: Server, name: str) -> None:
    for path in (
        f"/api/v2/workspaces/{name}",
        f"/api/v2/organizations/{name}",
        f"/api/v2/organizations/{server.world.organization}/workspaces/{name}",
    ):
        answer = await server.http.get(
            path, headers={"Authorization": f"Bearer {server.owner.token}"}
        )
        assert answer.status_code == 404


async def test_a_signed_address_works_without_a_token_or_with_any(server: Server) -> None:
    shown = await server.owner.get(f"workspaces/{server.world.workspace_id}/configuration-versions")
    path = f"/api/v2/configuration-versions/{shown['data'][0]['id']}/download"
    headers = {"Authorization": f"Bearer {server.owner.token}"}
    there = (await server.http.get(path, headers=headers)).headers["location"]
    for given in ({}, headers, {"Authorization": "Bearer nonsense"}):
        assert (await server.http.get(there, headers=given)).status_code == 200


# ── Queries ─────────────────────────────────────────────────────────────────────────────────────


async def test_parameters_that_nobody_knows_are_ignored(server: Server) -> None:
    workspace = (await server.world.workspace()).name
    path = f"organizations/{server.world.organization}/workspaces"
    garbage = {"TagBindings": "{+net+}", "filter[tagged][9][colour]": "x", "page": "2", "[]": "]["}
    shown = await server.owner.get(path, **garbage)
    assert [each["attributes"]["name"] for each in shown["data"]] == [workspace]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page[number]", "0"),
        ("page[number]", "-1"),
        ("page[number]", "two"),
        ("page[size]", "1e3"),
        ("page[size]", "9" * 40),
        ("sort", "shoe-size"),
        ("include", "shoe"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused_by_name(
    server: Server, name: str, value: str
) -> None:
    path = f"organizations/{server.world.organization}/workspaces"
    refused = await server.owner.get(path, 400, **{name: value})
    assert refused["errors"][0]["source"] == {"parameter": name}


async def test_a_list_comes_in_pages_that_lead_to_each_other(server: Server) -> None:
    world = server.world
    runs = [await world.create() for _ in range(5)]
    path = f"workspaces/{world.workspace_id}/runs"
    shown = await server.owner.get(path, **{"page[number]": "2", "page[size]": "2"})
    assert [each["id"] for each in shown["data"]] == [runs[2], runs[1]]
    assert shown["meta"]["pagination"] == {
        "current-page": 2,
        "page-size": 2,
        "prev-page": 1,
        "next-page": 3,
        "total-pages": 3,
        "total-count": 5,
    }
    last = (await server.http.get(shown["links"]["last"], headers=bearer(server))).json()
    assert [each["id"] for each in last["data"]] == [runs[0]]
    assert last["meta"]["pagination"]["next-page"] is None
    assert (last["links"].get("next"), last["links"]["prev"]) == (None, shown["links"]["self"])
    beyond = await server.owner.get(path, **{"page[number]": "9", "page[size]": "2"})
    assert beyond["data"] == []
    assert beyond["meta"]["pagination"]["total-pages"] == 3


async def test_a_page_has_twenty_rows_and_never_more_than_a_hundred(server: Server) -> None:
    world = server.world
    async with transaction(world.platform.sessions) as session:
        session.add_all(
            ConfigurationVersion(workspace_id=world.workspace_id, created_by="user-1")
            for _ in range(104)
        )
    path = f"workspaces/{world.workspace_id}/configuration-versions"
    assert len((await server.owner.get(path))["data"]) == 20
    many = await server.owner.get(path, **{"page[size]": "500"})
    assert (len(many["data"]), many["meta"]["pagination"]["page-size"]) == (100, 100)


async def test_only_the_fields_that_are_asked_for_are_sent(server: Server) -> None:
    run_id = await server.world.create()
    shown = await server.owner.get(f"runs/{run_id}", **{"fields[runs]": "status,workspace"})
    assert shown["data"]["attributes"] == {"status": "plan_queued"}
    assert list(shown["data"]["relationships"]) == ["workspace"]


# ── Bodies ──────────────────────────────────────────────────────────────────────────────────────


def bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.owner.token}"}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"comment": "Stop."}', b'{"data": {}}', b"  \n"])
@pytest.mark.parametrize("media_type", [JSON_API, "application/json", ""])
async def test_an_action_takes_what_clients_send_for_nothing(
    server: Server, body: bytes, media_type: str
) -> None:
    run_id = await server.world.create()
    headers = bearer(server) | ({"Content-Type": media_type} if media_type else {})
    answer = await server.http.post(
        f"/api/v2/runs/{run_id}/actions/cancel", content=body, headers=headers
    )
    assert answer.status_code == 202
    assert await server.world.status(run_id) == "canceled"


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"type": "", "attributes": {"reason": "Locked by Terraform"}}},
        {"data": {"type": "workspaces", "attributes": {"reason": "Locked by Terraform"}}},
        {"data": {"attributes": {"reason": "Locked by Terraform"}}},
        {"reason": "Locked by Terraform"},
    ],
)
async def test_a_lock_is_taken_whatever_form_the_reason_comes_in(
    server: Server, body: dict[str, Any]
) -> None:
    answer = await server.http.post(
        f"/api/v2/workspaces/{server.world.workspace_id}/actions/lock",
        json=body,
        headers=bearer(server),
    )
    assert answer.status_code == 200
    attributes = answer.json()["data"]["attributes"]
    assert attributes["locked"]
    assert attributes["locked-reason"] == "Locked by Terraform"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "body"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[]", 400, "data"),
        (b'{"data": []}', 422, ""),
        (b'{"data": 7}', 422, ""),
        (b'{"data": {"type": "runs"}}', 422, "runs; this takes workspaces"),
        (b'{"data": {"attributes": 7}}', 422, ""),
        (b'{"data": {"attributes": {"name": 7}}}', 422, ""),
        (b'{"data": {"attributes": {"name": "a\\u0000b"}}}', 422, "NUL"),
        (b'{"data": {"attributes": {"name": ""}}}', 422, "90 letters"),
        (b'{"data": {"attributes": {}}}', 422, "name"),
        (b"[" * 100_000, 413, "nested"),
        (b'{"data": ' * 40 + b"1" + b"}" * 40, 413, "nested"),
        (b'{"data": {"attributes": {"name": "' + b"x" * 3_000_000 + b'"}}}', 413, "larger"),
    ],
    ids=range(15),
)
async def test_a_body_that_makes_no_sense_is_refused_and_nothing_is_made(
    server: Server, body: bytes, status: int, said: str
) -> None:
    before = await server.world.snapshot()
    answer = await server.http.post(
        f"/api/v2/organizations/{server.world.organization}/workspaces",
        content=body,
        headers=bearer(server) | {"Content-Type": JSON_API},
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON_API
    errors = answer.json()["errors"]
    assert {error["status"] for error in errors} == {str(status)}
    assert said in detail(answer.json())
    assert await server.world.snapshot() == before


async def test_a_body_in_another_form_is_refused_with_the_right_one(server: Server) -> None:
    answer = await server.http.post(
        f"/api/v2/organizations/{server.world.organization}/workspaces",
        data={"name": "form"},
        headers=bearer(server),
    )
    assert answer.status_code == 400
    assert f"send it as {JSON_API}" in detail(answer.json())


async def test_attributes_that_nobody_knows_are_ignored(server: Server) -> None:
    made = await server.owner.post(
        f"organizations/{server.world.organization}/workspaces",
        "workspaces",
        name="loose",
        shoe_size=43,
        setting_overwrites={"execution-mode": True},
    )
    assert made["data"]["attributes"]["name"] == "loose"


# ── The description ─────────────────────────────────────────────────────────────────────────────


async def test_the_description_is_openapi_and_tells_of_every_route(server: Server) -> None:
    answer = await server.http.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    validate(document)
    assert "/api/v2/runs/{run_id}/actions/apply" in document["paths"]
    operations = [
        operation
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    assert all("default" in operation["responses"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert not list(dangling(document, document))


def dangling(node: Any, document: Any) -> Iterator[str]:
    """Yield references that lead nowhere."""
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            found = document
            for part in ref.removeprefix("#/").split("/"):
                found = found.get(part) if isinstance(found, dict) else None
            if found is None:
                yield ref
        for each in node.values():
            yield from dangling(each, document)
    elif isinstance(node, list):
        for each in node:
            yield from dangling(each, document)


def test_force_cancel_is_offered_soon_enough_for_a_person_to_wait() -> None:
    assert FORCE_CANCEL_AFTER.total_seconds() <= 10
