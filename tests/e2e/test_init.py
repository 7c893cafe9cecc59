"""`terraform init` against a platform: every way to choose workspaces, and what can be wrong."""

from dataclasses import dataclass

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization

READY = "HCP Terraform has been successfully initialized!"


@dataclass(frozen=True)
class Choice:
    """A way to name tags in a configuration.

    Attributes:
        shown: the tags of a workspace that was made through it, as the API has them.
    """

    workspaces: str
    shown: dict[str, str]


TAGS = {
    "names": Choice('tags = ["blue", "green"]', {"blue": "", "green": ""}),
    "pairs": Choice('tags = { team = "sea", tier = "one" }', {"team": "sea", "tier": "one"}),
}


def test_a_workspace_that_is_not_there_is_made_at_the_clis_own_version(
    organization: Organization,
) -> None:
    done = organization.directory(organization.cloud(), COLOR).ok("init")
    assert READY in done.said
    assert organization.workspace_names() == ["app"]
    attributes = organization.workspace().attributes
    assert attributes["terraform-version"] == "1.11.4"
    assert attributes["execution-mode"] == "remote"
    assert attributes["source"] == "terraform"


def test_a_workspace_that_is_there_is_used_as_it_is(organization: Organization) -> None:
    made = organization.make_workspace(description="made before", terraform_version="~> 1.11.0")
    organization.directory(organization.cloud(), COLOR).ok("init")
    found = organization.workspace()
    assert found.id == made.id
    assert found.attributes["description"] == "made before"
    assert found.attributes["terraform-version"] == "~> 1.11.0"


def test_init_can_be_repeated(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    assert READY in terraform.ok("init").said
    assert READY in terraform.ok("init", "-upgrade").said
    assert organization.workspace_names() == ["app"]


@pytest.mark.parametrize("choice", TAGS.values(), ids=TAGS)
def test_the_first_workspace_with_the_tags_is_asked_for_and_made(
    organization: Organization, choice: Choice
) -> None:
    terraform = organization.directory(organization.cloud(choice.workspaces), COLOR)
    with terraform.at_terminal("init") as terminal:
        terminal.wait_for("Enter a value:")
        terminal.type("first")
        done = terminal.end()
    assert done.status == 0, done
    assert READY in done.said
    rows = organization.workspace("first").get("tag-bindings")
    tags = {row["attributes"]["key"]: row["attributes"]["value"] for row in rows}
    assert tags == choice.shown


@pytest.mark.parametrize("choice", TAGS.values(), ids=TAGS)
def test_of_several_workspaces_with_the_tags_one_is_chosen(
    organization: Organization, choice: Choice
) -> None:
    block = organization.cloud(choice.workspaces)
    first = organization.directory(block, COLOR)
    first.ok("init", answers="one\n")
    first.ok("workspace", "new", "two")
    organization.make_workspace("without-tags")
    terraform = organization.directory(block, COLOR)
    with terraform.at_terminal("init") as terminal:
        terminal.wait_for("The currently selected workspace .* does not exist")
        offered = terminal.wait_for(r"(?s)1\. (\w+)\n\s*2\. (\w+)\n.*Enter a value:")
        assert offered.groups() == ("one", "two")
        terminal.type("2")
        done = terminal.end()
    assert done.status == 0, done
    assert terraform.ok("workspace", "show").stdout.strip() == "two"


def test_a_project_that_is_not_there_is_made_with_the_workspace_in_it(
    organization: Organization,
) -> None:
    organization.initialized(COLOR, workspaces='name = "app"\nproject = "harbour"')
    api = organization.platform.api
    projects = api.get(f"organizations/{organization.name}/projects")
    by_name = {row["attributes"]["name"]: row["id"] for row in projects}
    assert organization.workspace().related("project") == by_name["harbour"]


def test_a_project_that_is_there_gets_the_workspace(organization: Organization) -> None:
    api = organization.platform.api
    path = f"organizations/{organization.name}/projects"
    made = api.send("POST", path, "projects", {"name": "harbour"})
    organization.initialized(COLOR, workspaces='name = "app"\nproject = "harbour"')
    assert organization.workspace().related("project") == made["id"]
    assert len(api.get(path)) == 2


def test_workspaces_are_chosen_by_tag_within_their_project(organization: Organization) -> None:
    other = organization.directory(organization.cloud('tags = ["blue"]'), COLOR)
    other.ok("init", answers="outside\n")
    path = f"organizations/{organization.name}/projects"
    organization.platform.api.send("POST", path, "projects", {"name": "harbour"})
    block = organization.cloud('tags = ["blue"]\nproject = "harbour"')
    terraform = organization.directory(block, COLOR)
    terraform.ok("init", answers="inside\n")
    assert terraform.ok("workspace", "list").stdout.split() == ["*", "inside"]


def test_the_organization_the_workspace_and_the_host_can_come_from_the_environment(
    organization: Organization,
) -> None:
    organization.make_workspace("from-outside")
    terraform = organization.directory("terraform {\n  cloud {}\n}\n", COLOR)
    done = terraform.ok(
        "init",
        TF_CLOUD_HOSTNAME=organization.platform.hostname,
        TF_CLOUD_ORGANIZATION=organization.name,
        TF_WORKSPACE="from-outside",
    )
    assert READY in done.said


def test_an_organization_that_is_not_there_is_named(organization: Organization) -> None:
    block = organization.cloud().replace(organization.name, "nowhere")
    done = organization.directory(block, COLOR).fails("init")
    assert 'organization "nowhere"' in done.said
    assert "not found" in done.said


def test_a_token_that_is_none_is_refused(organization: Organization) -> None:
    terraform = organization.directory(organization.cloud(), COLOR)
    text = organization.platform.config.read_text()
    terraform.write("own.rc", _with_token(text, "lfu_nobody"))
    done = terraform.fails("init", TF_CLI_CONFIG_FILE="own.rc")
    assert "unauthorized" in done.said.lower()


def _with_token(config: str, token: str) -> str:
    head, _, _ = config.rpartition("token = ")
    return f'{head}token = "{token}"\n}}\n'
