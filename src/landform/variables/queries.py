"""Reads of variables. A sensitive value leaves only towards a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform import contract
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import Columns, Selection, narrowed, ordering
from landform.variables.models import Variable
from landform.workspaces.models import Workspace

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


async def list_variables(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace
) -> list[ShownVariable]:
    """Return the workspace's variables, by key.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require(session, actor, Permission.READ_VARIABLES, workspace.place)
    return [shown(keyring, row) for row in await _rows(session, workspace.id)]


async def select_variables(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    workspace: Workspace,
    selection: Selection,
    page: Page,
) -> Paged[ShownVariable]:
    """Return the variables of a selection, by key unless it orders them.

    Raises:
        ForbiddenError: `actor` may not read variables there.
        MalformedError: the selection compares what cannot be compared.
    """
    await require(session, actor, Permission.READ_VARIABLES, workspace.place)
    wanted = select(Variable).where(Variable.workspace_id == workspace.id)
    order = (*ordering(selection, _FIELDS), Variable.key, Variable.category)
    found = await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)
    return Paged(items=[shown(keyring, row) for row in found.items], total=found.total)


async def get_variable(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    workspace: Workspace,
    variable_id: str,
) -> ShownVariable:
    """Return one variable of the workspace.

    Raises:
        ForbiddenError: `actor` may not read variables there.
        NotFoundError: the workspace has no such variable.
    """
    await require(session, actor, Permission.READ_VARIABLES, workspace.place)
    return shown(keyring, await find(session, workspace, variable_id))


async def find(session: AsyncSession, workspace: Workspace, variable_id: str) -> Variable:
    """Return the row of a workspace's variable, its value sealed.

    Raises:
        NotFoundError: the workspace has no such variable.
    """
    row = await session.get(Variable, variable_id)
    if row is None or row.workspace_id != workspace.id:
        raise NotFoundError(f"There is no variable {variable_id} in {workspace.name}.")
    return row


async def for_run(
    session: AsyncSession, keyring: Keyring, workspace_id: str
) -> list[contract.Variable]:
    """Return every variable with its value in clear, for a run of the workspace and nobody else.

    No actor is asked for: who may start a run may have it use what it uses.
    """
    return [
        contract.Variable(
            key=row.key,
            value=_value(keyring, row),
            category=row.category,
            hcl=row.hcl,
            sensitive=row.sensitive,
        )
        for row in await _rows(session, workspace_id)
    ]


def shown(keyring: Keyring, row: Variable) -> ShownVariable:
    """Return the row with its value unless that is sensitive; ask first who wants to see it."""
    return ShownVariable(row, None if row.sensitive else _value(keyring, row))


def place_of(variable_id: str) -> str:
    """Return the place a variable's value is sealed for."""
    return f"variables/{variable_id}"


async def _rows(session: AsyncSession, workspace_id: str) -> Sequence[Variable]:
    query = (
        select(Variable)
        .where(Variable.workspace_id == workspace_id)
        .order_by(Variable.key, Variable.category)
    )
    return (await session.scalars(query)).all()


def _value(keyring: Keyring, row: Variable) -> str:
    return keyring.open(row.sealed_value, place=place_of(row.id)).decode()
