from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landform.toolchain.mirror import Limits
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import Tool
from tests.toolchain.published import Published

QUICK = Limits(total_s=60.0, idle_s=30.0, attempts=2, pause_s=0.01)

MakeToolchain = Callable[..., Toolchain]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # of whoever runs the tests behind a proxy
    published = Published()
    yield published
    published.stop()


@pytest.fixture
def make_toolchain(mirror: Published, tmp_path: Path) -> MakeToolchain:
    """A toolchain on the test's mirror and keys, with a cache of its own; PATH does not count."""

    def make(
        cache_dir: Path | None = None,
        operator_dir: Path | None = None,
        *,
        use_path: bool = False,
        offline: bool = False,
        keys: bytes | None = None,
        limits: Limits = QUICK,
    ) -> Toolchain:
        trusted = mirror.signer.public if keys is None else keys
        return Toolchain(
            cache_dir or tmp_path / "cache",
            operator_dir,
            mirrors=dict.fromkeys(Tool, mirror.url),
            keys=dict.fromkeys(Tool, trusted),
            use_path=use_path,
            offline=offline,
            limits=limits,
        )

    return make
