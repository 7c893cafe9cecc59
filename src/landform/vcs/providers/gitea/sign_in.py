"""Ways to sign in to Gitea and Forgejo. Facts: vcs_providers.md §6.

A token of OAuth lives an hour; each refresh gives another refresh token, and a server may be set up
to take each only once. A code or refresh token that no longer holds is `unauthorized_client`.
"""

from typing import Final
from urllib.parse import urlencode

from landform.kit.errors import ConflictError
from landform.vcs.errors import ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.oauth import read_token
from landform.vcs.provider import Ask, Services, Setup, Token
from landform.vcs.providers.gitea.urls import web_of

# A server that knows no scopes gives a token for everything.
_SCOPES: Final = "read:user read:organization write:repository write:issue"
_DEAD: Final = frozenset({"unauthorized_client", "invalid_grant"})


class GiteaSignIn:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services) -> None:
        self._setup = setup
        self._http = services.http
        self._web = web_of(setup)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        if self._setup.sign_in is not SignIn.OAUTH:
            raise ConflictError("This connection signs in by itself; there is nobody to ask.")
        query = {
            "client_id": self._setup.client_id,
            "redirect_uri": self._setup.callback_url,
            "response_type": "code",
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
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._setup.callback_url,
        }
        return await self._oauth(form | ({"code_verifier": verifier} if verifier else {}))

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        if not refresh_token:
            raise SignInNeededError(
                "Gitea no longer takes the token, and it cannot be renewed; connect again."
            )
        try:
            return await self._oauth(
                {"grant_type": "refresh_token", "refresh_token": refresh_token}
            )
        except ProviderRefusedError as refused:
            if refused.code in _DEAD:
                raise SignInNeededError(f"Connect again. {refused}") from None
            raise

    async def _oauth(self, form: dict[str, str]) -> Token:
        who = {"client_id": self._setup.client_id, "client_secret": self._setup.client_secret}
        url = f"{self._web}/login/oauth/access_token"
        headers = {"accept": "application/json"}
        answer = await self._http.request("POST", url, form=who | form, headers=headers)
        return read_token(answer, provider="Gitea")
