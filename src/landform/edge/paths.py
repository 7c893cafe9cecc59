"""Paths that no resource can have, refused before anything looks them up."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RefuseControlCharacters:
    """Answers 404 to a path with a control character in it: PostgreSQL cannot even ask for NUL."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and any(letter < " " for letter in scope["path"]):
            await PlainTextResponse("There is no such path.\n", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
