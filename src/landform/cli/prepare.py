"""A database made ready for server and worker: its schema, and the first admin.

That takes a process of its own, and that only when there is something to do: what changes a
schema would cost every start of a platform a second, and the memory of it for as long as it runs.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Final

from landform import revision
from landform.bootstrap import configure_logs, load_keyring
from landform.kit import key_canary
from landform.kit.crypto import MissingKeyError
from landform.kit.early import SUPERVISOR_VARIABLE
from landform.kit.errors import ConflictError, LandformError, UnavailableError
from landform.kit.supervise import die_with_parent
from landform.kit.telemetry import Redactor
from landform.settings import Settings

_COMMAND: Final = (sys.executable, "-m", "landform.cli.prepare")
_KINDS: Final = {kind.__name__: kind for kind in (ConflictError, MissingKeyError, UnavailableError)}


async def prepare(settings: Settings, redactor: Redactor, env: Mapping[str, str]) -> str | None:
    """Bring the schema up to date and make the first admin; return the password if one was.

    Args:
        env: the environment that makes these settings.

    Raises:
        ConflictError: another version of Landform made the schema.
        MissingKeyError: no key, or not the one the database was made with.
        UnavailableError: the database does not answer.
    """
    if await _is_prepared(settings, redactor):
        return None
    child = await asyncio.create_subprocess_exec(
        *_COMMAND,
        env={**env, SUPERVISOR_VARIABLE: str(os.getpid())},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
    answer = json.loads(said or b"{}")
    if child.returncode != 0:
        kind = _KINDS.get(str(answer.get("kind")), UnavailableError)
        raise kind(answer.get("error") or "The database could not be prepared; the log says why.")
    password = answer["password"]
    return None if password is None else str(password)


async def _is_prepared(settings: Settings, redactor: Redactor) -> bool:
    keyring = await asyncio.to_thread(load_keyring, settings, redactor)
    async with revision.connected(settings.database_url.get_secret_value()) as connection:
        if await revision.found(connection) != revision.wanted():
            return False
        # Written out: the models of these two rows take longer to load than all of this.
        cursor = await connection.execute(
            "SELECT sealed FROM key_checks WHERE EXISTS (SELECT FROM users)"
        )
        row = await cursor.fetchone()
    if row is None:
        return False
    key_canary.open_with(keyring, row[0])
    return True


def main() -> None:
    """Do it, and print the password or what went wrong as JSON."""
    die_with_parent()
    # Only here, as whoever only asks for it must not wait for them.
    from landform.cli.schema_commands import prepare_here  # noqa: PLC0415

    settings = Settings()
    redactor = configure_logs(settings, process="prepare")
    try:
        answer = {"password": asyncio.run(prepare_here(settings, redactor))}
    except LandformError as failure:
        answer = {"kind": type(failure).__name__, "error": str(failure)}
    print(json.dumps(answer))
    sys.exit("error" in answer)


if __name__ == "__main__":
    main()
