import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor
from landform.identity.users import actor_of
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.variables import queries, service, set_queries, sets
from landform.variables.models import VariableSet
from landform.variables.service import VariableSettings
from landform.variables.sets import SetSettings
from landform.workspaces.models import Workspace
from tests.factories import (
    grant,
    make_actor,
    make_organization,
    make_project,
    make_team,
    make_user,
    make_workspace,
)

ALL = Page(size=100)


async def _set(
    session: AsyncSession,
    organization: Organization,
    name: str = "shared",
    *,
    actor: Actor = SYSTEM,
    project: Any = None,
    **settings: Any,
) -> VariableSet:
    return await sets.create_set(
        session, actor, organization, SetSettings(name=name, **settings), project=project
    )


async def _put(session: AsyncSession, keyring: Keyring, owner: Any, key: str, value: str) -> None:
    settings = VariableSettings(key=key, value=value, category="terraform")
    await service.create_variable(session, keyring, SYSTEM, owner, settings)


async def _used(session: AsyncSession, keyring: Keyring, workspace: Workspace) -> dict[str, str]:
    found = await queries.for_run(session, keyring, workspace)
    return {each.variable.key: each.variable.value for each in found}


async def _manager(session: AsyncSession, organization: Organization, *switches: str) -> Actor:
    user = await make_user(session)
    await make_team(session, organization, organization_access=switches, members=[user])
    return actor_of(user)


