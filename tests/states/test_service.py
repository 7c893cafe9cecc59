"""States as clients announce and upload them."""

import asyncio
import json

import pytest
from sqlalchemy import select, text

from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.runs import locks as run_locks
from landform.states import queries, service
from landform.states.document import md5_of
from landform.states.models import StateOutput, StateStatus, StateVersion
from landform.states.service import Announcement, announce
from landform.workspaces import locks
from tests import factories
from tests.files import make_state, output, resource
from tests.world import World


@pytest.fixture
async def locked(world: World) -> World:
    """A workspace that its owner has locked."""
    await world.on_workspace(locks.lock)
    return world


def announced(raw: bytes, serial: int, **options: object) -> Announcement:
    given = {"serial": serial, "md5": md5_of(raw), "lineage": "lineage-1", **options}
    return Announcement(**given)  # type: ignore[arg-type]  # a test names what it means


async def upload(world: World, state: StateVersion | str, raw: bytes) -> None:
    platform = world.platform
    await service.receive(
        platform.sessions,
        platform.store,
        platform.keyring,
        state_version_id=state if isinstance(state, str) else state.id,
        raw=raw,
    )


async def expect(world: World, raw: bytes, serial: int, **options: object) -> StateVersion:
    announcement = announced(raw, serial, **options)
    return await world.on_workspace(announce, announcement=announcement)


async def outputs(world: World, state_id: str) -> dict[str, StateOutput]:
    async with transaction(world.platform.sessions) as session:
        rows = await queries.outputs_of(session, await world.state(state_id))
        return {row.name: row for row in rows}


async def test_an_announced_state_becomes_the_newest_once_it_is_uploaded(locked: World) -> None:
    raw = make_state(1, resources=[resource(instances=2), resource("seen", mode="data")])
    state = await expect(locked, raw, 1)
    assert state.status is StateStatus.PENDING
    assert (await locked.workspace()).current_state_version_id is None
    await upload(locked, state, raw)
    state = await locked.current_state()
    assert (state.status, state.serial, state.size_bytes) == (StateStatus.FINALIZED, 1, len(raw))
    assert (state.terraform_version, state.resource_count) == ("1.11.4", 2)
    assert [each["name"] for each in state.resources] == ["one", "seen"]
    assert await locked.platform.store.get(state.path) == raw
    [event] = await locked.events(state.id)
    assert (event.name, event.actor_id) == ("StateSaved", locked.owner.id)


async def test_a_state_is_announced_by_who_holds_the_lock(world: World) -> None:
    with pytest.raises(ConflictError, match="it is not locked"):
        await expect(world, make_state(), 1)
    async with world.platform.sessions.begin() as session:
        other = await factories.make_actor(session, await world.workspace(), "write")
    await world.on_workspace(locks.lock, other)
    with pytest.raises(ConflictError, match=f"locked by {other.id}"):
        await expect(world, make_state(), 1)


async def test_a_run_s_lock_is_nobody_else_s(world: World) -> None:
    run_id = await world.create()
    with pytest.raises(ConflictError, match=f"locked by {run_id}"):
        await expect(world, make_state(), 1)


