"""Rotation: everything is sealed anew, at its place, and nothing is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from landform.audit import chain
from landform.configurations.models import ConfigurationVersion
from landform.configurations.readme import Readme
from landform.configurations.service import keep_readme
from landform.contract import Category
from landform.federation.kinds import Kind as ProviderKind
from landform.federation.providers import create_provider
from landform.federation.settings import ProviderSettings
from landform.fleet.models import Kind, Presence
from landform.fleet.service import Beat, keep_present, say_present
from landform.identity import issuer, second_factor
from landform.identity.actor import SYSTEM
from landform.keys import rotation
from landform.keys.rotation import Report, Vault
from landform.keys.source import KeySource
from landform.kit.crypto import Keyring, create_key_file
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.events import EventRow
from landform.kit.ids import new_id
from landform.kit.key_check import KeyCheck, require_right_key
from landform.kit.sealed import sealed_columns
from landform.kit.storage import open_store
from landform.notifications.models import (
    Destination,
    NotificationConfiguration,
    NotificationDelivery,
)
from landform.runs.attempts import Limits, Platform
from landform.runs.creation import RunVariable
from landform.ssh_keys.service import SshKeySettings, create_key
from landform.tables import METADATA
from landform.variables import queries as variables
from landform.variables.models import Variable
from landform.variables.service import VariableSettings, create_variable
from landform.workspaces.models import Workspace
from tests.world import World

STATE = b'{"version":4,"serial":1,"lineage":"l","outputs":{"o":{"value":"v","type":"string"}}}'


def ring_of(source: KeySource) -> Keyring:
    current, *older = source.read()
    return Keyring(current, older, source=source.read)


@pytest.fixture
def source(tmp_path: Path) -> KeySource:
    create_key_file(tmp_path / "encryption.key")
    return KeySource(tmp_path / "encryption.key")


@pytest.fixture
def keyring(source: KeySource) -> Keyring:
    return ring_of(source)


@pytest.fixture
async def vault(
    sessions: Sessions, keyring: Keyring, source: KeySource, tmp_path: Path, database_url: str
) -> Vault:
    await require_right_key(sessions, keyring)
    store = open_store(f"file://{tmp_path}/objects", keyring)
    return Vault(sessions, store, keyring, source, sealed_columns(METADATA), database_url)


@pytest.fixture
async def full(vault: Vault) -> World:
    """A world with something in every sealed column, and objects."""
    platform = Platform(vault.sessions, vault.store, vault.keyring, Limits())
    world = await World.make(platform)
    async with transaction(vault.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        for number in range(5):
            given = VariableSettings(
                key=f"v{number}", value=f"secret {number}", category="terraform", sensitive=True
            )
            await create_variable(session, vault.keyring, world.owner, workspace, given)
        await second_factor.begin(session, vault.keyring, world.owner, "Landform")
        registration = ProviderSettings(
            issuer="https://them.example", client_id="us", client_secret="secret"
        )
        await create_provider(session, vault.keyring, SYSTEM, ProviderKind.OIDC, registration)
        configuration = await session.get_one(ConfigurationVersion, world.configuration_id)
        readme = Readme(directory="", name="README.md", html="<p>secret</p>", is_cut=False)
        await keep_readme(session, vault.keyring, configuration, readme)
        key = SshKeySettings(name="modules")
        await create_key(session, vault.keyring, world.owner, world.organization_id, key)
        told = NotificationConfiguration(
            id=new_id("nc"),
            workspace_id=workspace.id,
            name="ops",
            destination=Destination.GENERIC,
            created_by=world.owner.id,
            updated_by=world.owner.id,
        )
        told.keep_secrets(vault.keyring, url="https://secret.example", token="hush")
        session.add(told)
        await session.flush()
        delivery = NotificationDelivery(configuration_id=told.id, trigger="verification")
        session.add(delivery)
        await session.flush()
        delivery.keep_answer(vault.keyring, "{}")
    run_id = await world.create(variables=[RunVariable(key="own", value='"x"')])
    await world.plan(run_id)
    await world.confirm(run_id)
    await world.apply(run_id, STATE)
    await world.plan(await world.create())  # what a run uses is there until it is over
    await chain.extend(vault.sessions, vault.keyring)
    await issuer.sign(
        vault.sessions, vault.keyring, issuer="https://us", subject="us", audience="them"
    )
    return world


async def rotate(vault: Vault) -> Report:
    return await rotation.rotate(vault, say=lambda _: None)


async def values(world: World) -> dict[str, str]:
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        found = await variables.for_run(session, world.platform.keyring, workspace)
    given = (each.variable for each in found)
    return {each.key: each.value for each in given if each.category is Category.TERRAFORM}


async def test_all_is_sealed_anew_and_opens_without_the_old_key(vault: Vault, full: World) -> None:
    before = await rotation.count(vault)
    (old,) = vault.keyring.ids
    report = await rotate(vault)
    assert report.unreadable == []
    assert vault.keyring.ids == [report.key_id, old]
    after = await rotation.count(vault)
    assert set(after.rows) == set(after.objects) == {report.key_id}
    assert after.rows.total() == before.rows.total() == report.rows + 1  # one is the key check
    assert after.objects.total() == before.objects.total() == report.objects
    assert all(each.name.split(".")[0] for each in vault.columns)

    vault.keyring._keys = vault.keyring.keys[:1]
    await require_right_key(vault.sessions, vault.keyring)
    assert (await values(full))["v3"] == "secret 3"
    async for page in vault.store.pages():
        for each in page:
            await vault.store.get(each.path)


async def test_the_columns_of_a_run_are_filled_by_this_test(vault: Vault, full: World) -> None:
    for each in vault.columns:
        if each.table.name.startswith("vcs_"):
            continue
        async with transaction(vault.sessions) as session:
            assert await session.scalar(
                select(each.column).where(each.column.is_not(None)).limit(1)
            )


async def test_the_file_has_the_new_key_first_and_the_old_one_for_back_ups(
    vault: Vault, source: KeySource
) -> None:
    (old,) = source.read()
    await rotate(vault)
    new, kept = source.read()
    assert (kept, vault.keyring.current) == (old, new)
    async with transaction(vault.sessions) as session:
        rows = (await session.scalars(select(EventRow.name).order_by(EventRow.id))).all()
    assert rows[-2:] == ["KeyRotationStarted", "KeyRotationFinished"]


async def test_one_that_was_cut_off_is_gone_on_with_and_makes_no_second_key(
    vault: Vault, full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    reseal = vault.store.reseal
    sealed = 0

    async def few(path: str) -> bool:
        nonlocal sealed
        sealed += 1
        if sealed > 1:
            raise Killed
        return await reseal(path)

    with monkeypatch.context() as patch:
        patch.setattr(vault.store, "reseal", few)
        with pytest.raises(Killed):
            await rotate(vault)
    half = await rotation.count(vault)
    assert len(half.objects) == 2
    keys = vault.source.read()
    report = await rotate(vault)
    assert vault.source.read() == keys
    whole = await rotation.count(vault)
    assert set(whole.objects) == set(whole.rows) == {report.key_id}


@pytest.mark.parametrize("point", ["_begin", "_make_current", "_seal_anew", "_end"])
async def test_wherever_it_is_cut_off_the_next_one_ends_it(
    vault: Vault, full: World, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    class Killed(BaseException): ...

    async def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rotation, point, dies)
        with pytest.raises(Killed):
            await rotate(vault)
    await rotate(vault)
    assert len(vault.source.read()) == 2
    found = await rotation.count(vault)
    assert set(found.rows) == {vault.keyring.ids[0]}


async def test_keys_that_an_operator_put_in_order_are_taken_as_they_are(
    vault: Vault, full: World
) -> None:
    (old,) = vault.source.read()
    vault.source.write([b"n" * 32, old])
    report = await rotate(vault)
    assert vault.source.read() == (b"n" * 32, old)
    assert vault.keyring.ids[0] == report.key_id


async def test_without_a_new_key_in_a_source_that_is_not_ours_it_says_what_to_do(
    vault: Vault,
) -> None:
    given = KeySource(vault.source.path, command=("cat", str(vault.source.path)))
    own = Vault(
        vault.sessions, vault.store, vault.keyring, given, vault.columns, vault.database_url
    )
    with pytest.raises(ConflictError, match="LANDFORM_ENCRYPTION_KEY_COMMAND"):
        await rotation.rotate(own, say=lambda _: None)
    assert len(vault.source.read()) == 1


async def test_two_at_once_do_not_get_in_each_other_s_way(
    vault: Vault, full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, has_begun, goes_on = rotation._begin, asyncio.Event(), asyncio.Event()

    async def held(*given: Any) -> str:
        has_begun.set()
        await goes_on.wait()
        return await begin(*given)

    monkeypatch.setattr(rotation, "_begin", held)
    first = asyncio.create_task(rotate(vault))
    await asyncio.wait_for(has_begun.wait(), 60)
    with pytest.raises(ConflictError):
        await asyncio.wait_for(rotate(vault), 60)
    goes_on.set()
    assert (await first).rows


async def test_a_value_that_no_key_opens_is_named_and_left(vault: Vault, full: World) -> None:
    async with transaction(vault.sessions) as session:
        row = (await session.scalars(select(Variable).limit(1))).one()
        spoiled = row.sealed_value[:-1] + bytes([row.sealed_value[-1] ^ 1])
        await session.execute(
            update(Variable).where(Variable.id == row.id).values(sealed_value=spoiled)
        )
    report = await rotate(vault)
    assert report.unreadable == [f"variables.sealed_value of variables/{row.id}"]
    async with transaction(vault.sessions) as session:
        again = await session.get_one(Variable, row.id)
        assert again.sealed_value == spoiled


@pytest.fixture
async def another(vault: Vault) -> AsyncIterator[Keyring]:
    """The ring of another process, which looks for new keys a few times a second."""
    ring = ring_of(vault.source)
    beat = Beat(Kind.SERVER, 0.05)
    await say_present(vault.sessions, ring, beat)
    task = asyncio.create_task(keep_present(vault.sessions, ring, beat))
    yield ring
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_other_processes_read_and_write_all_the_while(
    vault: Vault, full: World, another: Keyring
) -> None:
    reader = open_store(f"file://{vault.source.path.parent}/objects", another)
    over = asyncio.Event()
    seen = 0

    async def use() -> None:
        nonlocal seen
        while not over.is_set():
            await reader.put(f"more/{seen}", b"of theirs")
            await vault.store.put(f"ours/{seen}", b"of ours")
            assert await reader.get(f"ours/{seen}") == b"of ours"
            assert await vault.store.get(f"more/{seen}") == b"of theirs"
            seen += 1
            await asyncio.sleep(0)

    using = asyncio.create_task(use())
    report = await rotate(vault)
    over.set()
    await using
    assert seen
    assert another.ids[0] == report.key_id
    assert set((await rotation.count(vault)).objects) == {report.key_id}


async def test_a_process_that_cannot_have_the_new_key_stops_the_rotation_before_it_does_harm(
    vault: Vault, full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_ADOPTION_S", 0.3)
    (old,) = vault.source.read()
    await say_present(vault.sessions, Keyring(old), Beat(Kind.WORKER, 60.0))
    with pytest.raises(ConflictError, match=r"worker with pid \d+ on .* does not know the new key"):
        await rotate(vault)
    found = await rotation.count(vault)
    assert set(found.rows) == set(found.objects) == {vault.keyring.ids[0]}
    async with transaction(vault.sessions) as session:
        (row,) = await session.scalars(select(Presence))
        await session.delete(row)
    await rotate(vault)
    assert len(vault.source.read()) == 2


async def test_a_ring_is_read_anew_only_when_the_database_says_so(
    vault: Vault, source: KeySource
) -> None:
    ring = ring_of(source)
    beat = Beat(Kind.SERVER, 1.0)
    source.write([*source.read(), b"n" * 32])
    await say_present(vault.sessions, ring, beat)
    assert len(ring.keys) == 1
    async with transaction(vault.sessions) as session:
        await session.execute(update(KeyCheck).values(generation=1))
    await say_present(vault.sessions, ring, beat)
    assert len(ring.keys) == 2
