"""Which database a command is to use, and `landform db`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from alembic.util import CommandError
from pydantic import SecretStr
from sqlalchemy import exc

from landform import schema
from landform.cli.first_admin import make_first_admin, tell_password
from landform.kit.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from landform.kit.postgres import EmbeddedPostgres
from landform.settings import Settings
from landform.wiring import configure_logs

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


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what a driver and Alembic say into errors for people.

    Raises:
        UnavailableError: the database does not answer.
        ConflictError: another version of Landform made its schema.
    """
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError) as failure:
        raise UnavailableError(f"The database does not answer: {failure.orig}") from None
    except CommandError as failure:
        raise ConflictError(
            "The schema of the database was made by another version of Landform, probably a newer"
            f" one: {failure}. Run that version, or restore a back-up from before it."
        ) from None


async def require_current_schema(settings: Settings) -> None:
    """Check the schema, before anything reads a table.

    Raises:
        ConflictError: the database is not at this version's schema.
        InvalidError: no database is set.
        UnavailableError: it does not answer.
    """
    with database_errors():
        await schema.require_current(_url(settings))


async def migrate(settings: Settings) -> None:
    """`landform db migrate`; the first time, it makes the first admin as well."""
    configure_logs(settings, process="migrate")
    async with database_of(settings) as found:
        with database_errors():
            await schema.migrate(_url(found))
            await schema.require_current(_url(found))
        print("The database is at this version's schema.")
        if password := await make_first_admin(_url(found)):
            tell_password(password)


async def check(settings: Settings) -> bool:
    """`landform db check`: print the differences, and return whether there are none."""
    configure_logs(settings, process="check")
    async with database_of(settings) as found:
        with database_errors():
            differences = await schema.check(_url(found))
    for difference in differences:
        print(difference)
    if not differences:
        print("The database is at this version's schema.")
    return not differences


def _url(settings: Settings) -> str:
    url = settings.database_url.get_secret_value()
    if not url:
        raise InvalidError(
            "No database is set: set LANDFORM_DATABASE_URL to postgresql://…, or use `landform"
            " up`, which has one of its own."
        )
    return url
