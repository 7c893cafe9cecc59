"""Requests that a request makes of the application it was made to, in this process.

What a route of another address would do is done by it, with its checks, words and permissions.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.types import ASGIApp

_KEPT: Final = ("type", "asgi", "http_version", "scheme", "server", "client", "root_path")
_OF_THE_BODY: Final = (b"content-length", b"content-type", b"transfer-encoding")


class Answer:
    """What an application sends."""

    def __init__(self) -> None:
        """Make one that says nothing yet."""
        self.status = 500
        self.body = b""
        self.media_type = ""

    async def take(self, message: Mapping[str, Any]) -> None:
        """Take a message of the application's."""
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        for name, value in message.get("headers", ()):
            if name.lower() == b"content-type":
                self.media_type = value.decode("latin-1")

    @property
    def document(self) -> dict[str, Any]:
        """What it says, read; empty when it says nothing."""
        return json.loads(self.body) if self.body else {}


async def ask(
    request: Request,
    application: ASGIApp,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
    keeping: Mapping[str, Any] | None = None,
) -> Answer:
    """Return what `application` answers to another request of the same client.

    Args:
        path: as decoded; it starts with a slash.
        query: as sent, without a question mark.
        keeping: what else the request's scope has.
    """
    answer = Answer()
    headers = [each for each in request.scope["headers"] if each[0] not in _OF_THE_BODY]
    scope = {
        **{name: request.scope[name] for name in _KEPT if name in request.scope},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*headers, (b"content-type", b"application/vnd.api+json")],
        "state": {},
        **(keeping or {}),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    await application(scope, receive, answer.take)
    return answer
