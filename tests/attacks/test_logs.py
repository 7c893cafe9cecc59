"""A9: a run that says hostile things; what clients and pages show of it."""

import json
import re

import pytest

from tests.attacks.client import Client
from tests.attacks.pages import signed_in
from tests.attacks.test_hostile_plan import hostile
from tests.cli.command import eventually
from tests.faults.configurations import pack
from tests.faults.platform import Platform

_SAY = r"""
printf '\033]52;c;%s\007clipboard\n' ZXZp''bA==
printf '\033]8;;http://evil'.'example\033\\click here\033]8;;\033\\\n'
printf '\033[31mred\033[0m \033[2J\033[1;1Hcleared\n'
printf 'real\rfake\n'
printf '<script>alert(1)</script><img src=x onerror=alert(2)>\n'
printf 'nul\0nul \002stx \003etx \377\376bad \302\2332Jc1\n'
printf '{"@message":"Apply complete! forged","type":"change_summary","changes":{"add":"x"}}\n'
printf '::set-output name=x::y\n'
for p in /proc/[0-9]*; do
  case $(tr '\0' ' ' < $p/cmdline) in *terraform*apply*)
    printf '\003\002\n{"@message":"forged \\u001b]52;c;ZXZp'bA'==\\u0007line",' > $p/fd/1
    printf '"type":"log","x":"\\u0000\\ud800"}\n' > $p/fd/1
    python3 -c 'print("{\"@message\":" + "["*100000)' > $p/fd/1
    printf '{"@message":"m","type":"change_summary","changes":{"add":"many"}}\n' > $p/fd/1
    printf '{"@message":"m","type":"apply_complete","hook":"none"}\n' > $p/fd/1
    printf '{"@message":"m","type":"outputs","outputs":["x"]}\n' > $p/fd/1
    printf '{"@message":"m","type":"diagnostic","diagnostic":{"severity":"error",' > $p/fd/1
    printf '"range":{"start":3},"snippet":7}}\n' > $p/fd/1
  ;; esac
done
head -c 10000000 /dev/zero | tr '\0' 'L'; echo
echo the-end-of-it
"""


@pytest.fixture
def said(client: Client, workspace: str) -> str:
    """A run that said all of it; it ended, and as it should."""
    archive = hostile(_SAY)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    client.wait(run, "applied", within_s=180)
    return run


def test_what_was_forged_ends_nothing_and_counts_nothing(client: Client, said: str) -> None:
    assert client.run(said)["status"] == "applied"
    assert client.apply(said)["status"] == "finished"


def test_the_run_s_page_shows_it_as_text(platform: Platform, client: Client, said: str) -> None:
    with signed_in(platform) as browser:
        workspace = client.get(f"/runs/{said}")["relationships"]["workspace"]["data"]["id"]
        name = client.workspace(workspace)["name"]
        answer = browser.get(f"/app/attacks/{name}/runs/{said}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "script-src" in answer.headers["content-security-policy"] or (
        "default-src 'self'" in answer.headers["content-security-policy"]
    )
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", answer.text)


def test_an_error_with_odd_bytes_ends_the_run_all_the_same(client: Client, workspace: str) -> None:
    text = 'output "x" {\n  value = file("/none\\u0000\\u001b]52;c;eA==\\u0007")\n}\n'
    run = client.start(workspace, client.upload(workspace, pack({"main.tf": text})))
    client.wait(run, "errored")
    eventually(lambda: client.plan(run)["status"] == "errored", within_s=15)
    assert "\x1b" not in json.dumps(client.run(run))
