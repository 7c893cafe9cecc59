"""What a run can see and reach of this machine: bubblewrap, or the little that is there without.

Inside, a run has its own processes, its own /tmp and home, a system that it can only read, and
nothing else of the machine's files. It shares the network, unless `network.py` gives it one of its
own. This keeps runs from each other and
from the server's files; it is no wall against a fault of the kernel.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from landform.kit.errors import UnavailableError

log = structlog.get_logger()

_PROBE_S: Final = 20.0
_ISOLATION: Final = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
    *("--hostname", "landform", "--proc", "/proc", "--dev", "/dev"),
)
_CLOSED: Final = ("--remount-ro", "/", "--remount-ro", "/dev")
"""These are in memory, and what is written there would count as no process's."""

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_SETTINGS: Final = (
    *("resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("passwd", "group", "localtime", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"),
    *("ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "pki/tls", "pki/ca-trust"),
    *("ca-certificates", "ca-certificates.conf", "gitconfig"),
)


class SandboxMode(StrEnum):
    """How much of a sandbox an operator asks for."""

    AUTO = "auto"  # the best there is
    REQUIRE = "require"  # bubblewrap or nothing runs
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of this machine, as a run sees it."""

    source: Path
    target: Path
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How processes of runs are started here.

    Attributes:
        bubblewrap: the words that start it, or empty.
        setpriv: the words that tie a child's life to ours where there is no bubblewrap, or empty.
        reason: why there is no bubblewrap; empty when there is.
    """

    bubblewrap: tuple[str, ...] = ()
    setpriv: tuple[str, ...] = ()
    reason: str = ""

    @property
    def name(self) -> str:
        """What keeps a run apart: `bubblewrap` or `none`."""
        return "bubblewrap" if self.confines else "none"

    @property
    def confines(self) -> bool:
        """Whether a run is kept from the rest of the machine."""
        return bool(self.bubblewrap)

    def wrap(
        self, argv: Sequence[str], *, cwd: str, mounts: Sequence[Mount], status_fd: int
    ) -> list[str]:
        """Return the words that run `argv` in here.

        Args:
            cwd: as the child sees it.
            status_fd: an open descriptor to which bubblewrap writes who the child is.
        """
        if not self.confines:
            return [*self.setpriv, *argv]
        words = [
            *self.bubblewrap,
            *_ISOLATION,
            *_kernel(),
            *_system(),
            "--json-status-fd",
            str(status_fd),
        ]
        for mount in mounts:
            words += ["--bind" if mount.writable else "--ro-bind"]
            words += [str(mount.source), str(mount.target)]
        return [*words, *_CLOSED, "--chdir", cwd, "--", *argv]


async def detect(mode: SandboxMode, *, program: str = "bwrap") -> Sandbox:
    """Find out once, at a worker's start, what works here; says so loudly when it is little.

    Raises:
        UnavailableError: `mode` is REQUIRE and bubblewrap does not work here.
    """
    reason = "it was switched off"
    if mode is not SandboxMode.OFF:
        bubblewrap, reason = await _probe(program)
        if bubblewrap:
            return Sandbox(bubblewrap=bubblewrap)
    if mode is SandboxMode.REQUIRE:
        raise UnavailableError(
            f"Runs need bubblewrap, which does not work here: {reason}. Install it and allow"
            " user namespaces, or let the sandbox be 'auto' or 'off'."
        )
    log.warning(
        "Runs are NOT kept from each other nor from this machine's files: no bubblewrap",
        reason=reason,
    )
    setpriv = shutil.which("setpriv")
    return Sandbox(setpriv=(setpriv, "--pdeathsig", "KILL", "--") if setpriv else (), reason=reason)


async def _probe(program: str) -> tuple[tuple[str, ...], str]:
    found = shutil.which(program)
    if found is None:
        return (), f"there is no program {program!r}"
    reason = ""
    for words in ((found,), (found, "--unshare-user")):
        reason = await works(Sandbox(bubblewrap=words))
        if not reason:
            return words, ""
    return (), reason


async def works(sandbox: Sandbox) -> str:
    """Start something small as runs are started; return what went wrong, empty if nothing."""
    true = shutil.which("true") or "/bin/true"
    with tempfile.TemporaryDirectory(prefix="landform-probe-") as directory:
        mounts = [Mount(Path(directory), Path("/landform"), writable=True)]
        argv = sandbox.wrap([true], cwd="/landform", mounts=mounts, status_fd=1)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_PROBE_S):
                _, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"it did not end within {_PROBE_S:g} seconds"
    if process.returncode == 0:
        return ""
    return errors.decode(errors="replace").strip() or f"it ended with {process.returncode}"


def _kernel() -> list[str]:
    # Root needs no capability to write to what is root's in /proc, such as the kernel's
    # core_pattern, which names a program that it starts outside. Bubblewrap covers a few of these.
    if os.geteuid():
        return []
    words: list[str] = []
    for path in sorted(Path("/proc").iterdir()):
        if path.name.isdigit() or path.is_symlink():
            continue
        with suppress(OSError):  # it went away
            if path.is_dir() or path.stat().st_mode & 0o222:
                words += ["--ro-bind", str(path), str(path)]
    return words


def _system() -> list[str]:
    words: list[str] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in (Path("/etc", name) for name in _SETTINGS):
        if path.exists():
            words += ["--ro-bind", str(path.resolve()), str(path)]
    return words
