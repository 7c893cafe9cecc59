"""Webhooks of GitHub as they arrive. Pure. Facts: vcs_providers.md §3."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.kit.errors import MalformedError
from landform.vcs.changes import (
    Action,
    AnyChange,
    Comment,
    Delivery,
    Person,
    PullRequest,
    Push,
    TagPush,
)
from landform.vcs.payloads import (
    BRANCH,
    TAG,
    commit_or_none,
    decoded,
    id_of_content,
    signed_by_one,
)

EVENTS: Final = ("push", "pull_request", "issue_comment")
_ACTIONS: Final[Mapping[str, Action]] = {
    "opened": Action.OPENED,
    "synchronize": Action.UPDATED,
    "edited": Action.UPDATED,
    "ready_for_review": Action.UPDATED,
    "reopened": Action.REOPENED,
    "closed": Action.CLOSED,
}


class GitHubDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset({"x-github-event", "x-github-delivery"})

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader."""
        signature = headers.get("x-hub-signature-256", "")
        return signed_by_one(signature, body, secrets, prefix="sha256=")

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the delivery's own id, which a redelivery has too."""
        return headers.get("x-github-delivery", "") or id_of_content(body)

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        event = headers.get("x-github-event", "")
        if event == "ping":
            return Delivery(event=event, nothing_because="This is the test of a webhook.")
        if event not in EVENTS:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        said = decoded(body)
        try:
            change, reason = _change(event, said)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what GitHub sends as {event}.") from None
        changes = (change,) if change is not None else ()
        return Delivery(event=event, changes=changes, nothing_because=reason)


def pull_request_of(said: Mapping[str, Any], *, action: Action | None = None) -> PullRequest:
    """Read a pull request as payloads and the API have it."""
    head, base = said["head"], said["base"]
    repository = base["repo"]
    source = head.get("repo") or {}  # none when the fork was deleted
    author = person_of(said.get("user"))
    found = _action(said, action)
    return PullRequest(
        repository_id=str(repository["id"]),
        repository_name=str(repository.get("name") or ""),
        by=author,
        number=int(said["number"]),
        action=found,
        title=str(said.get("title") or ""),
        url=str(said.get("html_url") or ""),
        source_branch=str(head["ref"]),
        source_commit=str(head["sha"]),
        target_branch=str(base["ref"]),
        target_commit=str(base.get("sha") or ""),
        merge_commit=str(said.get("merge_commit_sha") or "") if found is Action.MERGED else "",
        is_draft=bool(said.get("draft")),
        is_fork=source.get("id") != repository["id"],
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read an account; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    login = str(said.get("login") or "")
    return Person(id=str(said.get("id") or ""), login=login, name=login)


def _action(said: Mapping[str, Any], action: Action | None) -> Action:
    if said.get("state") == "closed":
        is_merged = bool(said.get("merged") or said.get("merged_at"))
        return Action.MERGED if is_merged else Action.CLOSED
    return action or Action.OPENED


def _change(event: str, said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    if event == "push":
        return _push(said)
    if event == "pull_request":
        action = _ACTIONS.get(str(said["action"]))
        if action is None:
            return None, f"Nothing follows from a pull request that was {said['action']}."
        return pull_request_of(said["pull_request"], action=action), ""
    return _comment(said)


def _push(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    ref, repository = str(said["ref"]), said["repository"]
    head = said.get("head_commit") or {}
    about: dict[str, Any] = {
        "repository_id": str(repository["id"]),
        "repository_name": str(repository.get("name") or ""),
        "by": person_of(said.get("sender")),
    }
    before, after = commit_or_none(said["before"]), commit_or_none(said["after"])
    if ref.startswith(BRANCH):
        push = Push(
            **about,
            branch=ref.removeprefix(BRANCH),
            before=before,
            after=after,
            forced=bool(said.get("forced")),
            message=str(head.get("message") or ""),
        )
        return push, ""
    if ref.startswith(TAG):
        # Of an annotated tag, `after` is the tag and the head is its commit.
        commit = str(head.get("id") or "") if after else ""
        return TagPush(**about, tag=ref.removeprefix(TAG), object_id=after, commit=commit), ""
    return None, "The push moved neither a branch nor a tag."


def _comment(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    issue, comment, repository = said["issue"], said["comment"], said["repository"]
    if not issue.get("pull_request"):
        return None, "The comment is on an issue."
    if said["action"] == "deleted":
        return None, "The comment was deleted."
    by = person_of(comment.get("user"))
    if said["action"] == "edited" and by.id != person_of(said.get("sender")).id:
        # Who may write to the repository may change what others said in it.
        return None, "The comment was changed by somebody else than who wrote it."
    return (
        Comment(
            repository_id=str(repository["id"]),
            repository_name=str(repository.get("name") or ""),
            by=by,
            number=int(issue["number"]),
            comment_id=str(comment["id"]),
            text=str(comment.get("body") or ""),
        ),
        "",
    )
