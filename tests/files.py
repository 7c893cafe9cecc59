"""Configurations and states as clients upload them."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

MAIN: Final = {"main.tf": "# empty\n"}


def make_archive(files: Mapping[str, str] = MAIN) -> bytes:
    """Return the files as a tar.gz, always of the same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def contents_below(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file with what is in it, but for those that go away meanwhile."""
    for directory, _, names in os.walk(root):
        for name in names:
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):
                    yield path, path.read_bytes()


def left_by_runs(home: Path) -> list[Path]:
    """Return what phases have on the disks of workers: nothing, a moment after they are over."""
    return [*home.glob("work/*/phases/*"), *home.glob("work/*/spool/*")]


def make_state(
    serial: int = 1,
    *,
    lineage: str = "lineage-1",
    outputs: Mapping[str, Any] | None = None,
    resources: Sequence[Mapping[str, Any]] = (),
    version: int = 4,
) -> bytes:
    """Return a raw state; outputs are as the state holds them."""
    document = {
        "version": version,
        "terraform_version": "1.11.4",
        "serial": serial,
        "lineage": lineage,
        "outputs": dict(outputs or {}),
        "resources": list(resources),
    }
    return json.dumps(document, indent=2).encode()


def resource(name: str = "one", *, instances: int = 1, mode: str = "managed") -> dict[str, Any]:
    """Return a resource as a state holds it."""
    return {
        "mode": mode,
        "type": "terraform_data",
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [{"attributes": {"id": str(n)}} for n in range(instances)],
    }


def output(value: Any, kind: Any = "string", *, sensitive: bool = False) -> dict[str, Any]:
    """Return an output as a state holds it."""
    return {"value": value, "type": kind, "sensitive": sensitive}
