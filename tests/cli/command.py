"""The `landform` command as users run it: a process, its output, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import landform

SOURCES = Path(landform.__file__).parents[1]
READY = re.compile(r"^Landform is ready at (\S+) ", re.MULTILINE)
PASSWORD = re.compile(r"one-time password (\S+)")
_START_S = 150.0  # PostgreSQL's first start is slow on a busy machine
_END_S = 60.0


def environment(**more: str) -> dict[str, str]:
    """Our environment, free of settings of Landform and of terraform, and `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANDFORM_", "TF_"))
    }
    ours = {"PYTHONPATH": str(SOURCES), "COLUMNS": "200", "LANDFORM_API_REQUESTS_PER_SECOND": "0"}
    return {**kept, **ours, **more}


def landform_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "landform", *map(str, arguments)]


def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        landform_command(*arguments),
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_S,
        check=False,
    )


class Running:
    """A process that was started, with its output in files."""

    def __init__(self, argv: list[str], output: Path, env: Mapping[str, str], cwd: Path) -> None:
        self._out, self._err = output / "stdout", output / "stderr"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._err.read_text(errors="replace")

    def wait_for(self, pattern: re.Pattern[str], *, within_s: float = _START_S) -> str:
        """Return the first group of `pattern` as soon as the output has it."""

        def found() -> bool:
            ended = self.process.poll() is not None
            return bool(pattern.search(self.everything())) or ended

        eventually(found, within_s=within_s, say=self.everything)
        match = pattern.search(self.everything())
        assert match, self.everything()
        return match[1]

    def press_ctrl_c(self) -> int:
        """Interrupt what a terminal would: the whole process group. Return the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(_END_S)

    def kill(self) -> None:
        """Kill -9 the process alone."""
        self.process.kill()
        self.process.wait()

    def everything(self) -> str:
        return f"{self.stdout}\n{self.stderr}"


@contextmanager
def started(argv: list[str], output: Path, cwd: Path = SOURCES, /, **env: str) -> Iterator[Running]:
    """Start a process, and end it afterwards if it has not."""
    output.mkdir(parents=True, exist_ok=True)
    running = Running(argv, output, environment(**env), cwd)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            try:
                running.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


def eventually(
    condition: Callable[[], bool], *, within_s: float, say: Callable[[], object] = str
) -> None:
    """Return as soon as `condition` holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, say()
        time.sleep(0.02)


def processes_of(home: Path) -> dict[int, str]:
    """Pid → command of every live process whose words, environment or directory name `home`."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            about = words + (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
        except OSError:  # it ended
            continue
        if state not in "ZX" and bytes(home) in about:
            found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def nothing_left(home: Path, *, within_s: float = _END_S) -> None:
    """Fail when a process of `home` does not end in time."""
    eventually(lambda: not processes_of(home), within_s=within_s, say=lambda: processes_of(home))


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_START_S,
        check=True,
    )
