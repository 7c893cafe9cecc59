"""What a run may not change, even where it is root."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from landform.execution.sandbox import Mount, SandboxMode, detect

_OPEN_EVERYTHING = r"""
echo looked
for f in /x /etc/x /dev/x /opt/x /usr/x $(find /proc/* -maxdepth 6 -path '/proc/[0-9]*' -prune -o \
    \( -path '/proc/self*' -o -path '/proc/thread-self*' \) -prune -o -type f -print); do
  # Opened and not written: if it could be, it would be this machine's.
  ( : >> "$f" ) 2>/dev/null && echo "$f"
done
: >> /dev/null && : >> /landform/mine && : >> /dev/shm/mine && echo all of its own
"""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
async def test_nothing_of_the_kernel_nor_of_the_system_can_be_opened_for_writing(
    tmp_path: Path,
) -> None:
    sandbox = await detect(SandboxMode.REQUIRE)
    (tmp_path / "shm").mkdir()
    mounts = [
        Mount(tmp_path / "shm", Path("/dev/shm"), writable=True),
        Mount(tmp_path, Path("/landform"), writable=True),
    ]
    argv = sandbox.wrap(
        ["bash", "-c", _OPEN_EVERYTHING], cwd="/landform", mounts=mounts, status_fd=2
    )
    ended = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.splitlines() == ["looked", "all of its own"]
