"""GitHub, which has OAuth and no ID token: who it is, is asked of its API.

Facts: docs.github.com "Authorizing OAuth apps", REST "Users", "Emails", "Teams" (2022-11-28). An
answer with an error has status 200. Enterprise Server has its API below /api/v3.
"""

from typing import Any, Final

from landform.federation.discovery import Directory, Metadata
from landform.federation.errors import ProviderAwayError

_PUBLIC: Final = "https://github.com"
_ACCEPT: Final = "application/vnd.github+json"
_PAGE: Final = 100
_MOST_PAGES: Final = 10


def metadata(url: str) -> Metadata:
    """Return where the parts of the GitHub at `url` are."""
    base = url.rstrip("/")
    return Metadata(
        authorization_endpoint=f"{base}/login/oauth/authorize",
        token_endpoint=f"{base}/login/oauth/access_token",
        jwks_uri="",
        takes_basic=False,
    )


async def claims_of(directory: Directory, url: str, token: str) -> dict[str, Any]:
    """Return what GitHub says of whose token this is, as an ID token would.

    `teams` are `organization` and `organization/team`, as far as the organization lets the
    application see them.

    Raises:
        ProviderAwayError: it does not answer.
    """
    base = url.rstrip("/")
    api = "https://api.github.com" if base == _PUBLIC else f"{base}/api/v3"
    user = await directory.get(f"{api}/user", bearer=token, accept=_ACCEPT)
    if not isinstance(user, dict) or not isinstance(user.get("id"), int):
        raise ProviderAwayError("GitHub does not say who it is.")
    addresses = await _all(directory, f"{api}/user/emails", token)
    primary = next((each for each in addresses if each.get("primary") is True), {})
    teams = await _all(directory, f"{api}/user/teams", token)
    organizations = await _all(directory, f"{api}/user/orgs", token)
    groups = {str(each.get("login")) for each in organizations}
    groups |= {
        f"{(each.get('organization') or {}).get('login')}/{each.get('slug')}" for each in teams
    }
    return {
        "sub": str(user["id"]),
        "login": user.get("login"),
        "email": primary.get("email"),
        "email_verified": primary.get("verified") is True,
        "teams": sorted(groups),
    }


async def _all(directory: Directory, url: str, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(1, _MOST_PAGES + 1):
        page = await directory.get(
            f"{url}?per_page={_PAGE}&page={number}", bearer=token, accept=_ACCEPT
        )
        if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
            raise ProviderAwayError("GitHub answers with something that is no list.")
        found += page
        if len(page) < _PAGE:
            return found
    raise ProviderAwayError(f"GitHub lists more than {_PAGE * _MOST_PAGES} teams.")
