"""What this machine offers to a phase, and the directories of one attempt."""

import hashlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from landform.contract import Phase, PhaseJob
from landform.execution.guardian import Guardian
from landform.execution.network import Networks
from landform.execution.sandbox import Mount, Sandbox
from landform.kit.archive import Bounds
from landform.kit.egress_allow import Allow
from landform.toolchain.versions import Tool

INHERITED: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    *("LANG", "LC_ALL", "TZ"),
)
"""All that a run gets to see of the worker's own environment."""

_SEEN_PROVIDERS: Final = Path("/opt/landform/providers")
_SEEN_MIRRORS: Final = Path("/opt/landform/mirrors")
_SEEN_TOOL: Final = Path("/opt/landform/bin")
_LONGEST_TMP: Final = 60
"""Bytes; a provider makes a socket below it, whose path may have 107 in all."""


def inherited_environment() -> dict[str, str]:
    """Return the part of this process's environment that its runs may see."""
    return {name: os.environ[name] for name in INHERITED if os.environ.get(name)}


@dataclass(frozen=True, slots=True)
class Clock:
    """How long is waited for what, in seconds.

    Attributes:
        fence: the part of a lease that may pass without a renewal before a plan is killed.
        unheard_s: without a renewal, before an apply is killed. Nobody else does an apply that was
            begun, and its workspace stays locked, so it may outlive its lease: to be cut off in
            the middle would be worse.
        log_s: the shortest time between two blocks of a log.
        snapshot_s: how long a state waits for a newer one before it is sent as a snapshot.
        created_s: the shortest time between two reports of what was made.
        watch_s: between two looks at memory and disk.
        farewell_s: how long results are offered to a platform that does not answer.
    """

    fence: float = 0.6
    unheard_s: float = 90.0
    log_s: float = 0.07
    snapshot_s: float = 0.5
    created_s: float = 1.0
    watch_s: float = 1.0
    farewell_s: float = 90.0

    def fence_s(self, job: PhaseJob) -> float:
        """Return how long the attempt may go on without a renewal."""
        fence_s = job.lease_s * self.fence
        return fence_s if job.phase is Phase.PLAN else max(fence_s, self.unheard_s)


@dataclass(frozen=True, slots=True)
class Host:
    """One worker's machine.

    Attributes:
        root: a directory of this worker's own, on a local disk: `phases/` (work, removed after
            each), `spool/` (state not yet safe elsewhere), `providers/`, `schemas/`.
        ensure_tool: returns the program of a tool at an exact version; raises NotFoundError or
            UnavailableError.
        mirrors: directories laid out as terraform's filesystem mirrors, asked before registries.
        visible: more of this machine that every run may read.
        memory_bytes: of all processes of a phase together; None for no limit.
        disk_bytes: of all files of a phase together.
        state_bytes: the largest state that is taken from terraform.
        networks: how each run gets a network of its own; None: it has the worker's.
        guardian: ends what runs when this process is killed; None where the sandbox does.
        platform_url: how runs reach the platform, without a trailing slash; empty: they do not.
        egress: what beside the public network the worker itself calls for a run.
    """

    root: Path
    ensure_tool: Callable[[Tool, str], Awaitable[Path]]
    sandbox: Sandbox
    networks: Networks | None = None
    inherited: Mapping[str, str] = field(default_factory=inherited_environment)
    mirrors: Sequence[Path] = ()
    visible: Sequence[Path] = ()
    memory_bytes: int | None = None
    disk_bytes: int = 20 << 30
    state_bytes: int = 512 << 20
    guardian: Guardian | None = None
    platform_url: str = ""
    egress: Allow = field(default_factory=Allow)
    archive: Bounds = field(default_factory=Bounds)
    clock: Clock = field(default_factory=Clock)

    @property
    def phases(self) -> Path:
        """Where the attempts under way have their directories."""
        return self.root / "phases"

    @property
    def spool(self) -> Path:
        """Where states wait that are not safe elsewhere."""
        return self.root / "spool"


