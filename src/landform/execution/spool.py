"""States on this machine's disk, from terraform's hand until they are safe with the platform.

Layout, which outlives the worker: `spool/<phase>.<epoch>/` with

- `header.json`: the attempt, without its variables and its token;
- `state-<n>.tfstate`: the newest state that the platform has not taken; whole or not there;
- `sent-<n>.tfstate`: the newest that it has, kept until the attempt's end.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from landform.contract import PhaseJob

HEADER: Final = "header.json"
_WAITING: Final = "state-"
_SENT: Final = "sent-"
_SUFFIX: Final = ".tfstate"


class Spool:
    """The states of one attempt."""

    def __init__(self, parent: Path, job: PhaseJob) -> None:
        self.path = parent / f"{job.phase_id}.{job.epoch}"
        self._job = job
        self.number = 0
        """Of the newest state, from 1; 0 when there is none yet."""
        self.sent = 0
        """Of the newest state that the platform has."""

    def incoming(self) -> Path:
        """Return where to write a state that is still arriving."""
        if not self.path.is_dir():
            self.path.mkdir(parents=True, mode=0o700)
            header = self._job.model_copy(update={"variables": (), "token": ""}).model_dump_json()
            _write_durably(self.path / HEADER, header.encode())
            _sync_directory(self.path.parent)
        return self.path / "incoming"

    def accept(self, incoming: Path) -> None:
        """Make what was written there the newest state; when this returns, it is on the disk."""
        with incoming.open("rb") as file:
            os.fsync(file.fileno())
        older = self._file(_WAITING, self.number)
        self.number += 1
        incoming.rename(self._file(_WAITING, self.number))
        _sync_directory(self.path)
        older.unlink(missing_ok=True)

    def newest(self) -> Path | None:
        """Return the newest state's file, sent or not."""
        for prefix in (_WAITING, _SENT):
            if self.number and (path := self._file(prefix, self.number)).exists():
                return path
        return None

    def note_sent(self, number: int) -> None:
        """Note that the platform took state `number`."""
        self._file(_SENT, self.sent).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # a newer one has replaced it
            self._file(_WAITING, number).rename(self._file(_SENT, number))
        self.sent = number

    def remove(self) -> None:
        """Forget all of it: nothing here is needed any more."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def is_safe(self) -> bool:
        """Whether the platform has all there is."""
        return self.sent == self.number

    def _file(self, prefix: str, number: int) -> Path:
        return self.path / f"{prefix}{number:06}{_SUFFIX}"


def read_leftover(path: Path) -> tuple[PhaseJob, list[Path]]:
    """Return whose spool directory `path` is and the states that the platform has not taken.

    Raises:
        OSError, ValueError: it is not one, or was cut off before its header was whole.
    """
    job = PhaseJob.model_validate_json((path / HEADER).read_bytes())
    return job, sorted(path.glob(f"{_WAITING}*{_SUFFIX}"))


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
