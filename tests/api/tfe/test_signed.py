"""Addresses that are their own permission, at the routes: guessed, altered, swapped, expired."""

import asyncio
from typing import Any

import pytest

from landform.contract import Artefact, LogStream, Outcome, Phase
from landform.edge.signed_urls import LIFE_S, PREFIX, Deed
from landform.runs import attempts
from landform.states.document import md5_of
from landform.states.service import Announcement, announce
from landform.workspaces import locks
from tests.api.tfe.people import detail
from tests.api.tfe.server import Server, signed
from tests.files import make_archive, make_state

UPLOADS = {Deed.UPLOAD_CONFIGURATION, Deed.UPLOAD_STATE, Deed.UPLOAD_JSON_STATE}
STATE = make_state(2)


@pytest.fixture
async def objects(server: Server) -> dict[Deed, str]:
    """Something for every deed to be done to."""
    world = server.world
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.append(job, 0, b"Plan: 1 to add.\n")
    await world.append(job, 0, b'{"@message": "Plan"}\n', LogStream.JSON)
    for artefact in (Artefact.PLAN_JSON, Artefact.PLAN_JSON_REDACTED):
        await attempts.put(world.platform, job, artefact, b"{}")
    await world.finish(job)
    await world.discard(run_id)
    await world.on_workspace(locks.lock)
    saved = await world.save_state(make_state(1), serial=1)
    announcement = Announcement(serial=2, md5=md5_of(STATE), lineage="lineage-1")
    expected = (await world.on_workspace(announce, announcement=announcement)).id
    return {
        Deed.UPLOAD_CONFIGURATION: await world.announce_configuration(),
        Deed.DOWNLOAD_CONFIGURATION: world.configuration_id,
        Deed.UPLOAD_STATE: expected,
        Deed.UPLOAD_JSON_STATE: expected,
        Deed.DOWNLOAD_STATE: saved,
        Deed.DOWNLOAD_JSON_STATE: saved,
        Deed.READ_TEXT_LOG: job.phase_id,
        Deed.READ_JSON_LOG: job.phase_id,
        Deed.DOWNLOAD_PLAN_JSON: job.phase_id,
        Deed.DOWNLOAD_REDACTED_PLAN: job.phase_id,
    }


async def ask(server: Server, deed: Deed, path: str, **options: Any) -> Any:
    content = {
        Deed.UPLOAD_CONFIGURATION: make_archive(),
        Deed.UPLOAD_STATE: STATE,
        Deed.UPLOAD_JSON_STATE: b"{}",
    }.get(deed)
    return await server.http.request(
        "PUT" if deed in UPLOADS else "GET", path, content=content, **options
    )


@pytest.mark.parametrize("deed", Deed)
async def test_what_was_not_signed_so_is_not_there_and_nothing_is_done(
    server: Server, objects: dict[Deed, str], deed: Deed
) -> None:
    genuine = server.process.signer.path(deed, objects[deed])
    _, _, _, object_id, expires, mac = genuine.split("/")
    other_end = "A" if mac[0] != "A" else "B"
    later = f"{int(expires, 16) + 3600:x}"
    swapped = [
        server.process.signer.path(other, objects[deed]).split("/")
        for other in Deed
        if other != deed
    ]
    elsewhere = server.process.signer.path(deed, "sv-other").split("/")
    forged = [
        f"{object_id}/{expires}/{'A' * len(mac)}",
        f"{object_id}/{expires}/{other_end}{mac[1:]}",
        f"{object_id}/{later}/{mac}",
        f"{object_id}/ffffffffffffffffffffffff/{mac}",
        f"{object_id}/never/{mac}",
        f"{object_id}/0/{mac}",
        f"sv-other/{expires}/{mac}",
        f"{object_id}/{elsewhere[4]}/{elsewhere[5]}",
        *(f"{object_id}/{parts[4]}/{parts[5]}" for parts in swapped),
    ]
    before = await server.world.snapshot()
    owner = {"Authorization": f"Bearer {server.owner.token}"}
    said = set()
    for each in forged:
        for headers in ({}, owner):  # and no token mends it
            answer = await ask(server, deed, f"{PREFIX}/{deed}/{each}", headers=headers)
            assert answer.status_code == 404, each
            said.add(answer.text)
    assert len(said) == 1
    assert await server.world.snapshot() == before


