"""Webhooks of Gitea and Forgejo as they arrive. Pure. Facts: vcs_providers.md §6.

The signature is bare hexadecimal. A comment on a pull request comes as `issue_comment`. A branch
that was deleted is told by `delete`, without the commit it was at; a tag by `push` as well.
"""

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

_EVENTS: Final = ("push", "delete", "pull_request", "issue_comment")
_ACTIONS: Final[Mapping[str, Action]] = {
    "opened": Action.OPENED,
    "synchronized": Action.UPDATED,
    "edited": Action.UPDATED,
    "reopened": Action.REOPENED,
    "closed": Action.CLOSED,
}


class GiteaDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset({"x-gitea-event", "x-gitea-delivery"})

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader."""
        return signed_by_one(headers.get("x-gitea-signature", ""), body, secrets)

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the delivery's own id, which a repetition has too."""
        return headers.get("x-gitea-delivery", "") or id_of_content(body)

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        event = headers.get("x-gitea-event", "")
        if event not in _EVENTS:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        said = decoded(body)
        try:
            change, reason = _change(event, said)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what Gitea sends as {event}.") from None
        changes = (change,) if change is not None else ()
        return Delivery(event=event, changes=changes, nothing_because=reason)


def pull_request_of(said: Mapping[str, Any], *, action: Action | None = None) -> PullRequest:
    """Read a pull request as payloads and the API have it."""
    head, base = said["head"], said["base"]
    repository = base.get("repo") or {}
    repository_id = str(repository.get("id") or base["repo_id"])
    source = head.get("repo") or {}  # none when the fork was deleted
    author = person_of(said.get("user"))
    found = _action(said, action)
    return PullRequest(
        repository_id=repository_id,
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
        merge_base=str(said.get("merge_base") or ""),
        is_draft=bool(said.get("draft")),
        is_fork=str(source.get("id")) != repository_id,
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read an account; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    login = str(said.get("login") or said.get("username") or "")
    return Person(
        id=str(said.get("id") or ""),
        login=login,
        name=str(said.get("full_name") or login),
        email=str(said.get("email") or ""),
    )


def _action(said: Mapping[str, Any], action: Action | None) -> Action:
    if said.get("state") == "closed":
        return Action.MERGED if said.get("merged") else Action.CLOSED
    return action or Action.OPENED


def _change(event: str, said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    if event == "push":
        return _push(said)
    if event == "delete":
        return _deletion(said)
    if event == "pull_request":
        action = _ACTIONS.get(str(said["action"]))
        if action is None:
            return None, f"Nothing follows from a pull request that was {said['action']}."
        return pull_request_of(said["pull_request"], action=action), ""
    return _comment(said)


def _about(said: Mapping[str, Any]) -> dict[str, Any]:
    repository = said["repository"]
    return {
        "repository_id": str(repository["id"]),
        "repository_name": str(repository.get("name") or ""),
        "by": person_of(said.get("sender")),
    }


def _push(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    ref, head = str(said["ref"]), said.get("head_commit") or {}
    before, after = commit_or_none(said["before"]), commit_or_none(said["after"])
    if ref.startswith(BRANCH):
        push = Push(
            **_about(said),
            branch=ref.removeprefix(BRANCH),
            before=before,
            after=after,
            message=str(head.get("message") or ""),
        )
        return push, ""
    if ref.startswith(TAG):
        # Of an annotated tag, `after` is the tag and the head is its commit.
        commit = str(head.get("id") or "") if after else ""
        tag = TagPush(**_about(said), tag=ref.removeprefix(TAG), object_id=after, commit=commit)
        return tag, ""
    return None, "The push moved neither a branch nor a tag."


def _deletion(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    if said["ref_type"] != "branch":
        return None, "Its push tells of a tag that was deleted."
    return Push(**_about(said), branch=str(said["ref"]), before="", after=""), ""


def _comment(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    issue, comment = said["issue"], said["comment"]
    if not (said.get("is_pull") or issue.get("pull_request")):
        return None, "The comment is on an issue."
    if said["action"] == "deleted":
        return None, "The comment was deleted."
    by = person_of(comment.get("user"))
    if said["action"] == "edited" and by.id != person_of(said.get("sender")).id:
        # Whoever administers the repository may change what others said in it.
        return None, "The comment was changed by somebody else than who wrote it."
    about = _about(said) | {"by": by}
    return (
        Comment(
            **about,
            number=int(issue["number"]),
            comment_id=str(comment["id"]),
            text=str(comment.get("body") or ""),
        ),
        "",
    )