async def test_who_may_only_read_state_cannot_write_it(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        reader = await factories.make_actor(session, await world.workspace(), "read")
    with pytest.raises(ForbiddenError):
        await world.on_workspace(announce, reader, announcement=announced(make_state(), 1))


async def test_an_old_serial_is_refused_with_what_to_do(locked: World) -> None:
    await locked.save_state(make_state(5), serial=5)
    before = await locked.snapshot()
    for serial in (4, 5):
        other = make_state(serial, outputs={"a": output("b")})
        with pytest.raises(ConflictError, match="Pull the state again"):
            await expect(locked, other, serial)
    assert await locked.snapshot() == before


async def test_the_very_same_state_may_be_announced_again(locked: World) -> None:
    await locked.save_state(make_state(5), serial=5)
    await locked.save_state(make_state(5), serial=5)
    assert (await locked.current_state()).serial == 5


async def test_another_lineage_is_refused(locked: World) -> None:
    await locked.save_state(make_state(1), serial=1)
    other = make_state(2, lineage="lineage-2")
    before = await locked.snapshot()
    with pytest.raises(ConflictError, match="lineage-2 and so belongs to other infrastructure"):
        await expect(locked, other, 2, lineage="lineage-2")
    assert await locked.snapshot() == before


async def test_a_lineage_that_was_not_announced_is_found_out_at_the_upload(
    locked: World,
) -> None:
    await locked.save_state(make_state(1), serial=1)
    other = make_state(2, lineage="lineage-2")
    state = await expect(locked, other, 2, lineage="")
    with pytest.raises(ConflictError, match="other infrastructure"):
        await upload(locked, state, other)
    assert (await locked.current_state()).serial == 1


async def test_force_overrules_serial_and_lineage(locked: World) -> None:
    await locked.save_state(make_state(5), serial=5)
    other = make_state(1, lineage="lineage-2")
    state = await expect(locked, other, 1, lineage="lineage-2", force=True)
    await upload(locked, state, other)
    newest = await locked.current_state()
    assert (newest.serial, newest.lineage) == (1, "lineage-2")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (make_state(1, outputs={"a": output("b")}), "MD5"),
        (make_state(2), "serial 2 instead of 1"),
        (make_state(1, lineage="lineage-2"), "lineage 'lineage-2' instead of 'lineage-1'"),
        (b"", "not a Terraform state"),
        (b"<html>", "not a Terraform state"),
        (b"\xff\xfe", "not a Terraform state"),
        (b"[]", "not a Terraform state"),
        (b'{"version": 4, "serial": "one"}', "not a Terraform state"),
        (b'{"serial": 1}', "not a Terraform state"),
        (make_state(1, version=3), "format version 4 are accepted, this one is 3"),
        (b'{"version": 4, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (make_state(1, lineage="a\0b"), "NUL"),
        (make_state(1, resources=[resource("a\0b")]), "NUL"),
        (make_state(1, outputs={"a\0b": output("c")}), "NUL"),
    ],
    ids=range(14),
)
async def test_what_was_not_announced_is_refused_and_can_be_put_right(
    locked: World, sent: bytes, said: str
) -> None:
    raw = make_state(1)
    state = await expect(locked, raw, 1)
    before = await locked.snapshot()
    with pytest.raises(InvalidError, match=said):
        await upload(locked, state, sent)
    assert await locked.snapshot() == before
    await upload(locked, state, raw)
    assert (await locked.current_state()).id == state.id


async def test_an_upload_that_comes_twice_counts_once(locked: World) -> None:
    raw = make_state(1)
    state = await expect(locked, raw, 1)
    await upload(locked, state, raw)
    before = await locked.snapshot()
    await upload(locked, state, raw)
    assert await locked.snapshot() == before
    with pytest.raises(InvalidError, match="MD5"):
        await upload(locked, state, make_state(1, outputs={"a": output("b")}))
    assert await locked.platform.store.get(state.path) == raw


async def test_uploads_of_one_state_at_once_count_once(locked: World) -> None:
    raw = make_state(1, outputs={"a": output("b")})
    state = await expect(locked, raw, 1)
    await asyncio.gather(*(upload(locked, state, raw) for _ in range(4)))
    assert list(await outputs(locked, state.id)) == ["a"]
    assert [e.name for e in await locked.events(state.id)] == ["StateSaved"]


async def test_a_state_that_another_overtook_is_refused_and_given_up(locked: World) -> None:
    older, newer = make_state(1), make_state(2)
    late = await expect(locked, older, 1)
    early = await expect(locked, newer, 2)
    await upload(locked, early, newer)
    with pytest.raises(ConflictError, match="serial 1 is not newer"):
        await upload(locked, late, older)
    assert (await locked.state(late.id)).status is StateStatus.DISCARDED
    assert (await locked.current_state()).id == early.id
    await locked.on_workspace(run_locks.unlock)


