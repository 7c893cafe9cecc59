"""The stand-in does what GitLab's documents say, also what our client never asks for."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins.gitlab import GitLab, gitlab
from tests.standins.gitlab_world import Project
from tests.standins.repositories import ZEROS, RefUpdate
from tests.standins.serving import Answer, Request, Server

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GitLab]:
    with gitlab(tmp_path) as service:
        yield service


@pytest.fixture
def project(lab: GitLab) -> Project:
    made = lab.project("acme/infra", lab.user("ann"))
    lab.people.push(made, lab.user("ann"), {"main.tf": ""})
    return made


class Inbox:
    """Keeps what a hook sends, and answers as it is told."""

    def __init__(self) -> None:
        self.received: list[Request] = []
        self.status = 200
        self.server = Server(self._keep)

    def _keep(self, request: Request) -> Answer:
        self.received.append(request)
        return Answer(self.status)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.close()


def call(
    lab: GitLab, token: str, method: str, path: str, body: Any = None
) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{lab.url}/api/v4{path}", data=data, method=method, headers={"PRIVATE-TOKEN": token}
    )
    try:
        with OPENER.open(request, timeout=10) as answer:
            text = answer.read()
            said = json.loads(text) if text else None
            return answer.status, said, {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as refusal:
        text = refusal.read()
        headers = {k.lower(): v for k, v in refusal.headers.items()}
        return refusal.code, text.decode(), headers


def hook(lab: GitLab, project: Project, inbox: Inbox) -> int:
    token = lab.tokens.issue(lab.user("ann"))
    body = {"url": inbox.server.url, "token": "s3cret", "push_events": True}
    status, made, _ = call(lab, token, "POST", f"/projects/{project.id}/hooks", body)
    assert status == 201
    assert "s3cret" not in json.dumps(made)
    return int(made["id"])


def test_a_hook_that_fails_is_switched_off_for_longer_and_longer_and_then_for_good(
    lab: GitLab, project: Project, inbox: Inbox
) -> None:
    one = project.hooks[hook(lab, project, inbox)]
    inbox.status = 500
    ann = lab.user("ann")
    pauses = []
    for number in range(60):
        lab.people.push(project, ann, {"main.tf": str(number)})
        lab.hooks.settle()
        if one.off_until and one.state(lab.clock) != "executable":
            pauses.append((one.off_until - lab.clock.now()).total_seconds())
            lab.clock.advance(seconds=pauses[-1] + 1)
    assert [round(each / 60) for each in pauses[:4]] == [1, 2, 4, 8]
    assert max(pauses) <= 24 * 3600
    assert one.state(lab.clock) == "disabled"
    assert one.failures == 40
    assert len(inbox.received) == 40, "a status is an answer: nothing is sent twice"


def test_a_hook_that_works_again_is_forgiven(lab: GitLab, project: Project, inbox: Inbox) -> None:
    one = project.hooks[hook(lab, project, inbox)]
    for status in (500, 500, 500, 200):
        inbox.status = status
        lab.people.push(project, lab.user("ann"), {"main.tf": str(len(inbox.received))})
        lab.hooks.settle()
    assert (one.failures, one.state(lab.clock)) == (0, "executable")


def test_a_push_of_more_than_three_branches_is_told_to_nobody(
    lab: GitLab, project: Project, inbox: Inbox
) -> None:
    hook(lab, project, inbox)
    head = project.git.resolve("refs/heads/main")
    updates = [RefUpdate(f"refs/heads/b{number}", ZEROS, head) for number in range(4)]
    lab.people.pushed(project, lab.user("ann"), updates)
    lab.hooks.settle()
    assert inbox.received == []
    lab.people.pushed(project, lab.user("ann"), updates[:3])
    lab.hooks.settle()
    assert len(inbox.received) == 3


def test_too_many_requests_of_a_minute_are_refused_until_it_is_over(
    lab: GitLab, project: Project
) -> None:
    token = lab.tokens.issue(lab.user("ann"))
    lab.limit = 2
    for left in ("1", "0"):
        status, _, headers = call(lab, token, "GET", "/user")
        assert (status, headers["ratelimit-remaining"]) == (200, left)
    status, _, headers = call(lab, token, "GET", "/user")
    assert (status, headers["retry-after"]) == (429, "60")
    lab.clock.advance(seconds=61)
    assert call(lab, token, "GET", "/user")[0] == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (("read_api",), "GET", "/projects/{id}/repository/branches", 200),
        (("read_api",), "POST", "/projects/{id}/hooks", 403),
        (("read_repository",), "GET", "/projects/{id}", 403),
        (("api",), "GET", "/projects/{id}/hooks", 200),
        (("api",), "GET", "/projects/acme%2Fnothing", 404),
        (("api",), "GET", "/projects?pagination=keyset", 405),
    ],
)
def test_scopes_and_paths_are_looked_at(
    lab: GitLab,
    project: Project,
    scopes: tuple[str, ...],
    method: str,
    path: str,
    status: int,
) -> None:
    token = lab.tokens.issue(lab.user("ann"), scopes)
    body = {"url": "http://127.0.0.1:1/"} if method == "POST" else None
    assert call(lab, token, method, path.format(id=project.id), body)[0] == status


def test_a_private_project_is_not_there_for_others_and_hooks_not_for_developers(
    lab: GitLab, project: Project
) -> None:
    token = lab.tokens.issue(lab.user("bob"))
    assert call(lab, token, "GET", f"/projects/{project.id}")[0] == 404
    project.members[lab.user("bob").id] = 30
    assert call(lab, token, "GET", f"/projects/{project.id}")[0] == 200
    assert call(lab, token, "GET", f"/projects/{project.id}/hooks")[0] == 403


def test_a_list_by_number_says_how_many_there_are_and_one_by_key_does_not(
    lab: GitLab, project: Project
) -> None:
    for number in range(3):
        lab.project(f"acme/p{number}", lab.user("ann"))
    token = lab.tokens.issue(lab.user("ann"))
    _, rows, headers = call(lab, token, "GET", "/projects?per_page=3")
    assert (len(rows), headers["x-total"], headers["x-next-page"]) == (3, "4", "2")
    path = "/projects?per_page=3&pagination=keyset&order_by=id"
    _, rows, headers = call(lab, token, "GET", path)
    assert f"id_after={rows[-1]['id']}" in headers["link"]
    assert "x-total" not in headers
