"""Where a request comes from, for the log and for every event that it causes."""

import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landform.kit.events import ORIGIN, Origin


class NoteOrigin:
    """Gives each request an id, which its answer carries as `X-Request-Id`, as TFE's do.

    A client's own id is not taken over: in the audit trail, nobody may pass for another request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note it for as long as the request lasts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        client = scope.get("client")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        origin = Origin(
            address=client[0] if client else "",
            request_id=request_id,
            agent=Headers(scope=scope).get("user-agent", ""),
        )
        token = ORIGIN.set(origin)
        try:
            with structlog.contextvars.bound_contextvars(request=request_id):
                await self._app(scope, receive, answer)
        finally:
            ORIGIN.reset(token)
