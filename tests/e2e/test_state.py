"""Commands that work on state where the CLI is, and keep it on the platform."""

import json
from dataclasses import dataclass

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform

MANY = """
resource "terraform_data" "box" {
  count = 2
  input = { size = count.index }
}

module "shed" {
  source = "./shed"
}

output "secret" {
  value     = "hush-hush-1234"
  sensitive = true
}

output "sizes" {
  value = [for box in terraform_data.box : box.output.size]
}
"""
SHED = 'resource "terraform_data" "tool" {\n  input = "spade"\n}\n'


@dataclass(frozen=True)
class Reading:
    """A command that reads, and some of what it has to print."""

    arguments: tuple[str, ...]
    prints: tuple[str, ...]
    hides: tuple[str, ...] = ()
    whole: bool = False


READINGS = {
    "state list": Reading(
        ("state", "list"),
        (
            (
                "terraform_data.box[0]\nterraform_data.box[1]\nterraform_data.paint\n"
                "module.shed.terraform_data.tool\n"
            ),
        ),
        whole=True,
    ),
    "state list of a module": Reading(
        ("state", "list", "module.shed"), ("module.shed.terraform_data.tool\n",), whole=True
    ),
    "state show": Reading(
        ("state", "show", "terraform_data.box[1]"), ("# terraform_data.box[1]:", "size = 1")
    ),
    "show": Reading(
        ("show",), ("# terraform_data.paint:", "secret = (sensitive value)"), ("hush-hush-1234",)
    ),
    "show -json": Reading(("show", "-json"), ('"address":"module.shed.terraform_data.tool"',)),
    "output": Reading(("output",), ('color = "red"', "secret = <sensitive>"), ("hush-hush-1234",)),
    "output of a name": Reading(("output", "color"), ('"red"\n',), whole=True),
    "output -raw": Reading(("output", "-raw", "color"), ("red",), whole=True),
    "output -raw of what is sensitive": Reading(
        ("output", "-raw", "secret"), ("hush-hush-1234",), whole=True
    ),
    "output of a list": Reading(("output", "-json", "sizes"), ("[0,1]",)),
    "providers": Reading(
        ("providers",), ("Providers required by state:", "provider[terraform.io/builtin/terraform]")
    ),
    "graph": Reading(("graph",), ("terraform_data.paint",)),
}


@pytest.fixture(scope="module")
def applied(shared_organization: Organization) -> Terraform:
    terraform = shared_organization.directory(shared_organization.cloud(), COLOR, MANY)
    terraform.write("shed/main.tf", SHED)
    terraform.ok("init")
    terraform.ok("apply", "-auto-approve")
    return terraform


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_state_is_read(applied: Terraform, reading: Reading) -> None:
    done = applied.ok(*reading.arguments)
    for text in reading.prints:
        assert text == done.stdout if reading.whole else text in done.stdout, done
    for text in reading.hides:
        assert text not in done.stdout


def test_outputs_as_json_have_their_types_and_sensitive_values(applied: Terraform) -> None:
    outputs = json.loads(applied.ok("output", "-json").stdout)
    assert outputs == {
        "color": {"sensitive": False, "type": "string", "value": "red"},
        "secret": {"sensitive": True, "type": "string", "value": "hush-hush-1234"},
        "sizes": {"sensitive": False, "type": ["tuple", ["number", "number"]], "value": [0, 1]},
    }


def test_an_output_that_is_not_there_is_named(applied: Terraform) -> None:
    assert 'Output "nothing" not found' in applied.fails("output", "nothing").said


