"""`landform keys`: which keys there are and what they encrypt, and their rotation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from landform.bootstrap import configure_logs
from landform.cli.database import database_of, require_current_schema
from landform.fleet import queries as fleet
from landform.keys import rotation
from landform.keys.rotation import Vault
from landform.keys.source import source_of
from landform.kit.db import transaction
from landform.kit.sealed import sealed_columns
from landform.settings import Settings
from landform.wiring import METADATA, open_platform

_SHOWN: Final = 20


async def show(settings: Settings) -> None:
    """`landform keys list`: print each key's name, what is encrypted with it, and who holds it.

    Raises:
        LandformError: the platform cannot be opened.
    """
    async with _opened(settings) as vault:
        found = await rotation.count(vault)
        async with transaction(vault.sessions) as session:
            processes = await fleet.present(session)
    print(f"{'key':<10}{'':<10}{'rows':>10}{'objects':>10}")
    known = vault.keyring.ids
    for name in [*known, *sorted({*found.rows, *found.objects} - set(known))]:
        role = "current" if name == known[0] else "older" if name in known else "missing"
        print(f"{name or '(none)':<10}{role:<10}{found.rows[name]:>10}{found.objects[name]:>10}")
    for one in processes:
        print(f"{one.kind} pid {one.pid} on {one.host} holds {', '.join(one.key_ids)}")


async def rotate(settings: Settings) -> bool:
    """`landform keys rotate`; return whether everything there is could be read.

    Raises:
        LandformError: the platform cannot be opened, or see `rotation.rotate`.
    """
    async with _opened(settings) as vault:
        report = await rotation.rotate(vault, say=lambda text: print(text, flush=True))
    for name in report.unreadable[:_SHOWN]:
        print(f"No key opens {name}; it was left as it is.")
    print(
        f"Everything is encrypted with key {report.key_id}. Keep the older keys for as long as"
        " back-ups need them."
        if not report.unreadable
        else f"{len(report.unreadable)} values could not be read; the rest has key {report.key_id}."
    )
    return not report.unreadable


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Vault]:
    quiet = settings.model_copy(update={"log_level": "WARNING"})
    redactor = configure_logs(quiet, process="keys")
    async with database_of(settings) as found:
        await require_current_schema(found)
        async with open_platform(found, redactor) as platform:
            yield Vault(
                sessions=platform.sessions,
                store=platform.store,
                keyring=platform.keyring,
                source=source_of(settings, redactor.add),
                columns=sealed_columns(METADATA),
                database_url=found.database_url.get_secret_value(),
            )
