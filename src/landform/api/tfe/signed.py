"""Uploads, downloads and logs at signed addresses: the address is the permission, no token is.

go-tfe sends no `Authorization` to these (tfe_api.md §1.7, terraform_facts.md §1.1).
"""

import time
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.params import Depends as DependsMarker
from fastapi.responses import StreamingResponse

from landform.contract import Artefact, LogStream
from landform.edge.deps import CurrentProcess, process_of, read_body
from landform.edge.signed_urls import PREFIX, Deed
from landform.kit.db import transaction
from landform.kit.errors import MalformedError, NotFoundError
from landform.kit.notify import wait
from landform.kit.storage import Content
from landform.logs import service as logs
from landform.runs import queries
from landform.runs.models import RunPhase
from landform.runs.uploads import receive_configuration
from landform.states import service as states
from landform.states.models import StateStatus, StateVersion

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_LOG_LIMIT: Final = 1 << 20  # bytes in one answer, whatever is asked for
_LOG_WAIT_S: Final = 4.0  # a reader at the end of a growing log waits this long for more
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SIGNED: Final = "/{object_id}/{expires}/{mac}"


def _signed(deed: Deed) -> DependsMarker:
    def check(request: Request, object_id: str, expires: str, mac: str) -> str:
        process_of(request).signer.check(deed, object_id, expires, mac)
        return object_id

    return DependsMarker(check)


@router.put(
    f"/{Deed.UPLOAD_CONFIGURATION}{_SIGNED}", dependencies=[_signed(Deed.UPLOAD_CONFIGURATION)]
)
async def upload_configuration(
    request: Request, process: CurrentProcess, object_id: str
) -> Response:
    """Take a tar.gz, and start what waited for it."""
    archive = bytes(await read_body(request, limit_bytes=process.max_configuration_bytes))
    platform = process.platform
    await receive_configuration(
        platform.sessions,
        platform.store,
        platform.keyring,
        configuration_version_id=object_id,
        archive=archive,
    )
    return Response(status_code=200)


@router.put(f"/{Deed.UPLOAD_STATE}{_SIGNED}", dependencies=[_signed(Deed.UPLOAD_STATE)])
async def upload_state(request: Request, process: CurrentProcess, object_id: str) -> Response:
    """Take a raw state that was announced."""
    raw = await read_body(request, limit_bytes=process.max_state_bytes)
    platform = process.platform
    await states.receive(
        platform.sessions, platform.store, platform.keyring, state_version_id=object_id, raw=raw
    )
    return Response(status_code=200)


@router.put(f"/{Deed.UPLOAD_JSON_STATE}{_SIGNED}", dependencies=[_signed(Deed.UPLOAD_JSON_STATE)])
async def upload_json_state(request: Request, process: CurrentProcess, object_id: str) -> Response:
    """Take the JSON form of a state that was announced."""
    data = await read_body(request, limit_bytes=process.max_state_bytes)
    platform = process.platform
    await states.receive_json(
        platform.sessions, platform.store, state_version_id=object_id, data=data
    )
    return Response(status_code=200)


@router.get(f"/{Deed.DOWNLOAD_STATE}{_SIGNED}", dependencies=[_signed(Deed.DOWNLOAD_STATE)])
async def download_state(process: CurrentProcess, object_id: str) -> Response:
    """Give a raw state."""
    state = await _state(process, object_id)
    return _stream(await process.platform.store.open(state.path), "application/json")


@router.get(
    f"/{Deed.DOWNLOAD_JSON_STATE}{_SIGNED}", dependencies=[_signed(Deed.DOWNLOAD_JSON_STATE)]
)
async def download_json_state(process: CurrentProcess, object_id: str) -> Response:
    """Give the JSON form of a state, if its writer sent one."""
    state = await _state(process, object_id)
    if not state.has_json:
        raise NotFoundError(f"State version {object_id} has no JSON form.")
    return _stream(await process.platform.store.open(state.json_path), "application/json")


