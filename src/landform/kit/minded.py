"""A program of which nothing is left when this process is gone: it runs under a `minder`."""

import asyncio
import math
import os
import subprocess
import time
from pathlib import Path
from typing import Final

from landform.kit.minder import Errand

_SHORTEST_POLL_S: Final = 0.01
_LONGEST_POLL_S: Final = 0.25
_MARGIN_S: Final = 15.0  # for the minder itself, after its last signal's patience


class MindedProgram:
    """A running program; `end` it, or die, and it is stopped with the signals given."""

    def __init__(
        self,
        argv: list[str],
        *,
        cwd: Path,
        output: int,
        stop: list[tuple[int, float]],
        run_as: tuple[int, int] | None = None,
        kept: list[int] | None = None,
        discard: list[str] | None = None,
    ) -> None:
        """Start the program, in a session of its own, so that Ctrl-C in a terminal is not for it.

        Args:
            argv: absolute path and arguments. The environment holds only PATH and the C locale.
            output: descriptor for its standard output and error.
            stop: signals to end it with, each with the seconds to wait before the next.
            run_as: user and group id to become; needs root.
            kept: descriptors that stay open as long as its minder lives.
            discard: directories to remove at its end, if they are empty.
        """
        self._stop_limit_s = sum(patience_s for _, patience_s in stop) + _MARGIN_S
        watched, self._control = os.pipe()
        errand = Errand(
            argv=argv,
            cwd=str(cwd),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            control_fd=watched,
            kept_fds=kept or [],
            owner_pid=os.getpid(),
            stop=stop,
            uid=run_as[0] if run_as else None,
            gid=run_as[1] if run_as else None,
            discard=discard or [],
        )
        try:
            self._minder = _start(errand, output)
        except BaseException:
            os.close(self._control)
            raise
        finally:
            os.close(watched)

    @property
    def status(self) -> int | None:
        """Exit status, 128 + the signal that ended it; None while it runs."""
        return self._minder.poll()

    async def wait(self, *, timeout_s: float = math.inf) -> int | None:
        """Return `status` once the program has ended, or after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        pause_s = _SHORTEST_POLL_S
        while (status := self.status) is None and time.monotonic() < deadline:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.05, _LONGEST_POLL_S)
        return status

    async def end(self) -> None:
        """Stop the program and return when it is gone; again is no harm."""
        if self._control >= 0:
            os.close(self._control)
            self._control = -1
        if await self.wait(timeout_s=self._stop_limit_s) is None:
            self._minder.kill()
            await self.wait()


def _start(errand: Errand, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        errand.command(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[errand.control_fd, *errand.kept_fds],
        start_new_session=True,
    )
