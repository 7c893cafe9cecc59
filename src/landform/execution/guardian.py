"""What ends a worker's runs when the worker is gone, however it went, where no sandbox does.

The kernel ends a run's tool with its worker, but nothing ends what the tool had started: providers,
and whatever a provisioner runs. A guardian is a process of the worker's, in a session of its own,
that holds the read end of a pipe. When the other end closes, it kills every process that carries
the worker's mark in its environment, is in the session of a tool that ran, or descends from such a
one. What gave up all three has escaped: only a sandbox holds that.

One for all of a worker's runs: a run costs it two short writes.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from landform.execution import processes

MARK: Final = "LANDFORM_PROCESS"
"""Name of the variable by which a child's descendants are found where no sandbox holds them."""

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NEEDED: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
_ROUNDS: Final = 50  # what is forking while we kill is found in the next
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Guardian:
    """The worker's end.

    Attributes:
        mark: what the mark of each of the worker's processes begins with.
    """

    mark: str
    pipe: int = field(repr=False)

    def watch(self, session: int) -> None:
        """Have the processes of `session` ended with this one."""
        self._say(f"+{session}\n")

    def release(self, session: int) -> None:
        """Forget `session`, of which nothing runs any more."""
        self._say(f"-{session}\n")

    def _say(self, line: str) -> None:
        try:
            os.write(self.pipe, line.encode())  # whole: it is shorter than PIPE_BUF
        except BrokenPipeError:
            return  # it was killed; what ends with the worker is then the kernel's affair


@contextmanager
def guarding() -> Iterator[Guardian]:
    """Keep a guardian for as long as the context, or this process, lasts."""
    mark = f"{secrets.token_hex(8)}."
    process = subprocess.Popen(
        # -P: what lies in the directory we are in is none of ours.
        [sys.executable, "-P", "-m", "landform.execution.guardian", mark],
        env={name: os.environ[name] for name in _NEEDED if name in os.environ},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdin is None:
        raise RuntimeError("A pipe was asked for.")
    try:
        yield Guardian(mark, process.stdin.fileno())
    finally:
        process.stdin.close()
        process.wait()


def main(mark: str) -> None:
    """Wait until the worker is gone, then end what it left."""
    for signum in _IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        session = int(line[1:])
        (sessions.add if line[0] == "+" else sessions.discard)(session)
    whole = f"{MARK}={mark}".encode()
    for _ in range(_ROUNDS):
        left = processes.tree(processes.marked(whole) | processes.in_sessions(sessions))
        if not left:
            return
        processes.kill(left)
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
