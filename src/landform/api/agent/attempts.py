"""The calls of an attempt, each for the one agent that took it; `runs.attempts` fences them."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from landform.api.agent.door import CurrentAttempt, ShortWaitS, message, nothing, read_message
from landform.contract import Artefact, Created, LogStream, PhaseResult
from landform.dispatch.service import ORDERS_CHANNEL
from landform.edge.deps import process_of, read_body
from landform.kit.notify import wait
from landform.logs import service as logs
from landform.runs import attempts

router = APIRouter(prefix="/attempts/{phase_id}/{epoch}")

_LOG_BYTES: Final = 1 << 20
_LONGEST_LOG: Final = 1 << 40
_BY_STATE: Final = 2  # a plan in JSON has the state in it, and what is planned
_MADE: Final = TypeAdapter(list[Created])


@router.post("/renew")
async def renew(request: Request, attempt: CurrentAttempt) -> Response:
    return message(await attempts.renew(process_of(request).platform, attempt))


@router.get("/orders")
async def orders(request: Request, attempt: CurrentAttempt, wait_s: ShortWaitS = 2.0) -> Response:
    with process_of(request).listener.expect(ORDERS_CHANNEL, attempt.phase_id) as event:
        await wait(event, wait_s)
    return nothing()


@router.get("/inputs/{artefact}")
async def fetch(request: Request, attempt: CurrentAttempt, artefact: Artefact) -> Response:
    data = await attempts.fetch(process_of(request).platform, attempt, artefact)
    if data is None:
        return nothing()
    return Response(
        data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"}
    )


@router.put("/outputs/{artefact}")
async def put(request: Request, attempt: CurrentAttempt, artefact: Artefact) -> Response:
    process = process_of(request)
    data = await read_body(request, limit_bytes=_BY_STATE * process.max_state_bytes)
    await attempts.put(process.platform, attempt, artefact, bytes(data))
    return nothing()


@router.put("/logs/{stream}")
async def append_log(
    request: Request,
    attempt: CurrentAttempt,
    stream: LogStream,
    offset: Annotated[int, Query(ge=0, le=_LONGEST_LOG)],
) -> Response:
    platform = process_of(request).platform
    data = await read_body(request, limit_bytes=_LOG_BYTES)
    await logs.append(
        platform.sessions,
        platform.store,
        phase_id=attempt.phase_id,
        epoch=attempt.epoch,
        stream=stream,
        offset=offset,
        data=bytes(data),
    )
    return nothing()


@router.put("/state")
async def put_state(request: Request, attempt: CurrentAttempt, *, final: bool = False) -> Response:
    process = process_of(request)
    state = await read_body(request, limit_bytes=process.max_state_bytes)
    await attempts.put_state(process.platform, attempt, bytes(state), final=final)
    return nothing()


@router.post("/offered-states")
async def offer_state(request: Request, attempt: CurrentAttempt) -> Response:
    process = process_of(request)
    state = await read_body(request, limit_bytes=process.max_state_bytes)
    await attempts.offer_state(process.platform, attempt, bytes(state))
    return nothing()


@router.put("/created")
async def report_created(request: Request, attempt: CurrentAttempt) -> Response:
    created = await read_message(request, _MADE)
    await attempts.report_created(process_of(request).platform, attempt, created)
    return nothing()


@router.post("/finish")
async def finish(request: Request, attempt: CurrentAttempt) -> Response:
    result = await read_message(request, PhaseResult)
    await attempts.finish(process_of(request).platform, attempt, result)
    return nothing()


@router.post("/forfeit")
async def forfeit(request: Request, attempt: CurrentAttempt) -> Response:
    await attempts.forfeit(process_of(request).platform, attempt)
    return nothing()