async def test_two_uploads_that_were_announced_together_may_come_in_order(locked: World) -> None:
    states = [make_state(serial) for serial in (1, 2)]
    rows = [await expect(locked, raw, serial) for serial, raw in enumerate(states, 1)]
    for row, raw in zip(rows, states, strict=True):
        await upload(locked, row, raw)
    assert (await locked.current_state()).serial == 2


@pytest.mark.parametrize("json_first", [True, False])
async def test_raw_and_json_form_may_come_in_either_order(
    locked: World, *, json_first: bool
) -> None:
    raw, shown = make_state(1), json.dumps({"format_version": "1.0"}).encode()
    state = await expect(locked, raw, 1)

    async def upload_json() -> None:
        platform = locked.platform
        await service.receive_json(
            platform.sessions, platform.store, state_version_id=state.id, data=shown
        )

    if json_first:
        await upload_json()
    await upload(locked, state, raw)
    if not json_first:
        await upload_json()
    state = await locked.current_state()
    assert state.has_json
    assert await locked.platform.store.get(state.json_path) == shown


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"\xff", b'{"a":' + b"[" * 100_000])
async def test_a_json_form_that_is_none_is_refused(locked: World, sent: bytes) -> None:
    state = await expect(locked, make_state(1), 1)
    platform = locked.platform
    with pytest.raises(InvalidError, match="not a JSON state"):
        await service.receive_json(
            platform.sessions, platform.store, state_version_id=state.id, data=sent
        )
    assert not (await locked.state(state.id)).has_json


async def test_what_nobody_announced_is_not_taken(locked: World) -> None:
    with pytest.raises(NotFoundError):
        await upload(locked, "sv-none", make_state(1))
    platform = locked.platform
    with pytest.raises(NotFoundError):
        await service.receive_json(
            platform.sessions, platform.store, state_version_id="sv-none", data=b"{}"
        )


async def test_an_upload_after_the_lock_was_broken_comes_too_late(locked: World) -> None:
    raw = make_state(1)
    state = await expect(locked, raw, 1)
    await locked.on_workspace(run_locks.force_unlock)
    before = await locked.snapshot()
    with pytest.raises(ConflictError, match="given up"):
        await upload(locked, state, raw)
    assert await locked.snapshot() == before
    assert (await locked.workspace()).current_state_version_id is None


async def test_a_state_that_comes_in_one_piece_is_saved_or_leaves_nothing_pending(
    locked: World,
) -> None:
    state_id = await locked.save_state(make_state(1), serial=1)
    assert (await locked.current_state()).id == state_id
    with pytest.raises(InvalidError):
        await locked.save_state(b"nonsense", serial=2)
    await locked.on_workspace(run_locks.unlock)


async def test_outputs_are_kept_with_their_types_and_encrypted(locked: World) -> None:
    given = {
        "text": output("hello"),
        "number": output(42, "number"),
        "truth": output(True, "bool"),
        "list": output(["a", 1], ["tuple", ["string", "number"]]),
        "map": output({"a": 1}, ["object", {"a": "number"}]),
        "secret": output("s3cr3t-value", sensitive=True),
        "nothing": output(None, "dynamic"),
    }
    state_id = await locked.save_state(make_state(1, outputs=given), serial=1)
    found = await outputs(locked, state_id)
    assert {name: row.kind for name, row in found.items()} == {
        "list": "array",
        "map": "map",
        "nothing": "string",
        "number": "number",
        "secret": "string",
        "text": "string",
        "truth": "bool",
    }
    keyring = locked.platform.keyring
    for name, row in found.items():
        assert queries.output_value(keyring, row) == given[name]["value"]
    assert [name for name, row in found.items() if row.sensitive] == ["secret"]
    assert found["list"].detailed_type == ["tuple", ["string", "number"]]
    async with transaction(locked.platform.sessions) as session:
        rows = (await session.execute(text("SELECT * FROM state_version_outputs"))).all()
    assert "s3cr3t-value" not in repr(rows)


