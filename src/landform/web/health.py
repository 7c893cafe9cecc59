"""What orchestrators and Prometheus ask: is it up, can it work, how is it doing."""

import time
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram
from prometheus_client import generate_latest as render_metrics
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landform.dispatch.models import Lease, LeaseState
from landform.edge.deps import process_of
from landform.fleet.models import Kind
from landform.fleet.queries import present
from landform.kit.db import READ_ONLY, is_read_only, transaction
from landform.kit.errors import NotFoundError, UnavailableError
from landform.notifications.recording import waiting

router = APIRouter()

_PROBE: Final = "health/probe"
_requests = Counter("landform_http_requests", "Requests answered", ["method", "route", "status"])
_seconds = Histogram("landform_http_request_seconds", "Time to answer", ["method", "route"])
_phases = Gauge("landform_phases", "Plans and applies by where they stand", ["phase", "state"])

_notifications = Gauge(
    "landform_notifications", "Deliveries that are to be made; failed: for another time", ["state"]
)


@router.get("/healthz", include_in_schema=False)
async def healthz() -> Response:
    """Answer as long as the process lives."""
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", include_in_schema=False)
async def readyz(request: Request) -> Response:
    """Answer 200 when database and object store do, else 503 with what does not.

    A database that only reads is as good for all servers, so that none is better taken out.

    Lines after the first say what an operator should know, to whoever asks: nothing of where.
    """
    platform = process_of(request).platform
    try:
        async with transaction(platform.sessions) as session:
            workers = [one for one in await present(session) if one.kind is Kind.WORKER]
            warnings = [READ_ONLY] if await is_read_only(session) else []
        await platform.store.get(_PROBE)
    except NotFoundError:
        pass
    except UnavailableError as failure:
        return Response(f"{failure}\n", status_code=503, media_type="text/plain")
    bare = sum(worker.sandbox == "none" for worker in workers)
    if bare:
        warnings.append(f"{bare} of {len(workers)} workers do not keep runs apart: no sandbox")
    lines = ["ready", *(f"warning: {each}" for each in warnings)]
    return Response("\n".join(lines) + "\n", media_type="text/plain")


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Answer what Prometheus scrapes: this process's requests, and the queue as all see it."""
    async with transaction(process_of(request).platform.sessions) as session:
        counted = await session.execute(
            select(Lease.phase, Lease.state, func.count())
            .where(Lease.state != LeaseState.ENDED)
            .group_by(Lease.phase, Lease.state)
        )
        _phases.clear()
        for phase, state, count in counted:
            _phases.labels(phase=phase.value, state=state.value).set(count)
        all_, failed = await waiting(session)
        _notifications.labels("new").set(all_ - failed)
        _notifications.labels("failed").set(failed)
    return Response(render_metrics(REGISTRY), media_type=CONTENT_TYPE_LATEST)


class Measure:
    """Counts and times requests by route, never by path: paths would be without end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request, until its response begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                _seconds.labels(scope["method"], route).observe(time.perf_counter() - began)
                _requests.labels(scope["method"], route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, answer)
