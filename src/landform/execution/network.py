"""A network of a run's own: out to the world, but not to this machine nor a cloud's metadata.

A run's processes are in a network namespace of theirs, whose only way out is a program on this
side, slirp4netns (https://github.com/rootless-containers/slirp4netns): it makes their connections
for them, none of them to this machine's loopback address. Routes that the run has no power to
change forbid the rest, so what is closed to a run stays open to the worker. IPv4 only. On the
run's own loopback address listen the state of its workspace, and what of this machine's it needs.
"""

import asyncio
import ipaddress
import json
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from landform.execution.sandbox import Mount, Sandbox, works
from landform.execution.together import together
from landform.kit.errors import InvalidError, LandformError, UnavailableError

METADATA: Final = (
    "169.254.0.0/16",  # AWS, Azure, Google and most others; credentials of ECS and of EKS' pods
    "168.63.129.16/32",  # Azure's wire server
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle
)
"""Where clouds tell a machine its credentials: closed to a run that has a network of its own."""

_NETWORK: Final = "203.0.113.0/24"
"""The run's side: kept for documentation (RFC 5737), so nobody's that a run wants to reach."""
_NAME_SERVER: Final = "203.0.113.3"
_NEEDED: Final = ("slirp4netns", "ip", "unshare", "nsenter")
_KEEPER: Final = Path(__file__).with_name("network_keeper.py")
_READY_S: Final = 10.0
_RELAYED: Final = 1 << 16
_SLIRP: Final = ("--configure", "--mtu=65520", "--disable-host-loopback", "--enable-seccomp")


class NetworkMode(StrEnum):
    """Which network an operator gives to runs."""

    SHARED = "shared"  # the worker's
    OWN = "own"  # each its own, or nothing runs


@dataclass(frozen=True, slots=True)
class Door:
    """An address of this machine's loopback that a run reaches at the same address of its own."""

    host: str
    port: int

    @property
    def addresses(self) -> tuple[str, ...]:
        """What is listened on."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)


def doors_in(urls: Iterable[str]) -> list[Door]:
    """Return those of `urls` that are on this machine's loopback address."""
    found = []
    for url in urls:
        parts = urlsplit(url)
        host = parts.hostname or ""
        with suppress(ValueError):
            if host == "localhost" or ipaddress.ip_address(host).is_loopback:
                found.append(Door(host, parts.port or (443 if parts.scheme == "https" else 80)))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Networks:
    """How networks of runs are made on this machine.

    Attributes:
        closed: what runs cannot reach.
        doors: what of this machine's loopback they can.
        in_user_namespace: the networks are in user namespaces: this user may not make others.
        options: of slirp4netns.
    """

    closed: tuple[str, ...] = METADATA
    doors: tuple[Door, ...] = ()
    in_user_namespace: bool = False
    options: tuple[str, ...] = _SLIRP

    async def open(self) -> "Network":
        """Make a network for one run; close it after the last process in it has ended.

        Raises:
            UnavailableError: it could not be made.
        """
        opening = asyncio.ensure_future(asyncio.to_thread(_open, self))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A thread cannot be stopped: what it makes yet must not stay.
            opening.add_done_callback(_discard)
            raise


