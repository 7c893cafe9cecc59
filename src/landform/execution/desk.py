"""What a plan and an apply have in common: one attempt with its room, its log and its tool."""

import asyncio
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, TypeVar
from urllib.parse import urlsplit

from landform.contract import Artefact, ControlPlane, Phase, PhaseJob
from landform.execution import providers
from landform.execution.credentials import Purse
from landform.execution.findings import Findings
from landform.execution.halt import Halt
from landform.execution.host import Host, Room
from landform.execution.log import Heard, PhaseLog
from landform.execution.made import read_made
from landform.execution.patience import insist
from landform.execution.process import Child, Command, Sink, start, stream
from landform.kit.archive import unpack
from landform.kit.errors import InvalidError
from landform.toolchain import cli_config
from landform.toolchain.versions import Tool

T = TypeVar("T")

LOCK_FILE: Final = ".terraform.lock.hcl"

_OVERRIDE: Final = "zz_landform_override.tf"
_OVERRIDING: Final = re.compile(r"(?:(?P<stem>.*)_)?override\.(?:tf|tofu)(?:\.json)?", re.DOTALL)
_BACKEND: Final = 'terraform {\n  backend "http" {}\n}\n'
# State that a directory was applied with before: init would ask whether to take it over.
_LEFTOVERS: Final = ("errored.tfstate", "terraform.tfstate", "terraform.tfstate.d")
CONFIGURATION_SUFFIXES: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")
_JSON_INIT: Final = {Tool.TERRAFORM: (1, 9), Tool.TOFU: (1, 7)}


