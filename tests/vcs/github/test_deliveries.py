import json
from typing import Any

import pytest

from landform.kit.errors import MalformedError
from landform.vcs.changes import Action, Comment, Delivery, PullRequest
from landform.vcs.providers.github import GitHubDeliveries

READER = GitHubDeliveries()
REPOSITORY = {"id": 1, "name": "infra", "full_name": "acme/infra"}
OLD, NEW, ZEROS = "a" * 40, "b" * 40, "0" * 40


def read(event: str, **said: Any) -> Delivery:
    body = {"repository": REPOSITORY, "sender": {"id": 3, "login": "ann"}, **said}
    return READER.read({"x-github-event": event}, json.dumps(body).encode())


def pull(**more: Any) -> dict[str, Any]:
    return {
        "number": 12,
        "state": "open",
        "title": "t",
        "html_url": "u",
        "user": {"id": 4, "login": "bob"},
        "head": {"ref": "topic", "sha": NEW, "repo": {"id": 1}},
        "base": {"ref": "main", "sha": OLD, "repo": REPOSITORY},
        **more,
    }


@pytest.mark.parametrize("signature", ["", "sha256=", "sha1=00", "sha256=é"])
def test_whoever_knows_no_secret_proves_nothing(signature: str) -> None:
    assert not READER.verify({"x-hub-signature-256": signature}, b"{}", ["s"])
    assert not READER.verify({}, b"{}", [])


def test_a_redelivery_has_the_same_id() -> None:
    assert READER.delivery_id({"x-github-delivery": "guid"}, b"{}") == "guid"
    assert READER.delivery_id({}, b"{}").startswith("sha256/")


@pytest.mark.parametrize(
    ("action", "more", "expected"),
    [
        ("opened", {}, Action.OPENED),
        ("synchronize", {}, Action.UPDATED),
        ("edited", {}, Action.UPDATED),
        ("reopened", {}, Action.REOPENED),
        ("closed", {"state": "closed", "merged": False}, Action.CLOSED),
        ("closed", {"state": "closed", "merged": True, "merge_commit_sha": NEW}, Action.MERGED),
    ],
)
def test_what_happened_to_a_pull_request_is_read(
    action: str, more: dict[str, Any], expected: Action
) -> None:
    [found] = read("pull_request", action=action, pull_request=pull(**more)).changes
    assert isinstance(found, PullRequest)
    assert (found.action, found.number, found.author.login) == (expected, 12, "bob")
    assert not found.is_fork


@pytest.mark.parametrize("source", [{"id": 2}, None])
def test_a_fork_is_one_also_when_it_is_gone(source: Any) -> None:
    head = {"ref": "topic", "sha": NEW, "repo": source}
    [found] = read("pull_request", action="opened", pull_request=pull(head=head)).changes
    assert isinstance(found, PullRequest)
    assert found.is_fork


def test_a_comment_is_its_authors_and_one_on_an_issue_is_nothing() -> None:
    comment = {"id": 7, "body": "landform plan", "user": {"id": 9, "login": "eve"}}
    issue = {"number": 12, "pull_request": {"url": "u"}}
    [found] = read("issue_comment", action="created", issue=issue, comment=comment).changes
    assert isinstance(found, Comment)
    assert (found.by.id, found.number, found.text) == ("9", 12, "landform plan")
    plain = read("issue_comment", action="created", issue={"number": 1}, comment=comment)
    gone = read("issue_comment", action="deleted", issue=issue, comment=comment)
    assert (plain.changes, gone.changes) == ((), ())


def test_a_comment_that_somebody_else_changed_is_not_its_authors() -> None:
    comment = {"id": 7, "body": "landform apply", "user": {"id": 9, "login": "eve"}}
    issue = {"number": 12, "pull_request": {"url": "u"}}
    said = {"action": "edited", "issue": issue, "comment": comment}
    theirs = read("issue_comment", **said, sender={"id": 9, "login": "eve"})
    others = read("issue_comment", **said, sender={"id": 3, "login": "ann"})
    assert theirs.changes
    assert not others.changes
    assert "somebody else" in others.nothing_because


def test_what_means_nothing_says_so() -> None:
    assert "test" in read("ping").nothing_because
    assert "star" in read("star").nothing_because
    assert "labeled" in read("pull_request", action="labeled", pull_request=pull()).nothing_because


@pytest.mark.parametrize("event", ["push", "pull_request", "issue_comment"])
@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}"])
def test_a_payload_of_another_shape_is_malformed(event: str, body: bytes) -> None:
    with pytest.raises(MalformedError):
        READER.read({"x-github-event": event}, body)
