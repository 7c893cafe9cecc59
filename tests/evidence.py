"""What is kept of a test in a browser that failed: a picture of each window, and a trace.

They are in build/browser/; `playwright show-trace TRACE.zip` walks through one.
"""

import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

FAILED: Final = pytest.StashKey[bool]()
TRACED: Final[dict[str, Any]] = {"screenshots": False, "snapshots": True, "sources": False}
"""How a context is traced: what a page was like at each step, without a film, which costs more."""

_ROOT: Final = Path(__file__).parents[1] / "build/browser"


def has_failed(node: pytest.Item) -> bool:
    """Tell whether the test failed, once it is over."""
    return node.stash.get(FAILED, False)


def place_for(node: pytest.Item) -> Path:
    """Return an empty directory for what is kept of the test."""
    path = _ROOT / re.sub(r"[^\w.-]+", "_", node.nodeid)[-120:]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
