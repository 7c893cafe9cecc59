import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from landform import contract
from landform.contract import Category
from landform.identity.actor import SYSTEM
from landform.kit.crypto import Keyring, SealError
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.variables import queries, service
from landform.variables.models import Variable
from landform.variables.queries import ShownVariable
from landform.variables.service import VariableSettings
from landform.workspaces.models import Workspace
from tests.factories import make_actor, make_organization, make_workspace, organization_actor

SECRET = "hunter2-hunter2"


async def for_run(
    session: AsyncSession, keyring: Keyring, workspace: Workspace
) -> list[contract.Variable]:
    found = await queries.for_run(session, keyring, workspace)
    return [each.variable for each in found]


async def _create(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, **settings: Any
) -> ShownVariable:
    given = {"key": "region", "value": "eu", "category": Category.TERRAFORM} | settings
    return await service.create_variable(
        session, keyring, SYSTEM, workspace, VariableSettings(**given)
    )


async def test_a_variable_is_kept_and_shown(session: AsyncSession, keyring: Keyring) -> None:
    workspace = await make_workspace(session)
    writer = await make_actor(session, workspace, "write")
    made = await service.create_variable(
        session,
        keyring,
        writer,
        workspace,
        VariableSettings(
            key="sizes", value='["a"]', category="terraform", hcl=True, description="Sizes"
        ),
    )
    assert (made.value, made.row.hcl, made.row.description) == ('["a"]', True, "Sizes")
    reader = await make_actor(session, workspace, "read")
    listed = await queries.list_variables(session, keyring, reader, workspace)
    assert listed == [made]
    got = await queries.get_variable(session, keyring, reader, workspace, made.row.id)
    assert got == made


async def test_a_sensitive_value_is_never_shown_again_but_a_run_gets_it(
    session: AsyncSession, keyring: Keyring
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value=SECRET, sensitive=True)
    updated = await service.update_variable(
        session, keyring, SYSTEM, workspace, made.row.id, VariableSettings(description="x")
    )
    listed = await queries.list_variables(session, keyring, SYSTEM, workspace)
    got = await queries.get_variable(session, keyring, SYSTEM, workspace, made.row.id)
    assert [shown.value for shown in (made, updated, *listed, got)] == [None] * 4
    assert await for_run(session, keyring, workspace) == [
        contract.Variable(key="region", value=SECRET, category=Category.TERRAFORM, sensitive=True)
    ]


@pytest.mark.parametrize("sensitive", [True, False])
async def test_no_value_is_in_the_database_or_the_event_log_or_a_representation(
    session: AsyncSession, keyring: Keyring, sensitive: bool
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value=SECRET, sensitive=sensitive)
    settings = VariableSettings(value=SECRET + "!")
    changed = await service.update_variable(
        session, keyring, SYSTEM, workspace, made.row.id, settings
    )
    await service.delete_variable(session, SYSTEM, workspace, made.row.id)
    again = await _create(session, keyring, workspace, value=SECRET, sensitive=sensitive)
    await session.flush()
    stored = [
        (await session.execute(text(f"SELECT to_jsonb({table})::text FROM {table}"))).all()
        for table in ("variables", "events")
    ]
    shown = repr((stored, made, changed, again, settings, made.row))
    assert SECRET not in shown
    raw = (await session.scalars(select(Variable.sealed_value))).one()
    assert SECRET.encode() not in raw
    names = await session.scalars(
        select(EventRow.name).where(EventRow.subject_id == made.row.id).order_by(EventRow.id)
    )
    assert list(names) == ["VariableCreated", "VariableUpdated", "VariableDeleted"]


async def test_a_value_cannot_be_moved_to_another_variable(
    session: AsyncSession, keyring: Keyring
) -> None:
    workspace = await make_workspace(session)
    secret = await _create(session, keyring, workspace, value=SECRET, sensitive=True)
    shown = await _create(session, keyring, workspace, key="shown")
    shown.row.sealed_value = secret.row.sealed_value
    with pytest.raises(SealError):
        await queries.list_variables(session, keyring, SYSTEM, workspace)


