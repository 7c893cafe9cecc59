"""`terraform_remote_state`: one configuration reads another's outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization, make_organization


def reading(organization: Organization, workspace: str) -> str:
    return f"""
        data "terraform_remote_state" "other" {{
          backend = "remote"
          config = {{
            hostname     = "{organization.platform.hostname}"
            organization = "{organization.name}"
            workspaces   = {{ name = "{workspace}" }}
          }}
        }}

        output "other" {{
          value = data.terraform_remote_state.other.outputs
        }}
    """


def test_a_configuration_reads_the_outputs_of_another_workspace(
    organization: Organization,
) -> None:
    organization.make_workspace("reader", execution_mode="local")
    organization.initialized(COLOR).ok("apply", "-auto-approve")
    reader = organization.initialized(reading(organization, "app"), workspaces='name = "reader"')
    reader.ok("apply", "-auto-approve")
    assert organization.workspace("reader").outputs() == {"other": {"color": "red"}}


@dataclass(frozen=True)
class Sharing:
    """Whether a workspace gives its state to another's runs.

    Attributes:
        named: it names the other workspace.
        elsewhere: it is of another organization.
        refusal: what the CLI says; empty when the state is shared.
    """

    refusal: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    named: bool = False
    elsewhere: bool = False


SHARINGS = {
    "as it is by default": Sharing(refusal="permission to create workspaces"),
    "with all": Sharing(settings={"global_remote_state": True}),
    "with that one": Sharing(named=True),
    "with all of another organization": Sharing(
        refusal="reading the organization settings",
        settings={"global_remote_state": True},
        elsewhere=True,
    ),
}


@pytest.mark.parametrize("sharing", SHARINGS.values(), ids=SHARINGS)
def test_a_run_on_the_platform_reads_what_is_shared_with_it_and_nothing_else(
    organization: Organization, tmp_path: Path, sharing: Sharing
) -> None:
    owner = organization
    if sharing.elsewhere:
        owner = make_organization(organization.platform, tmp_path / "elsewhere")
    source = owner.make_workspace(**sharing.settings)
    owner.initialized(COLOR).ok("apply", "-auto-approve")
    reader = organization.make_workspace("reader")
    if sharing.named:
        answer = organization.platform.api.request(
            "POST",
            f"workspaces/{source.id}/relationships/remote-state-consumers",
            {"data": [{"type": "workspaces", "id": reader.id}]},
        )
        assert answer.status_code == 204, answer.text
    terraform = organization.initialized(reading(owner, "app"), workspaces='name = "reader"')
    if sharing.refusal:
        assert sharing.refusal in terraform.fails("apply", "-auto-approve").said
        run = reader.newest_run()["attributes"]
        assert run["status"] == "errored"
        assert "share its state" in run["error"]
    else:
        terraform.ok("apply", "-auto-approve")
        assert reader.outputs() == {"other": {"color": "red"}}


def test_a_workspace_without_state_has_nothing_to_read(organization: Organization) -> None:
    organization.make_workspace("empty")
    organization.make_workspace(execution_mode="local")
    reader = organization.initialized(reading(organization, "empty"))
    done = reader.fails("plan")
    assert "Unable to find remote state" in done.said
