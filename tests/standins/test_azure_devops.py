"""The stand-in of Azure DevOps does what the documents say, seen by plain clients."""

import base64
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_world import EVERYTHING, Identity, Organization, Repository
from tests.standins.serving import Answer, Request, Server


class Scene:
    """An organization with one repository and a client with a PAT."""

    def __init__(self, azure: AzureDevOps) -> None:
        self.azure = azure
        self.organization: Organization = azure.organization("Acme")
        self.ann: Identity = self.organization.identity("Ann")
        self.repository: Repository = self.organization.repository("Cloud Team", "infra.git")
        self.first = self.push({"main.tf": ""})
        self.pat = azure.tokens.issue(self.ann, EVERYTHING)
        pair = base64.b64encode(f":{self.pat}".encode()).decode()
        self.client = httpx2.Client(
            base_url=f"{azure.url}/acme",
            headers={"Authorization": f"Basic {pair}"},
            trust_env=False,
        )

    def push(self, files: dict[str, str | bytes | None], **options: Any) -> str:
        return self.azure.people.push(self.repository, self.ann, files, **options)

    def get(self, path: str, **query: str) -> Any:
        answer = self.client.get(self.in_repository(path), params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def in_repository(self, path: str) -> str:
        return f"/Cloud%20Team/_apis/git/repositories/{self.repository.id}{path}"

    def subscribe(self, url: str, event: str = "git.push") -> Any:
        project = self.repository.project.id
        answer = self.client.post(
            "/_apis/hooks/subscriptions",
            params={"api-version": "7.1"},
            json={
                "publisherId": "tfs",
                "eventType": event,
                "consumerId": "webHooks",
                "consumerActionId": "httpRequest",
                "publisherInputs": {"projectId": project, "repository": self.repository.id},
                "consumerInputs": {"url": url, "basicAuthUsername": "u", "basicAuthPassword": "p"},
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


class Receiver:
    """Answers deliveries with the statuses given, the last of them from then on."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.server = Server(self._answer)

    def _answer(self, request: Request) -> Answer:
        return Answer(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with azure_devops(tmp_path) as azure:
        scene = Scene(azure)
        yield scene
        scene.client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.close()


def test_git_clones_with_a_pat_as_password_and_any_user_but_not_without_one(
    scene: Scene, tmp_path: Path
) -> None:
    for user, status in (("x", 0), ("", 128)):
        pair = base64.b64encode(f"{user}:{scene.pat}".encode()).decode()
        header = f"http.extraHeader=Authorization: Basic {pair}"
        url = f"{scene.azure.url}/acme/cloud%20team/_git/INFRA.git"
        done = subprocess.run(
            ["git", "-c", header, "clone", "--quiet", url, str(tmp_path / f"to{user}")],
            capture_output=True,
            env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0"},
            check=False,
        )
        assert done.returncode == status, done.stderr


def test_2001_files_are_paged_100_at_a_time_unless_told_otherwise(scene: Scene) -> None:
    after = scene.push({f"d/{n}.tf": "x" for n in range(2001)})
    span = {"baseVersionType": "commit", "baseVersion": scene.first} | {
        "targetVersionType": "commit",
        "targetVersion": after,
    }
    page = scene.get("/diffs/commits", **span)
    assert (len(page["changes"]), page["allChangesIncluded"]) == (100, False)
    whole = scene.get("/diffs/commits", **span, **{"$top": "5000"})
    assert len(whole["changes"]) == 2002
    assert whole["changes"][0]["item"] == {
        "gitObjectType": "tree",
        "path": "/d",
        "isFolder": True,
    }
    rows = scene.get(f"/commits/{after}/changes", top="50", skip="2000")["changes"]
    assert len(rows) == 2


def test_refs_are_filtered_by_prefix_and_tags_peeled_only_when_asked(scene: Scene) -> None:
    scene.push({"a": "b"}, branch="main2")
    tag = scene.azure.people.tag(scene.repository, scene.ann, "v1", scene.first, message="One")
    names = [row["name"] for row in scene.get("/refs", filter="heads/main")["value"]]
    assert names == ["refs/heads/main", "refs/heads/main2"]
    [row] = scene.get("/refs", filter="tags/")["value"]
    assert (row["objectId"], row.get("peeledObjectId")) == (tag, None)
    [row] = scene.get("/refs", filter="tags/", peelTags="true")["value"]
    assert row["peeledObjectId"] == scene.first


def test_a_bad_bearer_is_a_203_page_and_no_credential_a_redirect(scene: Scene) -> None:
    address = scene.in_repository("")
    bad = scene.client.get(address, headers={"Authorization": "Bearer nothing"})
    assert (bad.status_code, bad.headers["content-type"][:9]) == (203, "text/html")
    none = httpx2.get(f"{scene.azure.url}/acme{address}", trust_env=False)
    assert none.status_code == 302
    assert "_signin" in none.headers["location"]
    scene.azure.clock.advance(days=91)
    assert scene.client.get(address).status_code == 401


def test_what_may_not_be_seen_is_not_there(scene: Scene) -> None:
    scene.repository.readers = set()
    answer = scene.client.get(scene.in_repository(""))
    assert (answer.status_code, answer.json()["typeKey"]) == (
        404,
        "GitRepositoryNotFoundException",
    )


def test_a_version_that_is_too_new_is_refused_with_the_newest(scene: Scene) -> None:
    scene.azure.newest_version = (7, 0)
    answer = scene.client.get(scene.in_repository(""), params={"api-version": "7.1"})
    assert answer.status_code == 400
    assert "7.0" in answer.json()["message"]


def test_a_push_is_delivered_once_to_who_subscribed_and_the_password_never_shown(
    scene: Scene, receiver: Receiver
) -> None:
    made = scene.subscribe(receiver.server.url)
    assert made["consumerInputs"]["basicAuthPassword"] == "********"
    sha = scene.push({"a.tf": "x"})
    scene.azure.sender.settle()
    [request] = receiver.server.requests
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    body = request.json()
    assert body["resource"]["refUpdates"][0]["newObjectId"] == sha
    assert body["notificationId"] == 1
    assert body["subscriptionId"] == made["id"]


def test_transient_failures_are_tried_again_and_enduring_ones_put_on_probation(
    scene: Scene, receiver: Receiver
) -> None:
    made = scene.subscribe(receiver.server.url)
    hook = scene.organization.subscriptions[made["id"]]
    receiver.statuses = [503, 504, 200]
    scene.push({"a.tf": "1"})
    scene.azure.sender.settle()
    assert (scene.azure.sender.deliveries[0].statuses, hook.status) == ([503, 504, 200], "enabled")
    receiver.statuses = [500]
    scene.push({"a.tf": "2"})
    scene.azure.sender.settle()
    assert (scene.azure.sender.deliveries[1].statuses, hook.status) == ([500], "onProbation")
    for _ in range(7):
        scene.azure.clock.advance(hours=15)
        scene.azure.sender.probe(scene.organization)
    assert hook.status == "disabledBySystem"


def test_410_disables_a_subscription_at_once(scene: Scene, receiver: Receiver) -> None:
    made = scene.subscribe(receiver.server.url)
    receiver.statuses = [410]
    scene.push({"a.tf": "1"})
    scene.azure.sender.settle()
    assert scene.organization.subscriptions[made["id"]].status == "disabledBySystem"


def test_a_pull_request_updates_for_votes_and_for_commits_alike(
    scene: Scene, receiver: Receiver
) -> None:
    people = scene.azure.people
    scene.push({"b.tf": "1"}, branch="topic")
    scene.subscribe(receiver.server.url, "git.pullrequest.updated")
    pull = people.open_pull(scene.repository, scene.ann, "topic")
    people.vote(pull, scene.ann)
    scene.push({"b.tf": "2"}, branch="topic")
    scene.azure.sender.settle()
    kinds = {one.json()["eventType"] for one in receiver.server.requests}
    shas = {
        one.json()["resource"]["lastMergeSourceCommit"]["commitId"]
        for one in receiver.server.requests
    }
    assert (kinds, len(shas)) == ({"git.pullrequest.updated"}, 2)
    assert len(scene.get(f"/pullRequests/{pull.id}/iterations")["value"]) == 2


def test_an_oauth_code_is_good_once_and_a_refresh_token_too(scene: Scene) -> None:
    application = scene.azure.oauth.register("https://landform.test/callback/v1/vcs/1")
    form = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": application.secret,
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": scene.azure.oauth.code(application, scene.ann),
        "redirect_uri": application.redirect_uri,
    }
    with httpx2.Client(base_url=scene.azure.vssps_url, trust_env=False) as client:
        first = client.post("/oauth2/token", data=form)
        assert first.json()["expires_in"] == "3599"
        assert client.post("/oauth2/token", data=form).json()["Error"] == "invalid_grant"
        form |= {"grant_type": "refresh_token", "assertion": first.json()["refresh_token"]}
        assert client.post("/oauth2/token", data=form).status_code == 200
        assert client.post("/oauth2/token", data=form).status_code == 400
        assert client.post("/oauth2/token", json=form).status_code == 400


def test_a_fault_happens_as_often_as_planned(scene: Scene) -> None:
    slow = Answer(429, b"", {"Retry-After": "1"})
    scene.azure.server.plan("/refs$", answer=slow, times=2)
    got = [scene.client.get(scene.in_repository("/refs")).status_code for _ in range(3)]
    assert got == [429, 429, 200]


def test_a_bearer_of_an_expired_grant_is_refused(scene: Scene) -> None:
    bearer = scene.azure.tokens.issue(scene.ann, is_pat=False, life=timedelta(hours=1))
    headers = {"Authorization": f"Bearer {bearer}"}
    address = scene.in_repository("")
    assert scene.client.get(address, headers=headers).status_code == 200
    scene.azure.clock.advance(hours=2)
    assert scene.client.get(address, headers=headers).status_code == 203