async def test_each_state_has_outputs_of_its_own(locked: World) -> None:
    first = await locked.save_state(make_state(1, outputs={"a": output("one")}), serial=1)
    second = await locked.save_state(make_state(2, outputs={"b": output("two")}), serial=2)
    assert [list(await outputs(locked, each)) for each in (first, second)] == [["a"], ["b"]]


async def test_states_are_listed_newest_first_without_those_still_pending(
    locked: World,
) -> None:
    for serial in (1, 2, 3):
        await locked.save_state(make_state(serial), serial=serial)
    await expect(locked, make_state(4), 4)

    async def listed(page: Page) -> list[int]:
        found = await locked.on_workspace(queries.list_of, page=page)
        assert found.total == 3
        return [state.serial for state in found.items]

    assert await listed(Page(1, 2)) == [3, 2]
    assert await listed(Page(2, 2)) == [1]


async def roll_back(world: World, to: StateVersion) -> str:
    platform = world.platform
    return await service.roll_back(
        platform.sessions,
        platform.store,
        platform.keyring,
        world.owner,
        await world.workspace(),
        to=to,
    )


async def test_a_rollback_is_a_new_version_with_the_next_serial_and_the_old_content(
    locked: World,
) -> None:
    precise = make_state(1).replace(b'"outputs": {}', b'"outputs": {}, "x": 0.12345678901234567890')
    old = await locked.save_state(precise, serial=1)
    await locked.save_state(make_state(7, resources=[resource()]), serial=7)
    new = await roll_back(locked, await locked.state(old))
    state = await locked.current_state()
    assert (state.id, state.serial, state.resource_count) == (new, 8, 0)
    raw = await locked.platform.store.get(state.path)
    assert json.loads(raw)["serial"] == 8
    assert b"0.12345678901234567890" in raw
    assert (await locked.state(old)).status is StateStatus.FINALIZED


async def test_a_rollback_needs_the_lock(world: World) -> None:
    await world.on_workspace(locks.lock)
    old = await world.save_state(make_state(1), serial=1)
    await world.on_workspace(locks.unlock)
    with pytest.raises(ConflictError, match="Lock workspace"):
        await roll_back(world, await world.state(old))


async def test_a_rollback_goes_to_a_state_of_the_same_workspace_that_was_uploaded(
    locked: World,
) -> None:
    other = await locked.beside()
    await other.on_workspace(locks.lock)
    foreign = await other.save_state(make_state(1), serial=1)
    with pytest.raises(InvalidError, match="another workspace"):
        await roll_back(locked, await locked.state(foreign))
    pending = await expect(locked, make_state(1), 1)
    with pytest.raises(ConflictError, match="has not been uploaded"):
        await roll_back(locked, pending)


async def test_a_state_of_a_workspace_nobody_told_the_actor_of_is_not_there(
    locked: World,
) -> None:
    state_id = await locked.save_state(make_state(1, outputs={"a": output("b")}), serial=1)
    async with locked.platform.sessions.begin() as session:
        stranger = await factories.make_owner(session, await factories.make_organization(session))
        [row] = await session.scalars(select(StateOutput))
        with pytest.raises(NotFoundError, match=state_id):
            await queries.get(session, stranger, state_id)
        with pytest.raises(NotFoundError, match=row.id):
            await queries.output(session, stranger, row.id)


async def test_outputs_may_be_read_by_who_may_not_read_the_state(locked: World) -> None:
    state_id = await locked.save_state(make_state(1, outputs={"a": output("b")}), serial=1)
    async with locked.platform.sessions.begin() as session:
        levels = {"runs": "read", "state-versions": "read-outputs"}
        actor = await factories.make_actor(session, await locked.workspace(), "custom", levels)
        [row] = await session.scalars(select(StateOutput))
        assert (await queries.output(session, actor, row.id)).name == "a"
        with pytest.raises(ForbiddenError):
            await queries.get(session, actor, state_id)
