"""Going back to an older state: a page that says what it means, and the deed."""

from collections import Counter

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.identity import users
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import MalformedError
from landform.runs import locks
from landform.states import queries, service
from landform.states.graph import LARGEST_BYTES
from landform.states.models import StateVersion
from landform.web.forms import FormAlone, refusals_to
from landform.web.pages import CurrentSession, SendBackError, page, redirect
from landform.web.present.plan import SIGNS, Change
from landform.web.present.state_diff import STATE_WORDS
from landform.web.states import STATES, authors_of, compared, find_state, located
from landform.web.visit import Crumb
from landform.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)

_ROLLBACK = f"{STATES}/{{state_id}}/rollback"


@router.get(_ROLLBACK)
async def ask(
    request: Request, process: CurrentProcess, visitor: CurrentSession, state_id: str
) -> Response:
    """Say from which serial to which, what would differ, and what going back does and does not."""
    async with transaction(process.platform.sessions) as session:
        visit = await located(request, session, visitor)
        state = await find_state(session, visit, state_id)
        here = f"{visit.path}/states"
        await require(session, visit.actor, Permission.WRITE_STATE, visit.workspace.place)
        newest_id = visit.workspace.current_state_version_id
        if newest_id in (None, state.id):
            raise SendBackError(f"{here}/{state.id}", f"Serial {state.serial} is the newest state.")
        newest = await queries.get(session, visit.actor, str(newest_id))
        names = await authors_of(session, [state, newest])
        lock = await _lock(session, visit.workspace, visitor.actor)
        shell = await visit.shell(
            "states",
            (
                Crumb("States", here),
                Crumb(f"Serial {state.serial}", f"{here}/{state.id}"),
                Crumb("Go back"),
            ),
        )
    changes, more, unread = await _differences(process, newest, state)
    return page(
        request,
        "states/rollback.html",
        visitor=visitor,
        shell=shell,
        state=state,
        newest=newest,
        names=names,
        changes=changes,
        more=more,
        unread=unread,
        counts=Counter(each.action for each in changes),
        lock=lock,
        signs=SIGNS,
        words=STATE_WORDS,
    )


@router.post(_ROLLBACK)
async def roll_back(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    state_id: str,
) -> Response:
    """Make an older version the newest again; the workspace is locked meanwhile."""
    sessions = process.platform.sessions
    async with transaction(sessions) as session:
        visit = await located(request, session, visitor)
        state = await find_state(session, visit, state_id)
        back = f"{visit.path}/states"
        again = f"{back}/{state.id}/rollback"
        actor = visit.actor
        workspace = visit.workspace
        is_held = workspace.lock_holder_id == actor.id
        if not is_held:
            with refusals_to(again):
                reason = f"Going back to serial {state.serial}"
                workspace = await locks.lock(session, actor, workspace, reason=reason)
    try:
        with refusals_to(again):
            made = await service.roll_back(
                sessions,
                process.platform.store,
                process.platform.keyring,
                actor,
                workspace,
                to=state,
                over=form.line("newest"),
            )
    finally:
        if not is_held:
            async with transaction(sessions) as session:
                await locks.unlock(session, actor, workspace)
    return redirect(f"{back}/{made}", say=f"Serial {state.serial} is the newest state again.")


async def _differences(
    process: Process, newest: StateVersion, state: StateVersion
) -> tuple[list[Change], int, str]:
    """Return what would differ, how much more, and why that cannot be told if it cannot."""
    if max(newest.size_bytes or 0, state.size_bytes or 0) > LARGEST_BYTES:
        return [], 0, f"States above {LARGEST_BYTES >> 20} MiB are not compared here."
    try:
        return *await compared(process, newest, state), ""
    except MalformedError as failure:
        return [], 0, str(failure)


async def _lock(session: AsyncSession, workspace: Workspace, actor: Actor) -> str:
    """Say who else holds the lock, and why; empty when nobody else does."""
    holder = workspace.lock_holder_id
    if holder is None or holder == actor.id:
        return ""
    names = await users.names_of(session, [holder])
    because = f": {workspace.lock_reason}" if workspace.lock_reason else ""
    return f"{workspace.name} is locked by {names.get(holder, holder)}{because}"