@pytest.mark.parametrize("deed", Deed)
async def test_an_address_ends_with_its_time(
    server: Server, objects: dict[Deed, str], deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_then = 1_700_000_000
    with monkeypatch.context() as past:
        past.setattr("landform.edge.signed_urls.time.time", lambda: made_then)
        old = server.process.signer.path(deed, objects[deed])
    assert (await ask(server, deed, old)).status_code == 404


@pytest.mark.parametrize("deed", [deed for deed in Deed if deed is not Deed.DOWNLOAD_JSON_STATE])
async def test_a_genuine_address_needs_no_token_and_is_kept_nowhere(
    server: Server, objects: dict[Deed, str], deed: Deed
) -> None:
    answer = await ask(server, deed, server.process.signer.path(deed, objects[deed]))
    assert answer.status_code == 200
    if deed not in UPLOADS:
        assert answer.content
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_address_of_a_log_outlives_the_longest_wait_for_a_confirm(
    server: Server,
) -> None:
    assert LIFE_S[Deed.READ_TEXT_LOG] == LIFE_S[Deed.READ_JSON_LOG] == 24 * 3600


async def test_an_upload_of_a_configuration_that_is_none_is_told_and_shown(
    server: Server,
) -> None:
    path = f"workspaces/{server.world.workspace_id}/configuration-versions"
    made = await server.owner.post(path, "configuration-versions", speculative=True)
    there = signed(made["data"]["attributes"]["upload-url"])
    refused = await server.http.put(there, content=b"not a tar.gz")
    assert refused.status_code == 422
    assert "tar.gz" in detail(refused.json())
    shown = await server.owner.get(f"configuration-versions/{made['data']['id']}")
    attributes = shown["data"]["attributes"]
    assert attributes["status"] == "errored"
    assert attributes["error-message"]


async def test_an_upload_of_a_configuration_is_bounded(server: Server) -> None:
    configuration = await server.world.announce_configuration()
    there = server.process.signer.path(Deed.UPLOAD_CONFIGURATION, configuration)
    too_much = b"x" * (server.process.max_configuration_bytes + 1)
    refused = await server.http.put(there, content=too_much)
    assert refused.status_code == 413
    assert (await server.http.put(there, content=make_archive())).status_code == 200


# ── Logs, as go-tfe reads them (tfe_api.md §1.7) ────────────────────────────────────────────────


async def test_a_log_is_framed_and_read_by_offset_and_limit(server: Server) -> None:
    world = server.world
    run_id = await world.create()
    job = await world.must_begin(run_id)
    shown = await server.owner.get(f"plans/{job.phase_id}")
    there = signed(shown["data"]["attributes"]["log-read-url"])

    async def read(offset: int, limit: int = 65536) -> bytes:
        answer = await server.http.get(f"{there}?limit={limit}&offset={offset}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        return bytes(answer.content)

    await world.append(job, 0, b"one\n")
    assert await read(0) == b"\x02one\n"
    await world.append(job, 4, b"two\n")
    assert await read(5) == b"two\n"
    assert await read(3, limit=3) == b"e\nt"
    await world.finish(job)
    whole = await read(0)
    assert whole == b"\x02one\ntwo\n\x03"
    assert await read(len(whole)) == b""
    assert await read(10**9) == b""
    pieces = [await read(offset, limit=2) for offset in range(0, len(whole), 2)]
    assert b"".join(pieces) == whole


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "limit=1e3", f"offset={'9' * 40}"])
async def test_a_stretch_of_a_log_that_makes_no_sense_is_refused(
    server: Server, query: str
) -> None:
    job = await server.world.must_begin(await server.world.create())
    there = server.process.signer.path(Deed.READ_TEXT_LOG, job.phase_id)
    refused = await server.http.get(f"{there}?{query}")
    assert refused.status_code == 400
    assert "number of bytes" in detail(refused.json())


async def test_a_reader_at_the_end_of_a_growing_log_gets_the_next_line_as_it_comes(
    server: Server,
) -> None:
    job = await server.world.must_begin(await server.world.create())
    await server.world.append(job, 0, b"one\n")
    there = server.process.signer.path(Deed.READ_TEXT_LOG, job.phase_id)
    waiting = asyncio.create_task(server.http.get(f"{there}?limit=65536&offset=5"))
    await server.world.append(job, 4, b"two\n")
    assert (await waiting).content == b"two\n"


@pytest.mark.parametrize("outcome", [Outcome.FINISHED, Outcome.ERRORED, Outcome.CANCELED])
async def test_a_log_ends_with_its_phase_however_that_ends(
    server: Server, outcome: Outcome
) -> None:
    job = await server.world.must_begin(await server.world.create())
    await server.world.append(job, 0, b"one\n")
    error = "" if outcome is Outcome.FINISHED else "It went wrong."
    await server.world.finish(job, outcome, error=error)
    there = server.process.signer.path(Deed.READ_TEXT_LOG, job.phase_id)
    answer = await server.http.get(f"{there}?limit=65536&offset=0")
    assert answer.content.startswith(b"\x02one\n")
    assert answer.content.endswith(b"\x03")


async def test_the_log_of_an_apply_is_another_s(server: Server) -> None:
    world = server.world
    run_id = await world.create()
    await world.plan(run_id)
    await world.confirm(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await world.append(job, 0, b"applying\n")
    shown = await server.owner.get(f"applies/{job.phase_id}")
    there = signed(shown["data"]["attributes"]["log-read-url"])
    assert (await server.http.get(f"{there}?limit=100&offset=0")).content == b"\x02applying\n"
