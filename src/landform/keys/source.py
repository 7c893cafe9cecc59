"""Where the encryption keys come from: a setting, a command (of a KMS, say) or a file."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from landform.kit.crypto import MissingKeyError, parse_keys, replace_key_file
from landform.settings import Settings

FILE_NAME: Final = "encryption.key"

_COMMAND_S: Final = 30.0
_OUTPUT_LIMIT: Final = 64 * 1024


@dataclass(frozen=True)
class KeySource:
    """One of the three.

    Attributes:
        text: the keys themselves, or None.
        command: words that print them, or None.
        path: a file that holds them.
        on_key: told of every key that is read, so that no log shows it.
    """

    path: Path
    text: SecretStr | None = None
    command: tuple[str, ...] | None = None
    on_key: Callable[[str], None] = field(default=lambda _: None, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether Landform itself can write keys there."""
        return self.text is None and self.command is None

    @property
    def name(self) -> str:
        """What people call it."""
        if self.text is not None:
            return "LANDFORM_ENCRYPTION_KEY"
        return str(self.path) if self.is_file else "LANDFORM_ENCRYPTION_KEY_COMMAND"

    def read(self) -> tuple[bytes, ...]:
        """Return the keys, the current one first; a command is waited for, half a minute at most.

        Raises:
            MissingKeyError: there is none, or what is there is none. No error repeats it.
        """
        try:
            keys = parse_keys(self._read())
        except MissingKeyError as failure:
            raise MissingKeyError(f"{self.name}: {failure}") from None
        for key in keys:
            self.on_key(key.hex())
        return keys

    def write(self, keys: Sequence[bytes]) -> None:
        """Put `keys` in place of those in the file.

        Raises:
            MissingKeyError: it cannot be written.
        """
        for key in keys:
            self.on_key(key.hex())
        try:
            replace_key_file(self.path, keys)
        except OSError as failure:
            raise MissingKeyError(
                f"{self.path} cannot be written ({failure.strerror}). Put the new key into it"
                " where it comes from: last at first, in the first line once all processes have it."
            ) from failure

    def _read(self) -> str:
        if self.text is not None:
            return self.text.get_secret_value()
        if self.command is not None:
            return _output(self.command)
        try:
            return self.path.read_text()
        except (OSError, UnicodeDecodeError):
            raise MissingKeyError(
                "There is no encryption key. Put back the one this installation was made with, or"
                " set LANDFORM_ENCRYPTION_KEY, LANDFORM_ENCRYPTION_KEY_FILE or"
                " LANDFORM_ENCRYPTION_KEY_COMMAND."
            ) from None


def source_of(settings: Settings, on_key: Callable[[str], None] = lambda _: None) -> KeySource:
    """Return where these settings have the keys: the setting, else the command, else the file.

    Raises:
        MissingKeyError: the command is no command.
    """
    text = settings.encryption_key if settings.encryption_key.get_secret_value() else None
    try:
        command = tuple(shlex.split(settings.encryption_key_command))
    except ValueError as failure:
        raise MissingKeyError(
            f"LANDFORM_ENCRYPTION_KEY_COMMAND is no command: {failure}."
        ) from None
    path = settings.encryption_key_file or settings.home / FILE_NAME
    return KeySource(path, text, (command or None) if text is None else None, on_key)


def _output(command: tuple[str, ...]) -> str:
    """Return what `command` prints; it gets no input, and its complaints go nowhere."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as failure:
        raise MissingKeyError(f"{command[0]} could not be started: {failure.strerror}.") from None
    try:
        output, _ = process.communicate(timeout=_COMMAND_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise MissingKeyError(f"It did not end within {_COMMAND_S:g} seconds.") from None
    if process.returncode:
        raise MissingKeyError(f"It ended with status {process.returncode}; run it to see why.")
    if len(output) > _OUTPUT_LIMIT:
        raise MissingKeyError(f"It printed {len(output)} bytes; a key has 64 characters.")
    return output.decode(errors="replace")
