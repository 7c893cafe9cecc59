"""Reads of variables. A sensitive value leaves only towards a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform import contract
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import Columns, Selection, narrowed, ordering
from landform.organizations.models import Organization
from landform.variables import set_queries
from landform.variables.models import Variable, VariableSet
from landform.variables.precedence import Candidate, winners
from landform.workspaces.models import Workspace

Owner: TypeAlias = Workspace | VariableSet

# What a selection of variables can ask for; values are sealed, and no database compares them.
_FIELDS: Final[Columns] = {
    "id": Variable.id,
    "key": Variable.key,
    "category": Variable.category,
    "description": Variable.description,
    "hcl": Variable.hcl,
    "sensitive": Variable.sensitive,
    "created_at": Variable.created_at,
}


@dataclass(frozen=True)
class ShownVariable:
    """A variable as a reader may see it; the value is None when it is sensitive."""

    row: Variable
    value: str | None = field(repr=False)


@dataclass(frozen=True)
class Standing:
    """A variable that a run of a workspace might get, and which one it gets instead, if one."""

    shown: ShownVariable
    candidate: Candidate
    beaten_by: Candidate | None


@dataclass(frozen=True)
class Given:
    """A variable that a run gets, unless the command line says otherwise and is not beaten."""

    variable: contract.Variable
    beats_command_line: bool


async def list_variables(
    session: AsyncSession, keyring: Keyring, actor: Actor, owner: Owner
) -> list[ShownVariable]:
    """Return the variables of a workspace or a set, by key.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require_reader(session, actor, owner)
    return [shown(keyring, row) for row in await _rows(session, of(owner))]


async def select_variables(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    selection: Selection,
    page: Page,
) -> Paged[ShownVariable]:
    """Return the variables of a selection, by key unless it orders them.

    Raises:
        ForbiddenError: `actor` may not read variables there.
        MalformedError: the selection compares what cannot be compared.
    """
    await require_reader(session, actor, owner)
    wanted = select(Variable).where(of(owner))
    order = (*ordering(selection, _FIELDS), Variable.key, Variable.category)
    found = await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)
    return Paged(items=[shown(keyring, row) for row in found.items], total=found.total)


async def get_variable(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    variable_id: str,
) -> ShownVariable:
    """Return one variable of the workspace or set.

    Raises:
        ForbiddenError: `actor` may not read variables there.
        NotFoundError: there is no such variable in it.
    """
    await require_reader(session, actor, owner)
    return shown(keyring, await find(session, owner, variable_id))


async def select_global(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    organization: Organization,
    selection: Selection,
    page: Page,
) -> Paged[ShownVariable]:
    """Return variables of the organization's global sets, by key unless the selection orders them.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        MalformedError: the selection compares what cannot be compared.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    wanted = select(Variable).where(
        Variable.variable_set_id.in_(await _global_sets(session, actor, organization))
    )
    order = (*ordering(selection, _FIELDS), Variable.key, Variable.category, Variable.id)
    found = await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)
    return Paged(items=[shown(keyring, row) for row in found.items], total=found.total)


async def global_set_with(
    session: AsyncSession, actor: Actor, organization: Organization, variable_id: str
) -> VariableSet:
    """Return the organization's global set that the variable is in.

    Raises:
        NotFoundError: there is no such variable, or `actor` may not know of it.
    """
    query = (
        select(VariableSet)
        .join(Variable, Variable.variable_set_id == VariableSet.id)
        .where(
            Variable.id == variable_id,
            VariableSet.id.in_(await _global_sets(session, actor, organization)),
        )
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no variable {variable_id} in {organization.name}.")
    return row


async def _global_sets(
    session: AsyncSession, actor: Actor, organization: Organization
) -> Select[str]:
    return select(VariableSet.id).where(
        VariableSet.organization_id == organization.id,
        VariableSet.is_global,
        await set_queries.visible_sets(session, actor, organization.id),
    )


async def find(session: AsyncSession, owner: Owner, variable_id: str) -> Variable:
    """Return the row of a workspace's or a set's variable, its value sealed.

    Raises:
        NotFoundError: there is no such variable in it.
    """
    row = await session.get(Variable, variable_id)
    if row is None or owner.id not in (row.workspace_id, row.variable_set_id):
        raise NotFoundError(f"There is no variable {variable_id} in {owner.name}.")
    return row


async def for_run(session: AsyncSession, keyring: Keyring, workspace: Workspace) -> list[Given]:
    """Return every variable with its value in clear, for a run of the workspace and nobody else.

    No actor is asked for: who may start a run may have it use what it uses.
    """
    chosen = winners(await _candidates(session, workspace)).values()
    return [
        Given(_for_run(keyring, each.row), each.beats_command_line)
        for each in sorted(chosen, key=lambda each: (each.row.key, each.row.category))
    ]


async def effective(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace
) -> list[ShownVariable]:
    """Return the variables that a run of the workspace would get, by key.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require_reader(session, actor, workspace)
    chosen = winners(await _candidates(session, workspace)).values()
    ordered = sorted(chosen, key=lambda each: (each.row.key, each.row.category))
    return [shown(keyring, each.row) for each in ordered]


