"""Build statuses, comments and hooks on Bitbucket Data Center. Facts: vcs_providers.md §5.

A pull request shows the builds of its newest commit, so it has none of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
)
from landform.vcs.facts import RemoteHook, Repository, State, Status
from landform.vcs.providers.bitbucket_data_center.api import DataCenterApi
from landform.vcs.providers.bitbucket_data_center.deliveries import EVENTS
from landform.vcs.providers.bitbucket_data_center.looking import of
from landform.vcs.texts import comment_of, line_of, unfolded

_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "INPROGRESS",
    State.RUNNING: "INPROGRESS",
    State.SUCCEEDED: "SUCCESSFUL",
    State.FAILED: "FAILED",
    State.ERRORED: "FAILED",
    State.CANCELED: "FAILED",
    State.NOT_APPLICABLE: "SUCCESSFUL",
}
_LINE: Final = 255  # characters of a key, a name and a description
_COMMENT: Final = 32_768
_NAME: Final = "Landform"
_CHANGED: Final = "409"  # somebody else was quicker
_TRIES: Final = 3


async def set_commit_status(
    api: DataCenterApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider. A link there must be."""
    name = line_of(f"{status.genre}/{status.name}", _LINE)
    body = {
        "key": name,
        "name": name,
        "state": _STATES[status.state],
        "description": line_of(status.description, _LINE),
        "url": status.url or repository.web_url,
    }
    await api.write("POST", of(repository, "commits", sha, "builds"), body)


async def upsert_comment(
    api: DataCenterApi, repository: Repository, number: int, text: str, comment_id: str
) -> str:
    """See VcsProvider."""
    words = comment_of(unfolded(text), _COMMENT)
    path = of(repository, "pull-requests", str(number), "comments")
    if comment_id and await _edited(api, f"{path}/{comment_id}", words):
        return comment_id
    return str((await api.write("POST", path, {"text": words}))["id"])


async def _edited(api: DataCenterApi, path: str, words: str) -> bool:
    """Change a comment, whose version has to be told; False when somebody deleted it."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            version = (await api.read(path))["version"]
            await api.write("PUT", path, {"text": words, "version": version})
        except NoSuchRepositoryError:
            return False
        except ProviderRefusedError as refused:
            if refused.code != _CHANGED or not left:
                raise
        else:
            break
    return True


async def ensure_hooks(
    api: DataCenterApi, repository: Repository, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider. The secret cannot be read back, so it is sent again."""
    wanted = {
        "name": _NAME,
        "url": url,
        "active": True,
        "events": list(EVENTS),
        "configuration": {"secret": secret},
        "sslVerificationRequired": True,
    }
    try:
        ours = await _ours(api, repository, url)
        for double in ours[1:]:
            await _delete(api, repository, str(double["id"]))
        if ours:
            made = await api.write("PUT", of(repository, "webhooks", str(ours[0]["id"])), wanted)
        else:
            made = await api.write("POST", of(repository, "webhooks"), wanted)
    except (NoSuchRepositoryError, NotAllowedError) as refused:
        raise NotAllowedError(
            f"This connection may not manage the webhooks of {repository.identifier}. Its token"
            f" needs the permission Repository admin. {refused}"
        ) from None
    return [_hook_of(made)]


async def list_hooks(api: DataCenterApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider."""
    return [_hook_of(each) for each in await _ours(api, repository, url)]


async def delete_hooks(api: DataCenterApi, repository: Repository, url: str) -> None:
    """See VcsProvider."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["id"]))


async def _ours(api: DataCenterApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    rows = await api.every(of(repository, "webhooks"))
    if rows is None:
        raise ProviderAwayError(f"{repository.identifier} has more webhooks than are read.")
    return [each for each in rows if each.get("url") == url]


async def _delete(api: DataCenterApi, repository: Repository, hook_id: str) -> None:
    try:
        await api.call("DELETE", of(repository, "webhooks", hook_id))
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
        id=str(said["id"]),
        event=", ".join(EVENTS),
        url=str(said.get("url") or ""),
        is_enabled=active and not lacking,
        detail=detail,
    )
