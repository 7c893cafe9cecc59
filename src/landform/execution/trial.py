"""A plan without an init, where init would find nothing to do.

Of a short plan's time, init is a third, and most often it only finds that there are no modules to
fetch and that every provider is at hand. What it would then write, the record of the back end, is
the same for every run of a version, so it is kept and put in place. Terraform itself checks that
nothing is missing, before it does anything else: if it complains, nobody hears of it, and init and
plan run as ever. Guessing wrong here costs time and nothing else.
"""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from landform.execution import messages, providers
from landform.execution.desk import CONFIGURATION_SUFFIXES, Desk
from landform.execution.made import read_made
from landform.execution.process import Sink

_RECORD: Final = ".terraform/terraform.tfstate"
_PACKAGES: Final = ".terraform/providers"
_MANIFEST: Final = ".terraform/modules/modules.json"
_RECORD_BYTES: Final = 64 << 10
_LOOKED_AT_BYTES: Final = 1 << 20
_HELD_LINES: Final = 1000
_QUICK_S: Final = 5.0  # a plan that fails as fast may as well be tried again
_PRELIMINARY: Final = frozenset({"version", "diagnostic"})
_OF_PROVIDERS: Final = re.compile(
    rb'\bprovider|\b(?:resource|data|ephemeral)\b["\s:{]+(?!terraform_)[A-Za-z0-9]'
)


async def plan_at_once(desk: Desk, argv: Sequence[str], *, out: Sink) -> int | None:
    """Plan without an init; None when that cannot be, and nothing was done or said.

    Raises:
        HaltedError: the phase is being stopped.
    """
    if not _prepare(desk):
        return None
    held = _Held()
    loop = asyncio.get_running_loop()
    began = loop.time()
    code = await desk.run(argv, out=held.before(out), err=held.before(desk.hear_text))
    is_quick = loop.time() - began < _QUICK_S
    if code == 0 or held.is_over or not (is_quick or held.asks_for_init):
        await held.pass_on()
        return code
    shutil.rmtree(desk.room.cwd / _PACKAGES, ignore_errors=True)
    (desk.room.cwd / _RECORD).unlink(missing_ok=True)
    return None


def keep_record(desk: Desk) -> None:
    """Keep what init wrote of our back end; call it before anything else has run."""
    written = read_made(desk.room.path, desk.room.cwd / _RECORD, limit_bytes=_RECORD_BYTES)
    record = _checked(written)
    path = _kept_at(desk)
    if record is not None and _checked(_read(path)) != record:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{desk.job.phase_id}")
        fresh.write_text(json.dumps(record))
        fresh.replace(path)


def _prepare(desk: Desk) -> bool:
    """Put in place what init would have, if nothing speaks against it."""
    record = _checked(_read(_kept_at(desk)))
    lock_file = desk.lock_file()
    if record is None or not _seems_complete(desk.room.cwd, is_locked=bool(lock_file)):
        return False
    if not providers.link(desk.room, lock_file):
        return False
    (desk.room.cwd / _RECORD).parent.mkdir(exist_ok=True)
    (desk.room.cwd / _RECORD).write_text(json.dumps(record))
    return True


def _seems_complete(cwd: Path, *, is_locked: bool) -> bool:
    has_modules = (cwd / _MANIFEST).is_file()  # the command line uploads those it has fetched
    for text in _configuration(cwd):
        if not has_modules and b"module" in text:
            return False
        if not is_locked and _OF_PROVIDERS.search(text):
            return False
    return True


def _configuration(cwd: Path) -> Iterator[bytes]:
    for path in cwd.iterdir():
        if path.name.endswith(CONFIGURATION_SUFFIXES):
            with suppress(OSError), path.open("rb") as file:
                yield file.read(_LOOKED_AT_BYTES)


def _kept_at(desk: Desk) -> Path:
    return desk.host.root / "backends" / f"{desk.job.tool}-{desk.job.version}.json"


def _read(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None


def _checked(written: bytes | None) -> dict[str, Any] | None:
    """Return the record if it is one of our back end, which is told everything by environment."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        record = json.loads(written or b"")
        backend = record["backend"]
        is_ours = backend["type"] == "http" and not any(backend["config"].values())
        if is_ours and isinstance(backend["hash"], int):
            return {
                "version": record["version"],
                "terraform_version": record["terraform_version"],
                "backend": {name: backend[name] for name in ("type", "config", "hash")},
            }
    return None


class _Held:
    """Keeps what is said back until the plan has begun, which it does once its checks are over."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Sink, list[bytes]]] = []
        self._passing = asyncio.Lock()
        self.is_over = False
        """Whether something was said that a plan says only after its checks."""

    @property
    def asks_for_init(self) -> bool:
        """Whether terraform says that an init would help."""
        return any(b" init" in line for _, lines in self._waiting for line in lines)

    def before(self, sink: Sink) -> Sink:
        """Return a sink that passes on to `sink`, once there is no way back."""

        async def take(lines: list[bytes]) -> None:
            self._waiting.append((sink, lines))
            held = sum(len(kept) for _, kept in self._waiting)
            if self.is_over or held > _HELD_LINES or not all(map(_is_preliminary, lines)):
                await self.pass_on()

        return take

    async def pass_on(self) -> None:
        """Say what was held back; from now on nothing is."""
        self.is_over = True
        async with self._passing:
            while self._waiting:
                sink, lines = self._waiting.pop(0)
                await sink(lines)


def _is_preliminary(line: bytes) -> bool:
    message = messages.parse(line)
    return message is None or message.get("type") in _PRELIMINARY
