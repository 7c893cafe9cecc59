"""A workspace on a private repository of Azure DevOps: pushes and pull requests become runs."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from landform.cli.database import embedded
from tests.cli.command import eventually
from tests.e2e.api import Workspace
from tests.e2e.hosts import OnBitbucket, OnGitHub, OnGitHubApp, OnGitLab, There
from tests.e2e.platforms import Organization, Platform, make_organization, platform_in
from tests.files import contents_below
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_reviews import latest
from tests.standins.azure_world import EVERYTHING, Identity, Repository
from tests.standins.git_server import git_server

MAIN = """
resource "terraform_data" "{name}" {{
  input = "{name}"
}}

output "name" {{
  value = terraform_data.{name}.output
}}
"""

_IS_AT_REST = """
SELECT next_look_at > now() + interval '6 minutes' FROM repository_watches WHERE repository_id = %s
"""


@dataclass(frozen=True)
class Place:
    """A repository at the provider, and the organization here that is connected to it."""

    azure: AzureDevOps
    ann: Identity
    repository: Repository
    organization: Organization
    token_id: str

    def push(self, name: str, branch: str = "main") -> str:
        files = {"live/main.tf": MAIN.format(name=name)}
        return self.azure.people.push(
            self.repository, self.ann, files, branch=branch, message=f"Add {name}"
        )

    def link(self, name: str = "app", **attributes: Any) -> Workspace:
        repo = {
            "identifier": self.repository.remote_url,  # with the user in it, as people paste it
            "oauth-token-id": self.token_id,
        }
        return self.organization.make_workspace(
            name, vcs_repo=repo, working_directory="live", **attributes
        )

    def wait_for_hook(self) -> None:
        """Wait until pushes are delivered, and are found in no other way."""
        theirs = self.repository.project.organization
        kinds = {"git.push", "git.pullrequest.created", "git.pullrequest.updated"}

        def made() -> bool:
            there = list(theirs.subscriptions.values())
            return kinds <= {one.document["eventType"] for one in there}

        eventually(made, within_s=60, say=lambda: theirs.subscriptions)
        # Once it has its hook, a repository is looked at for what was not delivered before, and
        # then not for 8 minutes at least; 5 are claimed for each look.
        url = asyncio.run(embedded(self.organization.platform.home).start())
        with psycopg.connect(url, autocommit=True) as connection:
            ask = partial(connection.execute, _IS_AT_REST, [self.repository.id])
            eventually(lambda: ask().fetchone() == (True,), within_s=60)

    def deliveries(self) -> list[Mapping[str, Any]]:
        """What was delivered, and what came of it."""
        client = self.token_id.replace("ot-", "oc-", 1)
        found = self.organization.platform.api.get(f"oauth-clients/{client}/deliveries")
        return [each["attributes"] for each in found]

    def status_of(self, sha: str, name: str = "app") -> Mapping[str, Any]:
        rows = list(reversed(self.repository.commit_statuses.get(sha, [])))
        return latest(rows).get(("Landform", f"{self.organization.name}/{name}"), {})

    def wait_for_status(self, sha: str, state: str, words: str) -> None:
        def told() -> bool:
            status = self.status_of(sha)
            return status.get("state") == state and words in status["description"]

        eventually(told, within_s=60, say=lambda: self.status_of(sha))


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path_factory.mktemp("azure")) as service:
        yield service


@pytest.fixture(scope="module")
def watching_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that may call loopback, and looks every second where no hook tells."""
    with platform_in(
        tmp_path_factory.mktemp("watching"),
        LANDFORM_EGRESS_ALLOW="127.0.0.1",
        LANDFORM_VCS_POLL_S="1",
        LANDFORM_TOOLCHAIN_OFFLINE="true",
    ) as platform:
        yield platform


@pytest.fixture
def place(azure: AzureDevOps, watching_platform: Platform, tmp_path: Path) -> Place:
    organization = make_organization(watching_platform, tmp_path)
    theirs = azure.organization(f"Acme{len(azure.organizations)}")
    ann = theirs.identity("Ann")
    repository = theirs.repository("Cloud Team", "infra")
    azure.people.push(repository, ann, {"live/main.tf": MAIN.format(name="first")})
    pat = azure.tokens.issue(ann, EVERYTHING)
    token_id = _connect(watching_platform, organization.name, azure, theirs.name, pat)
    return Place(azure, ann, repository, organization, token_id)


