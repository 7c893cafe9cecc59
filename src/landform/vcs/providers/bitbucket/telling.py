"""Statuses, comments and hooks on Bitbucket Cloud. Facts: vcs_providers.md §5.

A pull request shows the statuses of its newest commit, so it has none of its own.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError, ProviderAwayError
from landform.vcs.facts import RemoteHook, Repository, State, Status
from landform.vcs.providers.bitbucket.api import BitbucketApi
from landform.vcs.providers.bitbucket.deliveries import EVENTS
from landform.vcs.providers.bitbucket.looking import of, whole_id
from landform.vcs.texts import comment_of, line_of, unfolded

_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "INPROGRESS",
    State.RUNNING: "INPROGRESS",
    State.SUCCEEDED: "SUCCESSFUL",
    State.FAILED: "FAILED",
    State.ERRORED: "FAILED",
    State.CANCELED: "STOPPED",
    State.NOT_APPLICABLE: "SUCCESSFUL",
}
_LINE: Final = 255  # characters of a name, and of a description
_COMMENT: Final = 32_768
_DESCRIPTION: Final = "Landform"


async def set_commit_status(
    api: BitbucketApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider. A key has 40 characters at most, and a link there must be."""
    name = f"{status.genre}/{status.name}"
    body = {
        "key": hashlib.sha256(name.encode()).hexdigest()[:40],
        "name": line_of(name, _LINE),
        "state": _STATES[status.state],
        "description": line_of(status.description, _LINE),
        "url": status.url or repository.web_url,
    }
    whole = await whole_id(api, repository, sha)
    await api.write("POST", of(repository, "commit", whole, "statuses", "build"), body)


async def upsert_comment(
    api: BitbucketApi, repository: Repository, number: int, text: str, comment_id: str
) -> str:
    """See VcsProvider. One that was deleted stays, and says so."""
    body = {"content": {"raw": comment_of(unfolded(text), _COMMENT)}}
    path = of(repository, "pullrequests", str(number), "comments")
    if comment_id:
        try:
            said = await api.write("PUT", f"{path}/{comment_id}", body)
        except NoSuchRepositoryError:
            pass  # somebody deleted it
        else:
            if not said.get("deleted"):
                return comment_id
    return str((await api.write("POST", path, body))["id"])


async def ensure_hooks(
    api: BitbucketApi, repository: Repository, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider. The secret cannot be read back, so it is sent again."""
    wanted = {
        "description": _DESCRIPTION,
        "url": url,
        "active": True,
        "secret": secret,
        "events": list(EVENTS),
    }
    try:
        ours = await _ours(api, repository, url)
        for double in ours[1:]:
            await _delete(api, repository, str(double["uuid"]))
        if ours:
            path = of(repository, "hooks", str(ours[0]["uuid"]))
            made = await api.write("PUT", path, wanted)
        else:
            made = await api.write("POST", of(repository, "hooks"), wanted)
    except (NoSuchRepositoryError, NotAllowedError) as refused:
        raise NotAllowedError(
            f"This connection may not manage the webhooks of {repository.identifier}. It needs the"
            " permission Webhooks: read and write (of an API token, read:webhook, write:webhook and"
            " delete:webhook), and its user must be an administrator of the repository."
            f" {refused}"
        ) from None
    return [_hook_of(made)]


async def list_hooks(api: BitbucketApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider."""
    return [_hook_of(each) for each in await _ours(api, repository, url)]


async def delete_hooks(api: BitbucketApi, repository: Repository, url: str) -> None:
    """See VcsProvider."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["uuid"]))


async def _ours(api: BitbucketApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    rows = await api.every(of(repository, "hooks"))
    if rows is None:
        raise ProviderAwayError(f"{repository.identifier} has more webhooks than are read.")
    return [each for each in rows if each.get("url") == url]


async def _delete(api: BitbucketApi, repository: Repository, hook_id: str) -> None:
    try:
        await api.call("DELETE", of(repository, "hooks", hook_id))
    except NoSuchRepositoryError:
        return  # gone is what was wanted


def _hook_of(said: Mapping[str, Any]) -> RemoteHook:
    """Read a hook; one that lacks an event counts as off, as it has to be mended."""
    active = bool(said.get("active"))
    lacking = sorted(set(EVENTS) - set(said.get("events") or []))
    detail = "" if active else "Somebody switched it off."
    if lacking:
        detail = f"It does not tell of {', '.join(lacking)}."
    return RemoteHook(
        id=str(said["uuid"]),
        event=", ".join(EVENTS),
        url=str(said.get("url") or ""),
        is_enabled=active and not lacking,
        detail=detail,
    )
