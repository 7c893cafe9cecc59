"""Runs fetch modules of a private repository over SSH, by the key of their workspace."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.cli.command import eventually
from tests.e2e.api import Resource, Workspace
from tests.e2e.platforms import Organization
from tests.files import contents_below, left_by_runs, make_archive
from tests.ssh_keys import samples
from tests.standins.git_server import GitServer, git_server

MODULE = """
resource "terraform_data" "made" {
  input = "by the module"
}

output "said" {
  value = terraform_data.made.output
}
"""
USES = """
module "private" {{
  source = "git::{url}/team/modules.git?ref=v1"
}}

output "said" {{
  value = module.private.said
}}
"""
# What a hostile configuration does: the key lies in its own room, and it shows it.
SHOWS = """
output "key" {
  value = file("/landform/in/ssh-key")
}
"""
ENDED = ("applied", "errored", "planned_and_finished")


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as service:
        repository = service.repository("team/modules.git")
        repository.tag("v1", repository.commit("main", {"main.tf": MODULE}, message="Begin"))
        yield service


def uses(git: GitServer) -> str:
    return USES.format(url=git.ssh_url.replace("ssh://", f"ssh://{git.user}@"))


def workspace_with(organization: Organization, private: str, **more: Any) -> Workspace:
    """Make a workspace whose runs apply, and have the key if there is one."""
    workspace = organization.make_workspace(auto_apply=True)
    if private:
        api, path = organization.platform.api, f"organizations/{organization.name}/ssh-keys"
        made = api.send("POST", path, "ssh-keys", {"name": "modules", "value": private, **more})
        assign = f"workspaces/{workspace.id}/relationships/ssh-key"
        api.send("PATCH", assign, "workspaces", {"id": made["id"]})
    return workspace


def run(organization: Organization, workspace: Workspace, text: str) -> tuple[Resource, str]:
    """Run a configuration to its end; return the run and all that its logs say."""
    api = organization.platform.api
    path = f"workspaces/{workspace.id}/configuration-versions"
    made = api.send("POST", path, "configuration-versions", {"auto-queue-runs": True})
    upload = made["attributes"]["upload-url"]
    answer = httpx2.put(
        upload, content=make_archive({"main.tf": text}), trust_env=False, timeout=30.0
    )
    assert answer.is_success, answer.text
    ended = workspace.wait_for_run(*ENDED, within_s=120)
    logs = []
    for phase, kind in (("plan", "plans"), ("apply", "applies")):
        if linked := ended["relationships"].get(phase, {}).get("data"):
            url = api.get(f"{kind}/{linked['id']}")["attributes"]["log-read-url"]
            if url:
                logs.append(httpx2.get(url, trust_env=False, timeout=30).text)
    return ended, "\n".join(logs)


@pytest.mark.parametrize("words", [samples.ED25519, samples.RSA], ids=["ed25519", "rsa"])
def test_a_private_module_is_fetched_in_plan_and_in_apply_by_the_workspace_s_key(
    organization: Organization, git: GitServer, words: tuple[str, ...]
) -> None:
    private = samples.make_key(*words)
    git.authorize(samples.public_half_of(private))
    workspace = workspace_with(organization, private, **{"known-hosts": git.host_key()})
    ended, said = run(organization, workspace, uses(git))
    assert ended["attributes"]["status"] == "applied", said
    assert workspace.outputs() == {"said": "by the module"}


def test_without_a_key_the_module_is_not_fetched(
    organization: Organization, git: GitServer
) -> None:
    ended, said = run(organization, workspace_with(organization, ""), uses(git))
    assert ended["attributes"]["status"] == "errored"
    assert "Please make sure you have the correct access rights" in said  # git's own words


def test_a_server_that_is_not_pinned_is_shown_no_key(
    organization: Organization, git: GitServer
) -> None:
    private = samples.make_key(*samples.ED25519)
    git.authorize(samples.public_half_of(private))
    ended, said = run(organization, workspace_with(organization, private), uses(git))
    assert ended["attributes"]["status"] == "errored"
    assert "Host key verification failed" in said


def test_a_configuration_that_shows_the_key_shows_it_in_no_log(
    organization: Organization, git: GitServer
) -> None:
    private = samples.make_key(*samples.ED25519)
    workspace = workspace_with(organization, private, **{"known-hosts": git.host_key()})
    ended, said = run(organization, workspace, SHOWS)
    assert ended["attributes"]["status"] == "applied", said
    assert "(sensitive value)" in said
    assert samples.betrays(workspace.outputs()["key"], private)
    assert not samples.betrays(said, private)


def test_nothing_of_the_key_is_left_on_the_machine_after_the_run(
    organization: Organization, git: GitServer
) -> None:
    private = samples.make_key(*samples.ED25519)
    git.authorize(samples.public_half_of(private))
    workspace = workspace_with(organization, private, **{"known-hosts": git.host_key()})
    ended, said = run(organization, workspace, uses(git))
    assert ended["attributes"]["status"] == "applied", said
    home = organization.platform.home
    eventually(lambda: not left_by_runs(home), within_s=60)
    files = {p: data for p, data in contents_below(home) if "postgres" not in p.parts}
    assert files
    assert not [p for p, data in files.items() if samples.betrays(data.decode("latin-1"), private)]
