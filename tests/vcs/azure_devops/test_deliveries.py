"""Deliveries of Azure DevOps: what proves them, what tells them apart, what they say."""

import json
from base64 import b64encode
from typing import Any

import pytest

from landform.kit.errors import MalformedError
from landform.vcs.changes import Action, Comment, Delivery, PullRequest, Push, TagPush
from landform.vcs.providers.azure_devops.deliveries import AzureDeliveries

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
REPOSITORY = {
    "id": "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0",
    "name": "infra",
    "project": {"id": "p", "name": "Cloud Team"},
    "remoteUrl": "https://acme@dev.azure.com/acme/Cloud%20Team/_git/infra",
}
ANN = {"id": "ann-id", "displayName": "Ann", "uniqueName": "ann@example.com"}
READER = AzureDeliveries()


def read(event: str, resource: Any, **more: Any) -> Delivery:
    said = {"eventType": event, "resource": resource, **more}
    return READER.read({}, json.dumps(said).encode())


def push(*updates: tuple[str, str, str], **more: Any) -> Delivery:
    moved = [{"name": name, "oldObjectId": old, "newObjectId": new} for name, old, new in updates]
    resource = {"repository": REPOSITORY, "refUpdates": moved, "pushedBy": ANN, **more}
    return read("git.push", resource)


def pull(**more: Any) -> dict[str, Any]:
    return {
        "repository": REPOSITORY,
        "pullRequestId": 12,
        "status": "active",
        "createdBy": ANN,
        "title": "Add subnet",
        "sourceRefName": "refs/heads/topic",
        "targetRefName": "refs/heads/main",
        "lastMergeSourceCommit": {"commitId": B},
        "lastMergeTargetCommit": {"commitId": A},
        **more,
    }


def only(delivery: Delivery) -> Any:
    (change,) = delivery.changes
    return change


def basic(user: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("landform", "wrong"),
        basic("somebody", "new"),
        {"authorization": "Bearer new"},
        {"authorization": "Basic ï"},
        {"x-landform-hook": ""},
        {"x-landform-hook": "New"},
    ],
)
def test_whoever_knows_no_secret_proves_nothing(headers: dict[str, str]) -> None:
    assert not READER.verify(headers, b"{}", ["new", "old"])


def test_a_delivery_is_told_by_subscription_and_notification() -> None:
    body = b'{"subscriptionId": "s", "notificationId": 41, "id": "same-for-all-tests"}'
    assert READER.delivery_id({}, body) == "s/41"


def test_a_delivery_without_numbers_is_told_by_what_it_says() -> None:
    one, other = (READER.delivery_id({}, body) for body in (b'{"a":1}', b'{"a":2}'))
    assert one != other
    assert one == READER.delivery_id({}, b'{"a":1}')


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 10_000])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        READER.read({}, body)


def test_a_push_of_several_refs_is_a_change_of_each() -> None:
    found = push(("refs/heads/a", A, B), ("refs/heads/b", NONE, B), ("refs/tags/v1", NONE, A))
    assert [type(each) for each in found.changes] == [Push, Push, TagPush]


@pytest.mark.parametrize("commits", [[], None])
def test_a_push_whose_commits_are_not_listed_is_still_a_push(commits: Any) -> None:
    assert only(push(("refs/heads/main", A, B), commits=commits)).after == B


def test_a_push_of_other_refs_alone_is_nothing() -> None:
    found = push(("refs/notes/x", A, B))
    assert not found.changes
    assert "neither a branch nor a tag" in found.nothing_because


def test_a_delivery_without_its_resource_is_to_be_fetched_again() -> None:
    found = read("git.push", None)
    assert found.refetch
    assert not found.changes


def test_a_pull_request_is_read() -> None:
    found = only(read("git.pullrequest.created", pull()))
    assert isinstance(found, PullRequest)
    assert (found.number, found.action, found.title) == (12, Action.OPENED, "Add subnet")
    assert (found.source_branch, found.source_commit) == ("topic", B)
    assert (found.target_branch, found.target_commit) == ("main", A)
    assert found.url == "https://dev.azure.com/acme/Cloud%20Team/_git/infra/pullrequest/12"
    assert not found.is_draft
    assert not found.is_fork


@pytest.mark.parametrize(
    ("status", "action"),
    [("active", Action.UPDATED), ("completed", Action.MERGED), ("abandoned", Action.CLOSED)],
)
def test_an_update_is_what_the_status_says(status: str, action: Action) -> None:
    found = only(read("git.pullrequest.updated", pull(status=status)))
    assert found.action is action


def test_the_merged_event_alone_does_not_mean_that_it_was_merged() -> None:
    found = read("git.pullrequest.merged", pull())
    assert not found.changes
    assert "git.pullrequest.merged" in found.nothing_because


def test_a_pull_request_whose_merge_is_not_computed_yet_is_read() -> None:
    said = pull(lastMergeTargetCommit=None, mergeStatus="queued")
    assert only(read("git.pullrequest.created", said)).target_commit == ""


def test_drafts_and_forks_are_known() -> None:
    found = only(read("git.pullrequest.created", pull(isDraft=True, forkSource={"repository": {}})))
    assert found.is_draft
    assert found.is_fork


COMMENT = {
    "id": 3,
    "content": "landform plan",
    "author": {"id": "bob-id", "displayName": "Bob"},
    "_links": {
        "threads": {
            "href": "https://dev.azure.com/acme/_apis/git/repositories/"
            "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/pullRequests/12/threads/9"
        }
    },
}
COMMENTED = "ms.vss-code.git-pullrequest-comment-event"


def test_a_comment_is_its_authors_and_not_the_pull_requests() -> None:
    found = only(read(COMMENTED, {"comment": COMMENT, "pullRequest": pull()}))
    assert isinstance(found, Comment)
    assert (found.by.id, found.text, found.number) == ("bob-id", "landform plan", 12)
    assert (found.comment_id, found.thread_id) == ("9:3", "9")
    assert found.pull_request is not None
    assert found.pull_request.author.id == "ann-id"


def test_a_comment_in_the_older_form_is_read_by_its_links() -> None:
    found = only(read(COMMENTED, COMMENT))
    assert (found.number, found.repository_id) == (12, "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
    assert found.pull_request is None


@pytest.mark.parametrize("change", [{"isDeleted": True, "content": None}, {"content": ""}])
def test_a_deleted_comment_says_nothing(change: dict[str, Any]) -> None:
    found = read(COMMENTED, {"comment": COMMENT | change, "pullRequest": pull()})
    assert not found.changes


@pytest.mark.parametrize("event", ["workitem.created", "", "git.pullrequest.closed"])
def test_an_event_nobody_knows_is_nothing(event: str) -> None:
    found = read(event, {})
    assert not found.changes
    assert found.nothing_because


def test_the_button_that_tests_a_hook_is_recognised() -> None:
    found = read("git.push", {}, id="03c164c2-8912-4d5e-8009-3707d5f83734")
    assert "test" in found.nothing_because


@pytest.mark.parametrize(
    ("event", "resource"),
    [
        ("git.push", {"refUpdates": [{"name": "refs/heads/x"}]}),
        ("git.push", {"repository": REPOSITORY, "refUpdates": [None]}),
        ("git.pullrequest.created", {"pullRequestId": 12}),
        ("git.pullrequest.created", pull(pullRequestId="twelve")),
        (COMMENTED, {"comment": {"content": "x"}}),
    ],
)
def test_a_payload_of_another_shape_is_malformed(event: str, resource: Any) -> None:
    with pytest.raises(MalformedError, match=event or "this"):
        read(event, resource)
