"""Deliveries of GitLab: what proves them, what tells them apart, what they mean."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from landform.kit import clock
from landform.kit.errors import MalformedError
from landform.vcs.changes import Action, Comment, Delivery, PullRequest, Push, TagPush
from landform.vcs.providers.gitlab import GitLabDeliveries
from landform.vcs.providers.gitlab.deliveries import signing_token
from tests.standins.repositories import RefUpdate
from tests.vcs.contract.gitlab import GitLabHost

READER = GitLabDeliveries()
OLD, NEW, ZEROS = "a" * 40, "b" * 40, "0" * 40
BODY = b'{"object_kind": "push"}'
PROJECT = {"id": 15, "name": "infra"}


def signed(secret: str, body: bytes = BODY, *, age_s: float = 0) -> dict[str, str]:
    """Sign as Standard Webhooks have it, with the key that GitLab was given."""
    key = base64.b64decode(signing_token(secret).removeprefix("whsec_"))
    at = str(int((clock.now() - timedelta(seconds=age_s)).timestamp()))
    digest = hmac.new(key, f"msg-1.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def read(kind: str, **said: Any) -> Delivery:
    body = {"object_kind": kind, "project": PROJECT, "project_id": 15, **said}
    return READER.read({"x-gitlab-event": "Some Hook"}, json.dumps(body).encode())


def push(**more: Any) -> dict[str, Any]:
    given = {"ref": "refs/heads/main", "before": OLD, "after": NEW, "user_id": 4, "commits": []}
    return given | more


def merge_request(action: str, **more: Any) -> dict[str, Any]:
    what = {
        "iid": 12,
        "action": action,
        "state": "opened",
        "title": "t",
        "url": "u",
        "author_id": 9,
        "source_branch": "topic",
        "target_branch": "main",
        "source_project_id": 15,
        "target_project_id": 15,
        "last_commit": {"id": NEW},
        **more,
    }
    return {"object_attributes": what, "user": {"id": 4, "username": "ann", "name": "Ann"}}


def note(**more: Any) -> dict[str, Any]:
    what = {"id": 7, "note": "landform plan", "noteable_type": "MergeRequest", "author_id": 9}
    return {
        "object_attributes": {**what, "action": "create", "system": False, **more},
        "merge_request": {"iid": 12},
        "user": {"id": 9, "username": "eve", "name": "Eve"},
    }


@pytest.mark.parametrize("secret", ["new", "old"])
def test_either_secret_signs_and_so_does_its_token_where_nothing_is_signed(secret: str) -> None:
    assert READER.verify(signed(secret), BODY, ["new", "old"])
    assert READER.verify({"x-gitlab-token": secret}, BODY, ["new", "old"])


@pytest.mark.parametrize("age_s", [-400, 400, 3600])
def test_a_signature_of_another_time_proves_nothing(age_s: float) -> None:
    assert not READER.verify(signed("s", age_s=age_s), BODY, ["s"])
    assert READER.verify(signed("s", age_s=age_s / 20), BODY, ["s"])


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg-2"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "9" * 40},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2,é v1a,x"},
    ],
)
def test_a_signature_covers_body_id_and_time_and_no_token_makes_up_for_it(
    change: dict[str, str],
) -> None:
    headers = signed("s") | {"x-gitlab-token": "s"}
    assert READER.verify(headers, BODY, ["s"])
    assert not READER.verify(headers | change, BODY, ["s"])
    assert not READER.verify(headers, BODY + b" ", ["s"])


@pytest.mark.parametrize("headers", [{}, {"x-gitlab-token": ""}, {"x-gitlab-token": "é"}])
def test_whoever_knows_no_secret_proves_nothing(headers: dict[str, str]) -> None:
    assert not READER.verify(headers, BODY, ["s"])
    assert not READER.verify(headers, BODY, [])


def test_a_key_to_sign_with_is_as_gitlab_takes_it() -> None:
    assert signing_token("s").startswith("whsec_")
    assert len(base64.b64decode(signing_token("s").removeprefix("whsec_"), validate=True)) == 32


def test_every_try_has_one_key_and_older_versions_are_told_apart_by_event_and_body() -> None:
    assert READER.delivery_id({"idempotency-key": "k"}, BODY) == "k"
    assert READER.delivery_id({"idempotency-key": "k", "webhook-id": "signed"}, BODY) == "signed"
    one, other = (READER.delivery_id({"x-gitlab-event-uuid": each}, BODY) for each in "ab")
    assert one != other
    assert one == READER.delivery_id({"x-gitlab-event-uuid": "a"}, BODY)


async def test_an_older_gitlab_signs_nothing_and_is_believed_by_its_token(
    host: GitLabHost,
) -> None:
    host.lab.hooks.signs = False
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    host.push({"a.tf": "1"})
    [request] = host.delivered()
    assert "webhook-signature" not in request.headers
    assert READER.verify(request.headers, request.body, ["s"])
    host.lab.hooks.signs = True
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    host.push({"a.tf": "2"})
    [request] = host.delivered()
    assert READER.verify(request.headers, request.body, ["s"])
    assert not READER.verify(request.headers, request.body + b" ", ["s"])


async def test_each_branch_of_a_push_is_told_by_itself(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    updates = [RefUpdate(f"refs/heads/b{number}", ZEROS, host.first) for number in range(2)]
    host.lab.people.pushed(host.project, host.ann, updates)
    found = [READER.read(each.headers, each.body).changes for each in host.delivered()]
    assert {each[0].branch for each in found if isinstance(each[0], Push)} == {"b0", "b1"}


def test_the_message_is_the_newest_commits_wherever_it_is_in_the_list() -> None:
    for commits in (
        [{"id": OLD, "message": "one"}, {"id": NEW, "message": "two"}],
        [{"id": NEW, "message": "two"}, {"id": OLD, "message": "one"}],
    ):
        [found] = read("push", **push(commits=commits)).changes
        assert isinstance(found, Push)
        assert found.message == "two"


def test_a_tag_without_commits_is_a_tag_and_one_without_an_object_is_gone() -> None:
    given = push(ref="refs/tags/v1", before=ZEROS, checkout_sha=OLD)
    [made] = read("tag_push", **given).changes
    [gone] = read("tag_push", **given | {"after": ZEROS, "checkout_sha": None}).changes
    assert isinstance(made, TagPush)
    assert isinstance(gone, TagPush)
    assert (made.object_id, made.commit) == (NEW, OLD)
    assert (gone.object_id, gone.commit) == ("", "")


@pytest.mark.parametrize(
    ("action", "more", "expected"),
    [
        ("open", {}, Action.OPENED),
        ("update", {"oldrev": OLD}, Action.UPDATED),
        ("reopen", {}, Action.REOPENED),
        ("close", {"state": "closed"}, Action.CLOSED),
        ("merge", {"state": "merged", "merge_commit_sha": OLD}, Action.MERGED),
    ],
)
def test_what_happened_to_a_merge_request_is_read(
    action: str, more: dict[str, Any], expected: Action
) -> None:
    [found] = read("merge_request", **merge_request(action, **more)).changes
    assert isinstance(found, PullRequest)
    assert (found.action, found.number, found.source_commit) == (expected, 12, NEW)
    assert (found.author.id, found.by.id) == ("9", "4")


def test_an_update_without_commits_matters_only_when_it_changes_what_is_planned() -> None:
    said = merge_request("update")
    nothing = read("merge_request", **said, changes={"title": {}, "labels": {}})
    assert "No commit" in nothing.nothing_because
    for name in ("draft", "target_branch"):
        assert read("merge_request", **said, changes={name: {}}).changes


@pytest.mark.parametrize("action", ["approved", "unapproved", "approval", ""])
def test_approvals_are_nothing(action: str) -> None:
    found = read("merge_request", **merge_request(action))
    assert not found.changes
    assert found.nothing_because


def test_a_merge_request_without_a_commit_is_nothing_yet() -> None:
    found = read("merge_request", **merge_request("open", last_commit=None))
    assert "no commit" in found.nothing_because


def test_a_draft_of_an_older_gitlab_is_one() -> None:
    [found] = read("merge_request", **merge_request("open", work_in_progress=True)).changes
    assert isinstance(found, PullRequest)
    assert found.is_draft


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"noteable_type": "Issue"}, "not on a merge request"),
        ({"system": True}, "GitLab itself"),
        ({"action": "update"}, "written anew"),
    ],
)
def test_a_comment_that_is_no_new_one_of_a_person_is_nothing(
    more: dict[str, Any], words: str
) -> None:
    found = read("note", **note(**more))
    assert not found.changes
    assert words in found.nothing_because


def test_a_comment_of_whom_no_more_is_known_is_its_authors() -> None:
    [found] = read("note", **note() | {"user": {"username": "eve"}}).changes
    assert isinstance(found, Comment)
    assert (found.by.id, found.by.login, found.number) == ("9", "eve", 12)


def test_an_event_nobody_asked_for_is_nothing() -> None:
    assert "Some Hook" in read("pipeline").nothing_because


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("push", push(commits=3)),
        ("push", push(after=None, commits=[None])),
        ("tag_push", {}),
        ("merge_request", merge_request("open", last_commit="x")),
        ("merge_request", {"object_attributes": None}),
        ("note", {"object_attributes": {"noteable_type": "MergeRequest"}}),
    ],
)
def test_a_payload_of_another_shape_is_malformed(kind: str, said: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="GitLab"):
        read(kind, **said)
