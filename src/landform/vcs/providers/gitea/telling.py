"""Statuses, comments and hooks on Gitea. Facts: vcs_providers.md §6.

A pull request shows the statuses of its newest commit, so it has none of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError
from landform.vcs.facts import RemoteHook, Repository, State, Status
from landform.vcs.providers.gitea.api import GiteaApi
from landform.vcs.providers.gitea.looking import every, of
from landform.vcs.texts import comment_of, line_of

# A branch that is deleted is told by `delete` alone; `pull_request` stands for all that is below.
EVENTS: Final = ("push", "delete", "pull_request")
_TOLD: Final = frozenset(
    {"push", "delete", "pull_request", "pull_request_sync", "pull_request_comment"}
)
_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "pending",
    State.RUNNING: "pending",
    State.SUCCEEDED: "success",
    State.FAILED: "failure",
    State.ERRORED: "error",
    State.CANCELED: "error",
    State.NOT_APPLICABLE: "success",
}
_DESCRIPTION: Final = 255  # characters
_COMMENT: Final = 250_000


async def set_commit_status(
    api: GiteaApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider."""
    body = {
        "state": _STATES[status.state],
        "context": f"{status.genre}/{status.name}",
        "description": line_of(status.description, _DESCRIPTION),
        "target_url": status.url,
    }
    await api.write("POST", of(repository, "statuses", sha), body)


async def upsert_comment(
    api: GiteaApi, repository: Repository, number: int, text: str, comment_id: str
) -> str:
    """See VcsProvider. There is nothing to keep open: comments are not resolved."""
    body = {"body": comment_of(text, _COMMENT)}
    if comment_id:
        try:
            await api.write("PATCH", of(repository, "issues", "comments", comment_id), body)
        except NoSuchRepositoryError:
            pass  # somebody deleted it
        else:
            return comment_id
    path = of(repository, "issues", str(number), "comments")
    return str((await api.write("POST", path, body))["id"])


async def ensure_hooks(
    api: GiteaApi, repository: Repository, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider. The secret cannot be read back, so it is sent again."""
    wanted: dict[str, Any] = {
        "active": True,
        "events": list(EVENTS),
        "config": {"url": url, "content_type": "json", "secret": secret},
    }
    try:
        ours = await _ours(api, repository, url)
        for double in ours[1:]:
            await _delete(api, repository, str(double["id"]))
        if ours:
            path = of(repository, "hooks", str(ours[0]["id"]))
            made = await api.write("PATCH", path, wanted)
        else:
            made = await api.write("POST", of(repository, "hooks"), {"type": "gitea", **wanted})
    except (NoSuchRepositoryError, NotAllowedError) as refused:
        raise NotAllowedError(
            f"This connection may not manage the webhooks of {repository.identifier}. Its user"
            " must be an administrator of the repository, and its token needs the scope"
            f" write:repository. {refused}"
        ) from None
    return [_hook_of(made)]


async def list_hooks(api: GiteaApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider."""
    return [_hook_of(each) for each in await _ours(api, repository, url)]


async def delete_hooks(api: GiteaApi, repository: Repository, url: str) -> None:
    """See VcsProvider."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["id"]))


async def _ours(api: GiteaApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    rows = await every(api, of(repository, "hooks"))
    return [each for each in rows if (each.get("config") or {}).get("url") == url]


async def _delete(api: GiteaApi, repository: Repository, hook_id: str) -> None:
    try:
        await api.call("DELETE", of(repository, "hooks", hook_id))
    except NoSuchRepositoryError:
        return  # gone is what was wanted


def _hook_of(said: Mapping[str, Any]) -> RemoteHook:
    """Read a hook; one that lacks an event counts as off, as it has to be mended."""
    active = bool(said.get("active"))
    lacking = sorted(_TOLD - set(said.get("events") or []))
    detail = "" if active else "Somebody switched it off."
    if lacking:
        detail = f"It does not tell of {', '.join(lacking)}."
    return RemoteHook(
        id=str(said["id"]),
        event=", ".join(EVENTS),
        url=str((said.get("config") or {}).get("url") or ""),
        is_enabled=active and not lacking,
        detail=detail,
    )
