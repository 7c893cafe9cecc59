"""One platform for all scenarios of a process; an organization for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gate import Gate, new_gate
from tests.e2e.platforms import Organization, Platform, make_organization, platform_in

_HERE = Path(__file__).parent
_TIMEOUT_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow for the start of a platform, on a machine that does other things as well."""
    for item in items:
        if item.path.parent == _HERE and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    # A run that does not stop when it is asked to is not waited for as long as in earnest.
    with platform_in(
        tmp_path_factory.mktemp("platform"),
        LANDFORM_CANCEL_GRACE_S="8",
        LANDFORM_TOOLCHAIN_OFFLINE="true",
    ) as platform:
        yield platform


@pytest.fixture
def organization(platform: Platform, tmp_path: Path) -> Organization:
    return make_organization(platform, tmp_path)


@pytest.fixture(scope="module")
def shared_organization(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Organization:
    """An organization for scenarios that leave everything as it was."""
    return make_organization(platform, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A place at which the test's runs wait until it lets them go on."""
    with new_gate() as gate:
        yield gate
