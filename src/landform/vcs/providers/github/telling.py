"""Statuses, comments and hooks on GitHub. Facts: vcs_providers.md §3.

A pull request shows the statuses of its newest commit, so it has none of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError
from landform.vcs.facts import RemoteHook, Repository, State, Status
from landform.vcs.providers.github.api import PAGE, GitHubApi
from landform.vcs.providers.github.deliveries import EVENTS
from landform.vcs.providers.github.looking import of
from landform.vcs.texts import comment_of, line_of

_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "pending",
    State.RUNNING: "pending",
    State.SUCCEEDED: "success",
    State.FAILED: "failure",
    State.ERRORED: "error",
    State.CANCELED: "error",
    State.NOT_APPLICABLE: "success",
}
_DESCRIPTION: Final = 140  # characters
_COMMENT: Final = 65_536


async def set_commit_status(
    api: GitHubApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider."""
    body = {
        "state": _STATES[status.state],
        "context": f"{status.genre}/{status.name}",
        "description": line_of(status.description, _DESCRIPTION),
    }
    if status.url:
        body["target_url"] = status.url
    await api.call("POST", of(repository, "statuses", sha), body=body)


async def upsert_comment(
    api: GitHubApi, repository: Repository, number: int, text: str, comment_id: str
) -> str:
    """See VcsProvider. There is nothing to keep open: comments are not resolved."""
    body = {"body": comment_of(text, _COMMENT)}
    if comment_id:
        path = of(repository, "issues", "comments", comment_id)
        try:
            await api.call("PATCH", path, body=body)
        except NoSuchRepositoryError:
            pass  # somebody deleted it
        else:
            return comment_id
    path = of(repository, "issues", str(number), "comments")
    return str((await api.call("POST", path, body=body)).said["id"])


async def ensure_hooks(
    api: GitHubApi, repository: Repository, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider. The secret cannot be read back, so it is sent again."""
    wanted = {
        "active": True,
        "events": list(EVENTS),
        "config": {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"},
    }
    try:
        ours = await _ours(api, repository, url)
        for double in ours[1:]:
            await _delete(api, repository, str(double["id"]))
        if ours:
            path = of(repository, "hooks", str(ours[0]["id"]))
            made = await api.call("PATCH", path, body=wanted)
        else:
            made = await api.call("POST", of(repository, "hooks"), body={"name": "web", **wanted})
    except (NoSuchRepositoryError, NotAllowedError) as refused:
        raise NotAllowedError(
            f"This connection may not manage the webhooks of {repository.identifier}. It needs the"
            " scope admin:repo_hook (repo has it) and admin access to the repository, or, of a"
            " GitHub App or fine-grained token, the permission Webhooks: read and write."
            f" {refused}"
        ) from None
    return [_hook_of(made.said)]


async def list_hooks(api: GitHubApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider."""
    return [_hook_of(each) for each in await _ours(api, repository, url)]


async def delete_hooks(api: GitHubApi, repository: Repository, url: str) -> None:
    """See VcsProvider."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["id"]))


async def _ours(api: GitHubApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    reply = await api.get(of(repository, "hooks"), {"per_page": PAGE})
    return [each for each in reply.said if (each.get("config") or {}).get("url") == url]


async def _delete(api: GitHubApi, repository: Repository, hook_id: str) -> None:
    try:
        await api.call("DELETE", of(repository, "hooks", hook_id))
    except NoSuchRepositoryError:
        return  # gone is what was wanted


def _hook_of(said: Mapping[str, Any]) -> RemoteHook:
    """Read a hook; one that lacks an event counts as off, as it has to be mended."""
    active = bool(said.get("active", True))
    lacking = sorted(set(EVENTS) - set(said.get("events") or []))
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
