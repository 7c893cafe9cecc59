"""Reads of variables. A sensitive value leaves only towards a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform import contract
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.variables.models import Variable
from landform.workspaces.models import Workspace


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
