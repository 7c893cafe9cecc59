"""One platform for all tests of a process; each has a workspace of its own."""

import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.client import Client
from tests.faults.gate import Gate
from tests.faults.platform import Platform

ORGANIZATION = "faults"
MEASURED: dict[str, list[float]] = {}
_HERE = Path(__file__).parent
# What some tests need and no other minds: to start processes anew takes longer than most tests.
_SETTINGS = {"LANDFORM_EGRESS_ALLOW": "127.0.0.1", "LANDFORM_VCS_POLL_S": "86400"}
_NUMBERS = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here take real processes and their deaths, so they run by `make test-faults`."""
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what another process of the tests has measured."""
    for what, seconds in getattr(node, "workeroutput", {}).get("recoveries", {}).items():
        MEASURED.setdefault(what, []).extend(seconds)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was measured to the process that started this one."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["recoveries"] = MEASURED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long recoveries took."""
    if MEASURED:
        terminalreporter.section("recovery times")
    for what, seconds in sorted(MEASURED.items()):
        shown = ", ".join(f"{each:.1f}" for each in sorted(seconds))
        terminalreporter.write_line(f"{what}: {shown} s")


@pytest.fixture(scope="session", autouse=True)
def _patient_database() -> None:
    """Leave the database as impatient as users have it: it is what frees the rows of the dead."""


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    with Gate().running() as gate:
        yield gate


@pytest.fixture(scope="session")
def whole_platform() -> Iterator[Platform]:
    memory = Path("/dev/shm")
    base = memory if os.access(memory, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=base, prefix="landform-faults-") as directory,
        Platform(Path(directory), settings=_SETTINGS).running() as platform,
    ):
        client = Client(platform.url, platform.token)
        client.make_organization(ORGANIZATION)
        client.close()
        yield platform
        MEASURED.update(platform.recoveries)


@pytest.fixture
def platform(whole_platform: Platform, gate: Gate) -> Iterator[Platform]:
    """The platform, whole before each test; after it, everything must hold that always does."""
    whole_platform.restore()
    yield whole_platform
    gate.open_all()
    whole_platform.restore()
    invariants.check(whole_platform, gate)


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    client = Client(platform.url, platform.token)
    yield client
    client.close()


@pytest.fixture
def make_workspace(client: Client) -> Callable[..., str]:
    def make(**attributes: object) -> str:
        return client.make_workspace(ORGANIZATION, f"w{next(_NUMBERS)}", **attributes)

    return make


@pytest.fixture
def workspace(make_workspace: Callable[..., str]) -> str:
    return make_workspace()


@pytest.fixture
def name() -> str:
    """What the test's configuration is called at the gate."""
    return f"n{next(_NUMBERS)}"
