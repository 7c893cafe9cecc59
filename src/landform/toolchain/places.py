"""Where binaries are on this machine: the cache, an operator's directory, PATH."""

import errno
import os
import platform as machine
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from landform.kit.errors import InvalidError, UnavailableError
from landform.toolchain.versions import Tool, Version, parse_version, parse_versions

_log = structlog.get_logger(__name__)
_BUSY_ATTEMPTS: Final = 20
_PROBE_S: Final = 20.0  # terraform answers in 0.1 s; a cold disk or an emulator is slower
_FIRST_LINE: Final = re.compile(r"^(Terraform|OpenTofu) v(\S+)$", re.MULTILINE)
_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armv6l": "arm",
    "armv7l": "arm",
}


def platform() -> str:
    """Name this machine as the publishers do, such as `linux_amd64`."""
    system = sys.platform.rstrip("0123456789")  # freebsd14 is freebsd
    architecture = machine.machine().lower()
    return f"{system}_{_ARCHITECTURES.get(architecture, architecture)}"


def cached_path(cache_dir: Path, tool: Tool, version: Version) -> Path:
    """Say where the cache has that binary, or would have it."""
    return cache_dir / tool / str(version) / platform() / tool


def find_cached(cache_dir: Path, tool: Tool) -> dict[Version, Path]:
    """List what was installed for this platform."""
    return {
        version: path
        for version in parse_versions(entry.name for entry in _entries(cache_dir / tool))
        if is_runnable(path := cached_path(cache_dir, tool, version))
    }


def find_provided(operator_dir: Path, tool: Tool) -> dict[Version, Path]:
    """List an operator's binaries: `terraform/1.9.8/terraform` or `terraform_1.9.8`."""
    names = [entry.name for entry in _entries(operator_dir / tool)]
    prefix = f"{tool}_"
    names += [
        entry.name.removeprefix(prefix)
        for entry in _entries(operator_dir)
        if entry.name.startswith(prefix)
    ]
    found = {}
    for version in parse_versions(names):
        for path in _provided_paths(operator_dir, tool, version):
            if is_runnable(path):
                found[version] = path
                break
    return found


def _provided_paths(operator_dir: Path, tool: Tool, version: Version) -> tuple[Path, ...]:
    flat = operator_dir / f"{tool}_{version}"
    return operator_dir / tool / str(version) / tool, flat, flat / tool


def is_runnable(path: Path) -> bool:
    """Whether it is a file that this process may execute."""
    return path.is_file() and os.access(path, os.X_OK)


def _entries(directory: Path) -> Iterator[Path]:
    try:
        yield from directory.iterdir()
    except (FileNotFoundError, NotADirectoryError):
        return


def ask_version(tool: Tool, binary: Path) -> Version:
    """Run `binary version` and read which product and version it is.

    The text is read and not `-json`, which does not say whether a `terraform` is OpenTofu.

    Raises:
        UnavailableError: it does not run.
        InvalidError: it is another program.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),  # a shim finds its versions there
        "CHECKPOINT_DISABLE": "1",  # no call home
        "TF_CLI_CONFIG_FILE": os.devnull,
    }
    done = _run([str(binary), "version"], environment)
    said = done.stdout.decode(errors="replace")
    match = _FIRST_LINE.search(said)
    if match is None:
        error = done.stderr.decode(errors="replace").strip() or said.strip()
        raise UnavailableError(f"`{binary} version` ended with {done.returncode}: {error[:200]}")
    if match[1] != tool.product:
        raise InvalidError(f"{binary} is {match[1]} {match[2]}, not {tool.product}.")
    return parse_version(match[2])


def _run(argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    for attempt in range(_BUSY_ATTEMPTS):
        try:
            return subprocess.run(
                argv,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROBE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as failure:
            # A child that another thread forked while we wrote the binary holds it open for
            # writing until it execs, and the kernel refuses to run it so long.
            busy = isinstance(failure, OSError) and failure.errno == errno.ETXTBSY
            if not busy or attempt + 1 >= _BUSY_ATTEMPTS:
                raise UnavailableError(f"{argv[0]} does not run: {failure}") from failure
        time.sleep(0.1)
    raise AssertionError


@dataclass(frozen=True)
class Found:
    """A binary and what it said it is."""

    tool: Tool
    version: Version
    path: Path


class SearchPath:
    """The tools on PATH. Each binary is asked once, and again when it has changed."""

    def __init__(self) -> None:
        self._asked: dict[tuple[Path, int, int], Found | None] = {}

    def find(self, tool: Tool) -> Found | None:
        """Find the first on PATH; None, and a warning in the log, if it is of no use."""
        name = shutil.which(tool)
        if name is None:
            return None
        path = Path(name).absolute()
        try:
            status = path.stat()
        except OSError:  # removed in between
            return None
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._asked:
            self._asked[key] = self._ask(tool, path)
        return self._asked[key]

    @staticmethod
    def _ask(tool: Tool, path: Path) -> Found | None:
        try:
            return Found(tool, ask_version(tool, path), path)
        except (UnavailableError, InvalidError) as failure:
            _log.warning("a tool on PATH is not used", tool=str(tool), reason=str(failure))
            return None
