"""A program of ours that loads while what it is to work with is still being made ready.

Most of a server's start is the loading of its modules, which needs nothing; its environment says
where the database is, which is known only once that runs.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

WAITS_VARIABLE: Final = "STARTED_EARLY"
SUPERVISOR_VARIABLE: Final = "SUPERVISOR_PID"


class Early:
    """A process that has been started and waits for its environment."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, is_heard: bool) -> None:
        """Start `argv`, which calls `wait_to_begin` once it has loaded.

        Args:
            env: its environment until it begins.
            is_heard: its output and errors come through a pipe; else it writes to ours.
        """
        self._process = subprocess.Popen(
            argv,
            env={**env, SUPERVISOR_VARIABLE: str(os.getpid()), WAITS_VARIABLE: "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if is_heard else None,
            stderr=subprocess.STDOUT if is_heard else None,
            start_new_session=True,
        )
        self._has_begun = False

    def begin(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Let it begin, with `environment` for its own; return the process, now the caller's."""
        self._has_begun = True
        if self._process.stdin is not None:
            # One that has died meanwhile is found by whoever watches the process.
            with suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(json.dumps(dict(environment)).encode())
        return self._process

    def cancel(self) -> None:
        """End it, unless it was let begin."""
        if not self._has_begun:
            self._process.kill()
            self._process.communicate()


@contextmanager
def started_early(
    argv: Sequence[str], env: Mapping[str, str], *, is_heard: bool
) -> Iterator[Early]:
    """Have a program load; one that was not let begin ends with the context."""
    early = Early(argv, env, is_heard=is_heard)
    try:
        yield early
    finally:
        early.cancel()


def wait_to_begin() -> None:
    """Wait for the environment, if this process was started early; nothing comes: end quietly."""
    if not os.environ.pop(WAITS_VARIABLE, ""):
        return
    told = sys.stdin.buffer.read()
    if not told:
        sys.exit(0)
    os.environ.clear()
    os.environ.update(json.loads(told))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
