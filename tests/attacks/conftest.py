"""One real platform for all attacks of a process, and somebody outside who collects the loot."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.attacks.client import Client
from tests.attacks.loot import Collector
from tests.faults.gate import Gate
from tests.faults.platform import Platform

ORGANIZATION = "attacks"
_NUMBERS = count(1)
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They take real processes, and time, so they run by `make test-attacks`."""
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker(pytest.mark.attacks)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def canary() -> Callable[[], str]:
    """Make secrets that no test has seen before."""
    return lambda: f"canary-{secrets.token_hex(12)}"


@pytest.fixture(scope="session")
def operators_secret() -> str:
    """A secret in the environment of the platform's own processes, such as a cloud's key."""
    return f"canary-{secrets.token_hex(12)}"


@pytest.fixture(scope="session")
def platform(operators_secret: str) -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="landform-attacks-") as directory:
        # A busy machine is no attack: leases last.
        settings = {"AWS_SECRET_ACCESS_KEY": operators_secret, "LANDFORM_LEASE_S": "30"}
        with Platform(Path(directory), worker_count=1, settings=settings).running() as platform:
            client = Client(platform.url, platform.token)
            client.make_organization(ORGANIZATION)
            client.close()
            yield platform


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
def gate() -> Iterator[Gate]:
    with Gate().running() as gate:
        yield gate


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().running() as collector:
        yield collector