def test_a_push_is_planned_confirmed_and_applied_and_the_commit_says_so(place: Place) -> None:
    workspace = place.link()
    place.wait_for_hook()
    sha = place.push("second")
    run = workspace.wait_for_run("planned", within_s=90)
    eventually(lambda: {each["status"] for each in place.deliveries()} == {"done"}, within_s=60)
    [delivery] = place.deliveries()
    assert (delivery["event"], delivery["status"]) == ("git.push", "done")
    assert [outcome["run_id"] for outcome in delivery["outcomes"]] == [run["id"]]
    assert run["attributes"]["message"] == "Add second"
    place.wait_for_status(sha, "pending", "Waits to be confirmed")
    api = place.organization.platform.api
    shown = api.request("GET", f"runs/{run['id']}?include=configuration_version").json()
    version = shown["data"]["relationships"]["configuration-version"]["data"]["id"]
    ingress = api.get(f"configuration-versions/{version}/ingress-attributes")["attributes"]
    assert ingress["commit-sha"] == sha
    assert ingress["branch"] == "main"
    assert ingress["commit-message"] == "Add second"
    assert ingress["on-default-branch"] is True
    api.act(f"runs/{run['id']}/actions/apply")
    workspace.wait_for_run("applied", within_s=90)
    place.wait_for_status(sha, "succeeded", "Applied")
    assert workspace.outputs() == {"name": "second"}