@pytest.mark.parametrize(
    "change",
    [{"sensitive": False}, {"key": "other"}, {"category": "env"}],
)
async def test_a_sensitive_variable_stays_what_it_is(
    session: AsyncSession, keyring: Keyring, change: dict[str, Any]
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value=SECRET, sensitive=True)
    with pytest.raises(InvalidError, match="sensitive variable cannot be changed") as refused:
        await service.update_variable(
            session, keyring, SYSTEM, workspace, made.row.id, VariableSettings(**change)
        )
    assert refused.value.pointer == next(iter(change))
    await session.refresh(made.row)
    assert (made.row.sensitive, made.row.key) == (True, "region")


async def test_a_sensitive_variable_takes_a_new_value_and_description(
    session: AsyncSession, keyring: Keyring
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value=SECRET, sensitive=True)
    await service.update_variable(
        session,
        keyring,
        SYSTEM,
        workspace,
        made.row.id,
        VariableSettings(key="region", sensitive=True, value="new", description="why"),
    )
    assert [each.value for each in await for_run(session, keyring, workspace)] == ["new"]


async def test_turning_sensitive_on_hides_the_value_from_then_on(
    session: AsyncSession, keyring: Keyring
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value=SECRET)
    assert made.value == SECRET
    changed = await service.update_variable(
        session, keyring, SYSTEM, workspace, made.row.id, VariableSettings(sensitive=True)
    )
    assert changed.value is None


async def test_every_change_gives_a_new_version(session: AsyncSession, keyring: Keyring) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace, value='"eu"')
    before = made.row.version_id
    changed = await service.update_variable(
        session, keyring, SYSTEM, workspace, made.row.id, VariableSettings(key="zone", hcl=True)
    )
    assert (changed.row.key, changed.row.hcl, changed.value) == ("zone", True, '"eu"')
    assert changed.row.version_id != before


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"key": None}, "key"),
        ({"category": None}, "category"),
        ({"category": "policy-set"}, "category"),
        ({"key": "x" * 129}, "key"),
        ({"key": ""}, "key"),
        ({"key": "1st"}, "key"),
        ({"key": "a b"}, "key"),
        ({"key": "a.b"}, "key"),
        ({"key": "a\n"}, "key"),
        ({"key": "a\0"}, "key"),
        ({"key": "", "category": "env"}, "key"),
        ({"key": "A=B", "category": "env"}, "key"),
        ({"key": "A\nB", "category": "env"}, "key"),
        ({"key": "A B", "category": "env"}, "key"),
        ({"key": "LD_PRELOAD", "category": "env"}, "key"),
        ({"key": "PATH", "category": "env"}, "key"),
        ({"key": "TF_CLI_ARGS_plan", "category": "env"}, "key"),
        ({"key": "A", "category": "env", "hcl": True}, "hcl"),
        ({"description": "x" * 513}, "description"),
        ({"description": "\0"}, "description"),
        ({"value": "x" * (256 * 1024 + 1)}, "value"),
        ({"value": "é" * (128 * 1024 + 1)}, "value"),
        ({"value": "a\0b"}, "value"),
        ({"value": "\udc80"}, "value"),
    ],
)
async def test_a_variable_that_cannot_be_is_refused(
    session: AsyncSession, keyring: Keyring, settings: dict[str, Any], pointer: str
) -> None:
    workspace = await make_workspace(session)
    with pytest.raises(InvalidError) as refused:
        await _create(session, keyring, workspace, **settings)
    assert refused.value.pointer == pointer
    assert (await session.scalars(select(Variable))).all() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"key": "_a-1"},
        {"key": "größe"},
        {"key": "x" * 128},
        {"description": "x" * 512},
        {"value": "x" * (256 * 1024)},
        {"value": "two\nlines ✓"},
        {"value": None},
        {"key": "AWS_REGION", "category": "env"},
        {"key": "TF_VAR_size", "category": "env"},
        {"key": "TF_LOG", "category": "env"},
    ],
)
async def test_a_variable_at_the_limits_is_taken(
    session: AsyncSession, keyring: Keyring, settings: dict[str, Any]
) -> None:
    made = await _create(session, keyring, await make_workspace(session), **settings)
    assert made.value == (settings.get("value", "eu") or "")


