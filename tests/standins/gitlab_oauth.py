"""OAuth of GitLab: codes with PKCE, and refresh tokens that end the tokens before them."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

from tests.standins.gitlab_world import Tokens, User
from tests.standins.serving import Answer, Request, html_answer, json_answer

_CODE_LIFE: Final = timedelta(minutes=10)


@dataclass
class Application:
    """A confidential application."""

    client_id: str
    secret: str
    redirect_uri: str
    scopes: tuple[str, ...]


@dataclass
class _Grant:
    application: Application
    user: User
    scopes: tuple[str, ...]
    ends_at: datetime | None = None
    challenge: str = ""
    access: str = ""


class OAuth:
    """Below `/oauth`.

    Attributes:
        browser: who is signed in in the browser that opens the authorize page; None declines.
        refreshes: how often one was asked for, taken or not.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.browser: User | None = None
        self.refreshes = 0
        self.applications: dict[str, Application] = {}
        self._tokens = tokens
        self._codes: dict[str, _Grant] = {}
        self._refresh_tokens: dict[str, _Grant] = {}

    def register(self, redirect_uri: str, scopes: tuple[str, ...] = ("api",)) -> Application:
        made = Application(
            secrets.token_hex(32), f"gloas-{secrets.token_hex(32)}", redirect_uri, scopes
        )
        self.applications[made.client_id] = made
        return made

    def revoke_all(self) -> None:
        self._refresh_tokens.clear()

    def answer(self, request: Request, path: tuple[str, ...]) -> Answer:
        if path == ("authorize",) and request.method == "GET":
            return self._authorize(request)
        if path == ("token",) and request.method == "POST":
            return self._token(request)
        if path == ("token", "info"):
            return self._info(request)
        return html_answer(404, "The page could not be found.")

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        application = self.applications.get(query.get("client_id", ""))
        if application is None or query.get("redirect_uri") != application.redirect_uri:
            return html_answer(200, "The redirect URI included is not valid.")
        scopes = tuple(query.get("scope", "").split())
        back = {"state": query["state"]} if "state" in query else {}
        if query.get("response_type") != "code" or not set(scopes) <= set(application.scopes):
            back |= {"error": "invalid_scope", "error_description": "The scope is not valid."}
        elif self.browser is None:
            words = "The resource owner or authorization server denied the request."
            back |= {"error": "access_denied", "error_description": words}
        else:
            code = secrets.token_hex(32)
            until = self._tokens.clock.now() + _CODE_LIFE
            challenge = query.get("code_challenge", "")
            self._codes[code] = _Grant(application, self.browser, scopes, until, challenge)
            back |= {"code": code}
        return Answer(302, b"", {"Location": f"{application.redirect_uri}?{urlencode(back)}"})

    def _token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        application = self.applications.get(form.get("client_id", ""))
        if application is None or application.secret != form.get("client_secret"):
            return _error("invalid_client", "Client authentication failed.", 401)
        if form.get("grant_type") == "authorization_code":
            grant = self._codes.pop(form.get("code", ""), None)
            late = grant and grant.ends_at and grant.ends_at <= self._tokens.clock.now()
            proof = _challenge(form.get("code_verifier", ""))
            if grant is None or late or grant.challenge not in ("", proof):
                return self._invalid_grant()
        elif form.get("grant_type") == "refresh_token":
            self.refreshes += 1
            grant = self._refresh_tokens.pop(form.get("refresh_token", ""), None)
            if grant is None:
                return self._invalid_grant()
        else:
            return _error("unsupported_grant_type", "The grant type is not supported.", 400)
        if grant.application is not application or (
            form.get("redirect_uri") != application.redirect_uri
        ):
            return self._invalid_grant()
        if grant.access:
            self._tokens.all[grant.access].is_revoked = True
        return self._mint(grant)

    def _mint(self, grant: _Grant) -> Answer:
        access = self._tokens.of_oauth(grant.user, grant.scopes)
        refresh = secrets.token_hex(32)
        self._refresh_tokens[refresh] = _Grant(
            grant.application, grant.user, grant.scopes, access=access
        )
        return json_answer(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": 7200,
                "refresh_token": refresh,
                "scope": " ".join(grant.scopes),
                "created_at": int(self._tokens.clock.now().timestamp()),
            }
        )

    def _info(self, request: Request) -> Answer:
        value = request.headers.get("authorization", "").removeprefix("Bearer ")
        words = self._tokens.why_not(value)
        if words:
            return _error("invalid_token", words, 401)
        token = self._tokens.all[value]
        return json_answer({"resource_owner_id": token.user.id, "scope": list(token.scopes)})

    @staticmethod
    def _invalid_grant() -> Answer:
        words = (
            "The provided authorization grant is invalid, expired, revoked, does not match the"
            " redirection URI used in the authorization request, or was issued to another client."
        )
        return _error("invalid_grant", words, 400)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _error(code: str, words: str, status: int) -> Answer:
    return json_answer({"error": code, "error_description": words}, status)
