"""`terraform_remote_state`: one configuration reads another's outputs."""

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization


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


def test_a_workspace_without_state_has_nothing_to_read(organization: Organization) -> None:
    organization.make_workspace("empty")
    organization.make_workspace(execution_mode="local")
    reader = organization.initialized(reading(organization, "empty"))
    done = reader.fails("plan")
    assert "Unable to find remote state" in done.said