@dataclass(slots=True)
class Desk:
    """One attempt under way.

    Attributes:
        env: the child's whole environment.
        alone: no provider is known to run beside the tool.
        listener: listens on the loopback address of the run's own network, if it has one.
    """

    job: PhaseJob
    plane: ControlPlane
    host: Host
    halt: Halt
    log: PhaseLog
    room: Room
    purse: Purse
    findings: Findings = field(default_factory=Findings)
    env: dict[str, str] = field(default_factory=dict)
    alone: bool = False
    listener: socket.socket | None = None

    @property
    def version(self) -> tuple[int, int]:
        """The first two parts of the tool's version."""
        match = re.match(r"(\d+)\.(\d+)", self.job.version)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what the platform answers, asking again for a while if it does not."""
        return await insist(call, patience_s=self.host.clock.farewell_s)

    async def fetch(self, artefact: Artefact) -> bytes | None:
        """Read an input."""
        return await self.ask(lambda: self.plane.fetch(self.job, artefact))

    async def put(self, artefact: Artefact, data: bytes) -> None:
        """Keep an output."""
        await self.ask(lambda: self.plane.put(self.job, artefact, data))

    async def run(self, argv: Sequence[str], *, out: Sink, err: Sink | None = None) -> int:
        """Run the tool with `argv`; its output goes to `out`, its errors to `err` or the log.

        Raises:
            HaltedError: the phase is being stopped.
        """
        self.halt.check()
        if any("\0" in word for word in argv):
            raise InvalidError("An option of the run holds a NUL. Remove it.")
        child = self._start(self._command(argv))
        with self.halt.over(child):
            return await stream(child, out=out, err=err or self.hear_text)

    async def show(self, argv: Sequence[str]) -> bytes | None:
        """Run the tool and return its whole output, or None when it fails."""
        self.halt.check()
        # Without a name, the child cannot put a link in its place.
        with tempfile.TemporaryFile(dir=self.host.phases) as file:
            child = self._start(self._command(argv, out=file))
            with self.halt.over(child):
                code = await stream(child, out=self.hear_text, err=self.hear_text)
            file.seek(0)
            return await asyncio.to_thread(file.read) if code == 0 else None

    def _start(self, command: Command) -> Child:
        return start(self.host.sandbox, self.room, command, guardian=self.host.guardian)

    def _command(self, argv: Sequence[str], out: BinaryIO | None = None) -> Command:
        env = self.env
        if self.alone or argv[0] == "init":
            # Saves a fifth of the time (measured) for some memory. Not with providers, which
            # inherit it: theirs can be large.
            env = {"GOGC": "400", **env}
        return Command([str(self.room.seen_tool), *argv], self.room.cwd, env, out=out)

    async def hear(self, lines: list[bytes]) -> None:
        """Take lines of `-json` output that end up in both logs."""
        self._note(await self.log.messages(lines, planning=False))

    async def hear_plan(self, lines: list[bytes]) -> None:
        """Take lines of `plan -json`, whose changes are shown to people at the end."""
        self._note(await self.log.messages(lines, planning=True))

    def _note(self, heard: Heard) -> None:
        self.findings.note(heard.messages)
        self.findings.note_text(heard.text)

    async def hear_text(self, lines: list[bytes]) -> None:
        """Take lines that are no messages."""
        self.findings.note_text(await self.log.plain(lines))

    async def say(self, error: str) -> None:
        """Write an error of ours into both logs; the tool says its own."""
        await self.log.plain([b"", f"Error: {error}".encode(errors="replace")])

    async def unpack(self, archive: bytes | None) -> None:
        """Lay out the configuration and put our settings beside it.

        Raises:
            InvalidError: it cannot be unpacked, or has no such working directory, or nothing in it.
        """
        if archive is None:
            raise InvalidError("The run has no configuration. Upload one and start a new run.")
        _check_relative(self.job.working_directory)
        await asyncio.to_thread(unpack, archive, self.room.configuration, bounds=self.host.archive)
        root = self.room.configuration.resolve()
        cwd = self.room.cwd.resolve()
        if not cwd.is_dir() or (cwd != root and root not in cwd.parents):
            raise InvalidError(
                f"The configuration has no directory {self.job.working_directory!r}. Change the"
                " workspace's working directory, or upload a configuration that has it."
            )
        may_be_empty = self.job.phase is Phase.APPLY or self.job.options.is_destroy
        if not may_be_empty and not any(
            p.name.endswith(CONFIGURATION_SUFFIXES) for p in cwd.iterdir()
        ):
            raise InvalidError(
                "No configuration files: terraform would plan to destroy all there is. Upload"
                " some, or set the workspace's working directory to where they are."
            )
        # From here on no link is followed any more, so the way there must have none.
        self.room = replace(self.room, working_directory=str(cwd.relative_to(root)))
        _clean(cwd)
        (cwd / _override_name(cwd)).write_text(_BACKEND)

    def write_settings(self, lock_file: bytes | None) -> None:
        """Tell the tool where its providers come from, given what is locked, and who it is."""
        text = providers.cli_config(self.room, self.host.mirrors, lock_file)
        if self.host.platform_url and self.job.token:
            url = self.host.platform_url
            text += cli_config.blocks(urlsplit(url).netloc, url, self.job.token)
        self.room.give("cli.tfrc", text)

    def lock_file(self) -> bytes | None:
        """Return the configuration's lock file as it is now."""
        return read_made(self.room.path, self.room.cwd / LOCK_FILE)

    async def init(self) -> int:
        """Fetch modules and providers; return the exit code."""
        words = ["init", "-input=false", "-no-color"]
        if self.version >= _JSON_INIT[self.job.tool]:
            words.append("-json")
        return await self.run(words, out=self.hear)


def _check_relative(directory: str) -> None:
    path = PurePosixPath(directory)
    if path.is_absolute() or ".." in path.parts or "\0" in directory:
        raise InvalidError(
            f"The working directory {directory!r} leaves the configuration. Use a path relative to"
            " the configuration's root."
        )


def _clean(cwd: Path) -> None:
    """Remove what a configuration may bring but a run must make: caches, records, old leftovers.

    Modules stay: the CLI uploads those it has fetched.
    """
    data = cwd / ".terraform"
    if data.is_symlink() or data.is_file():
        data.unlink()
    elif data.is_dir():
        for entry in data.iterdir():
            if entry.is_symlink() or entry.is_file():
                entry.unlink()
            elif entry.name != "modules":
                shutil.rmtree(entry)
    old = (*(cwd / name for name in _LEFTOVERS), *cwd.glob(f"{Path(_OVERRIDE).stem}.*"))
    for path in old:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _override_name(cwd: Path) -> str:
    """Return a name after that of every override file there: the last one that is read wins."""
    matches = [match for path in cwd.iterdir() if (match := _OVERRIDING.fullmatch(path.name))]
    last = max(matches, key=lambda match: os.fsencode(match.string), default=None)
    if last is None or os.fsencode(last.string) < os.fsencode(_OVERRIDE):
        return _OVERRIDE
    return f"{last['stem'] or ''}{_OVERRIDE}"
