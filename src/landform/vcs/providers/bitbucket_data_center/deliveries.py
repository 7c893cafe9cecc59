"""Webhooks of Bitbucket Data Center as they arrive. Pure. Facts: vcs_providers.md §5.

A push of an annotated tag says the tag, not its commit. That a pull request was opened again is not
told, and found by looking.
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
from landform.vcs.payloads import commit_or_none, decoded, id_of_content, signed_by_one

_ACTIONS: Final[Mapping[str, Action]] = {
    "pr:opened": Action.OPENED,
    "pr:from_ref_updated": Action.UPDATED,
    "pr:modified": Action.UPDATED,
    "pr:merged": Action.MERGED,
    "pr:declined": Action.CLOSED,
    "pr:deleted": Action.CLOSED,
}
_STATES: Final[Mapping[str, Action]] = {"MERGED": Action.MERGED, "DECLINED": Action.CLOSED}
_COMMENTED: Final = "pr:comment:added"
_PUSHED: Final = "repo:refs_changed"
_PING: Final = "diagnostics:ping"
EVENTS: Final = (_PUSHED, *_ACTIONS, _COMMENTED)


class DataCenterDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset({"x-event-key", "x-request-id"})

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader."""
        signature = headers.get("x-hub-signature", "")
        return signed_by_one(signature, body, secrets, prefix="sha256=")

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the request's own id."""
        return headers.get("x-request-id", "") or id_of_content(body)

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        event = headers.get("x-event-key", "")
        if event == _PING:
            return Delivery(event=event, nothing_because="This is the test of a webhook.")
        if event not in EVENTS:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        said = decoded(body)
        try:
            changes = _changes(event, said)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what Bitbucket sends as {event}.") from None
        nothing = "" if changes else "The push moved neither a branch nor a tag."
        return Delivery(event=event, changes=changes, nothing_because=nothing)


def identity_of(repository: Mapping[str, Any]) -> str:
    """Return what a repository is known by: its project's key, and its name in addresses."""
    return f"{repository['project']['key']}/{repository['slug']}"


def pull_request_of(said: Mapping[str, Any], *, action: Action | None = None) -> PullRequest:
    """Read a pull request as payloads and the API have it."""
    source, target = said["fromRef"], said["toRef"]
    author = person_of((said.get("author") or {}).get("user"))
    merged = ((said.get("properties") or {}).get("mergeCommit") or {}).get("id")
    links = (said.get("links") or {}).get("self") or [{}]
    return PullRequest(
        repository_id=identity_of(target["repository"]),
        repository_name=str(target["repository"].get("name") or ""),
        by=author,
        number=int(said["id"]),
        action=_STATES.get(str(said.get("state")), action or Action.OPENED),
        title=str(said.get("title") or ""),
        url=str(links[0].get("href") or ""),
        source_branch=str(source["displayId"]),
        source_commit=str(source["latestCommit"]),
        target_branch=str(target["displayId"]),
        target_commit=str(target.get("latestCommit") or ""),
        merge_commit=str(merged or ""),
        is_draft=bool(said.get("draft")),
        is_fork=source["repository"].get("id") != target["repository"].get("id"),
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read an account; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    login = str(said.get("name") or "")
    return Person(
        id=str(said.get("id") or ""),
        login=login,
        name=str(said.get("displayName") or login),
        email=str(said.get("emailAddress") or ""),
    )


def _changes(event: str, said: Mapping[str, Any]) -> tuple[AnyChange, ...]:
    if event == _PUSHED:
        found = [_moved(said, each) for each in said["changes"]]
        return tuple(each for each in found if each is not None)
    pull = said["pullRequest"]
    if event in _ACTIONS:
        return (pull_request_of(pull, action=_ACTIONS[event]),)
    comment, repository = said["comment"], pull["toRef"]["repository"]
    return (
        Comment(
            repository_id=identity_of(repository),
            repository_name=str(repository.get("name") or ""),
            by=person_of(comment.get("author") or said.get("actor")),
            number=int(pull["id"]),
            comment_id=str(comment["id"]),
            text=str(comment.get("text") or ""),
        ),
    )


def _moved(said: Mapping[str, Any], change: Mapping[str, Any]) -> AnyChange | None:
    repository, ref = said["repository"], change["ref"]
    about: dict[str, Any] = {
        "repository_id": identity_of(repository),
        "repository_name": str(repository.get("name") or ""),
        "by": person_of(said.get("actor")),
    }
    before, after = commit_or_none(change["fromHash"]), commit_or_none(change["toHash"])
    newest = said.get("toCommit") or {}  # since 8.7, and of one ref only
    if ref["type"] == "BRANCH":
        message = str(newest.get("message") or "") if newest.get("id") == after else ""
        return Push(
            **about, branch=str(ref["displayId"]), before=before, after=after, message=message
        )
    if ref["type"] == "TAG":
        return TagPush(**about, tag=str(ref["displayId"]), object_id=after)
    return None
