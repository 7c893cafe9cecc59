"""Ways to sign in to GitLab. Facts: vcs_providers.md §4.

An access token of OAuth lives two hours. Renewing it ends both it and the refresh token, and the
redirect URI must be the one of the code.
"""

from typing import Final
from urllib.parse import urlencode

from landform.kit.errors import ConflictError
from landform.vcs.errors import ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.oauth import read_token
from landform.vcs.provider import Ask, Services, Setup, Token
from landform.vcs.providers.gitlab.urls import web_of

SCOPE: Final = "api"  # no smaller one may manage webhooks, set statuses or comment
_ADVICE: Final = {
    "invalid_client": "The application's ID or secret is wrong, or it was removed. ",
    "unauthorized_client": "The application is not confidential, or may not do this. ",
}


class GitLabSignIn:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services) -> None:
        self._setup = setup
        self._http = services.http
        self._web = web_of(setup)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        if self._setup.sign_in is not SignIn.OAUTH:
            raise ConflictError("This connection signs in by its token; there is nobody to ask.")
        query = {
            "client_id": self._setup.client_id,
            "redirect_uri": self._setup.callback_url,
            "response_type": "code",
            "scope": SCOPE,
        }
        if ask.state:
            query["state"] = ask.state
        if ask.challenge:
            query |= {"code_challenge": ask.challenge, "code_challenge_method": "S256"}
        return f"{self._web}/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        form = {"grant_type": "authorization_code", "code": code}
        if verifier:
            form["code_verifier"] = verifier
        return await self._token(form)

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        if not refresh_token:
            raise SignInNeededError(
                "GitLab no longer takes the token, and it cannot be renewed; connect again."
            )
        try:
            return await self._token(
                {"grant_type": "refresh_token", "refresh_token": refresh_token}
            )
        except ProviderRefusedError as refused:
            if refused.code == "invalid_grant":
                raise SignInNeededError(f"Connect again. {refused}") from None
            raise

    async def _token(self, form: dict[str, str]) -> Token:
        whole = {
            "client_id": self._setup.client_id,
            "client_secret": self._setup.client_secret,
            "redirect_uri": self._setup.callback_url,
            **form,
        }
        headers = {"accept": "application/json"}
        answer = await self._http.request(
            "POST", f"{self._web}/oauth/token", form=whole, headers=headers
        )
        try:
            return read_token(answer, provider="GitLab")
        except ProviderRefusedError as refused:
            advice = _ADVICE.get(refused.code, "")
            raise ProviderRefusedError(f"{advice}{refused}", code=refused.code) from None
