"""`landform db`, and the same before a platform starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import exc

from landform import revision, schema
from landform.bootstrap import configure_logs
from landform.cli.database import database_of, url_of
from landform.cli.first_admin import tell_password
from landform.identity.users import ensure_first_admin
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.errors import ConflictError, UnavailableError
from landform.kit.telemetry import Redactor
from landform.settings import Settings
from landform.wiring import open_platform


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


async def migrate(settings: Settings) -> None:
    """`landform db migrate`; the first time, it makes the first admin as well."""
    configure_logs(settings, process="migrate")
    async with database_of(settings) as found:
        with database_errors():
            await schema.migrate(url_of(found))
        await revision.require_current(url_of(found))
        print("The database is at this version's schema.")
        if password := await _first_admin(url_of(found)):
            tell_password(password)


async def prepare_here(settings: Settings, redactor: Redactor) -> str | None:
    """Migrate and make the first admin in this process; see `prepare.prepare`."""
    with database_errors():
        await schema.migrate(url_of(settings))
    async with (
        open_platform(settings, redactor) as platform,  # which checks the key
        transaction(platform.sessions) as session,
    ):
        return await ensure_first_admin(session)


async def check(settings: Settings) -> bool:
    """`landform db check`: print the differences, and return whether there are none."""
    configure_logs(settings, process="check")
    async with database_of(settings) as found:
        with database_errors():
            differences = await schema.check(url_of(found))
    for difference in differences:
        print(difference)
    if not differences:
        print("The database is at this version's schema.")
    return not differences


async def _first_admin(database_url: str) -> str | None:
    """Make the site admin unless there are users; return the one-time password, once."""
    engine = make_engine(database_url, pool_size=1)
    try:
        async with transaction(make_sessions(engine)) as session:
            return await ensure_first_admin(session)
    finally:
        await engine.dispose()
