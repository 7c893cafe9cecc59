"""The first user of a platform, and how whoever started it learns the password."""

from landform.identity.users import FIRST_ADMIN, ensure_first_admin
from landform.kit.db import make_engine, make_sessions, transaction


async def make_first_admin(database_url: str) -> str | None:
    """Make the site admin unless there are users; return the one-time password, once."""
    engine = make_engine(database_url, pool_size=1)
    try:
        async with transaction(make_sessions(engine)) as session:
            return await ensure_first_admin(session)
    finally:
        await engine.dispose()


def tell_password(password: str) -> None:
    """Write it to standard output, which is for people; logs go elsewhere."""
    print(
        f"First start. Sign in as {FIRST_ADMIN} with the one-time password {password}\n"
        "It is not shown again.",
        flush=True,
    )
