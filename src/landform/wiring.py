"""Settings into things: what the composition roots of server and worker have in common."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from sqlalchemy.orm import configure_mappers

from landform import tables
from landform.federation.discovery import Directory
from landform.federation.sign_in import Reach as Federation
from landform.identity import issuer
from landform.keys.source import FILE_NAME as KEY_FILE
from landform.keys.source import source_of
from landform.kit import telemetry
from landform.kit.crypto import Keyring, MissingKeyError, create_key_file
from landform.kit.db import Sessions, make_engine, make_sessions
from landform.kit.egress import Outbound
from landform.kit.egress_allow import Allow
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.key_check import require_right_key
from landform.kit.storage import open_store
from landform.kit.telemetry import Redactor
from landform.runs.attempts import Limits, Platform
from landform.settings import Settings
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import Tool
from landform.vcs.provider import Services
from landform.vcs.reach import Reach

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
METADATA: Final = tables.METADATA  # the mapper must know every table before the first query


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


@asynccontextmanager
async def open_platform(settings: Settings, redactor: Redactor) -> AsyncIterator[Platform]:
    """Connect to database and store for as long as the context lasts.

    Raises:
        InvalidError: no database is set.
        MissingKeyError: no key, or not the one the database was made with.
    """
    url = settings.database_url.get_secret_value()
    if not url:
        raise InvalidError("Set LANDFORM_DATABASE_URL, or use `landform up`.")
    configure_mappers()
    keyring = await asyncio.to_thread(load_keyring, settings, redactor)
    store = open_store(storage_url(settings), keyring, endpoint=settings.storage_endpoint)
    engine = make_engine(url)
    sessions = make_sessions(engine)
    limits = Limits(
        lease_s=settings.lease_s,
        timeout_s=settings.phase_timeout_s,
        grace_s=settings.cancel_grace_s,
    )
    try:
        await require_right_key(sessions, keyring)
        yield Platform(
            sessions=sessions,
            store=store,
            keyring=keyring,
            limits=limits,
            public_url=settings.public_url.rstrip("/"),
        )
    finally:
        await engine.dispose()


def make_toolchain(settings: Settings) -> Toolchain:
    """Return the tools of this machine."""
    mirrors = {Tool.TERRAFORM: settings.terraform_mirror, Tool.TOFU: settings.tofu_mirror}
    return Toolchain(
        settings.home / "tools",
        settings.toolchain_dir,
        mirrors={tool: url for tool, url in mirrors.items() if url},
        offline=settings.toolchain_offline,
    )


def make_reach(settings: Settings, sessions: Sessions, keyring: Keyring) -> Reach:
    """Return the way out to VCS providers.

    Raises:
        InvalidError: `egress_allow` holds something that is neither a network nor a name.
    """
    public_url = settings.public_url.rstrip("/")

    async def assertion(subject: str, audience: str) -> str:
        if not public_url:
            raise ConflictError(
                "To sign in by federated credential, set LANDFORM_PUBLIC_URL to the address at"
                " which Microsoft Entra reaches this server."
            )
        return await issuer.sign(
            sessions, keyring, issuer=public_url, subject=subject, audience=audience
        )

    imds = urlsplit(settings.imds_url)
    services = Services(
        http=Outbound(Allow.parse(settings.egress_allow)),
        imds=Outbound(Allow.parse(imds.netloc)),
        entra_url=settings.entra_url.rstrip("/"),
        imds_url=settings.imds_url.rstrip("/"),
        assertion=assertion,
    )
    return Reach(sessions=sessions, keyring=keyring, services=services, public_url=public_url)


def make_federation(reach: Reach) -> Federation:
    """Return the way to identity providers, which is that to VCS providers."""
    return Federation(reach.sessions, reach.keyring, Directory(reach.services.http))
