"""Run tokens: what the terraform of a plan or apply may show to the platform that runs it.

One for each attempt at a phase, made when the attempt begins and gone, in the same transaction,
when it ends, is lost or is given up. What it opens is in `landform.access.run_access`. It is part
of the attempt, whose beginning and end have events of their own.
"""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LONGEST, PREFIXES, digest, new_secret
from landform.identity.models import RunToken
from landform.kit.errors import UnauthenticatedError


async def mint(
    session: AsyncSession, *, phase_id: str, run_id: str, workspace_id: str, organization_id: str
) -> str:
    """Make the token of an attempt that begins, in place of an earlier one's; return its secret."""
    await revoke(session, phase_id)
    secret = new_secret(PREFIXES[ActorKind.RUN])
    session.add(
        RunToken(
            phase_id=phase_id,
            run_id=run_id,
            workspace_id=workspace_id,
            organization_id=organization_id,
            token_hash=digest(secret),
        )
    )
    await session.flush()
    return secret


async def revoke(session: AsyncSession, phase_id: str) -> None:
    """Withdraw the token of the phase's attempt, if there is one."""
    await session.execute(delete(RunToken).where(RunToken.phase_id == phase_id))


async def authenticate(session: AsyncSession, secret: str) -> Actor:
    """Return the run whose terraform shows `secret`.

    Raises:
        UnauthenticatedError: unknown, or its plan or apply is over.
    """
    row = (
        await session.scalars(
            select(RunToken).where(RunToken.token_hash == digest(secret[:LONGEST]))
        )
    ).one_or_none()
    if row is None:
        raise UnauthenticatedError(
            "The run token is not valid: it is so only while its plan or apply runs."
        )
    return Actor(
        kind=ActorKind.RUN,
        id=row.run_id,
        name=row.run_id,
        organization_id=row.organization_id,
        workspace_id=row.workspace_id,
    )


def is_run_token(secret: str) -> bool:
    """Tell whether `secret` is of the form of a run's."""
    return secret.startswith(PREFIXES[ActorKind.RUN])