def test_a_workspace_without_state_says_so(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    done = terraform.fails("output")
    assert "could not read state version outputs: resource not found" in done.said
    assert json.loads(terraform.ok("state", "pull").stdout)["resources"] == []
    assert "No state file was found!" in terraform.fails("state", "list").said


def test_a_state_that_is_pulled_is_the_newest_and_whole(
    applied: Terraform, shared_organization: Organization
) -> None:
    state = json.loads(applied.ok("state", "pull").stdout)
    shown = shared_organization.workspace().get("current-state-version")["attributes"]
    assert (state["serial"], state["lineage"]) == (shown["serial"], shown["lineage"])
    assert len(state["resources"]) == 3
    assert state["outputs"]["secret"]["value"] == "hush-hush-1234"


@pytest.fixture
def local(organization: Organization) -> Terraform:
    """A directory with something applied, on a workspace that stores state only: it is quicker."""
    organization.make_workspace(execution_mode="local")
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    return terraform


def serial_of(organization: Organization) -> int:
    state = organization.workspace().get("current-state-version")
    return int(state["attributes"]["serial"])


@dataclass(frozen=True)
class Change:
    """A command that changes state, and the resources that there are afterwards."""

    arguments: tuple[str, ...]
    says: str
    leaves: tuple[str, ...]


CHANGES = {
    "mv": Change(
        ("state", "mv", "terraform_data.paint", "terraform_data.varnish"),
        "Successfully moved 1 object(s).",
        ("terraform_data.varnish",),
    ),
    "rm": Change(
        ("state", "rm", "terraform_data.paint"), "Successfully removed 1 resource instance(s).", ()
    ),
    "import": Change(
        ("import", "terraform_data.found", "found-1"),
        "Import successful!",
        ("terraform_data.found", "terraform_data.paint"),
    ),
    "taint": Change(
        ("taint", "terraform_data.paint"),
        "Resource instance terraform_data.paint has been marked as tainted.",
        ("terraform_data.paint",),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_state_is_changed_under_a_lock_that_is_given_back(
    organization: Organization, local: Terraform, change: Change
) -> None:
    local.write("found.tf", 'resource "terraform_data" "found" {}\n')
    before = serial_of(organization)
    done = local.ok(*change.arguments)
    assert change.says in done.said
    assert serial_of(organization) == before + 1
    assert tuple(local.ok("state", "list").stdout.split()) == change.leaves
    assert not organization.workspace().attributes["locked"]


def test_what_is_tainted_is_replaced_until_it_is_untainted(local: Terraform) -> None:
    local.ok("taint", "terraform_data.paint")
    assert "is tainted, so must be replaced" in local.ok("plan").said
    local.ok("untaint", "terraform_data.paint")
    assert "No changes." in local.ok("plan").said


def test_a_state_can_be_pushed(organization: Organization, local: Terraform) -> None:
    state = json.loads(local.ok("state", "pull").stdout)
    state["serial"] += 5
    state["outputs"]["color"]["value"] = "pushed"
    local.write("pushed.tfstate", json.dumps(state))
    local.ok("state", "push", "pushed.tfstate")
    assert serial_of(organization) == state["serial"] + 1  # the CLI makes a new one of it
    assert local.ok("output", "-raw", "color").stdout == "pushed"


def test_an_old_state_is_not_pushed_over_a_newer_one(
    organization: Organization, local: Terraform
) -> None:
    old = local.ok("state", "pull").stdout
    local.ok("apply", "-auto-approve", "-var=color=blue")
    before = serial_of(organization)
    local.write("old.tfstate", old)
    done = local.fails("state", "push", "old.tfstate")
    assert f"cannot import state with serial {before - 1} over newer state" in done.said
    assert serial_of(organization) == before


def test_a_state_of_other_infrastructure_is_not_pushed_by_force_either(
    organization: Organization, local: Terraform
) -> None:
    """The CLI's `-force` skips its own check, and says nothing of it to the platform."""
    before = json.loads(local.ok("state", "pull").stdout)
    other = {**before, "lineage": "3d9a3c76-0000-4000-8000-000000000000"}
    local.write("other.tfstate", json.dumps(other))
    done = local.fails("state", "push", "other.tfstate")
    assert "cannot import state with lineage" in done.said
    done = local.fails("state", "push", "-force", "other.tfstate")
    assert f"has lineage {before['lineage']}" in done.said
    assert "Write it to a workspace of its own" in done.said
    local.ok("force-unlock", "-force", f"{organization.name}/app")
    assert json.loads(local.ok("state", "pull").stdout) == before


def test_a_console_evaluates_against_the_state_under_a_lock(
    organization: Organization, local: Terraform
) -> None:
    with local.at_terminal("console") as terminal:
        terminal.wait_for("> ")
        assert organization.workspace().attributes["locked"]
        terminal.type("terraform_data.paint.output")
        terminal.wait_for('"red"')
        terminal.type("exit")
        assert terminal.end().status == 0
    assert not organization.workspace().attributes["locked"]


def test_a_console_and_an_import_want_no_values_that_only_the_workspace_has(
    organization: Organization,
) -> None:
    terraform = organization.initialized(
        'variable "size" {\n  type = number\n}\nvariable "secret" {}\n'
        'resource "terraform_data" "found" {}\n'
    )
    workspace = organization.workspace()
    workspace.set_variable("size", "3")
    workspace.set_variable("secret", "hush-hush-1234", sensitive=True)
    done = terraform.ok("import", "-input=false", "terraform_data.found", "found-1")
    assert "Import successful!" in done.said
    assert terraform.ok("console", answers="terraform_data.found.id\n").stdout == '"found-1"\n'
    assert terraform.ok("console", answers="var.size\n").stdout == "(known after apply)\n"


def test_a_locked_state_is_not_changed_and_its_lock_can_be_broken(
    organization: Organization, local: Terraform
) -> None:
    organization.workspace().lock("maintenance")
    done = local.fails("state", "rm", "terraform_data.paint")
    assert "Error acquiring the state lock" in done.said
    assert "workspace already locked" in done.said
    wrong = local.fails("force-unlock", "-force", "something-else")
    assert "does not match existing lock ID" in wrong.said
    identity = f"{organization.name}/app"
    with local.at_terminal("force-unlock", identity) as terminal:
        terminal.wait_for("Do you really want to force-unlock?")
        terminal.type("yes")
        terminal.wait_for("successfully unlocked")
        assert terminal.end().status == 0
    local.ok("state", "rm", "terraform_data.paint")


def test_the_lock_of_a_run_is_not_broken(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        done = terraform.fails("force-unlock", "-force", f"{organization.name}/app")
        assert "locked by Run run-" in done.said
        assert "cancel or discard the run instead" in done.said
        refused = terraform.fails("taint", "terraform_data.paint")
        assert "workspace already locked" in refused.said
        terminal.type("yes")
        assert terminal.end().status == 0
