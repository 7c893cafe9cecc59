"""Ways to sign in to GitHub. Facts: vcs_providers.md §3.

A GitHub App signs for itself with its key and gets tokens of an hour, so nothing is refreshed and
nobody has to come back. Errors of the OAuth endpoint have status 200.
"""

import time
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from landform.kit.egress import Answer
from landform.kit.errors import ConflictError, InvalidError
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.facts import Installation
from landform.vcs.kinds import SignIn
from landform.vcs.oauth import quoted as in_one_line
from landform.vcs.oauth import read_token
from landform.vcs.provider import Ask, Services, Setup, Token
from landform.vcs.providers.github.api import headers_of, is_limited, limit_s
from landform.vcs.providers.github.apps import installation_of
from landform.vcs.providers.github.urls import api_of, quoted, web_of

_SCOPES: Final = "repo"
_LIFE_S: Final = 540  # of an app's own assertion; GitHub takes ten minutes at most
_SKEW_S: Final = 60
_SERVER_FAILED: Final = 500


class GitHubSignIn:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services) -> None:
        self._setup = setup
        self._http = services.http
        self._web, self._api = web_of(setup), api_of(setup)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        if self._setup.sign_in is not SignIn.OAUTH:
            raise ConflictError("This connection signs in by itself; there is nobody to ask.")
        query = {
            "client_id": self._setup.client_id,
            "redirect_uri": self._setup.callback_url,
            "scope": _SCOPES,
        }
        if ask.state:
            query["state"] = ask.state
        if ask.challenge:
            query |= {"code_challenge": ask.challenge, "code_challenge_method": "S256"}
        return f"{self._web}/login/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        form = {
            "client_id": self._setup.client_id,
            "client_secret": self._setup.client_secret,
            "code": code,
            "redirect_uri": self._setup.callback_url,
        }
        if verifier:
            form["code_verifier"] = verifier
        return await self._oauth(form)

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        if self._setup.sign_in is SignIn.GITHUB_APP:
            return await self._installation_token()
        if not refresh_token:
            raise SignInNeededError(
                "GitHub no longer takes the token, and it cannot be renewed; connect again."
            )
        try:
            return await self._oauth(
                {
                    "client_id": self._setup.client_id,
                    "client_secret": self._setup.client_secret,
                    "grant_type": "refresh_token",
                    "refresh_token": refresh_token,
                }
            )
        except ProviderRefusedError as refused:
            if refused.code == "bad_refresh_token":
                raise SignInNeededError(f"Connect again. {refused}") from None
            raise

    async def _oauth(self, form: dict[str, str]) -> Token:
        url = f"{self._web}/login/oauth/access_token"
        headers = {"accept": "application/json"}
        answer = await self._http.request("POST", url, form=form, headers=headers)
        return read_token(answer, provider="GitHub")

    async def _installation_token(self) -> Token:
        """Get a token of the app's installation: the one chosen, the account's, or the only one."""
        assertion = app_assertion(self._setup)
        number = self._setup.installation_id or (await self._find(assertion)).id
        said = await self._app("POST", f"/app/installations/{number}/access_tokens", assertion)
        return Token(
            value=str(said["token"]), expires_at=datetime.fromisoformat(said["expires_at"])
        )

    async def installation(self, number: str = "") -> Installation:
        """Return where the app is installed.

        Args:
            number: that installation, which has to be this app's; else as tokens are of.

        Raises:
            ProviderRefusedError: it is installed nowhere, not there, or one has to be chosen.
        """
        assertion = app_assertion(self._setup)
        number = number or self._setup.installation_id
        if not number:
            return await self._find(assertion)
        return installation_of(await self._app("GET", f"/app/installations/{number}", assertion))

    async def _find(self, assertion: str) -> Installation:
        account = self._setup.account
        if account:
            path = f"/users/{quoted(account)}/installation"
            return installation_of(await self._app("GET", path, assertion))
        found = await self._app("GET", "/app/installations?per_page=2", assertion)
        if len(found) == 1:
            return installation_of(found[0])
        if not found:
            raise ProviderRefusedError("The GitHub App is not installed anywhere: install it.")
        raise ProviderRefusedError(
            "The GitHub App is installed for several owners: name one in the connection's account."
        )

    async def _app(self, method: str, path: str, assertion: str) -> Any:
        headers = headers_of(assertion)
        answer = await self._http.request(method, f"{self._api}{path}", headers=headers)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.json()
        raise _of_app(answer)


def app_assertion(setup: Setup) -> str:
    """Return what an app shows of itself: signed with its key, and short-lived.

    Raises:
        InvalidError: the key cannot be read.
    """
    try:
        key = RSAKey.import_key(setup.private_key)
    except (ValueError, JoseError):
        raise InvalidError(
            "The app's private key must be PEM: -----BEGIN RSA PRIVATE KEY-----.",
            pointer="private_key",
        ) from None
    moment = int(time.time())
    # Issued a little ago, as clocks differ.
    claims = {
        "iat": moment - _SKEW_S,
        "exp": moment + _LIFE_S,
        "iss": setup.app_id or setup.client_id,
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, key, algorithms=["RS256"])


def _of_app(answer: Answer) -> ProviderRefusedError | ProviderAwayError:
    said = answer.json() if answer.body else {}
    words = in_one_line(str(said.get("message") or "")) if isinstance(said, dict) else ""
    if is_limited(answer):
        return ProviderAwayError(f"GitHub limits the app. {words}", retry_after_s=limit_s(answer))
    if answer.status >= _SERVER_FAILED:
        return ProviderAwayError(
            f"GitHub answers {answer.status}. {words}", retry_after_s=answer.retry_after_s
        )
    advice = {
        HTTPStatus.UNAUTHORIZED: "is the client id the app's, the key one of its keys, and the"
        " clock of this machine right?",
        HTTPStatus.FORBIDDEN: "the installation is suspended, or lacks a permission.",
        HTTPStatus.NOT_FOUND: "the app is not installed there (any more): install it.",
    }.get(HTTPStatus(answer.status), "")
    return ProviderRefusedError(
        f"GitHub refuses the app ({answer.status}): {advice} {words}".strip(), code="app"
    )
