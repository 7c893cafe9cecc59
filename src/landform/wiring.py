"""Settings into things: what the composition roots of server and worker have in common."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import configure_mappers

from landform import tables
from landform.bootstrap import load_keyring, storage_url
from landform.federation.departure import Reach as Federation
from landform.federation.discovery import Directory
from landform.identity import issuer
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, make_engine, make_sessions
from landform.kit.egress import Outbound
from landform.kit.egress_allow import Allow
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.key_check import require_right_key
from landform.kit.storage import open_store
from landform.kit.telemetry import Redactor
from landform.notifications.mail import MailServer
from landform.runs.attempts import Limits, Platform
from landform.settings import Settings
from landform.vcs.provider import Services
from landform.vcs.reach import Reach

METADATA: Final = tables.METADATA  # the mapper must know every table before the first query


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


def make_mail(settings: Settings) -> MailServer | None:
    """Return where mail is handed in; None where the operator named no server.

    Raises:
        InvalidError: the settings are no server's, or one of the two is missing.
    """
    return MailServer.parse(settings.smtp_url.get_secret_value(), settings.mail_from)


def make_federation(reach: Reach) -> Federation:
    """Return the way to identity providers, which is that to VCS providers."""
    return Federation(reach.sessions, reach.keyring, Directory(reach.services.http))
