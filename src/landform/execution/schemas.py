"""Provider schemas, asked for once per set of providers and kept on this machine's disk."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from landform.execution.desk import Desk
from landform.execution.plan_output import Schemas, read_schemas

_KEPT: Final = 64


async def schemas_for(desk: Desk, *, fresh: bool = False) -> Schemas:
    """Return the schemas of the configuration's providers; empty when the tool gives none.

    Args:
        fresh: ask the tool, whatever was kept.
    """
    path = desk.host.root / "schemas" / f"{_key(desk)}.json"
    if not fresh:
        with suppress(OSError, ValueError):
            return read_schemas(path.read_bytes())
    shown = await desk.show(["providers", "schema", "-json"])
    if shown is None:
        return Schemas()
    schemas = read_schemas(shown)
    _keep(path, shown)
    return schemas


def _key(desk: Desk) -> str:
    # The lock file names providers with the hashes of their content.
    digest = hashlib.sha256()
    for part in (str(desk.room.tool).encode(), desk.job.version.encode(), desk.lock_file() or b""):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(name).rename(path)
    kept = sorted(path.parent.glob("*.json"), key=lambda old: old.stat().st_mtime)
    for old in kept[:-_KEPT]:
        old.unlink(missing_ok=True)
