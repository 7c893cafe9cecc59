"""A11: a run that says its secrets, in whatever way."""

import pytest

from tests.attacks.client import Client
from tests.faults.configurations import pack


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
