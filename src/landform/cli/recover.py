"""`landform runs recover`: a file of `import` blocks for what an apply that died has made."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx2

from landform import tables  # noqa: F401 - the mapper must know every table
from landform.bootstrap import configure_logs
from landform.cli.database import database_of, require_current_schema
from landform.identity.actor import SYSTEM
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from landform.runs.recovery import import_block, recovery_file, recovery_of
from landform.settings import Settings

TOKEN: Final = "LANDFORM_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT_S: Final = 30.0


async def recover(settings: Settings, run_id: str, url: str | None, output: Path | None) -> str:
    """Write the file; return what to do with it, or that there is nothing to do.

    Args:
        url: of a platform to ask with the token in LANDFORM_TOKEN; None: ask the database itself.

    Raises:
        NotFoundError: there is no such run, or no platform in this home.
        UnauthenticatedError: there is no token, or not one that the platform knows.
        ConflictError: the file is there already, or the database is at another version's schema.
        UnavailableError: platform or database do not answer, or the file cannot be written.
    """
    if not run_id.startswith("run-") or not run_id.isascii() or not run_id[4:].isalnum():
        raise InvalidError(f"{run_id[:80]!r} is no id of a run; it looks like run-8fX3…")
    blocks = await (_from_api(url, run_id) if url else _from_database(settings, run_id))
    if not blocks:
        return f"The apply of {run_id} left nothing outside of the state; there is nothing to do."
    path = (output or Path(f"recover_{run_id.replace('-', '_')}.tf")).absolute()
    _write(path, recovery_file(run_id, blocks))
    known = sum(not block.startswith("#") for block in blocks)
    return (
        f"{path} has {len(blocks)} import block(s), {known} of them with an id.\n"
        "Look it through, put it beside the workspace's configuration, unlock the workspace, plan"
        " and apply. Remove it then."
    )


async def _from_database(settings: Settings, run_id: str) -> Sequence[str]:
    configure_logs(settings.model_copy(update={"log_level": "WARNING"}), process="recover")
    async with database_of(settings) as found:
        await require_current_schema(found)
        engine = make_engine(found.database_url.get_secret_value(), pool_size=1)
        try:
            async with transaction(make_sessions(engine)) as session:
                recovery = await recovery_of(session, SYSTEM, run_id)
        finally:
            await engine.dispose()
    return [import_block(one) for one in recovery.objects]


async def _from_api(url: str, run_id: str) -> Sequence[str]:
    token = os.environ.get(TOKEN, "")
    if not token:
        raise UnauthenticatedError(f"Set {TOKEN} to an API token of the platform at {url}.")
    address = f"{url.rstrip('/')}/api/v2/applies/{run_id.replace('run-', 'apply-', 1)}"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.get(address, headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
        raise UnavailableError(f"{url} does not answer: {failure}") from None
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        raise UnauthenticatedError(f"{url} does not take the token in {TOKEN}.")
    if answer.status_code == httpx2.codes.NOT_FOUND:
        raise NotFoundError(f"There is no {run_id} at {url} that this token may see.")
    try:
        lost: list[dict[str, Any]] = answer.json()["data"]["attributes"]["maybe-not-in-state"]
        return [str(one["import-block"]) for one in lost]
    except (ValueError, LookupError, TypeError):
        raise UnavailableError(
            f"{address} was answered {answer.status_code} with something else than an apply."
        ) from None


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise ConflictError(f"{path} is there already; name another with --output.") from None
    except OSError as failure:
        raise UnavailableError(f"{path} cannot be written: {failure.strerror}.") from None
