"""A11: a run that says its secrets, in whatever way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.client import Client
from tests.attacks.loot import files_with, tables_with
from tests.attacks.pages import signed_in
from tests.attacks.test_hostile_plan import hostile
from tests.cli.command import eventually
from tests.faults.configurations import pack
from tests.faults.platform import Platform
from tests.files import left_by_runs

# The secret is of two lines and has what JSON escapes; each is said as it is, split over writes
# by and within a line, escaped, and by terraform itself in an error.
_SAY = r"""
echo "raw $SECRET"
printf 'split %s' "${SECRET:0:20}"; sleep 0.3; printf '%s\n' "${SECRET:20}"
printf 'said %s\n' "$SECRET" | sed 's/"/\\"/g; :a; N; $!ba; s/\n/\\n/g'
printf '%s\n' "$SECRET" | while read -r line; do echo "one line: $line"; done
printf '%s\n' "$SECRET" >&2
false
"""


def test_a_secret_that_a_provisioner_says_in_every_way_is_nowhere_to_be_read(
    platform: Platform, client: Client, workspace: str, canary: Callable[[], str]
) -> None:
    first, second = canary(), canary()
    client.set_variable(workspace, "SECRET", f'{first}"x\n{second}', category="env", sensitive=True)
    archive = hostile(_SAY)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    client.wait(run, "errored", ended=())
    text = client.text_log_of(run, "apply").decode()
    for said in ("raw ", "split ", "said ", "one line: "):
        assert said in text  # it did say all of it
    shown = [text, client.json_log(run.replace("run-", "apply-", 1)).decode()]
    shown += [json.dumps(each(run)) for each in (client.run, client.plan, client.apply)]
    shown.append(client.raw("GET", f"/runs/{run}?include=plan,apply,workspace").text)
    shown.append(client.raw("GET", "/organizations/attacks/audit-trail").text)
    name = client.workspace(workspace)["name"]
    with signed_in(platform) as browser:
        shown.append(browser.get(f"/app/attacks/{name}/runs/{run}").text)
    eventually(lambda: not left_by_runs(platform.home), within_s=60)
    for secret in (first, second):
        assert not [each for each in shown if secret in each]
        assert tables_with(platform.database_url, secret) == []
        assert files_with(platform.directory, secret) == []
        assert not [part for part in _logs(platform) if secret in part.read_text(errors="replace")]


def _logs(platform: Platform) -> list[Path]:
    return [part.output for part in (*platform.servers, *platform.workers)]


@pytest.mark.parametrize("value", ["é" * 5, "a b+c/d=e&f", "line one\r\nline two", "x" * 70_000])
def test_secrets_of_every_kind_are_kept(client: Client, workspace: str, value: str) -> None:
    client.set_variable(workspace, "secret", value, sensitive=True)
    text = 'variable "secret" {}\noutput "o" {\n  value = var.secret\n}\n'
    run = client.start(
        workspace, client.upload(workspace, pack({"main.tf": text})), **{"auto-apply": True}
    )
    client.wait(run, "applied")
    assert value not in client.text_log(run)
    assert "(sensitive value)" in client.text_log(run)
