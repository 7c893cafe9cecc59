"""The legacy OAuth of Azure DevOps at app.vssps.visualstudio.com, for applications it still has."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

from tests.standins.azure_world import Identity, Tokens, guid
from tests.standins.serving import Answer, Clock, Request, html_answer, json_answer

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CODE_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM: Final = "application/x-www-form-urlencoded"
_CODE_LIFE: Final = timedelta(minutes=15)


@dataclass
class Application:
    """A registered application; its scopes are fixed, its secret dies after 60 days."""

    client_id: str
    secret: str
    scopes: frozenset[str]
    redirect_uri: str
    secret_expires_at: datetime
    minted: list[str] = field(default_factory=list)


@dataclass
class _Grant:
    application: Application
    identity: Identity
    expires_at: datetime | None = None


class LegacyOAuth:
    """Codes and refresh tokens, each good once.

    Attributes:
        expires_in_is_text: as in the wild; the documents say a number.
        errors_are_capital: `{"Error": …}` as in the wild.
    """

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self.expires_in_is_text = True
        self.errors_are_capital = True
        self.refreshes = 0
        self.applications: dict[str, Application] = {}
        self._tokens = tokens
        self._clock = clock
        self._codes: dict[str, _Grant] = {}
        self._refresh_tokens: dict[str, _Grant] = {}

    def register(self, redirect_uri: str, scopes: str = "vso.code vso.code_status") -> Application:
        expires_at = self._clock.now() + timedelta(days=60)
        made = Application(
            guid(),
            "eyJ" + secrets.token_urlsafe(800)[:755],
            frozenset(scopes.split()),
            redirect_uri,
            expires_at,
        )
        self.applications[made.client_id] = made
        return made

    def authorize(self, request: Request, who: Identity | None) -> Answer:
        """Send `who` back with a code; nobody: they declined, and go back without one."""
        query = request.query
        application = self.applications.get(query.get("client_id", ""))
        if application is None or query.get("response_type") != "Assertion":
            return html_answer(400, "The application is not known.")
        if query.get("redirect_uri") != application.redirect_uri:
            return html_answer(400, "The redirect URI does not match the registered one.")
        if frozenset(query.get("scope", "").split()) != application.scopes:
            return html_answer(400, "The scopes do not match the registered ones.")
        back = {"state": query["state"]} if "state" in query else {}
        if who is None:
            back["error"] = "access_denied"
        else:
            back = {"code": self.code(application, who)} | back
        location = f"{application.redirect_uri}?{urlencode(back)}"
        return Answer(302, b"", {"Location": location})

    def code(self, application: Application, who: Identity) -> str:
        made = secrets.token_urlsafe(40)
        self._codes[made] = _Grant(application, who, self._clock.now() + _CODE_LIFE)
        return made

    def token(self, request: Request) -> Answer:
        """Exchange a code or a refresh token; every field must be there, as a form."""
        if request.headers.get("content-type", "").split(";")[0] != _FORM:
            return self._error("invalid_request", "The content type must be a form's.")
        form = dict(parse_qsl(request.body.decode()))
        if form.get("client_assertion_type") != _ASSERTION:
            return self._error("invalid_request", "client_assertion_type is not supported.")
        application = self._application(form)
        if application is None:
            return self._error("invalid_client", "The client assertion is not valid.")
        if form.get("redirect_uri") != application.redirect_uri:
            return self._error("invalid_request", "redirect_uri does not match.")
        kind = form.get("grant_type")
        if kind == _CODE_GRANT:
            grant = self._codes.pop(form.get("assertion", ""), None)
        elif kind == "refresh_token":
            self.refreshes += 1
            grant = self._refresh_tokens.pop(form.get("assertion", ""), None)
        else:
            return self._error("unsupported_grant_type", "No such grant.")
        late = grant and grant.expires_at and grant.expires_at <= self._clock.now()
        if grant is None or late or grant.application is not application:
            return self._error("invalid_grant", "The assertion is not valid.")
        return self._mint(grant)

    def regenerate_secret(self, application: Application) -> None:
        """Give it a new secret: every token minted with the old one is dead."""
        application.secret = "eyJ" + secrets.token_urlsafe(800)[:755]
        for token in application.minted:
            self._tokens.revoke(token)

    def _application(self, form: Mapping[str, str]) -> Application | None:
        for one in self.applications.values():
            if one.secret == form.get("client_assertion"):
                return one if one.secret_expires_at > self._clock.now() else None
        return None

    def _mint(self, grant: _Grant) -> Answer:
        application = grant.application
        life = timedelta(seconds=3599)
        access = self._tokens.issue(grant.identity, application.scopes, is_pat=False, life=life)
        application.minted.append(access)
        refresh = secrets.token_urlsafe(60)
        self._refresh_tokens[refresh] = _Grant(application, grant.identity)
        return json_answer(
            {
                "access_token": access,
                "token_type": "jwt-bearer",
                "expires_in": "3599" if self.expires_in_is_text else 3599,
                "refresh_token": refresh,
                "scope": " ".join(sorted(application.scopes)),
            }
        )

    def _error(self, code: str, words: str) -> Answer:
        if self.errors_are_capital:
            return json_answer({"Error": code, "ErrorDescription": words}, 400)
        return json_answer({"error": code, "error_description": words}, 400)