async def standings(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace
) -> list[Standing]:
    """Return the workspace's variables and those it inherits, by key, and which of them count.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require_reader(session, actor, workspace)
    candidates = await _candidates(session, workspace)
    chosen = winners(candidates)
    ordered = sorted(candidates, key=lambda each: (each.row.key, each.row.category, each.rank))
    return [
        Standing(
            shown(keyring, each.row),
            each,
            None if chosen[each.name] is each else chosen[each.name],
        )
        for each in ordered
    ]


async def require_reader(session: AsyncSession, actor: Actor, owner: Owner) -> None:
    """Let `actor` pass who may read the variables of a workspace or a set.

    Raises:
        ForbiddenError: it may not, but may know of the workspace.
        NotFoundError: it may not know of the workspace or the set.
    """
    if isinstance(owner, Workspace):
        await require(session, actor, Permission.READ_VARIABLES, owner.place)
    elif not await set_queries.may_read(session, actor, owner):
        raise NotFoundError(f"There is no variable set {owner.id}.")


def of(owner: Owner) -> ColumnElement[bool]:
    """Return the condition on variables that holds for the owner's."""
    if isinstance(owner, Workspace):
        return Variable.workspace_id == owner.id
    return Variable.variable_set_id == owner.id


def shown(keyring: Keyring, row: Variable) -> ShownVariable:
    """Return the row with its value unless that is sensitive; ask first who wants to see it."""
    return ShownVariable(row, None if row.sensitive else _value(keyring, row))


def place_of(variable_id: str) -> str:
    """Return the place a variable's value is sealed for."""
    return f"variables/{variable_id}"


async def _candidates(session: AsyncSession, workspace: Workspace) -> list[Candidate]:
    own = [Candidate(row) for row in await _rows(session, of(workspace))]
    applied = {each.row.id: each for each in await set_queries.applied_to(session, workspace)}
    if not applied:
        return own
    rows = await _rows(session, Variable.variable_set_id.in_(applied))
    return [*own, *(Candidate(row, applied[str(row.variable_set_id)]) for row in rows)]


async def _rows(session: AsyncSession, condition: ColumnElement[bool]) -> Sequence[Variable]:
    query = select(Variable).where(condition).order_by(Variable.key, Variable.category)
    return (await session.scalars(query)).all()


def _for_run(keyring: Keyring, row: Variable) -> contract.Variable:
    return contract.Variable(
        key=row.key,
        value=_value(keyring, row),
        category=row.category,
        hcl=row.hcl,
        sensitive=row.sensitive,
    )


def _value(keyring: Keyring, row: Variable) -> str:
    return keyring.open(row.sealed_value, place=place_of(row.id)).decode()