@dataclass(frozen=True, slots=True)
class Room:
    """The directories of one attempt, as they are and as the child sees them."""

    path: Path
    seen: Path
    tool: Path
    seen_tool: Path
    providers: Path
    seen_providers: Path
    seen_mirrors: tuple[Path, ...]
    seen_tmp: Path
    mounts: tuple[Mount, ...]
    working_directory: str

    @property
    def configuration(self) -> Path:
        """The root of the unpacked configuration."""
        return self.path / "config"

    @property
    def cwd(self) -> Path:
        """Where the tool is started."""
        return self.configuration / self.working_directory

    @property
    def given(self) -> Path:
        """What we hand to the tool: variables and its own settings."""
        return self.path / "in"

    @property
    def plan_file(self) -> Path:
        """Where the plan is written, and applied from."""
        return self.path / "out" / "plan"

    @property
    def generated_file(self) -> Path:
        """Where configuration for imported objects is written."""
        return self.path / "out" / "generated.tf"

    def give(self, name: str, text: str) -> Path:
        """Write a file for the tool that only this user can read, and return it."""
        path = self.given / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def inside(self, path: Path) -> str:
        """Return how the child calls `path`, a path below the attempt's own."""
        return str(self.seen / path.relative_to(self.path))


def make_room(host: Host, job: PhaseJob, path: Path, tool: Path) -> Room:
    """Make the directories of an attempt below `path`, which is there and empty.

    Args:
        tool: the program; made visible to the child where it would not be.
    """
    for name in ("config", "home", "tmp", "shm", "in", "out"):
        (path / name).mkdir(mode=0o700)
    tool = tool.resolve()
    providers = _scoped(host.root / "providers", job)
    providers.mkdir(parents=True, exist_ok=True)
    confined = host.sandbox.confines
    seen = Path("/landform") if confined else path
    seen_tool = _SEEN_TOOL / tool.name if confined else tool
    seen_providers = _SEEN_PROVIDERS if confined else providers
    seen_mirrors = tuple(
        _SEEN_MIRRORS / str(number) if confined else mirror
        for number, mirror in enumerate(host.mirrors)
    )
    mounts = (
        # First, so that what is shown of our own /tmp lies over it.
        Mount(path / "tmp", Path("/tmp"), writable=True),  # noqa: S108 - the child's, not ours
        Mount(path / "shm", Path("/dev/shm"), writable=True),  # noqa: S108 - counted as disk
        *(Mount(shown, shown) for shown in (*host.visible, *_certificates(host))),
        *(Mount(mirror, at) for mirror, at in zip(host.mirrors, seen_mirrors, strict=True)),
        Mount(tool, seen_tool),
        Mount(providers, seen_providers),
        Mount(path, seen, writable=True),
    )
    return Room(
        path=path,
        seen=seen,
        tool=tool,
        seen_tool=seen_tool,
        providers=providers,
        seen_providers=seen_providers,
        seen_mirrors=seen_mirrors,
        seen_tmp=Path("/tmp") if confined else _short(host, path) / "tmp",  # noqa: S108 - the child's, not ours
        mounts=mounts,
        working_directory=job.working_directory,
    )


def _short(host: Host, path: Path) -> Path:
    """Return `path`, or a shorter way to it if sockets below it would have too long a path."""
    if len(os.fsencode(path / "tmp")) <= _LONGEST_TMP:
        return path
    name = hashlib.sha256(os.fsencode(host.phases)).hexdigest()[:12]
    # One for all attempts, so that none is left behind by those that are killed.
    link = Path(tempfile.gettempdir(), f"landform-{os.geteuid()}-{name}")
    with suppress(FileExistsError):
        link.symlink_to(host.phases)
    is_ours = link.lstat().st_uid == os.geteuid() and link.is_symlink()
    return link / path.name if is_ours and link.readlink() == host.phases else path


def _scoped(providers: Path, job: PhaseJob) -> Path:
    # Shared within an organization only: some providers come from private registries.
    scope = job.context.get("organization") or job.workspace_id
    return providers / "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):x}" for c in scope)


def _certificates(host: Host) -> list[Path]:
    names = ("SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
    paths = [Path(host.inherited[name]) for name in names if name in host.inherited]
    paths += [Path(part) for part in host.inherited.get("SSL_CERT_DIR", "").split(":") if part]
    return [path for path in dict.fromkeys(paths) if path.is_absolute() and path.exists()]
