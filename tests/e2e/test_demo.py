"""`make demo` as a newcomer runs it, and everything that can end it."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import landform
from tests.cli import command
from tests.cli.command import Running
from tests.kit.processes import children_of

CHECKOUT = Path(landform.__file__).parents[2]
HOME = re.compile(r"^Home: +(\S+)", re.MULTILINE)
STAYS = re.compile(r"^The platform stays up until (Ctrl-C)", re.MULTILINE)
RUN = re.compile(r"^The run: +(http://\S+/app/demo/hello/runs/run-\w{16})$", re.MULTILINE)
BUSY = re.compile(r"^\$ \w+ (init)$", re.MULTILINE)

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        shutil.which("make") is None, reason="`make demo` is what is tested, and there is no make"
    ),
]


def make_demo(*more: str) -> list[str]:
    """`make demo` with the environment that these tests run in, which is installed already."""
    environment = f"VENV={sys.prefix}"
    return ["make", environment, "-o", f"{sys.prefix}/.installed", "demo", "DEMO_HOME=", *more]


@pytest.fixture
def port() -> str:
    """Any that is free, where the demo would take 8080 first."""
    return "0"


@pytest.fixture
def staying(tmp_path: Path, port: str) -> Iterator[Running]:
    with command.started(make_demo(), tmp_path / "out", CHECKOUT, LANDFORM_PORT=port) as demo:
        yield demo


def test_the_demo_applies_with_the_real_cli_and_leaves(tmp_path: Path, port: str) -> None:
    argv = make_demo("EXIT=1")
    with command.started(argv, tmp_path / "out", CHECKOUT, LANDFORM_PORT=port) as demo:
        home = Path(demo.wait_for(HOME))
        assert demo.process.wait(180) == 0, demo.everything()
    assert "Apply complete! Resources: 1 added, 0 changed, 0 destroyed." in demo.stdout
    assert demo.stdout.count('greeting = "Hello, world!"') == 2
    assert RUN.search(demo.stdout)
    assert re.search(r"^Sign in: +admin, one-time password \S+$", demo.stdout, re.MULTILINE)
    assert command.processes_of(home) == {}
    assert not home.exists()


def test_the_demo_stays_up_until_ctrl_c(staying: Running) -> None:
    staying.wait_for(STAYS, within_s=180)
    home = Path(staying.wait_for(HOME))
    page = httpx2.get(staying.wait_for(RUN), trust_env=False, follow_redirects=True, timeout=30)
    assert page.status_code == 200
    assert "password" in page.text  # the run is for those who signed in
    staying.press_ctrl_c()
    command.nothing_left(home)
    command.eventually(lambda: not home.exists(), within_s=40)


def test_nothing_is_left_of_a_demo_whose_parent_was_killed(staying: Running) -> None:
    staying.wait_for(BUSY)
    home = Path(staying.wait_for(HOME))
    staying.kill()
    command.nothing_left(home)


def test_nothing_is_left_of_a_demo_that_was_killed_itself(staying: Running) -> None:
    staying.wait_for(BUSY)
    home = Path(staying.wait_for(HOME))
    (demo,) = children_of(staying.process.pid)
    os.kill(demo, signal.SIGKILL)
    command.nothing_left(home)


def test_a_demo_whose_cli_fails_fails_as_well_and_leaves_nothing(tmp_path: Path, port: str) -> None:
    broken = tmp_path / "bin" / "terraform"
    broken.parent.mkdir()
    broken.write_text('#!/bin/sh\n[ "$1" = version ] && echo "Terraform v1.11.4" && exit\nexit 3\n')
    broken.chmod(0o755)
    path = os.pathsep.join([str(broken.parent), os.environ["PATH"]])
    argv = make_demo("EXIT=1")
    with command.started(argv, tmp_path / "out", CHECKOUT, LANDFORM_PORT=port, PATH=path) as demo:
        home = Path(demo.wait_for(HOME))
        assert demo.process.wait(180) != 0
    assert "`terraform init` ended with status 3." in demo.stderr
    assert command.processes_of(home) == {}
