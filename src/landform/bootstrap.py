"""What a process does before anything else: logs without secrets, the home, the keys.

Apart from `wiring`, because whoever needs only this is not to wait for SQLAlchemy.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from landform.keys.source import FILE_NAME as KEY_FILE
from landform.keys.source import source_of
from landform.kit import telemetry
from landform.kit.crypto import Keyring, MissingKeyError, create_key_file
from landform.kit.telemetry import Redactor
from landform.settings import Settings

# What the object stores' clients read their credentials from, where those are secret.
_STORE_SECRETS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
)


def configure_logs(settings: Settings, *, process: str) -> Redactor:
    """Set up this process's logs; return what keeps secrets out of them."""
    redactor = Redactor(_secrets(settings))
    telemetry.configure(
        form=settings.log_format, level=settings.log_level, redactor=redactor, process=process
    )
    return redactor


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield every secret that the settings and the store's own variables hold, as it is used."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
            yield value
        if isinstance(value, str) and "://" in value:
            with suppress(ValueError):  # who uses it says better what is wrong with it
                written = urlsplit(value).password or ""
                yield from (written, unquote(written))
    for name in _STORE_SECRETS:
        yield os.environ.get(name, "")


def load_keyring(settings: Settings, redactor: Redactor | None = None) -> Keyring:
    """Read the encryption keys, of which no log of this process then shows any.

    Raises:
        MissingKeyError: there is none, or it is not one.
    """
    source = source_of(settings, redactor.add if redactor else lambda _: None)
    current, *older = source.read()
    return Keyring(current, older, source=source.read)


def create_home(home: Path) -> bool:
    """Make the home and its key on the very first start; tell whether this was it.

    Raises:
        MissingKeyError: the home holds data but not the key it was encrypted with.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file = home / KEY_FILE
    if key_file.exists():
        return False
    if any((home / name).exists() for name in ("postgres", "objects")):
        raise MissingKeyError(
            f"{home} holds data, but not the key it is encrypted with ({key_file}). Put the key"
            " back; a new one could not read that data, so none is made."
        )
    create_key_file(key_file)
    return True


def storage_url(settings: Settings) -> str:
    """Return where objects are kept."""
    return settings.storage_url or f"file://{settings.home / 'objects'}"
