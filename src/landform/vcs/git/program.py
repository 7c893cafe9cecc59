"""Git as a program: nothing of this machine's settings, nothing of the repository's, bounded.

A repository is a stranger's. No working tree is ever made of it, so hooks, filters and attributes
of its have nothing to act on; objects are read as they are.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from landform.kit.errors import TooLargeError
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)

_LOOK_EVERY_S: Final = 0.1
_LONGEST_WORDS: Final = 500  # characters of what git said
_KEPT_WORDS: Final = 64 * 1024  # bytes of it that are looked at
_CHUNK_BYTES: Final = 64 * 1024
_REDACTED: Final = "***"

_SETTINGS: Final[Mapping[str, str]] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "submodule.recurse": "false",
    "protocol.version": "2",
}
_KEPT: Final = ("PATH", "GIT_SSL_CAINFO", "GIT_EXEC_PATH", "LD_LIBRARY_PATH", "TMPDIR")

# What git says (in the C locale), by what that means.
_MEANINGS: Final = (
    (("Host key verification failed",), "host key"),
    (("Authentication failed", "could not read Username", "could not read Password"), "sign in"),
    (("Permission denied (", "invalid credentials"), "sign in"),
    (("returned error: 403",), "forbidden"),
    (
        (
            *("not found", "does not exist", "returned error: 404", "Repository not found"),
            "does not appear to be a git repository",
        ),
        "missing",
    ),
    (("File too large", "exceeds maximum allowed size"), "too large"),
)
_NO_REF: Final = re.compile(r"couldn't find remote ref (?:refs/(?:heads|tags)/)?(\S+)")


class GitFailedError(ProviderAwayError):
    """Git did not do what it was asked; the text is its own, without secrets."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a fetch, and what is made of it, may cost.

    Attributes:
        total_s: seconds for all of it.
        fetched_bytes: of one repository, packed, on disk.
        unpacked_bytes: all files of the configuration together.
        entries: how many files it may have.
        submodules: how many repositories, the first included, it is put together of.
        said_bytes: of what git says, such as the refs of a repository.
        large_files: how many files in Git LFS it may have, all submodules together.
        large_file_bytes: of one of them, which is held in memory for a moment.
    """

    total_s: float = 300.0
    fetched_bytes: int = 2 << 30
    unpacked_bytes: int = 2 << 30
    entries: int = 200_000
    submodules: int = 50
    said_bytes: int = 256 << 20
    large_files: int = 1000
    large_file_bytes: int = 128 << 20


@dataclass(frozen=True, kw_only=True)
class Access:
    """How one fetch reaches its repository; all of it goes by environment.

    Attributes:
        settings: git's settings by name.
        variables: further environment variables.
        protocols: the only ones git may use.
        secrets: what must not be repeated to anyone.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocols: Sequence[str] = ()
    secrets: Sequence[str] = field(default=(), repr=False)


LOCAL: Final = Access()


class Repository:
    """A bare repository in a directory of its own, made empty."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        self.directory = directory
        self._limits = limits

    async def create(self) -> None:
        """Make it."""
        self.directory.mkdir(parents=True, mode=0o700)
        await self.run("init", "--quiet", "--bare", "--template=", ".")

    async def run(
        self, *arguments: str, access: Access = LOCAL, may_fail: bool = False
    ) -> bytes | None:
        """Run git and return its standard output; None when it failed and may.

        Raises:
            SignInNeededError, NotAllowedError, NoSuchRepositoryError: the other side says so.
            ProviderRefusedError: it shows another host key than the one that is pinned.
            TooLargeError: more was fetched, or said, than `Limits` have.
            GitFailedError: it failed otherwise.
        """
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=self.directory,
            env=environment(self.directory, access),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        watch = asyncio.create_task(self._watch(process))
        try:
            output, words = await asyncio.gather(
                self._output(process), _tail(process.stderr or asyncio.StreamReader())
            )
            await process.wait()
        finally:
            watch.cancel()
            if process.returncode is None:
                _kill(process)
                await process.wait()
        if await self._is_too_large():
            limit = self._limits.fetched_bytes
            raise TooLargeError(f"The repository is larger than {limit} bytes as fetched.")
        if output is None:
            limit = self._limits.said_bytes
            raise TooLargeError(f"The repository says more than {limit} bytes of itself.")
        if process.returncode != 0:
            if may_fail:
                return None
            raise _failure(words.decode(errors="replace"), access)
        return output

    async def text(self, *arguments: str) -> str:
        """Run git on what is here; return what it says, stripped."""
        return (await self.run(*arguments) or b"").decode(errors="replace").strip()

    async def _output(self, process: asyncio.subprocess.Process) -> bytes | None:
        """Read what it says; None, and the process killed, when that is too much."""
        output = bytearray()
        reader = process.stdout or asyncio.StreamReader()
        while part := await reader.read(_CHUNK_BYTES):
            output += part
            if len(output) > self._limits.said_bytes:
                _kill(process)
                return None
        return bytes(output)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kill the process when too much has come."""
        while process.returncode is None:
            await asyncio.sleep(_LOOK_EVERY_S)
            if await self._is_too_large():
                _kill(process)

    async def _is_too_large(self) -> bool:
        return await asyncio.to_thread(_size, self.directory) > self._limits.fetched_bytes


def environment(home: Path, access: Access) -> dict[str, str]:
    """Return the whole environment of a git process."""
    settings = {**_SETTINGS, **access.settings}
    named = {name: os.environ[name] for name in _KEPT if name in os.environ}
    listed = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        listed |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        **named,
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": ":".join(access.protocols) or "none",
        **listed,
        **access.variables,
    }


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill git and the helpers it started; they are a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _tail(reader: asyncio.StreamReader) -> bytes:
    words = b""
    while part := await reader.read(_CHUNK_BYTES):
        words = (words + part)[-_KEPT_WORDS:]
    return words


def _size(directory: Path) -> int:
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).lstat().st_size
    return total


def _failure(words: str, access: Access) -> Exception:
    said = " ".join(words.split())
    for secret in access.secrets:
        said = said.replace(secret, _REDACTED)
    said = said[-_LONGEST_WORDS:] or "it said nothing"
    meaning = next(
        (meaning for parts, meaning in _MEANINGS if any(part in words for part in parts)), ""
    )
    if meaning == "host key":
        return ProviderRefusedError(
            "The server shows another SSH host key than this connection pins. If its key was"
            " changed on purpose, ask for its host keys again and compare them.",
            code="host-key",
        )
    if meaning == "sign in":
        return SignInNeededError(f"Git could not sign in to the repository: {said}")
    if meaning == "forbidden":
        return NotAllowedError(f"The connection may not read the repository: {said}")
    if meaning == "missing":
        return NoSuchRepositoryError(f"Git found no such repository: {said}")
    if meaning == "too large":
        return TooLargeError(f"The repository is too large: {said}")
    if (lacking := _NO_REF.search(said)) is not None:
        return GitFailedError(f"The repository has no branch or tag {lacking[1]}.")
    return GitFailedError(f"Git failed: {said}")
