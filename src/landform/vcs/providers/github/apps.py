"""GitHub Apps: what one is registered with, and where it is installed. Facts: vcs_providers.md §3.

Facts of the manifest: docs.github.com, "Registering a GitHub App from a manifest". It goes in a
form that the person's own browser posts; the code they come back with is good once, within an
hour. Whoever leaves `hook_attributes` out gets an app without a webhook, which is what is wanted:
there is one per repository. A private app can be installed only by whoever owns it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from landform.kit.egress import NoAnswerError, Outbound
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError
from landform.vcs.facts import Installation
from landform.vcs.provider import Setup
from landform.vcs.providers.github.api import VERSION, is_limited, limit_s
from landform.vcs.providers.github.urls import WEB, api_of, quoted, web_of

PERMISSIONS: Final[Mapping[str, str]] = {
    "metadata": "read",
    "contents": "read",
    "statuses": "write",
    "checks": "write",
    "pull_requests": "write",
    "issues": "write",
    "repository_hooks": "write",
    "members": "read",  # for comments by members of a team
}
# What a connection may do, by the permission it takes and how pages of GitHub call that.
ABILITIES: Final[Mapping[str, tuple[str, str]]] = {
    "hooks": ("repository_hooks", "Webhooks"),
    "statuses": ("statuses", "Commit statuses"),
    "checks": ("checks", "Checks"),
    "comments": ("issues", "Issues"),
}
_LONGEST_NAME: Final = 34  # characters of an app's
_SERVER_FAILED: Final = 500


@dataclass(frozen=True, kw_only=True)
class Registered:
    """An app as GitHub gives it out once.

    Attributes:
        url: its page, below which it is installed.
        webhook_secret: empty when the app has no webhook.
    """

    app_id: str
    client_id: str
    url: str
    private_key: str = field(repr=False)
    client_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def manifest_of(setup: Setup, *, organization: str, home: str) -> str:
    """Return what an app is registered with, as JSON.

    Args:
        organization: ours, for the app's name, which the person can change.
        home: where people find us.
    """
    return json.dumps(
        {
            "name": f"Landform {organization}"[:_LONGEST_NAME].strip(),
            "url": home,
            "description": f"Plans and applies for {organization} on Landform.",
            "redirect_url": setup.callback_url,
            "setup_url": setup.callback_url,
            "public": False,
            "default_events": [],
            "default_permissions": dict(PERMISSIONS),
        }
    )


def registration_url(setup: Setup, state: str) -> str:
    """Return where a browser posts the manifest, for the connection's account or its own."""
    owner = f"organizations/{quoted(setup.account)}/" if setup.account else ""
    return f"{web_of(setup)}/{owner}settings/apps/new?{urlencode({'state': state})}"


def installation_url(app_url: str, state: str) -> str:
    """Return where a person installs an app and comes back from."""
    return f"{app_url}/installations/new?{urlencode({'state': state})}"


async def convert(http: Outbound, setup: Setup, code: str) -> Registered:
    """Trade the code a person came back with for the app they registered.

    Raises:
        ProviderRefusedError: the code is not good (any more).
        ProviderAwayError: no answer, or not with sense.
    """
    url = f"{api_of(setup)}/app-manifests/{quoted(code)}/conversions"
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": VERSION}
    answer = await http.request("POST", url, headers=headers)
    if is_limited(answer):
        raise ProviderAwayError("GitHub limits us for now.", retry_after_s=limit_s(answer))
    if answer.status >= _SERVER_FAILED:
        raise ProviderAwayError(f"GitHub answers {answer.status}; start again.")
    if answer.status != HTTPStatus.CREATED:
        raise ProviderRefusedError(
            f"GitHub does not take the code ({answer.status}): it was used already, or is older"
            " than an hour. Start again; if an app was registered, delete it at GitHub.",
            code="manifest",
        )
    try:
        return _registered(answer.json(), web_of(setup))
    except (NoAnswerError, KeyError, TypeError, AttributeError):
        raise ProviderAwayError("GitHub answered with something that is not an app.") from None


def installation_of(said: Mapping[str, Any]) -> Installation:
    """Read an installation as the API has it."""
    account = said.get("account") or {}
    return Installation(
        id=int(said["id"]),
        account=str(account.get("login") or account.get("slug") or ""),
        account_type=str(said.get("target_type") or account.get("type") or ""),
        icon_url=str(account.get("avatar_url") or ""),
        url=str(said.get("html_url") or ""),
        is_suspended=bool(said.get("suspended_at")),
        permissions=dict(said.get("permissions") or {}),
    )


def _registered(said: Mapping[str, Any], web: str) -> Registered:
    return Registered(
        app_id=str(said["id"]),
        client_id=str(said.get("client_id") or said["id"]),
        private_key=str(said["pem"]),
        client_secret=str(said.get("client_secret") or ""),
        webhook_secret=str(said.get("webhook_secret") or ""),
        url=_page_of(said, web),
    )


def _page_of(said: Mapping[str, Any], web: str) -> str:
    """Return the app's page; people are sent there, so it must be on the host they came from."""
    told, host = str(said.get("html_url") or ""), urlsplit(web)
    if (urlsplit(told).scheme, urlsplit(told).netloc) == (host.scheme, host.netloc):
        return told.rstrip("/")
    return f"{web}/{'apps' if web == WEB else 'github-apps'}/{quoted(str(said['slug']))}"
