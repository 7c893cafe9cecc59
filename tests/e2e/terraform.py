"""The terraform CLI as people run it: in a directory, at a terminal or from a script."""

import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 120.0  # much of the time, a machine does other things as well
_FURNITURE: Final = re.compile(r"[╷│╵\s]+")

# Makes the terminal on standard input the process's own, as a shell has done: only so does a
# Ctrl-C reach it. Then the process becomes the program.
_AT_TERMINAL: Final = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


@dataclass(frozen=True)
class Done:
    """How a command ended. At a terminal both outputs are one."""

    argv: Sequence[str]
    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All that it said, without frames around errors and without line breaks."""
        return unwrapped(self.stdout + "\n" + self.stderr)

    def __str__(self) -> str:
        return f"$ {shlex.join(self.argv)}\n{self.stdout}{self.stderr}\n-> {self.status}"


def unwrapped(text: str) -> str:
    return _FURNITURE.sub(" ", text).strip()


class Terminal:
    """A command at a terminal, under way."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self._argv = argv
        self._output = b""
        self._seen = 0
        self._master, slave = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _AT_TERMINAL, *argv],
            cwd=cwd,
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    @property
    def output(self) -> str:
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, pattern: str, *, within_s: float = _PATIENCE_S) -> re.Match[str]:
        """Return the first match in what was said since the last one that was waited for."""
        deadline = time.monotonic() + within_s
        while True:
            match = re.compile(pattern).search(self.output, self._seen)
            if match:
                self._seen = match.end()
                return match
            if not self._read(deadline):
                raise AssertionError(f"it never said {pattern!r}:\n{self.end()}")

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def press_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    def end(self, *, within_s: float = _PATIENCE_S) -> Done:
        """Read to the end of the output and return how it ended."""
        deadline = time.monotonic() + within_s
        while self._read(deadline):
            pass
        status = self.process.wait(max(1.0, deadline - time.monotonic()))
        return Done(self._argv, status, self.output, "")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _read(self, deadline: float) -> bool:
        """Read some; False at the end of the output."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more in time:\n{self.output}"
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that nobody has the terminal open any more
            return False
        self._output += data
        return bool(data)


@dataclass(frozen=True)
class Terraform:
    """One working directory."""

    directory: Path
    environment: Mapping[str, str]
    program: Sequence[str] = ("terraform",)

    def run(self, *arguments: str, answers: str = "", **env: str) -> Done:
        """Run a command to its end; `answers` is all of its standard input."""
        argv = [*self.program, *arguments]
        done = subprocess.run(
            argv,
            cwd=self.directory,
            env={**self.environment, **env},
            input=answers,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        return Done(argv, done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, answers: str = "", **env: str) -> Done:
        """Run a command that must succeed."""
        done = self.run(*arguments, answers=answers, **env)
        assert done.status == 0, done
        return done

    def fails(self, *arguments: str, answers: str = "", **env: str) -> Done:
        """Run a command that must not succeed."""
        done = self.run(*arguments, answers=answers, **env)
        assert done.status == 1, done
        return done

    @contextmanager
    def at_terminal(self, *arguments: str) -> Iterator[Terminal]:
        """Run a command at a terminal; it is over at the end of the context."""
        terminal = Terminal([*self.program, *arguments], self.directory, self.environment)
        try:
            yield terminal
        finally:
            terminal.close()

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text()


def environment_for(home: Path, **more: str) -> dict[str, str]:
    """All that a CLI sees of us: nothing of its own settings, and a home that is the test's."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm",
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_ARGS": "-no-color",
        **more,
    }