@dataclass(slots=True)
class Network:
    """The network of one run.

    Attributes:
        state: a socket that listens on the run's loopback address and on no other's.
    """

    networks: Networks
    keeper: "_Helper"
    slirp: "_Helper"
    link: socket.socket
    leash: int
    state: socket.socket
    doors: list[tuple[Door, socket.socket]]
    relays: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        """Let the run reach what it may of this machine."""
        for door, listener in self.doors:
            relay = _Relay(door)
            self.relays.append(await asyncio.start_server(relay.serve, sock=listener))

    def confine(self, sandbox: Sandbox) -> Sandbox:
        """Return `sandbox` with this network."""
        words = ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net"]
        inside = sandbox.bubblewrap
        if self.networks.in_user_namespace:
            # There this user is root; in the sandbox it is itself again.
            words += [f"--user=/proc/{self.keeper.pid}/ns/user", "--preserve-credentials"]
            who = ("--uid", str(os.geteuid()), "--gid", str(os.getegid()))
            user = () if "--unshare-user" in inside else ("--unshare-user",)
            inside = (*inside, *user, *who)
        return replace(sandbox, bubblewrap=(*words, "--", *inside))

    def names(self, directory: Path) -> Mount:
        """Return how the run finds names: by asking this machine; `directory` is for the file."""
        path = directory / "resolv.conf"
        path.write_text(_resolver(Path("/etc/resolv.conf")))
        return Mount(path, Path("/etc/resolv.conf"))

    async def close(self) -> None:
        """Take it away; whoever is still in it reaches nothing."""
        for relay in self.relays:
            relay.close()
        await asyncio.to_thread(self.end)

    def end(self) -> None:
        """Do what `close` does, and wait."""
        self.state.close()
        for _, listener in self.doors:
            listener.close()
        os.close(self.leash)
        self.link.close()
        for helper in (self.slirp, self.keeper):
            helper.end()


