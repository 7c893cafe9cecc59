"""Ways to sign in to Bitbucket Cloud. Facts: vcs_providers.md §5.

What may be done is set at the OAuth consumer, not asked for. A token lives two hours; a refresh
token is taken for good once only, as that is where Bitbucket is going.
"""

from typing import Final
from urllib.parse import urlencode

from landform.kit.errors import ConflictError
from landform.vcs.errors import ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.oauth import read_token
from landform.vcs.provider import Ask, Services, Setup, Token
from landform.vcs.providers.bitbucket.api import basic
from landform.vcs.providers.bitbucket.urls import web_of

_DEAD: Final = "invalid_grant"


class BitbucketSignIn:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services) -> None:
        self._setup = setup
        self._http = services.http
        self._web = web_of(setup)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider. Bitbucket knows no PKCE."""
        if self._setup.sign_in is not SignIn.OAUTH:
            raise ConflictError("This connection signs in by itself; there is nobody to ask.")
        query = {
            "client_id": self._setup.client_id,
            "response_type": "code",
            "redirect_uri": self._setup.callback_url,
        }
        if ask.state:
            query["state"] = ask.state
        return f"{self._web}/site/oauth2/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        return await self._oauth(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._setup.callback_url,
            }
        )

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        if not refresh_token:
            raise SignInNeededError(
                "Bitbucket no longer takes the token, and it cannot be renewed; connect again."
            )
        try:
            return await self._oauth(
                {"grant_type": "refresh_token", "refresh_token": refresh_token}
            )
        except ProviderRefusedError as refused:
            if refused.code == _DEAD:
                raise SignInNeededError(f"Connect again. {refused}") from None
            raise

    async def _oauth(self, form: dict[str, str]) -> Token:
        who = basic(self._setup.client_id, self._setup.client_secret)
        url = f"{self._web}/site/oauth2/access_token"
        answer = await self._http.request("POST", url, form=form, headers={"authorization": who})
        return read_token(answer, provider="Bitbucket")
