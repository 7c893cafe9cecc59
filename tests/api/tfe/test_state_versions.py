"""State versions and their outputs through the API, as the CLI and SDKs write and read them."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from obstore.store import MemoryStore
from sqlalchemy import text

from landform.kit.crypto import Binary, Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.storage import Store
from landform.states.document import md5_of
from tests.api.tfe.people import Caller, detail, ids, names, related, to_one
from tests.api.tfe.server import Server, signed
from tests.files import make_state, output, resource

KIND = "state-versions"
RAW = make_state(1, outputs={"color": output("red"), "pass": output("s3cr3t", sensitive=True)})


@pytest.fixture
async def path(server: Server) -> str:
    """The path of a workspace that the owner has locked, as the CLI does before it writes."""
    path = f"workspaces/{server.world.workspace_id}"
    await server.owner.post(f"{path}/actions/lock", "", 200)
    return path


async def announce(
    server: Server,
    raw: bytes = RAW,
    status: int = 201,
    by: Caller | None = None,
    **sent: Any,
) -> Any:
    """Announce a state, by default the first one."""
    given = {"serial": 1, "md5": md5_of(raw), "lineage": "lineage-1", **sent}
    at = f"workspaces/{server.world.workspace_id}/state-versions"
    return await (by or server.owner).post(at, KIND, status, **given)


async def upload(server: Server, announced: Any, raw: bytes = RAW) -> Any:
    """Send what was announced to its address, without a token as go-tfe does."""
    there = signed(announced["data"]["attributes"]["hosted-state-upload-url"])
    return await server.http.put(there, content=raw)


async def save(server: Server, raw: bytes, serial: int) -> str:
    """Announce and upload a state; return its id."""
    made = await announce(server, raw, serial=serial)
    assert (await upload(server, made, raw)).status_code == 200
    return str(made["data"]["id"])


async def test_a_state_is_announced_uploaded_and_then_the_workspace_s(
    server: Server, path: str
) -> None:
    owner = server.owner
    await owner.get(f"{path}/current-state-version", 404)
    made = await announce(server, json_state_outputs=base64.b64encode(b"{}").decode())
    told = made["data"]["attributes"]
    assert (told["status"], told["serial"], told["lineage"]) == ("pending", 1, "lineage-1")
    assert told["hosted-state-download-url"] is None
    await owner.get(f"{path}/current-state-version", 404)

    form = signed(told["hosted-json-state-upload-url"])
    assert (await server.http.put(form, content=b'{"values": {}}')).status_code == 200
    assert (await upload(server, made)).status_code == 200
    shown = await owner.get(f"state-versions/{made['data']['id']}")
    told = shown["data"]["attributes"]
    assert (told["status"], told["resources-processed"], told["size"]) == (
        "finalized",
        True,
        len(RAW),
    )
    assert told["hosted-state-upload-url"] is told["hosted-json-state-upload-url"] is None
    assert related(shown, "workspace")["id"] == server.world.workspace_id
    current = await owner.get(f"{path}/current-state-version")
    assert current["data"]["id"] == made["data"]["id"]
    raw = await server.http.get(signed(told["hosted-state-download-url"]))
    assert (raw.content, raw.headers["content-type"]) == (RAW, "application/json")
    form = signed(told["hosted-json-state-download-url"])
    assert (await server.http.get(form)).json() == {"values": {}}
    await owner.post(f"{path}/actions/unlock", "", 200)


async def test_the_addresses_of_an_upload_are_told_only_to_who_announced_it(
    server: Server, path: str
) -> None:
    made = await announce(server)
    other = await server.caller("admin")
    told = (await other.get(f"state-versions/{made['data']['id']}"))["data"]["attributes"]
    assert told["hosted-state-upload-url"] is told["hosted-json-state-upload-url"] is None


async def test_an_older_client_sends_the_state_along(server: Server, path: str) -> None:
    made = await announce(server, state=base64.b64encode(RAW).decode())
    assert made["data"]["attributes"]["status"] == "finalized"
    assert (await server.world.current_state()).id == made["data"]["id"]


async def test_a_state_that_is_sent_along_is_bounded_as_any(server: Server, path: str) -> None:
    raw = make_state(1, outputs={"long": output("x" * server.process.max_state_bytes)})
    await announce(server, raw, 413, state=base64.b64encode(raw).decode())


async def test_no_transaction_waits_for_the_store(server: Server, path: str) -> None:
    first = await save(server, RAW, 1)
    objects = MemoryStore()
    platform = server.world.platform
    store = Watching(objects, platform.keyring, platform.sessions)
    await store.put((await server.world.state(first)).path, RAW)
    server.with_limits(platform=replace(platform, store=store))
    raw = make_state(2)
    await announce(server, raw, serial=2, state=base64.b64encode(raw).decode())
    links = to_one(**{"rollback-state-version": (KIND, first)})
    await server.owner.patch(f"{path}/state-versions", KIND, 201, relationships=links)
    assert store.open_transactions == [0] * 4  # two states written, one read, and ours above


class Watching(Store):
    """A store that counts, whenever it is asked, the transactions that wait for it."""

    def __init__(self, objects: MemoryStore, keyring: Keyring, sessions: Sessions) -> None:
        super().__init__(objects, keyring)
        self.sessions = sessions
        self.open_transactions: list[int] = []

    async def put(self, path: str, data: Binary) -> None:
        await self._count()
        await super().put(path, data)

    async def get(self, path: str) -> bytes:
        await self._count()
        return await super().get(path)

    async def _count(self) -> None:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        async with transaction(self.sessions) as session:
            self.open_transactions.append(await session.scalar(query) or 0)


async def test_clients_are_told_how_often_to_save_during_a_local_apply(
    server: Server, path: str
) -> None:
    headers = {"Authorization": f"Bearer {server.owner.token}"}
    state_id = await save(server, RAW, 1)
    for where in (f"{path}/current-state-version", f"state-versions/{state_id}"):
        answer = await server.http.get(f"/api/v2/{where}", headers=headers)
        assert 0 < int(answer.headers["x-terraform-snapshot-interval"]) <= 3600
        assert answer.headers["content-type"] == "application/vnd.api+json"


async def test_a_state_needs_the_lock_of_who_writes_it(server: Server) -> None:
    refused = await announce(server, status=409)
    assert "Lock workspace" in detail(refused)
    assert "not locked" in detail(refused)
    path = f"workspaces/{server.world.workspace_id}"
    await server.owner.post(f"{path}/actions/lock", "", 200)
    other = await server.caller("write")
    refused = await announce(server, status=409, by=other)
    assert f"locked by {server.owner.id}" in detail(refused)


@pytest.mark.parametrize(
    ("serial", "lineage", "words"),
    [
        (4, "lineage-1", "serial 5; serial 4 is not newer. Pull the state again"),
        (5, "lineage-1", "serial 5; serial 5 is not newer"),
        (6, "lineage-2", "has lineage lineage-1; this one has lineage-2"),
    ],
)
async def test_an_old_serial_and_another_lineage_are_refused_with_what_to_do(
    server: Server, path: str, serial: int, lineage: str, words: str
) -> None:
    await save(server, make_state(5), 5)
    raw = make_state(serial, lineage=lineage, resources=[resource()])
    before = await server.world.snapshot()
    refused = await announce(server, raw, 409, serial=serial, lineage=lineage)
    assert words in detail(refused)
    assert await server.world.snapshot() == before
    forced = await announce(server, raw, serial=serial, lineage=lineage, force=True)
    assert (await upload(server, forced, raw)).status_code == 200
    assert (await server.world.current_state()).serial == serial


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (make_state(1, resources=[resource()]), "MD5"),
        (make_state(2), "serial 2 instead of 1"),
        (make_state(1, lineage="lineage-2"), "lineage 'lineage-2' instead of 'lineage-1'"),
        (b"not a state", "state"),
        (b"", "state"),
        (b"[" * 50_000, "state"),
    ],
    ids=["md5", "serial", "lineage", "text", "nothing", "nested"],
)
async def test_an_upload_of_something_else_is_refused_and_can_be_put_right(
    server: Server, path: str, sent: bytes, words: str
) -> None:
    made = await announce(server)
    refused = await upload(server, made, sent)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/vnd.api+json"
    assert words in detail(refused.json())
    await server.owner.get(f"{path}/current-state-version", 404)
    assert (await upload(server, made)).status_code == 200


async def test_an_upload_that_is_too_large_is_refused_before_it_is_read_whole(
    server: Server, path: str
) -> None:
    made = await announce(server)
    refused = await upload(server, made, b"x" * (server.process.max_state_bytes + 1))
    assert refused.status_code == 413
    assert (await upload(server, made)).status_code == 200


async def test_a_workspace_stays_locked_while_an_announced_state_is_missing(
    server: Server, path: str
) -> None:
    made = await announce(server)
    refused = await server.owner.post(f"{path}/actions/unlock", "", 409)
    assert "latest state version is still pending" in detail(refused)  # a client retries on this
    await server.owner.post(f"{path}/actions/force-unlock", "", 200)
    late = await upload(server, made)
    assert late.status_code == 409
    assert "given up" in detail(late.json())
    await server.owner.get(f"{path}/current-state-version", 404)


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"serial": "one"}, "serial"),
        ({"md5": None}, "md5"),
        ({"state": "not base64!"}, "state"),
        ({"force": "yes"}, "force"),
    ],
)
async def test_an_announcement_that_cannot_be_is_pointed_at(
    server: Server, path: str, sent: dict[str, Any], pointer: str
) -> None:
    before = await server.world.snapshot()
    refused = await announce(server, status=422, **sent)
    assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"
    assert await server.world.snapshot() == before


async def test_a_state_is_not_said_to_be_of_another_workspace_s_run(
    server: Server, path: str
) -> None:
    other = await server.world.beside()
    of_another = to_one(run=("runs", await other.create()))
    refused = await announce(server, status=422, relationships=of_another)
    assert refused["errors"][0]["source"]["pointer"] == "/data/relationships/run"
    of_its_own = to_one(run=("runs", await server.world.create()))
    made = await announce(server, relationships=of_its_own)
    assert related(made, "run") == of_its_own["run"]["data"]


async def test_states_are_listed_by_workspace_and_by_name(server: Server, path: str) -> None:
    saved = [await save(server, make_state(serial), serial) for serial in (1, 2, 3)]
    await announce(server, make_state(4), serial=4)
    newest_first = saved[::-1]
    assert ids(await server.owner.get(f"{path}/state-versions")) == newest_first
    by_name = {
        "filter[organization][name]": server.world.organization,
        "filter[workspace][name]": (await server.world.workspace()).name,
    }
    assert ids(await server.owner.get(KIND, **by_name)) == newest_first
    page = await server.owner.get(KIND, **by_name, **{"page[size]": "2", "page[number]": "2"})
    assert ids(page) == newest_first[2:]
    for missing in by_name:
        rest = {name: value for name, value in by_name.items() if name != missing}
        assert missing in detail(await server.owner.get(KIND, 400, **rest))
    await (await server.stranger()).get(KIND, 404, **by_name)


async def test_a_sensitive_output_is_told_only_to_who_asks_for_it_alone(
    server: Server, path: str
) -> None:
    state_id = await save(server, RAW, 1)
    owner = server.owner
    for listed in (f"{path}/current-state-version-outputs", f"state-versions/{state_id}/outputs"):
        shown = await owner.get(listed)
        assert names(shown) == ["color", "pass"]
        assert names(shown, "value") == ["red", None]
        assert names(shown, "detailed-type") == ["string", "string"]
    included = await owner.get(f"state-versions/{state_id}", include="outputs")
    assert "s3cr3t" not in str(included)
    assert {each["type"] for each in included["included"]} == {"state-version-outputs"}
    hidden = (await owner.get(f"state-versions/{state_id}/outputs"))["data"][1]["id"]
    alone = await owner.get(f"state-version-outputs/{hidden}")
    assert alone["data"]["attributes"]["value"] == "s3cr3t"


async def test_who_may_read_outputs_only_gets_no_state(server: Server, path: str) -> None:
    state_id = await save(server, RAW, 1)
    reader = await server.caller("custom", {"state-versions": "read-outputs"})
    assert names(await reader.get(f"{path}/current-state-version-outputs")) == ["color", "pass"]
    told = (await reader.get(f"state-versions/{state_id}"))["data"]["attributes"]
    assert told["hosted-state-download-url"] is told["hosted-json-state-download-url"] is None
    await reader.get(f"{path}/current-state-version", 403)
    await reader.get(f"{path}/state-versions", 403)
    blind = await server.caller("custom", {"runs": "apply"})
    for refused in (f"{path}/current-state-version-outputs", f"state-versions/{state_id}"):
        await blind.get(refused, 403)


async def test_a_rollback_makes_an_older_state_the_newest(server: Server, path: str) -> None:
    first = await save(server, make_state(1, resources=[resource()]), 1)
    await save(server, make_state(2), 2)
    links = to_one(**{"rollback-state-version": (KIND, first)})
    made = await server.owner.patch(f"{path}/state-versions", KIND, 201, relationships=links)
    assert made["data"]["attributes"]["serial"] == 3
    assert (await server.world.current_state()).id == made["data"]["id"]
    assert (await server.owner.get(path))["data"]["attributes"]["resource-count"] == 1


async def test_a_rollback_is_to_a_state_of_the_workspace_by_who_has_its_lock(
    server: Server, path: str
) -> None:
    first = await save(server, make_state(1), 1)
    other = await server.world.beside()
    links = to_one(**{"rollback-state-version": (KIND, first)})
    elsewhere = f"workspaces/{other.workspace_id}"
    await server.owner.post(f"{elsewhere}/actions/lock", "", 200)
    refused = await server.owner.patch(
        f"{elsewhere}/state-versions", KIND, 422, relationships=links
    )
    assert "another workspace" in detail(refused)
    await server.owner.patch(f"{path}/state-versions", KIND, 422)
    unknown = to_one(**{"rollback-state-version": (KIND, "sv-none")})
    await server.owner.patch(f"{path}/state-versions", KIND, 404, relationships=unknown)
    await server.owner.post(f"{path}/actions/unlock", "", 200)
    refused = await server.owner.patch(f"{path}/state-versions", KIND, 409, relationships=links)
    assert "Lock workspace" in detail(refused)