@router.get(
    f"/{Deed.DOWNLOAD_CONFIGURATION}{_SIGNED}", dependencies=[_signed(Deed.DOWNLOAD_CONFIGURATION)]
)
async def download_configuration(process: CurrentProcess, object_id: str) -> Response:
    """Give a configuration as it was uploaded."""
    archive = await process.platform.store.open(f"configurations/{object_id}.tar.gz")
    return _stream(archive, "application/gzip")


@router.get(f"/{Deed.DOWNLOAD_PLAN_JSON}{_SIGNED}", dependencies=[_signed(Deed.DOWNLOAD_PLAN_JSON)])
async def download_plan(process: CurrentProcess, object_id: str) -> Response:
    """Give `terraform show -json` of a plan."""
    return await _plan_file(process, object_id, Artefact.PLAN_JSON)


@router.get(
    f"/{Deed.DOWNLOAD_REDACTED_PLAN}{_SIGNED}", dependencies=[_signed(Deed.DOWNLOAD_REDACTED_PLAN)]
)
async def download_redacted_plan(process: CurrentProcess, object_id: str) -> Response:
    """Give a plan as the command line renders it, without sensitive values."""
    return await _plan_file(process, object_id, Artefact.PLAN_JSON_REDACTED)


@router.get(f"/{Deed.READ_TEXT_LOG}{_SIGNED}", dependencies=[_signed(Deed.READ_TEXT_LOG)])
async def read_text_log(request: Request, process: CurrentProcess, object_id: str) -> Response:
    """Give a stretch of the log for people."""
    return await _log(request, process, object_id, LogStream.TEXT)


@router.get(f"/{Deed.READ_JSON_LOG}{_SIGNED}", dependencies=[_signed(Deed.READ_JSON_LOG)])
async def read_json_log(request: Request, process: CurrentProcess, object_id: str) -> Response:
    """Give a stretch of the log for clients that render it."""
    return await _log(request, process, object_id, LogStream.JSON)


async def _log(
    request: Request, process: CurrentProcess, phase_id: str, stream: LogStream
) -> Response:
    """Answer with what there is; at the end of a log that still grows, wait a little for more.

    A client that polls every half second or two so sees each line as it comes.
    """
    offset = _number(request, "offset", 0)
    limit = min(_number(request, "limit", _LOG_LIMIT), _LOG_LIMIT)
    deadline = time.monotonic() + _LOG_WAIT_S
    platform = process.platform
    while True:
        with process.listener.expect(logs.CHANNEL, phase_id) as changed:
            found = await process.log_reads.read(
                platform.sessions,
                platform.store,
                process.listener,
                phase_id=phase_id,
                stream=stream,
                offset=offset,
                limit=limit,
            )
            left = deadline - time.monotonic()
            if found.data or found.is_over or left <= 0:
                return _file(found.data, "text/plain; charset=utf-8")
            await wait(changed, left)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - a petabyte
        raise MalformedError(f"{name} must be a number of bytes, not {text[:40]!r}.")
    return int(text)


async def _state(process: CurrentProcess, state_version_id: str) -> StateVersion:
    async with transaction(process.platform.sessions) as session:
        state = await session.get(StateVersion, state_version_id)
    if state is None or state.status not in (StateStatus.FINALIZED, StateStatus.OFFERED):
        raise NotFoundError(f"State version {state_version_id} has not been uploaded.")
    return state


async def _plan_file(process: CurrentProcess, plan_id: str, artefact: Artefact) -> Response:
    async with transaction(process.platform.sessions) as session:
        phase = await session.get(RunPhase, plan_id)
    if phase is None:
        raise NotFoundError(f"There is no plan {plan_id}.")
    data = await queries.artefact(process.platform.store, phase, artefact)
    return _file(data, "application/json")


def _file(data: bytes, media_type: str) -> Response:
    return Response(data, media_type=media_type, headers=_HEADERS)


def _stream(content: Content, media_type: str) -> Response:
    headers = {**_HEADERS, "Content-Length": str(content.size_bytes)}
    return StreamingResponse(content.pieces, media_type=media_type, headers=headers)