def test_the_example_connects_a_repository_and_a_push_is_planned(
    azure: AzureDevOps, watching_platform: Platform, tmp_path: Path
) -> None:
    organization = make_organization(watching_platform, tmp_path)
    theirs = azure.organization(f"Acme{len(azure.organizations)}")
    ann = theirs.identity("Ann")
    repository = theirs.repository("Cloud Team", "infra")
    example = Path(__file__).parents[2] / "examples/azure-devops"
    azure.people.push(repository, ann, {"live/main.tf": (example / "live/main.tf").read_text()})
    told = subprocess.run(
        [
            example / "connect.sh",
            *(organization.name, theirs.name, repository.remote_url),
            *("--endpoint", azure.vssps_url, "--api-url", azure.url),
        ],
        input=azure.tokens.issue(ann, EVERYTHING),
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANDFORM_ADDRESS": watching_platform.url,
            "LANDFORM_TOKEN": watching_platform.token,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"/app/{organization.name}/network" in told.stdout
    workspace = organization.workspace("network")
    changed = (example / "live/main.tf").read_text().replace('"test"', '"production"')
    azure.people.push(repository, ann, {"live/main.tf": changed}, message="To production")
    run = workspace.wait_for_run("planned", within_s=90)
    assert run["attributes"]["message"] == "To production"


def test_a_pull_request_is_planned_and_its_one_comment_follows_it(place: Place) -> None:
    workspace = place.link()
    place.wait_for_hook()
    place.push("second", "topic")
    pull = place.azure.people.open_pull(
        place.repository, place.ann, "topic", title="Rename the resource"
    )
    run = workspace.wait_for_run("planned_and_finished", within_s=90)
    assert run["attributes"]["plan-only"] is True
    eventually(lambda: len(pull.threads) == 1, within_s=60, say=lambda: pull.statuses)
    [comment] = pull.threads[0]["comments"]
    assert "to add" in comment["content"]
    assert "terraform_data.second" in comment["content"]
    assert pull.statuses[-1]["iterationId"] == 1
    place.push("third", "topic")
    eventually(
        lambda: "terraform_data.third" in comment["content"],
        within_s=90,
        say=lambda: comment["content"],
    )
    assert len(pull.threads) == 1

    def newest() -> tuple[int, str]:
        return pull.statuses[-1]["iterationId"], pull.statuses[-1]["state"]

    eventually(lambda: newest() == (2, "succeeded"), within_s=60, say=lambda: pull.statuses)


def test_a_push_is_found_where_no_hook_may_be_made(place: Place) -> None:
    place.repository.project.organization.hook_rights.clear()
    workspace = place.link()
    eventually(lambda: "az devops" in str(workspace.attributes["vcs-repo"]["problem"]), within_s=60)
    place.push("second")
    workspace.wait_for_run("planned", within_s=90)
    assert place.deliveries() == []


@pytest.mark.parametrize("service", [OnGitHub, OnGitHubApp, OnGitLab, OnBitbucket])
def test_the_same_goes_through_other_providers(
    watching_platform: Platform, tmp_path: Path, service: Callable[[Path], There]
) -> None:
    there = service(tmp_path / "there")
    there.push({"live/main.tf": MAIN.format(name="first")})
    organization = make_organization(watching_platform, tmp_path)
    client_id = there.connect(watching_platform, organization.name)
    _test_connection(watching_platform, organization.name, client_id)
    given = {"identifier": there.identifier, "oauth-token-id": client_id.replace("oc-", "ot-")}
    workspace = organization.make_workspace("app", vcs_repo=given, working_directory="live")
    eventually(lambda: there.has_hook, within_s=60)
    sha = there.push({"live/main.tf": MAIN.format(name="second")}, message="Add second")
    run = workspace.wait_for_run("planned", within_s=90)
    assert run["attributes"]["message"] == "Add second"
    done = (f"Landform/{organization.name}/app", there.success)

    def succeeded(commit: str) -> bool:
        return there.statuses(commit)[-1:] == [done]

    watching_platform.api.act(f"runs/{run['id']}/actions/apply")
    eventually(lambda: succeeded(sha), within_s=90, say=lambda: there.statuses(sha))
    assert workspace.outputs() == {"name": "second"}
    there.push({"live/main.tf": MAIN.format(name="third")}, branch="topic")
    head = there.open_pull("topic")
    eventually(lambda: len(there.comments) == 1, within_s=90, say=lambda: there.statuses(head))
    assert "terraform_data.third" in there.comments[0]
    eventually(lambda: succeeded(head), within_s=60, say=lambda: there.statuses(head))
    again = there.push({"live/main.tf": MAIN.format(name="fourth")}, branch="topic")
    eventually(
        lambda: "terraform_data.fourth" in there.comments[0],
        within_s=90,
        say=lambda: there.comments,
    )
    eventually(lambda: succeeded(again), within_s=60, say=lambda: there.statuses(again))
    assert "terraform_data.fourth" in there.shown_of(again)
    assert len(there.comments) == 1
    assert there.answers == {202}
    there.close()


def test_a_file_in_git_lfs_is_there_when_it_is_planned(
    watching_platform: Platform, tmp_path: Path
) -> None:
    there = OnGitLab(tmp_path / "there")
    content = bytes(range(256)) * 4096
    pointer = there.project.large.add(content)
    main = 'output "sum" {\n  value = filesha256("large.bin")\n}\n'
    there.push({"main.tf": main, "large.bin": pointer})
    organization = make_organization(watching_platform, tmp_path)
    path = f"organizations/{organization.name}/oauth-clients"
    client = watching_platform.api.send("POST", path, "oauth-clients", dict(there.client))
    given = {"identifier": there.identifier, "oauth-token-id": client["id"].replace("oc-", "ot-")}
    options = {"queue_all_runs": True, "auto_apply": True}
    plain = organization.make_workspace("plain", vcs_repo=given, **options)
    whole = organization.make_workspace("whole", vcs_repo={**given, "lfs-enabled": True}, **options)
    for workspace, seen in ((plain, pointer.encode()), (whole, content)):
        workspace.wait_for_run("applied", within_s=90)
        assert workspace.outputs() == {"sum": hashlib.sha256(seen).hexdigest()}
    there.close()


def test_a_plain_git_server_is_looked_at_by_ssh(
    watching_platform: Platform, tmp_path: Path
) -> None:
    organization = make_organization(watching_platform, tmp_path)
    with git_server(tmp_path / "git") as server:
        repository = server.repository("team/infra.git")
        repository.commit("main", {"live/main.tf": MAIN.format(name="first")})
        attributes = {
            "name": "git",
            "vcsType": "GIT",
            "signIn": "ssh-key",
            "endpoint": server.ssh_url,
            "username": server.user,
            "knownHosts": server.host_key(),
        }
        made = _make_connection(watching_platform, organization.name, attributes)
        server.authorize(made["attributes"]["sshPublicKey"])
        _test_connection(watching_platform, organization.name, made["id"])
        given = {
            "identifier": "team/infra.git",
            "oauth-token-id": made["id"].replace("oc", "ot", 1),
        }
        workspace = organization.make_workspace("app", vcs_repo=given, working_directory="live")
        files = {"live/main.tf": MAIN.format(name="second")}
        repository.commit("main", files, message="Add second")
        run = workspace.wait_for_run("planned", within_s=90)
        assert run["attributes"]["message"] == "Add second"
        watching_platform.api.act(f"runs/{run['id']}/actions/apply")
        workspace.wait_for_run("applied", within_s=90)
        assert workspace.outputs() == {"name": "second"}
        assert not workspace.attributes["vcs-repo"]["problem"], "there are no hooks to miss"


def test_a_workspace_shows_and_changes_its_repository_as_tfe_does(place: Place) -> None:
    workspace = place.link("shown", trigger_prefixes=["/modules"], file_triggers_enabled=True)
    repo = workspace.attributes["vcs-repo"]
    assert repo["identifier"].endswith("/Cloud Team/_git/infra")
    assert (repo["oauth-token-id"], repo["service-provider"]) == (place.token_id, "ado_services")
    assert repo["branch"] == ""
    workspace.change(vcs_repo={"branch": "release", "ingress-submodules": True})
    changed = workspace.attributes["vcs-repo"]
    assert (changed["branch"], changed["ingress-submodules"]) == ("release", True)
    assert changed["identifier"] == repo["identifier"]
    workspace.change(vcs_repo=None)
    assert workspace.attributes["vcs-repo"] is None


@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ({"identifier": "{account}/Cloud Team/_git/nothing"}, "does not exist"),
        ({"identifier": "https://github.com/acme/infra"}, ""),
        ({"oauth-token-id": "ot-0000000000000000"}, "no VCS connection"),
        ({"branch": "../x"}, "not the name of a branch"),
        ({"tags-regex": "("}, "not a regular expression"),
    ],
)
def test_what_cannot_be_connected_is_refused_with_the_reason(
    place: Place, repo: dict[str, str], words: str
) -> None:
    account = place.repository.project.organization.name
    given = {
        "identifier": place.repository.web_url,
        "oauth-token-id": place.token_id,
        **{key: text.replace("{account}", account) for key, text in repo.items()},
    }
    api = place.organization.platform.api
    answer = _try_to_link(api, place.organization.name, given)
    assert answer.status_code == 422, answer.text
    assert words in answer.text


