"""Real terraform, real bubblewrap, a recorder for a platform."""

import io
import os
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landform.contract import Artefact, Category, Phase, PhaseJob, Variable
from landform.execution.host import Clock, Host
from landform.execution.sandbox import Sandbox, SandboxMode, detect
from landform.toolchain.versions import Tool

from .recorder import Recorder

TERRAFORM = Path(shutil.which("terraform") or "terraform-is-missing")
VERSION = "1.11.4"


async def ensure(tool: Tool, version: str) -> Path:
    assert (tool, version) == (Tool.TERRAFORM, VERSION)
    return TERRAFORM


def tar(**files: str) -> bytes:
    """A tar.gz; `main_tf="…"` is the file `main.tf`, `a__b_tf` is `a/b.tf`."""
    return tar_of({name.replace("__", "/").replace("_", "."): text for name, text in files.items()})


def tar_of(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
async def sandbox() -> Sandbox:
    return await detect(SandboxMode.REQUIRE)


@pytest.fixture
def host(tmp_path: Path, sandbox: Sandbox) -> Host:
    return make_host(tmp_path / "worker", sandbox)


def make_host(root: Path, sandbox: Sandbox, **changes: object) -> Host:
    root.mkdir(parents=True, exist_ok=True)
    host = Host(
        root=root,
        ensure_tool=ensure,
        sandbox=sandbox,
        clock=Clock(created_s=0.2, watch_s=0.1, farewell_s=10),
    )
    for name, value in changes.items():
        object.__setattr__(host, name, value)
    return host


@pytest.fixture
def plane() -> Recorder:
    return Recorder()


Configure = Callable[..., None]


@pytest.fixture
def configure(plane: Recorder) -> Configure:
    def configure(main: str, **others: str) -> None:
        plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=main, **others)

    return configure


def plan_job(**changes: object) -> PhaseJob:
    return _job(Phase.PLAN, "plan-1", changes)


def apply_job(**changes: object) -> PhaseJob:
    return _job(Phase.APPLY, "apply-1", changes)


def _job(phase: Phase, phase_id: str, changes: dict[str, object]) -> PhaseJob:
    given = {
        "phase_id": phase_id,
        "phase": phase,
        "run_id": "run-1",
        "workspace_id": "ws-1",
        "epoch": 1,
        "lease_s": 20.0,
        "tool": Tool.TERRAFORM,
        "version": VERSION,
        "grace_s": 3.0,
        "context": {"organization": "acme", "workspace": "hello", "project": "main"},
    }
    return PhaseJob.model_validate(given | changes)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"mark-{tmp_path.name}-{os.getpid()}"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(params=["bubblewrap", "nothing"])
async def any_host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    mode = SandboxMode.REQUIRE if request.param == "bubblewrap" else SandboxMode.OFF
    return make_host(tmp_path / "worker", await detect(mode))


def terraform(key: str, value: str, **more: bool) -> Variable:
    return Variable(key=key, value=value, category=Category.TERRAFORM, **more)


def env(key: str, value: str, **more: bool) -> Variable:
    return Variable(key=key, value=value, category=Category.ENV, **more)
