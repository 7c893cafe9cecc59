"""A dump of database and store without the key tells nothing."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx2
import psycopg

from tests.attacks.client import Client
from tests.attacks.loot import files_with, holds, tables_with
from tests.cli.command import eventually
from tests.faults.platform import Platform
from tests.files import left_by_runs

_MAIN = """
variable "typed" {}
variable "own" {}
resource "terraform_data" "x" {
  input = { typed = var.typed, written = "IN_CONFIGURATION", own = var.own }
}
output "shown" { value = "IN_OUTPUT" }
output "hidden" {
  value     = terraform_data.x.output
  sensitive = true
}
"""


def test_no_secret_is_in_the_database_nor_in_any_file(
    platform: Platform, client: Client, workspace: str, canary: Callable[[], str]
) -> None:
    secrets = {
        name: canary()
        for name in ("typed", "env", "plain", "own", "configuration", "output", "lock", "token")
    }
    client.set_variable(workspace, "typed", secrets["typed"], sensitive=True)
    client.set_variable(workspace, "TOLD", secrets["env"], category="env", sensitive=True)
    client.set_variable(workspace, "PLAIN", secrets["plain"], category="env")
    text = _MAIN.replace("IN_CONFIGURATION", secrets["configuration"])
    text = text.replace("IN_OUTPUT", secrets["output"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as archive:
        for name, data in (("main.tf", text), ("secret.txt", secrets["lock"])):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.encode()))
    run = client.start(
        workspace,
        client.upload(workspace, buffer.getvalue()),
        **{"auto-apply": True, "variables": [{"key": "own", "value": f'"{secrets["own"]}"'}]},
    )
    client.wait(run, "applied")
    state = json.dumps(client.state(workspace))
    for name in ("typed", "configuration", "own", "output"):
        assert holds(state.encode(), secrets[name])  # they did get that far
    secrets["admin's token"] = platform.token

    eventually(lambda: not left_by_runs(platform.home), within_s=60)
    # What is only in the write-ahead log counts as well; a checkpoint writes the rest.
    there = platform.database_url.replace("landform@/landform?", "postgres@/postgres?")
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    for name, secret in secrets.items():
        assert tables_with(platform.database_url, secret) == [], name
        assert files_with(platform.directory, secret) == [], name


def test_a_token_is_in_the_database_only_as_its_digest(platform: Platform) -> None:
    digest = hashlib.sha256(platform.token.encode()).hexdigest()
    assert platform.rows("SELECT 1 FROM api_tokens WHERE encode(token_hash, 'hex') = %s", digest)


def test_an_object_that_was_moved_or_altered_is_not_given_out(
    platform: Platform, client: Client, make_workspace: Callable[..., str]
) -> None:
    one, other = (make_workspace() for _ in range(2))
    paths = []
    for workspace in (one, other):
        archive = _tar(f'resource "terraform_data" "x" {{\n  input = "{workspace}"\n}}\n')
        run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
        client.wait(run, "applied")
        newest = client.get(f"/workspaces/{workspace}/current-state-version")["id"]
        paths.append(platform.home / "objects/states" / workspace / f"{newest}.tfstate")
    kept = paths[0].read_bytes()
    for forged in (paths[1].read_bytes(), kept[:-1] + bytes([kept[-1] ^ 1]), b"", b"LF1"):
        _replace(paths[0], forged)
        newest = client.get(f"/workspaces/{one}/current-state-version")
        address = newest["attributes"]["hosted-state-download-url"]
        answer = httpx2.get(address, trust_env=False, timeout=30.0)
        assert answer.status_code >= 500
        assert other not in answer.text
    _replace(paths[0], kept)
    assert client.state(one)


def _replace(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _tar(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("main.tf")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()