async def test_a_global_set_reaches_every_workspace_of_its_organization_and_no_other(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    mine, other = await make_workspace(session, organization), await make_workspace(session)
    row = await _set(session, organization, is_global=True)
    await _put(session, keyring, row, "region", "eu")
    assert await _used(session, keyring, mine) == {"region": "eu"}
    assert await _used(session, keyring, other) == {}


async def test_a_set_reaches_the_workspaces_and_projects_it_is_applied_to(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    named = await make_workspace(session, organization)
    inside = await make_workspace(session, organization, project=project)
    outside = await make_workspace(session, organization)
    row = await _set(session, organization)
    await _put(session, keyring, row, "region", "eu")
    await sets.apply_to_workspaces(session, SYSTEM, row, [named.id, named.id])
    await sets.apply_to_projects(session, SYSTEM, row, [project.id])
    reached = [await _used(session, keyring, each) for each in (named, inside, outside)]
    assert reached == [{"region": "eu"}, {"region": "eu"}, {}]
    await sets.replace_projects(session, SYSTEM, row, [])
    await sets.withdraw_from_workspaces(session, SYSTEM, row, [named.id])
    reached = [await _used(session, keyring, each) for each in (named, inside, outside)]
    assert reached == [{}, {}, {}]


async def test_a_set_of_a_project_stays_behind_when_a_workspace_leaves_the_project(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    project, elsewhere = [await make_project(session, organization) for _ in range(2)]
    workspace = await make_workspace(session, organization, project=project)
    row = await _set(session, organization, project=project)
    await _put(session, keyring, row, "region", "eu")
    await sets.apply_to_workspaces(session, SYSTEM, row, [workspace.id])
    assert await _used(session, keyring, workspace) == {"region": "eu"}
    workspace.project_id = elsewhere.id
    await session.flush()
    assert await _used(session, keyring, workspace) == {}
    with pytest.raises(NotFoundError, match="which owns variable set"):
        await sets.apply_to_projects(session, SYSTEM, row, [elsewhere.id])


async def test_to_make_a_set_global_withdraws_it_and_it_is_applied_nowhere_else(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    row = await _set(session, organization)
    await sets.apply_to_workspaces(session, SYSTEM, row, [workspace.id])
    await sets.update_set(session, SYSTEM, row, SetSettings(is_global=True))
    reach = (await set_queries.reach_of(session, SYSTEM, [row]))[row.id]
    assert list(reach.workspaces) == []
    with pytest.raises(ConflictError, match="is global"):
        await sets.apply_to_workspaces(session, SYSTEM, row, [workspace.id])
    project = await make_project(session, organization)
    with pytest.raises(InvalidError, match="cannot be global"):
        await _set(session, organization, "other", project=project, is_global=True)
    owned = await _set(session, organization, "owned", project=project)
    with pytest.raises(InvalidError, match="cannot be global"):
        await sets.update_set(session, SYSTEM, owned, SetSettings(is_global=True))


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 91, "nul\0"])
async def test_a_name_that_cannot_be_is_refused(session: AsyncSession, name: str) -> None:
    organization = await make_organization(session)
    with pytest.raises(InvalidError) as failure:
        await _set(session, organization, name)
    assert failure.value.pointer == "name"


async def test_a_name_is_taken_once_in_an_organization(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        await _set(session, await make_organization(session))

    async def create() -> None:
        async with transaction(sessions) as session:
            await _set(session, organization)

    outcomes = await asyncio.gather(create(), create(), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvalidError) for outcome in outcomes) == 1


@pytest.mark.parametrize("switch", ["manage-workspaces", "manage-projects"])
async def test_who_manages_workspaces_or_projects_manages_sets(
    session: AsyncSession, keyring: Keyring, switch: str
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    manager = await _manager(session, organization, switch)
    row = await _set(session, organization, actor=manager)
    await sets.apply_to_workspaces(session, manager, row, [workspace.id])
    settings = VariableSettings(key="a", value="b", category="env")
    await service.create_variable(session, keyring, manager, row, settings)
    await sets.delete_set(session, manager, row)


async def test_others_do_not_manage_sets_and_see_those_that_apply_to_their_workspaces(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    workspace = await make_workspace(session, organization, project=project)
    other = await make_workspace(session, organization)
    made = {name: await _set(session, organization, name) for name in ("a", "b", "c", "hidden")}
    await sets.update_set(session, SYSTEM, made["a"], SetSettings(is_global=True))
    await sets.apply_to_workspaces(session, SYSTEM, made["b"], [workspace.id])
    await sets.apply_to_projects(session, SYSTEM, made["c"], [project.id])
    await sets.apply_to_workspaces(session, SYSTEM, made["hidden"], [other.id])
    for level in ("read", "plan", "write", "admin"):
        actor = await make_actor(session, workspace, level)
        found = await set_queries.list_sets(session, actor, organization, page=ALL)
        assert [row.name for row in found.items] == ["a", "b", "c"]
        with pytest.raises(NotFoundError):
            await set_queries.get_set(session, actor, made["hidden"].id)
        with pytest.raises(NotFoundError):
            await queries.list_variables(session, keyring, actor, made["hidden"])
        with pytest.raises(ForbiddenError, match="manage variable sets"):
            await sets.update_set(session, actor, made["b"], SetSettings(description="x"))
        settings = VariableSettings(key="a", value="b", category="env")
        with pytest.raises(ForbiddenError, match="manage variable sets"):
            await service.create_variable(session, keyring, actor, made["b"], settings)
        with pytest.raises(ForbiddenError, match="manage variable sets"):
            await sets.apply_to_workspaces(session, actor, made["c"], [workspace.id])
        with pytest.raises(ForbiddenError, match="manage variable sets"):
            await _set(session, organization, "new", actor=actor)
    blind = await make_actor(session, workspace, "custom", {"runs": "apply"})
    found = await set_queries.list_sets(session, blind, organization, page=ALL)
    assert list(found.items) == []
    with pytest.raises(ForbiddenError, match="read variables"):
        await set_queries.sets_of_workspace(session, blind, workspace, page=ALL)
    stranger = await make_actor(session, await make_workspace(session), "admin")
    with pytest.raises(NotFoundError):
        await set_queries.list_sets(session, stranger, organization, page=ALL)


async def test_a_project_gives_the_sets_that_it_owns_to_who_manages_them_there(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    project, elsewhere = [await make_project(session, organization) for _ in range(2)]
    workspace = await make_workspace(session, organization, project=project)
    user = await make_user(session)
    team = await make_team(session, organization, members=[user])
    custom = {"project-access": {"variable-sets": "write"}, "workspace-access": {}}
    await grant(session, team, project, "custom", custom)
    manager = actor_of(user)
    row = await _set(session, organization, actor=manager, project=project)
    await sets.apply_to_projects(session, manager, row, [project.id])
    with pytest.raises(ForbiddenError, match="change variables"):
        await sets.apply_to_workspaces(session, manager, row, [workspace.id])
    with pytest.raises(ForbiddenError):
        await _set(session, organization, "wide", actor=manager)
    with pytest.raises(NotFoundError):
        await _set(session, organization, "there", actor=manager, project=elsewhere)
    shown = await set_queries.sets_of_project(session, manager, project, page=ALL)
    assert [each.id for each in shown.items] == [row.id]


async def test_where_a_set_applies_is_told_as_far_as_one_may_know_of_the_places(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    mine, other = [await make_workspace(session, organization) for _ in range(2)]
    row = await _set(session, organization)
    await sets.apply_to_workspaces(session, SYSTEM, row, [mine.id, other.id])
    actor = await make_actor(session, mine, "read")
    reach = (await set_queries.reach_of(session, actor, [row]))[row.id]
    assert [each.id for each in reach.workspaces] == [mine.id]


async def test_a_page_is_told_which_variable_counts_and_which_it_beats(
    session: AsyncSession, keyring: Keyring
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    first = await _set(session, organization, "first", is_global=True)
    fixed = await _set(session, organization, "fixed", is_global=True, is_priority=True)
    given: list[tuple[Workspace | VariableSet, str]] = [
        *((workspace, "a"), (first, "a")),
        *((workspace, "b"), (fixed, "b")),
    ]
    for owner, key in given:
        await _put(session, keyring, owner, key, owner.name)
    actor = await make_actor(session, workspace, "read")
    found = await queries.standings(session, keyring, actor, workspace)
    assert [(each.shown.row.key, each.shown.value) for each in found] == [
        ("a", workspace.name),
        ("a", "first"),
        ("b", "fixed"),
        ("b", workspace.name),
    ]
    assert [each.beaten_by is not None for each in found] == [False, True, False, True]
    winner = found[3].beaten_by
    assert winner is not None
    assert winner.source is not None
    assert winner.source.row.name == "fixed"
