"""An OAuth server as forges have one: PKCE, tokens by a clock, refresh tokens good once."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlencode

from tests.standins.serving import Answer, Clock, Request, json_answer

Who = TypeVar("Who")


@dataclass(frozen=True)
class Code(Generic[Who]):
    who: Who
    redirect_uri: str
    challenge: str


class OAuth(Generic[Who]):
    """What authorizes, and gives tokens.

    Attributes:
        browser: who is signed in in the browser that opens the authorize page; None declines.
        tokens: whose each access token is, and until when.
        refresh_tokens: whose each is, with the access token it came with.
        refused: the errors' words for a wrong client and for a grant that no longer holds.
    """

    def __init__(self, clock: Clock, *, life_s: int, refused: tuple[str, str]) -> None:
        self.clock = clock
        self.life_s = life_s
        self.refused = refused
        self.browser: Who | None = None
        self.tokens: dict[str, tuple[Who, datetime]] = {}
        self.refresh_tokens: dict[str, tuple[Who, str]] = {}
        self._codes: dict[str, Code[Who]] = {}
        self._clients: dict[str, tuple[str, str]] = {}

    def register(self, redirect_uri: str) -> tuple[str, str]:
        """Register an application; return its id and secret."""
        client = secrets.token_hex(12), secrets.token_hex(20)
        self._clients[client[0]] = client[1], redirect_uri
        return client

    def end(self) -> None:
        """Revoke everything that was granted."""
        self.tokens.clear()
        self.refresh_tokens.clear()

    def who(self, token: str) -> Who | None:
        """Return whose a token is, while it holds."""
        found = self.tokens.get(token)
        return found[0] if found and found[1] > self.clock.now() else None

    def authorize(self, request: Request, *, needs_redirect: bool = True) -> Answer:
        """Send the browser back, with a code or a denial; a wrong address is sent nowhere."""
        query = request.query
        _, registered = self._clients.get(query.get("client_id", ""), ("", ""))
        back = query.get("redirect_uri", "" if needs_redirect else registered)
        if not registered or back != registered or query.get("response_type") != "code":
            return Answer(400, b"<html>Client ID or redirect URI is wrong.</html>")
        if self.browser is None:
            sent = {"error": "access_denied", "error_description": "The request was denied."}
        else:
            code = secrets.token_hex(16)
            challenge = query.get("code_challenge", "")
            self._codes[code] = Code(self.browser, back, challenge)
            sent = {"code": code}
        sent |= {"state": query["state"]} if "state" in query else {}
        return Answer(302, b"", {"Location": f"{back}?{urlencode(sent)}"})

    def token(self, request: Request, client: tuple[str, str] | None = None) -> Answer:
        """Trade a code or a refresh token; each is good once.

        Args:
            client: id and secret where they come in a header; else they are in the form.
        """
        if "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
            return json_answer({"error": "invalid_request"}, 400)
        form = {name: each[-1] for name, each in parse_qs(request.body.decode()).items()}
        shown = client or (form.get("client_id", ""), form.get("client_secret", ""))
        if self._clients.get(shown[0], ("", ""))[0] != shown[1] or not shown[1]:
            return self._refuse(0, "The client is not known.")
        who = self._granted(form)
        if who is None:
            return self._refuse(1, "The code or refresh token is not good (any more).")
        return json_answer(self._new(who))

    def _granted(self, form: Mapping[str, str]) -> Who | None:
        if form.get("grant_type") == "refresh_token":
            old = self.refresh_tokens.pop(form.get("refresh_token", ""), None)
            if old is None:
                return None
            self.tokens.pop(old[1], None)
            return old[0]
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return code.who if code.challenge in ("", proof) else None

    def _new(self, who: Who) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.tokens[access] = who, self.clock.now() + timedelta(seconds=self.life_s)
        self.refresh_tokens[refresh] = who, access
        return {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": self.life_s,
            "refresh_token": refresh,
        }

    def _refuse(self, which: int, words: str) -> Answer:
        return json_answer({"error": self.refused[which], "error_description": words}, 400)
