"""`landform token create`: a token for whoever may read the platform's database."""

from datetime import timedelta

from landform import tables  # noqa: F401 - the mapper must know every table
from landform.bootstrap import configure_logs
from landform.cli.database import database_of, require_current_schema
from landform.identity import tokens, users
from landform.identity.actor import SYSTEM, ActorKind
from landform.kit.clock import now
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.errors import NotFoundError
from landform.settings import Settings


async def create(
    settings: Settings, username: str, description: str, lifetime: timedelta | None
) -> str:
    """Make a token of a user, in the database itself, and return its secret.

    Raises:
        NotFoundError: there is no such user, or no platform in this home.
        ConflictError: the database is at another version's schema.
        UnavailableError: the database does not answer.
    """
    quiet = settings.model_copy(update={"log_level": "WARNING"})
    configure_logs(quiet, process="token")
    async with database_of(settings) as found:
        await require_current_schema(found)
        engine = make_engine(found.database_url.get_secret_value(), pool_size=1)
        try:
            async with transaction(make_sessions(engine)) as session:
                user = await users.by_username(session, username)
                if user is None:
                    raise NotFoundError(f"There is no user {username!r}.")
                _, secret = await tokens.issue(
                    session,
                    SYSTEM,
                    owner_kind=ActorKind.USER,
                    owner_id=user.id,
                    description=description,
                    expires_at=now() + lifetime if lifetime else None,
                )
                return secret
        finally:
            await engine.dispose()