async def test_a_change_that_cannot_be_leaves_the_variable_as_it_was(
    session: AsyncSession, keyring: Keyring
) -> None:
    workspace = await make_workspace(session)
    made = await _create(session, keyring, workspace)
    for settings in (
        VariableSettings(key="1st", value="new"),
        VariableSettings(description="fine", value="a\0b"),
        VariableSettings(category="env", hcl=True),
    ):
        with pytest.raises(InvalidError):
            await service.update_variable(
                session, keyring, SYSTEM, workspace, made.row.id, settings
            )
    await session.refresh(made.row)
    listed = await queries.list_variables(session, keyring, SYSTEM, workspace)
    assert [(each.row.key, each.value, each.row.description) for each in listed] == [
        ("region", "eu", "")
    ]


async def test_a_key_is_taken_once_per_category(session: AsyncSession, keyring: Keyring) -> None:
    workspace = await make_workspace(session)
    await _create(session, keyring, workspace)
    env = await _create(session, keyring, workspace, category="env")
    with pytest.raises(InvalidError, match="already been taken"):
        await _create(session, keyring, workspace)
    other = await _create(session, keyring, workspace, key="other")
    with pytest.raises(InvalidError, match="already been taken"):
        await service.update_variable(
            session, keyring, SYSTEM, workspace, other.row.id, VariableSettings(key="region")
        )
    await _create(session, keyring, await make_workspace(session))
    assert env.row.category is Category.ENV


async def test_of_two_variables_of_one_key_made_at_once_one_is_made(
    sessions: Sessions, keyring: Keyring
) -> None:
    async with transaction(sessions) as session:
        workspace = await make_workspace(session)

    async def create() -> None:
        async with transaction(sessions) as session:
            await _create(session, keyring, workspace)

    outcomes = await asyncio.gather(create(), create(), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvalidError) for outcome in outcomes) == 1


async def test_there_is_a_limit_to_variables(
    session: AsyncSession, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PER_OWNER", 2)
    workspace = await make_workspace(session)
    for key in ("a", "b"):
        await _create(session, keyring, workspace, key=key)
    with pytest.raises(InvalidError, match="at most 2 variables"):
        await _create(session, keyring, workspace, key="c")


async def test_variables_are_read_and_written_by_who_may(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    made = await _create(session, keyring, workspace)
    blind = await make_actor(session, workspace, "custom", {"runs": "apply"})
    with pytest.raises(ForbiddenError, match="read variables"):
        await queries.list_variables(session, keyring, blind, workspace)
    with pytest.raises(ForbiddenError, match="read variables"):
        await queries.get_variable(session, keyring, blind, workspace, made.row.id)
    planner = await make_actor(session, workspace, "plan")
    settings = VariableSettings(key="new", value="x", category="env")
    with pytest.raises(ForbiddenError, match="change variables"):
        await service.create_variable(session, keyring, planner, workspace, settings)
    with pytest.raises(ForbiddenError, match="change variables"):
        await service.update_variable(session, keyring, planner, workspace, made.row.id, settings)
    with pytest.raises(ForbiddenError, match="change variables"):
        await service.delete_variable(session, planner, workspace, made.row.id)
    stranger = await make_actor(session, await make_workspace(session), "admin")
    with pytest.raises(NotFoundError):
        await queries.list_variables(session, keyring, stranger, workspace)
    token = organization_actor(organization)
    await service.create_variable(session, keyring, token, workspace, settings)
    assert len(await queries.list_variables(session, keyring, token, workspace)) == 2


async def test_a_variable_is_reached_through_its_own_workspace_only(
    session: AsyncSession, keyring: Keyring
) -> None:
    mine, other = await make_workspace(session), await make_workspace(session)
    admin = await make_actor(session, mine, "admin")
    foreign = await _create(session, keyring, other, value=SECRET)
    with pytest.raises(NotFoundError):
        await queries.get_variable(session, keyring, admin, mine, foreign.row.id)
    with pytest.raises(NotFoundError):
        await service.update_variable(
            session, keyring, admin, mine, foreign.row.id, VariableSettings(value="x")
        )
    with pytest.raises(NotFoundError):
        await service.delete_variable(session, admin, mine, foreign.row.id)