def _discard(opening: "asyncio.Future[Network]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.get_loop().run_in_executor(None, opening.result().end)


async def detect_networks(
    mode: NetworkMode, sandbox: Sandbox, *, closed: str = "", doors: Sequence[Door] = ()
) -> Networks | None:
    """Find out once, at a worker's start, how runs get networks here; None: they share ours.

    Args:
        closed: networks that runs cannot reach beside `METADATA`, between commas.

    Raises:
        InvalidError: `closed` is no list of IPv4 networks.
        UnavailableError: `mode` is OWN and that does not work here.
    """
    more = _parse(closed)
    if mode is NetworkMode.SHARED:
        if more:
            raise InvalidError(
                "LANDFORM_SANDBOX_NETWORK_CLOSED holds only where each run has a network of its"
                " own: set LANDFORM_SANDBOX_NETWORK=own, or remove it."
            )
        return None
    reason = "runs have no sandbox"
    if sandbox.confines:
        missing = [name for name in _NEEDED if not shutil.which(name, path=_search_path())]
        reason = f"there is no program {', '.join(missing)}"
        if not missing:
            for candidate in _candidates(Networks((*METADATA, *more), tuple(doors))):
                reason = await _try(candidate, sandbox)
                if not reason:
                    return candidate
    raise UnavailableError(
        f"Runs are to have networks of their own, which does not work here: {reason}. Install"
        " bubblewrap, slirp4netns and iproute2, and allow user namespaces and /dev/net/tun; or let"
        " LANDFORM_SANDBOX_NETWORK be 'shared'."
    )


def _parse(closed: str) -> tuple[str, ...]:
    try:
        return tuple(
            str(ipaddress.IPv4Network(word.strip())) for word in closed.split(",") if word.strip()
        )
    except ValueError as error:
        raise InvalidError(
            f"LANDFORM_SANDBOX_NETWORK_CLOSED: {error}. Give IPv4 networks between commas, as"
            " 10.0.0.0/8,192.168.1.5/32."
        ) from error


def _candidates(plain: Networks) -> list[Networks]:
    kinds = [False, True] if os.geteuid() == 0 else [True]
    return [
        replace(plain, in_user_namespace=is_user, options=(*_SLIRP, *more))
        for is_user in kinds
        for more in (("--enable-sandbox",), ())
    ]


async def _try(networks: Networks, sandbox: Sandbox) -> str:
    """Make a network and start something in it; return what went wrong, empty if nothing."""
    try:
        network = await networks.open()
    except LandformError as error:
        return str(error)
    try:
        return await works(network.confine(sandbox))
    finally:
        await network.close()


def _open(networks: Networks) -> Network:
    doors = [(door, address) for door in networks.doors for address in door.addresses]
    # The state's comes last: a free port is none of the others.
    addresses = [*((address, door.port) for door, address in doors), ("127.0.0.1", 0)]
    keeper, link, sockets = _keep(networks, addresses)
    try:
        slirp, leash = _connect(networks, keeper.pid)
    except BaseException:
        for each in (link, *sockets):
            each.close()
        keeper.end()
        raise
    *listeners, state = sockets
    opened = [(door, each) for (door, _), each in zip(doors, listeners, strict=True)]
    return Network(networks, keeper, slirp, link, leash, state, opened)


def _keep(
    networks: Networks, addresses: Sequence[tuple[str, int]]
) -> tuple["_Helper", socket.socket, list[socket.socket]]:
    """Start a keeper; return it, what it lives by, and what listens on `addresses` in there."""
    order = json.dumps({"closed": networks.closed, "doors": addresses})
    user = ["--user", "--map-root-user"] if networks.in_user_namespace else []
    python = (sys.executable, "-I", "-S", str(_KEEPER))
    ours, theirs = socket.socketpair()
    ours.settimeout(_READY_S)
    with theirs:
        descriptor = theirs.fileno()
        keeper = _Helper(
            ["unshare", *user, "--net", "--", *python, str(descriptor), order], descriptor
        )
    try:
        _, descriptors, _, _ = socket.recv_fds(ours, 16, len(addresses))
    except OSError:
        descriptors = []
    if len(descriptors) == len(addresses):
        return keeper, ours, [socket.socket(fileno=each) for each in descriptors]
    ours.close()
    raise _refused(keeper)


def _connect(networks: Networks, pid: int) -> tuple["_Helper", int]:
    """Start what carries the connections; it ends when the descriptor that is returned closes."""
    ready, says_ready = os.pipe()
    ends, leash = os.pipe()
    user = [f"--userns-path=/proc/{pid}/ns/user"] if networks.in_user_namespace else []
    slirp = _Helper(
        [
            *("slirp4netns", *networks.options, f"--cidr={_NETWORK}", *user),
            *(f"--ready-fd={says_ready}", f"--exit-fd={ends}", str(pid), "tap0"),
        ],
        says_ready,
        ends,
    )
    os.close(says_ready)
    os.close(ends)
    with os.fdopen(ready, "rb") as answer:
        waited, _, _ = select.select([answer], [], [], _READY_S)
        if waited and answer.read(1):
            return slirp, leash
    os.close(leash)
    raise _refused(slirp)


def _refused(helper: "_Helper") -> UnavailableError:
    return UnavailableError(f"A network for the run could not be made: {helper.said()}.")


class _Helper:
    """A program that a network needs for as long as it is there."""

    def __init__(self, argv: list[str], *descriptors: int) -> None:
        self._errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        self._name = argv[0]
        self._popen = subprocess.Popen(
            argv,
            pass_fds=descriptors,
            env={"PATH": _search_path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def said(self) -> str:
        """End it; return what it had to say."""
        self._wait(patience_s=1.0)
        said = os.pread(self._errors, 2000, 0).decode(errors="replace").strip().rstrip(".")
        os.close(self._errors)
        return said or f"{self._name} ended with {self._popen.returncode}"

    def end(self) -> None:
        """Wait for its end, and make it end if that takes too long."""
        self._wait(patience_s=_READY_S)
        os.close(self._errors)

    def _wait(self, *, patience_s: float) -> None:
        try:
            self._popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def _resolver(ours: Path) -> str:
    """Return this machine's settings for names, with the run's own server of names."""
    lines = ours.read_text(errors="replace").splitlines() if ours.exists() else []
    kept = [line for line in lines if line.startswith(("search", "domain", "options"))]
    return "\n".join([f"nameserver {_NAME_SERVER}", *kept, ""])


def _search_path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class _Relay:
    """Carries connections to a door of this machine's."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError):
            answers, there = await asyncio.open_connection(self._door.host, self._door.port)
            with closing(there):
                await together(_carry(reader, there), _carry(answers, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_RELAYED):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
