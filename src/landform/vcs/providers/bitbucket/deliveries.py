"""Webhooks of Bitbucket Cloud as they arrive. Pure. Facts: vcs_providers.md §5.

One push tells of every ref it moved; commits of pull requests are abbreviated. Of a tag there is
always the commit.
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
from landform.vcs.payloads import decoded, id_of_content, signed_by_one

_ACTIONS: Final[Mapping[str, Action]] = {
    "pullrequest:created": Action.OPENED,
    "pullrequest:updated": Action.UPDATED,
    "pullrequest:fulfilled": Action.MERGED,
    "pullrequest:rejected": Action.CLOSED,
}
_STATES: Final[Mapping[str, Action]] = {
    "MERGED": Action.MERGED,
    "DECLINED": Action.CLOSED,
    "SUPERSEDED": Action.CLOSED,
}
_COMMENTED: Final = "pullrequest:comment_created"
_PUSHED: Final = "repo:push"
EVENTS: Final = (_PUSHED, *_ACTIONS, _COMMENTED)
_TAGS: Final = frozenset({"tag", "annotated_tag"})


class BitbucketDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset({"x-event-key", "x-request-uuid"})

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader."""
        signature = headers.get("x-hub-signature", "")
        return signed_by_one(signature, body, secrets, prefix="sha256=")

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the request's own id; an attempt that has another changes nothing any more."""
        return headers.get("x-request-uuid", "") or id_of_content(body)

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        event = headers.get("x-event-key", "")
        if event not in EVENTS:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        said = decoded(body)
        try:
            changes = _changes(event, said)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what Bitbucket sends as {event}.") from None
        nothing = "" if changes else "The push moved neither a branch nor a tag."
        return Delivery(event=event, changes=changes, nothing_because=nothing)


def pull_request_of(said: Mapping[str, Any], *, action: Action | None = None) -> PullRequest:
    """Read a pull request as payloads and the API have it; its commits may be abbreviated."""
    source, target = said["source"], said["destination"]
    repository_id = str(target["repository"]["uuid"])
    author = person_of(said.get("author"))
    merge = said.get("merge_commit") or {}
    return PullRequest(
        repository_id=repository_id,
        repository_name=str(target["repository"].get("name") or ""),
        by=author,
        number=int(said["id"]),
        action=_STATES.get(str(said.get("state")), action or Action.OPENED),
        title=str(said.get("title") or ""),
        url=str(((said.get("links") or {}).get("html") or {}).get("href") or ""),
        source_branch=str(source["branch"]["name"]),
        source_commit=str((source.get("commit") or {}).get("hash") or ""),
        target_branch=str(target["branch"]["name"]),
        target_commit=str((target.get("commit") or {}).get("hash") or ""),
        merge_commit=str(merge.get("hash") or ""),
        is_draft=bool(said.get("draft")),
        # None when the fork was deleted.
        is_fork=(source.get("repository") or {}).get("uuid") != repository_id,
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read an account; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    login = str(said.get("nickname") or said.get("username") or "")
    return Person(
        id=str(said.get("uuid") or ""),
        login=login,
        name=str(said.get("display_name") or login),
    )


def _changes(event: str, said: Mapping[str, Any]) -> tuple[AnyChange, ...]:
    repository = said["repository"]
    about: dict[str, Any] = {
        "repository_id": str(repository["uuid"]),
        "repository_name": str(repository.get("name") or ""),
        "by": person_of(said.get("actor")),
    }
    if event == _PUSHED:
        found = [_moved(about, each) for each in said["push"]["changes"]]
        return tuple(each for each in found if each is not None)
    pull = said["pullrequest"]
    if event in _ACTIONS:
        return (pull_request_of(pull, action=_ACTIONS[event]),)
    comment = said["comment"]
    return (
        Comment(
            **about | {"by": person_of(comment.get("user") or said.get("actor"))},
            number=int(pull["id"]),
            comment_id=str(comment["id"]),
            text=str((comment.get("content") or {}).get("raw") or ""),
        ),
    )


def _moved(about: Mapping[str, Any], said: Mapping[str, Any]) -> AnyChange | None:
    old, new = said.get("old") or {}, said.get("new") or {}
    kind = str(new.get("type") or old["type"])
    name = str(new.get("name") or old["name"])
    before, after = (str((each.get("target") or {}).get("hash") or "") for each in (old, new))
    if kind == "branch":
        message = str((new.get("target") or {}).get("message") or "")
        return Push(
            **about,
            branch=name,
            before=before,
            after=after,
            forced=bool(said.get("forced")),
            message=message,
        )
    if kind in _TAGS:
        return TagPush(**about, tag=name, object_id=after, commit=after)
    return None
