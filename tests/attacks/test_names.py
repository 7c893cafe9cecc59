"""A15: names that would be options, commands or paths, were they ever taken for such."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.client import Client
from tests.faults.configurations import pack

HOSTILE = (
    "--upload-pack=touch /tmp/landform-pwned",
    "-chdir=/",
    "-destroy",
    "$(touch /tmp/landform-pwned)",
    "`touch /tmp/landform-pwned`",
    "; touch /tmp/landform-pwned",
    "a\nb",
    "../../etc/passwd",
    "%2e%2e%2f",
    "a\x00b",
    "\x1b[2J",
    "{{7*7}}",
    "' OR 1=1 --",
)
RUN_WITH = HOSTILE[:1] + HOSTILE[2:4]
"""Of these, some that are each tried in a run of their own."""

_PLAIN = re.compile("[A-Za-z0-9_-]+")  # of these any name may be made, as in TFE
_MAIN = 'resource "terraform_data" "x" {\n  input = "a"\n}\n'


@pytest.fixture(autouse=True)
def unharmed() -> object:
    yield
    assert not Path("/tmp/landform-pwned").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_a_workspace_is_refused_or_is_but_a_name(client: Client, name: str) -> None:
    for kind, path in (
        ("workspaces", "/organizations/attacks/workspaces"),
        ("organizations", "/organizations"),
        ("projects", "/organizations/attacks/projects"),
        ("teams", "/organizations/attacks/teams"),
    ):
        answer = client.send("POST", path, kind, {"name": name, "email": "a@example.com"})
        assert answer.status_code in {201, 422}, answer.text
        if kind in {"workspaces", "organizations"} and not _PLAIN.fullmatch(name):
            assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("address", RUN_WITH)
@pytest.mark.parametrize("option", ["target-addrs", "replace-addrs"])
def test_an_address_reaches_the_tool_as_one_word_that_is_no_option(
    client: Client, workspace: str, option: str, address: str
) -> None:
    version = client.upload(workspace, pack({"main.tf": _MAIN}))
    document = {
        "data": {
            "type": "runs",
            "attributes": {option: [address]},
            "relationships": {
                "workspace": {"data": {"type": "workspaces", "id": workspace}},
                "configuration-version": {
                    "data": {"type": "configuration-versions", "id": version}
                },
            },
        }
    }
    answer = client.post("/runs", document)
    assert answer.status_code in {201, 422}, answer.text
    if answer.status_code == 201:
        run = answer.json()["data"]["id"]
        told = client.wait(run, "errored", within_s=60)
        assert "nvalid" in told["error"], told["error"]


@pytest.mark.parametrize("version", [*HOSTILE, "1.11.4 -chdir=/", "file:///bin/sh", "latest/../x"])
def test_a_version_is_a_version(client: Client, workspace: str, version: str) -> None:
    answer = client.send(
        "PATCH", f"/workspaces/{workspace}", "workspaces", {"terraform-version": version}
    )
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("directory", [*RUN_WITH, "../../etc", "/etc", "a\nb", "a/\u202eb"])
def test_a_working_directory_stays_within_the_configuration(
    client: Client, workspace: str, directory: str
) -> None:
    answer = client.send(
        "PATCH", f"/workspaces/{workspace}", "workspaces", {"working-directory": directory}
    )
    assert answer.status_code in {200, 422}, answer.text
    if answer.status_code == 200:
        run = client.start(workspace, client.upload(workspace, pack({"main.tf": _MAIN})))
        told = client.wait(run, "errored", within_s=60)
        assert "irectory" in told["error"], told["error"]


@pytest.mark.parametrize("key", [*HOSTILE, "a=b", 'a" = "b', "x}\nlocals{"])
def test_a_terraform_variable_s_name_is_an_identifier(
    client: Client, workspace: str, key: str
) -> None:
    assert client.try_variable(workspace, key, "v").status_code == 422


@pytest.mark.parametrize(
    "value", ['"\n}\nresource "terraform_data" "pwned" {}\n#', '${file("/etc/passwd")}', "%{ for }"]
)
def test_a_variable_s_value_is_data(
    client: Client, make_workspace: Callable[..., str], value: str
) -> None:
    workspace = make_workspace()
    client.set_variable(workspace, "given", value)
    text = 'variable "given" {}\nresource "terraform_data" "x" {\n  input = var.given\n}\n'
    run = client.start(
        workspace, client.upload(workspace, pack({"main.tf": text})), **{"auto-apply": True}
    )
    client.wait(run, "applied")
    state = client.state(workspace)
    assert state
    (resource,) = state["resources"]
    assert resource["instances"][0]["attributes"]["input"]["value"] == value


def test_a_file_of_any_name_is_but_a_file(client: Client, workspace: str) -> None:
    names = ("main.tf;touch x", "-rf", "--help", "$(id).tf", "a b.tf", "'.tf", "-chdir=x.tf")
    files = {"main.tf": _MAIN} | dict.fromkeys(names, "# nothing\n")
    run = client.start(workspace, client.upload(workspace, pack(files)))
    client.wait(run, "planned")


@pytest.mark.parametrize("message", [*RUN_WITH, "a\x00b", "\x1b[2J"])
def test_a_message_is_kept_as_text(client: Client, workspace: str, message: str) -> None:
    version = client.upload(workspace, pack({"main.tf": _MAIN}))
    document = {
        "data": {
            "type": "runs",
            "attributes": {"message": message, "plan-only": True},
            "relationships": {
                "workspace": {"data": {"type": "workspaces", "id": workspace}},
                "configuration-version": {
                    "data": {"type": "configuration-versions", "id": version}
                },
            },
        }
    }
    answer = client.post("/runs", document)
    assert answer.status_code in {201, 422}, answer.text
    if answer.status_code == 201:
        assert json.dumps(message)[1:-1] in answer.text or message in answer.text


@pytest.mark.parametrize("text", ['"a\\u0000b"', '"a\\ud800b"'])
def test_a_state_with_odd_names_is_kept_or_refused_but_breaks_nothing(
    client: Client, workspace: str, text: str
) -> None:
    raw = (
        '{"version":4,"serial":1,"lineage":"l","terraform_version":"1.11.4","outputs":'
        f'{{{text}:{{"value":{text},"type":"string"}}}},"resources":[{{"mode":"managed",'
        f'"type":"terraform_data","name":{text},"provider":{text},"instances":[]}}]}}'
    )
    assert client.post(f"/workspaces/{workspace}/actions/lock", {}).status_code == 200
    answer = client.upload_state(workspace, raw.encode())
    assert answer.status_code in {200, 201, 422}, answer.text
