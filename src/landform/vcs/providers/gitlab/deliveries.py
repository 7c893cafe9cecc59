"""Webhooks of GitLab as they arrive. Pure. Facts: vcs_providers.md §4.

A hook carries its secret in clear (`X-Gitlab-Token`). From GitLab 19 on it also signs, as Standard
Webhooks have it, with a key of exactly 32 bytes, which is made of the secret here.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from landform.kit import clock
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

_ACTIONS: Final[Mapping[str, Action]] = {
    "open": Action.OPENED,
    "update": Action.UPDATED,
    "reopen": Action.REOPENED,
    "merge": Action.MERGED,
    "close": Action.CLOSED,
}
_STATES: Final[Mapping[str, Action]] = {
    "merged": Action.MERGED,
    "closed": Action.CLOSED,
    "locked": Action.MERGED,  # while it is being merged
}
# What, beside new commits, may change which runs a merge request gets.
_MATTERS: Final = frozenset({"draft", "work_in_progress", "target_branch"})
_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"
_NOBODY: Final = "0" * 40
_SKEW_S: Final = 300  # that a signed delivery may be old, or ahead


class GitLabDeliveries:
    """See DeliveryReader."""

    KEPT_HEADERS: frozenset[str] = frozenset(
        {"x-gitlab-event", "idempotency-key", "webhook-id", "x-gitlab-event-uuid"}
    )

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """See DeliveryReader. A signature decides where there is one: it covers the body."""
        signed = headers.get("webhook-signature", "")
        if signed:
            return _is_signed(signed.split(), headers, body, secrets)
        token = headers.get("x-gitlab-token", "").encode()
        known = False
        for secret in secrets:
            known |= hmac.compare_digest(token, secret.encode())
        return known

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the key that is the same for every try; older versions send none.

        They name the event, and hooks of one project that hear of it have different bodies.
        """
        given = headers.get("webhook-id") or headers.get("idempotency-key", "")
        if given:
            return given[:200]
        event = headers.get("x-gitlab-event-uuid", "").encode()
        return "sha256/" + hashlib.sha256(event + b"\n" + body).hexdigest()

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See DeliveryReader."""
        said = _decoded(body)
        event = str(headers.get("x-gitlab-event") or said.get("object_kind") or "")
        kind = str(said.get("object_kind") or "")
        reader = _READERS.get(kind)
        if reader is None:
            return Delivery(event=event, nothing_because=f"Nothing follows from {event or 'it'}.")
        try:
            change, reason = reader(said)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MalformedError(f"This is not what GitLab sends as {event}.") from None
        changes = (change,) if change is not None else ()
        return Delivery(event=event, changes=changes, nothing_because=reason)


def signing_token(secret: str) -> str:
    """Return the secret as GitLab takes a key to sign with."""
    return "whsec_" + base64.b64encode(_key(secret)).decode()


def merge_request_of(said: Mapping[str, Any]) -> PullRequest:
    """Read a merge request as the API has it."""
    author = person_of(said.get("author"))
    project = said["target_project_id"]
    action = _STATES.get(str(said.get("state")), Action.OPENED)
    merged = said.get("merge_commit_sha") or said.get("squash_commit_sha") or ""
    refs = said.get("diff_refs") or {}
    return PullRequest(
        repository_id=str(project),
        by=author,
        number=int(said["iid"]),
        action=action,
        title=str(said.get("title") or ""),
        url=str(said.get("web_url") or ""),
        source_branch=str(said["source_branch"]),
        source_commit=str(said.get("sha") or ""),
        target_branch=str(said["target_branch"]),
        merge_commit=str(merged) if action is Action.MERGED else "",
        merge_base=str(refs.get("base_sha") or ""),
        is_draft=bool(said.get("draft", said.get("work_in_progress"))),
        is_fork=said.get("source_project_id") != project,
        author=author,
    )


def person_of(said: Any) -> Person:
    """Read a user; nobody when there is none."""
    if not isinstance(said, dict):
        return Person()
    return Person(
        id=str(said.get("id") or ""),
        login=str(said.get("username") or ""),
        name=str(said.get("name") or ""),
    )


def _is_signed(
    signatures: Sequence[str], headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> bool:
    """Check `v1,<base64 of HMAC-SHA256>` of id, time and body; there may be several."""
    at = headers.get("webhook-timestamp", "")
    is_now = at.isascii() and at.isdecimal() and len(at) < 12  # noqa: PLR2004 - digits of a time
    is_now = is_now and abs(int(at) - clock.now().timestamp()) <= _SKEW_S
    signed = b".".join((headers.get("webhook-id", "").encode(), at.encode(), body))
    known = False
    for secret in secrets:
        digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
        wanted = b"v1," + base64.b64encode(digest)
        for each in signatures[:8]:
            known |= hmac.compare_digest(each.encode(), wanted)
    return known and is_now


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MalformedError("A webhook sends a JSON object.")
    return said


def _push(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    ref = str(said["ref"])
    after = _side(said["after"])
    if not ref.startswith(_BRANCH):
        return None, "The push moved no branch."
    heads = [each for each in said.get("commits") or [] if each.get("id") == after]
    return (
        Push(
            **_about(said),
            branch=ref.removeprefix(_BRANCH),
            before=_side(said["before"]),
            after=after,
            message=str(heads[0].get("message") or "") if heads else "",
        ),
        "",
    )


def _tag(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    ref = str(said["ref"])
    after = _side(said["after"])
    if not ref.startswith(_TAG):
        return None, "The push moved no tag."
    commit = str(said.get("checkout_sha") or "") if after else ""
    return TagPush(**_about(said), tag=ref.removeprefix(_TAG), object_id=after, commit=commit), ""


def _merge_request(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    what, project = said["object_attributes"], said["project"]
    word = str(what.get("action") or "")
    action = _ACTIONS.get(word)
    if action is None:
        return None, f"Nothing follows from a merge request that was {word or 'looked at'}."
    if action is Action.UPDATED and not what.get("oldrev"):
        changed = said.get("changes") or {}
        if not _MATTERS & changed.keys():
            return None, "No commit was added to the merge request."
    if not what.get("last_commit"):
        return None, "The merge request has no commit yet."
    by = person_of(said.get("user"))
    author_id = str(what.get("author_id") or "")
    return (
        PullRequest(
            repository_id=str(what["target_project_id"]),
            repository_name=str(project.get("name") or ""),
            by=by,
            number=int(what["iid"]),
            action=action,
            title=str(what.get("title") or ""),
            url=str(what.get("url") or ""),
            source_branch=str(what["source_branch"]),
            source_commit=str(what["last_commit"]["id"]),
            target_branch=str(what["target_branch"]),
            merge_commit=_merged(what) if action is Action.MERGED else "",
            is_draft=bool(what.get("draft", what.get("work_in_progress"))),
            is_fork=what["source_project_id"] != what["target_project_id"],
            author=by if by.id == author_id else Person(id=author_id),
        ),
        "",
    )


def _note(said: Mapping[str, Any]) -> tuple[AnyChange | None, str]:
    what = said["object_attributes"]
    if what.get("noteable_type") != "MergeRequest":
        return None, "The comment is not on a merge request."
    if what.get("system"):
        return None, "GitLab itself wrote it."
    if what.get("action", "create") != "create":
        # A maintainer may change what others wrote, and nobody is told who it was.
        return None, "The comment was changed; what is asked for has to be written anew."
    by = person_of(said.get("user"))
    return (
        Comment(
            repository_id=str(said["project_id"]),
            repository_name=str(said["project"].get("name") or ""),
            by=by if by.id else Person(id=str(what["author_id"]), login=by.login, name=by.name),
            number=int(said["merge_request"]["iid"]),
            comment_id=str(what["id"]),
            text=str(what.get("note") or ""),
        ),
        "",
    )


_READERS: Final = {
    "push": _push,
    "tag_push": _tag,
    "merge_request": _merge_request,
    "note": _note,
}


def _about(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "repository_id": str(said["project_id"]),
        "repository_name": str((said.get("project") or {}).get("name") or ""),
        "by": Person(
            id=str(said.get("user_id") or ""),
            login=str(said.get("user_username") or ""),
            name=str(said.get("user_name") or ""),
        ),
    }


def _merged(what: Mapping[str, Any]) -> str:
    return str(what.get("merge_commit_sha") or "")


def _side(sha: Any) -> str:
    return "" if sha in (None, _NOBODY) else str(sha)
