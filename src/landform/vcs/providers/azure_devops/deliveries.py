"""Service hooks of Azure DevOps as they arrive. Pure. Facts: vcs_providers.md §1.7.

There is no signature: a subscription carries Basic authentication, or a header of its own.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

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

USER: Final = "landform"
HEADER: Final = "x-landform-hook"
NOBODY: Final = "0" * 40  # the object id on the empty side of a ref that is new or gone

PUSH: Final = "git.push"
CREATED: Final = "git.pullrequest.created"
UPDATED: Final = "git.pullrequest.updated"
COMMENTED: Final = "ms.vss-code.git-pullrequest-comment-event"
# Which version of each to ask for: 2.0 of the first three was seen to say `"resource": null`, and
# 1.0 of the last lacks the pull request.
EVENTS: Final[Mapping[str, str]] = {PUSH: "1.0", CREATED: "1.0", UPDATED: "1.0", COMMENTED: "2.0"}

# The button `Test` sends these, always the same, about a repository that is nobody's.
_TESTS: Final = frozenset(
    {
        "03c164c2-8912-4d5e-8009-3707d5f83734",
        "2ab4e3d3-b7a6-425e-92b1-5a9982c1269e",
        "af07be1b-f3ad-44c8-a7f1-c4835f2df06b",
    }
)
_THREAD: Final = re.compile(r"/threads/(\d+)")
_REQUEST: Final = re.compile(r"/repositories/([0-9a-fA-F-]{36})/pullRequests/(\d+)", re.IGNORECASE)
_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"


class AzureDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset()

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader."""
        basic = headers.get("authorization", "")
        header = headers.get(HEADER, "")
        known = False
        for secret in secrets:
            wanted = "Basic " + b64encode(f"{USER}:{secret}".encode()).decode()
            known |= hmac.compare_digest(basic.encode(), wanted.encode())
            known |= hmac.compare_digest(header.encode(), secret.encode())
        return known

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return subscription and notification, the only pair that is never used twice."""
        said = _decoded(body)
        subscription, number = said.get("subscriptionId"), said.get("notificationId")
        if isinstance(subscription, str) and isinstance(number, int):
            return f"{subscription}/{number}"[:200]
        return "sha256/" + hashlib.sha256(body).hexdigest()

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        said = _decoded(body)
        event = str(said.get("eventType") or "")
        if said.get("id") in _TESTS:
            return Delivery(event=event, nothing_because="This is the test of a service hook.")
        if event not in EVENTS:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        resource = said.get("resource")
        if not isinstance(resource, dict):
            return Delivery(
                event=event,
                refetch=True,
                nothing_because="Azure DevOps sent no resource; the repository is asked instead.",
            )
        try:
            changes, reason = _changes(event, resource)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what Azure DevOps sends as {event}.") from None
        return Delivery(event=event, changes=changes, nothing_because="" if changes else reason)


def pull_request_of(resource: Mapping[str, Any], *, event: str = "") -> PullRequest:
    """Read a pull request as payloads and the API have it."""
    repository = resource["repository"]
    status = str(resource.get("status") or "active")
    author = person_of(resource.get("createdBy"))
    by = person_of(resource.get("closedBy")) if status != "active" else author
    number = int(resource["pullRequestId"])
    return PullRequest(
        repository_id=str(repository["id"]).lower(),
        repository_name=str(repository.get("name") or ""),
        by=by if by.id else author,
        number=number,
        action=_action(status, event),
        title=str(resource.get("title") or ""),
        url=_web_url(repository, number),
        source_branch=str(resource["sourceRefName"]).removeprefix(_BRANCH),
        source_commit=_commit(resource.get("lastMergeSourceCommit")),
        target_branch=str(resource["targetRefName"]).removeprefix(_BRANCH),
        target_commit=_commit(resource.get("lastMergeTargetCommit")),
        merge_commit=_commit(resource.get("lastMergeCommit")) if status == "completed" else "",
        is_draft=bool(resource.get("isDraft")),
        is_fork=bool(resource.get("forkSource")),
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read an identity; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    unique = str(said.get("uniqueName") or "")
    return Person(
        id=str(said.get("id") or ""),
        login=unique,
        name=str(said.get("displayName") or ""),
        email=unique if "@" in unique else "",
    )


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MalformedError("A service hook sends a JSON object.")
    return said


def _changes(event: str, resource: Mapping[str, Any]) -> tuple[tuple[AnyChange, ...], str]:
    if event == PUSH:
        return _pushes(resource), "The push moved neither a branch nor a tag."
    if event == COMMENTED:
        return _comments(resource), "The comment was deleted."
    return (pull_request_of(resource, event=event),), ""


def _pushes(resource: Mapping[str, Any]) -> tuple[AnyChange, ...]:
    repository = resource["repository"]
    about: dict[str, Any] = {
        "repository_id": str(repository["id"]).lower(),
        "repository_name": str(repository.get("name") or ""),
        "by": person_of(resource.get("pushedBy")),
    }
    messages = {
        str(each.get("commitId")): str(each.get("comment") or "")
        for each in resource.get("commits") or []
    }
    changes: list[AnyChange] = []
    for update in resource.get("refUpdates") or []:
        name, before, after = update["name"], _side(update, "old"), _side(update, "new")
        if name.startswith(_BRANCH):
            changes.append(
                Push(
                    **about,
                    branch=name.removeprefix(_BRANCH),
                    before=before,
                    after=after,
                    message=messages.get(after, ""),
                )
            )
        elif name.startswith(_TAG):
            changes.append(TagPush(**about, tag=name.removeprefix(_TAG), object_id=after))
    return tuple(changes)


def _comments(resource: Mapping[str, Any]) -> tuple[AnyChange, ...]:
    """Read version 2.0, or 1.0 where the comment itself is the resource and links say the rest."""
    request = resource.get("pullRequest")
    pull_request = pull_request_of(request) if isinstance(request, dict) else None
    comment = resource["comment"] if pull_request else resource.get("comment", resource)
    if comment.get("isDeleted") or not comment.get("content"):
        return ()
    links = " ".join(str(each.get("href")) for each in comment.get("_links", {}).values())
    thread = _THREAD.search(links)
    if pull_request is not None:
        repository_id, number = pull_request.repository_id, pull_request.number
    else:
        found = _REQUEST.search(links)
        if found is None:
            raise TypeError("a comment without its pull request")
        repository_id, number = found[1].lower(), int(found[2])
    return (
        Comment(
            repository_id=repository_id,
            repository_name=pull_request.repository_name if pull_request else "",
            by=person_of(comment.get("author")),
            number=number,
            comment_id=f"{thread[1] if thread else ''}:{comment['id']}",
            text=str(comment["content"]),
            thread_id=thread[1] if thread else "",
            pull_request=pull_request,
        ),
    )


def _action(status: str, event: str) -> Action:
    if status == "completed":
        return Action.MERGED
    if status == "abandoned":
        return Action.CLOSED
    return Action.UPDATED if event == UPDATED else Action.OPENED


def _web_url(repository: Mapping[str, Any], number: int) -> str:
    base = repository.get("webUrl") or repository.get("remoteUrl") or ""
    scheme, mark, rest = str(base).partition("://")
    rest = rest.rpartition("@")[2] if "@" in rest.partition("/")[0] else rest
    return f"{scheme}{mark}{rest}/pullrequest/{number}" if base else ""


def _side(update: Mapping[str, Any], side: str) -> str:
    sha = str(update.get(f"{side}ObjectId") or "")
    return "" if sha == NOBODY else sha


def _commit(said: Any) -> str:
    return str(said.get("commitId") or "") if isinstance(said, dict) else ""
