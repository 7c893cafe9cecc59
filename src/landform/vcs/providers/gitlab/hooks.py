"""Webhooks of a GitLab project. Facts: vcs_providers.md §4, and GitLab's Project webhooks API.

After four failed deliveries in a row GitLab switches a hook off for a while, after forty for good:
then only a test request that succeeds brings it back. A new hook needs none, and tells nothing
that did not happen, so one that is off is replaced.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError, ProviderRefusedError
from landform.vcs.facts import RemoteHook, Repository
from landform.vcs.providers.gitlab.api import PAGE, GitLabApi
from landform.vcs.providers.gitlab.deliveries import signing_token
from landform.vcs.providers.gitlab.looking import of

EVENTS: Final = ("push_events", "tag_push_events", "merge_requests_events", "note_events")
_PAGES: Final = 5  # a project has a hundred hooks at most
_WORKS: Final = "executable"
_OFF: Final[Mapping[str, str]] = {
    "temporarily_disabled": "GitLab switched it off for a while: deliveries failed.",
    "disabled": "GitLab switched it off: too many deliveries failed.",
}


async def ensure_hooks(
    api: GitLabApi, repository: Repository, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider. The secret cannot be read back, so it is sent again."""
    wanted = {
        "url": url,
        "token": secret,
        "signing_token": signing_token(secret),  # older versions take no notice
        "enable_ssl_verification": True,
        "push_events_branch_filter": "",
        **dict.fromkeys(EVENTS, True),
    }
    try:
        ours = await _ours(api, repository, url)
        kept = next((each for each in ours if each.get("alert_status", _WORKS) == _WORKS), None)
        if kept is None:
            made = await api.call("POST", of(repository, "hooks"), body=wanted)
        else:
            path = of(repository, "hooks", str(kept["id"]))
            made = await api.call("PUT", path, body=wanted)
        for each in ours:
            if each["id"] != made.said["id"]:
                await _delete(api, repository, str(each["id"]))
    except (NoSuchRepositoryError, NotAllowedError) as refused:
        raise NotAllowedError(
            f"This connection may not manage the webhooks of {repository.identifier}. It needs the"
            f" scope api, and the role Maintainer in the project. {refused}"
        ) from None
    except ProviderRefusedError as refused:
        if "local network" not in str(refused).lower():
            raise
        raise NotAllowedError(
            f"{refused} An administrator of GitLab allows it under Admin, Settings, Network,"
            " Outbound requests."
        ) from None
    return [_hook_of(made.said)]


async def list_hooks(api: GitLabApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider."""
    return [_hook_of(each) for each in await _ours(api, repository, url)]


async def delete_hooks(api: GitLabApi, repository: Repository, url: str) -> None:
    """See VcsProvider."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["id"]))


async def _ours(api: GitLabApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    page = ""
    for _ in range(_PAGES):
        reply = await api.get(of(repository, "hooks"), {"per_page": PAGE}, page=page)
        found += [each for each in reply.said if each.get("url") == url]
        page = reply.following
        if not page:
            break
    return found


async def _delete(api: GitLabApi, repository: Repository, hook_id: str) -> None:
    try:
        await api.call("DELETE", of(repository, "hooks", hook_id))
    except NoSuchRepositoryError:
        return  # gone is what was wanted


def _hook_of(said: Mapping[str, Any]) -> RemoteHook:
    """Read a hook; one that tells of less than all counts as off, as it has to be mended."""
    state = str(said.get("alert_status") or _WORKS)
    lacking = [each.removesuffix("_events") for each in EVENTS if not said.get(each)]
    detail = "" if state == _WORKS else _OFF.get(state, f"GitLab switched it off ({state}).")
    if lacking:
        detail = f"It does not tell of {', '.join(lacking)}."
    elif said.get("push_events_branch_filter"):
        detail = "It tells of some branches only."
    return RemoteHook(
        id=str(said["id"]),
        event=", ".join(each.removesuffix("_events") for each in EVENTS),
        url=str(said.get("url") or ""),
        is_enabled=not detail,
        detail=detail,
    )
