"""An agent says that it lives, hears what there is to do, and takes it."""

from typing import Final

from fastapi import APIRouter, Request, Response

from landform.agents import presence
from landform.agents.models import Farewell
from landform.agents.presence import Description
from landform.agents.queries import PING_S
from landform.api.agent.door import CurrentCaller, WaitS, message, nothing, read_message
from landform.contract import Choice, Introduction, Welcome
from landform.dispatch.service import AGENTS_CHANNEL
from landform.edge.deps import process_of
from landform.kit.db import transaction
from landform.kit.ids import is_id
from landform.kit.notify import wait
from landform.runs import agent_attempts

router = APIRouter()

_WAIT_S: Final = 25.0


@router.put("/agent")
async def introduce(request: Request, caller: CurrentCaller) -> Response:
    said = await read_message(request, Introduction)
    agent_attempts.require_same_version(said.version)
    described = Description(
        name=said.name, version=said.version, sandbox=said.sandbox, slots=said.slots
    )
    async with transaction(process_of(request).platform.sessions) as session:
        pool = await presence.say_present(session, caller.pool, caller.agent_id, described)
    return message(Welcome(agent_id=caller.agent_id, pool=pool.name, every_s=PING_S))


@router.delete("/agent")
async def leave(
    request: Request, caller: CurrentCaller, how: Farewell = Farewell.EXITED
) -> Response:
    async with transaction(process_of(request).platform.sessions) as session:
        await presence.say_farewell(session, caller.agent_id, how)
    return nothing()


@router.get("/jobs")
async def next_job(request: Request, caller: CurrentCaller, wait_s: WaitS = _WAIT_S) -> Response:
    """Wait without a connection to the database: many agents may, for long."""
    process, pool_id = process_of(request), caller.pool.id
    with process.listener.expect(AGENTS_CHANNEL, pool_id) as event:
        offer = await agent_attempts.next_offer(process.platform, pool_id)
        if offer is None and await wait(event, wait_s):
            offer = await agent_attempts.next_offer(process.platform, pool_id)
    return nothing() if offer is None else message(offer)


@router.post("/jobs/{phase_id}/lease")
async def lease(request: Request, caller: CurrentCaller, phase_id: str) -> Response:
    choice = await read_message(request, Choice)
    job = None
    if is_id(phase_id):
        job = await agent_attempts.begin(
            process_of(request).platform,
            choice,
            phase_id=phase_id,
            pool_id=caller.pool.id,
            agent_id=caller.agent_id,
        )
    return nothing() if job is None else message(job)
