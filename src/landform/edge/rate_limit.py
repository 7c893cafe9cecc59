"""Refuses requests of clients that ask too often, in the words of TFE."""

import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landform.edge.allowances import Allowance, Allowances
from landform.edge.deps import address_of, process_of
from landform.identity.actor import ActorKind
from landform.identity.credentials import PREFIXES
from landform.kit.errors import TooManyError

_OF_AGENTS: Final = PREFIXES[ActorKind.AGENT_POOL]
Refuse = Callable[[Request, TooManyError], Awaitable[Response]]


class LimitRate:
    """Refuses what is too much below the given paths, and tells clients in the words of TFE.

    Args:
        free: paths among them where an agent's token that was accepted has no limit: one stands
            for all agents of a pool, whose logs flow as fast as they are written.
    """

    def __init__(
        self, app: ASGIApp, *, below: tuple[str, ...], refuse: Refuse, free: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._below = below
        self._free = free
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or not scope["path"].startswith(self._below):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        allowances = process_of(request).allowances
        if not allowances.per_second:
            await self._app(scope, receive, send)
            return
        token = _bearer(request)
        is_agent = scope["path"].startswith(self._free) and token.startswith(_OF_AGENTS)
        if is_agent and allowances.has_accepted(token):
            await self._app(scope, receive, _unless_refused(allowances, token, send))
            return
        allowance = allowances.take(token, address_of(request))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if token and getattr(request.state, "actor", None) is not None:
                    allowances.accept(token)
                MutableHeaders(scope=message).update(_told(allowances, allowance))
            await send(message)

        if allowance.left < 0:
            failure = TooManyError(
                f"At most {allowances.per_second} requests a second are answered here."
                " Wait a little and try again.",
                retry_after_s=allowance.wait_s,
            )
            refusal = await self._refuse(request, failure)
            await refusal(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)


def _unless_refused(allowances: Allowances, token: str, send: Send) -> Send:
    """Pass on what is answered; a token that is refused by now is a stranger's from then on."""

    async def answer(message: Message) -> None:
        is_start = message["type"] == "http.response.start"
        if is_start and message["status"] == HTTPStatus.UNAUTHORIZED:
            allowances.forget(token)
        await send(message)

    return answer


def _told(allowances: Allowances, allowance: Allowance) -> dict[str, str]:
    # Go-tfe ends its program when the reset, seconds from now, is no number.
    return {
        "X-RateLimit-Limit": str(allowances.per_second),
        "X-RateLimit-Remaining": str(max(allowance.left, 0)),
        "X-RateLimit-Reset": f"{math.ceil(allowance.wait_s * 1000) / 1000:.3f}",
    }


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