def test_the_token_is_in_no_log_database_dump_or_work_directory(place: Place) -> None:
    workspace = place.link("quiet", queue_all_runs=True)
    workspace.wait_for_run("planned", within_s=90)
    secrets = list(place.azure.tokens._tokens)
    for path, raw in contents_below(place.organization.platform.home):
        assert not any(secret.encode() in raw for secret in secrets), path


def _connect(
    platform: Platform, organization: str, azure: AzureDevOps, account: str, pat: str
) -> str:
    attributes = {
        "name": "azure",
        "vcsType": "AZURE_DEVOPS",
        "signIn": "token",
        "clientSecret": pat,
        "endpoint": azure.vssps_url,
        "apiUrl": azure.url,
        "account": account,
    }
    made = str(_make_connection(platform, organization, attributes)["id"])
    _test_connection(platform, organization, made)
    return made.replace("oc-", "ot-", 1)


def _make_connection(platform: Platform, organization: str, attributes: Mapping[str, Any]) -> Any:
    answer = httpx2.post(
        f"{platform.url}/api/v1/organization/{organization}/vcs",
        headers={
            "Authorization": f"Bearer {platform.token}",
            "Content-Type": "application/vnd.api+json",
        },
        json={"data": {"type": "vcs", "attributes": dict(attributes)}},
        trust_env=False,
        timeout=30.0,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def _test_connection(platform: Platform, organization: str, connection_id: str) -> None:
    tested = httpx2.post(
        f"{platform.url}/api/v1/organization/{organization}/vcs/{connection_id}/test",
        headers={"Authorization": f"Bearer {platform.token}"},
        trust_env=False,
        timeout=30.0,
    )
    assert tested.status_code == 200, tested.text
    assert tested.json()["data"]["attributes"]["status"] == "COMPLETED", tested.text


def _try_to_link(api: Any, organization: str, repo: Mapping[str, Any]) -> httpx2.Response:
    attributes = {"name": "refused", "vcs-repo": dict(repo)}
    answer: httpx2.Response = api.request(
        "POST",
        f"organizations/{organization}/workspaces",
        {"data": {"type": "workspaces", "attributes": attributes}},
    )
    return answer
