"""People agree that a plan is applied, where its workspace asks for that."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import teams_of
from landform.identity.actor import SYSTEM, Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, ForbiddenError
from landform.runs import queries, rows, service
from landform.runs.events import RunApproved
from landform.runs.models import Approval, Run
from landform.runs.moves import tell
from landform.runs.standing import standing_of
from landform.runs.status import Step, can


async def approve(session: AsyncSession, actor: Actor, run_id: str, *, comment: str = "") -> Run:
    """Agree that the run's plan is applied; to do it again changes nothing.

    With the last approval that is needed, a run that applies by itself is confirmed.

    Raises:
        ConflictError: the run does not wait to be confirmed, or needs no approval.
        ForbiddenError: `actor` started the run, or is in none of the teams that are asked.
    """
    await queries.get(session, actor, run_id)
    workspace, run = await rows.locked(session, run_id)
    standing = await standing_of(session, run)
    if not standing.needed or not can(run.status, Step.CONFIRM):
        why = f"it is {run.status}" if standing.needed else "its workspace asks for none"
        raise ConflictError(f"Run {run.id} waits for no approval: {why}.")
    if standing.is_met or actor.id in standing.given:
        return run
    if actor.id == run.created_by:
        raise ForbiddenError("Who started a run does not approve it; ask somebody else.")
    teams = set(await session.scalars(teams_of(actor)))
    if not standing.asks(actor, run, teams):
        names = ", ".join(sorted(standing.teams.values())) or "a team that was deleted"
        raise ForbiddenError(f"This run is approved by members of {names}.")
    given = insert(Approval).values(run_id=run.id, user_id=actor.id, created_at=now())
    await session.execute(given.on_conflict_do_nothing())
    standing = await standing_of(session, run)
    events.publish(
        session,
        RunApproved(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            given=len(standing.given),
            needed=standing.needed,
        ),
    )
    if comment.strip():
        await service.add_comment(session, actor, run.id, comment)
    if standing.is_met and run.auto_apply and service.is_fresh(workspace, run):
        await service.confirm_locked(session, SYSTEM, workspace, run)
    else:
        await tell(session, run)
    return run
