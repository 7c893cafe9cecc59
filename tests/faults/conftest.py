"""One platform for all tests of a process; each has a workspace of its own."""

import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.faults import invariants
from tests.faults.client import Client
from tests.faults.gate import Gate
from tests.faults.platform import Platform

ORGANIZATION = "faults"
_NUMBERS = count(1)


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
        Platform(Path(directory)).running() as platform,
    ):
        client = Client(platform.url, platform.token)
        client.make_organization(ORGANIZATION)
        client.close()
        yield platform


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
