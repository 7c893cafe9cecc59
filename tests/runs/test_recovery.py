"""Import blocks for what an apply that died has made."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from landform.contract import Created, Phase
from landform.identity.actor import Actor, ActorKind
from landform.kit.db import transaction
from landform.kit.errors import NotFoundError
from landform.runs import attempts
from landform.runs.recovery import import_block, recovery_file, recovery_of
from tests.files import make_state
from tests.world import World


def test_a_block_names_the_object_and_its_id() -> None:
    block = import_block(Created(address='aws_instance.x["a"]', id_value="i-1"))
    assert block == 'import {\n  to = aws_instance.x["a"]\n  id = "i-1"\n}'


@pytest.mark.parametrize("id_value", ['a"b\\c', "${x} %{y}", "two\nlines\t", "é🎉", "$${x}"])
def test_an_id_means_to_terraform_what_it_was(id_value: str, tmp_path: Path) -> None:
    block = import_block(Created(address="terraform_data.x", id_value=id_value))
    quoted = block.splitlines()[2].removeprefix("  id = ")
    (tmp_path / "main.tf").write_text(f"locals {{\n  id = {quoted}\n}}\n")
    done = subprocess.run(
        ["terraform", f"-chdir={tmp_path}", "console"],
        input="jsonencode(local.id)\n",
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"},
    )
    assert json.loads(json.loads(done.stdout)) == id_value


def test_an_object_without_an_id_is_only_a_comment() -> None:
    block = import_block(Created(address="terraform_data.x"))
    assert all(line.startswith("#") for line in block.splitlines())
    assert "#   to = terraform_data.x" in block


def test_an_address_that_is_none_gets_no_way_out_of_its_comment() -> None:
    block = import_block(Created(address='x.y\n}\nlocals { a = "b" }', id_value="1"))
    assert all(line.startswith("#") for line in block.splitlines())


def test_a_file_says_what_to_do_with_it() -> None:
    text = recovery_file("run-1", ["import {}"])
    assert "run-1" in text
    assert text.endswith("\n\nimport {}\n")


async def test_a_recovery_has_the_newest_state_and_what_came_after_it(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    raw = make_state(1)
    await attempts.put_state(world.platform, job, raw, final=False)
    made = Created(address="terraform_data.late", id_value="7")
    await attempts.report_created(world.platform, job, [made])
    async with transaction(world.platform.sessions) as session:
        recovery = await recovery_of(session, world.owner, run_id)
        assert recovery.objects == [made]
        assert recovery.state_version_id == (await world.current_state()).id
        stranger = Actor(kind=ActorKind.USER, id="user-none", name="stranger")
        with pytest.raises(NotFoundError):
            await recovery_of(session, stranger, run_id)
