"""Which database a process is to use, found without loading what reads it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from landform import revision
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.postgres import EmbeddedPostgres
from landform.settings import Settings

_DIRECTORY: Final = "postgres"


def embedded(home: Path) -> EmbeddedPostgres:
    """Return the server of a home, not started."""
    return EmbeddedPostgres(home / _DIRECTORY)


def with_database(settings: Settings, url: str) -> Settings:
    """Return the settings with the database that was found."""
    return settings.model_copy(update={"database_url": SecretStr(url)})


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with a database that runs: the one they name, else the home's own.

    The home's own is started for as long as the context lasts, unless it runs already.

    Raises:
        NotFoundError: no database is named, and no platform was ever started on this home.
        UnavailableError: the home's own does not start.
    """
    if settings.database_url.get_secret_value():
        yield settings
        return
    if not (settings.home / _DIRECTORY).is_dir():
        raise NotFoundError(
            f"There is no platform in {settings.home}. Start one with `landform up`, name its"
            " home with --home, or set LANDFORM_DATABASE_URL."
        )
    postgres = embedded(settings.home)
    try:
        yield with_database(settings, await postgres.start())
    finally:
        await postgres.stop()


async def require_current_schema(settings: Settings) -> None:
    """Check the schema, before anything reads a table.

    Raises:
        ConflictError: the database is not at this version's schema.
        InvalidError: no database is set.
        UnavailableError: it does not answer.
    """
    await revision.require_current(url_of(settings))


def url_of(settings: Settings) -> str:
    """Return the database that the settings name.

    Raises:
        InvalidError: they name none.
    """
    url = settings.database_url.get_secret_value()
    if not url:
        raise InvalidError(
            "No database is set: set LANDFORM_DATABASE_URL to postgresql://…, or use `landform"
            " up`, which has one of its own."
        )
    return url
