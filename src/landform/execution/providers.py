"""Providers that were downloaded once, for every later run of the same organization.

They are kept unpacked, as one of terraform's filesystem mirrors, which terraform links to and never
writes to. (`TF_PLUGIN_CACHE_DIR` is written to by every init and unsafe under concurrency.) What a
run could have put there itself is not taken over: only what init fetched, before any provider ran.
"""

import json
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from landform.execution.host import Room
from landform.kit.errors import InvalidError

log = structlog.get_logger()

_LOCKED: Final = re.compile(
    r'^provider\s+"(?P<source>[^"\n]+)"\s*\{[^}]*?^\s*version\s*=\s*"(?P<version>[^"\n]+)"',
    re.MULTILINE | re.DOTALL,
)
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]*")
_PARTS: Final = 5  # host, namespace, type, version, platform
_MODULES_LIMIT: Final = 4 << 20


def locked(lock_file: bytes | None) -> dict[str, str]:
    """Return the providers that a `.terraform.lock.hcl` names, with their versions."""
    text = (lock_file or b"").decode(errors="replace")
    return {match["source"]: match["version"] for match in _LOCKED.finditer(text)}


def cli_config(room: Room, mirrors: Sequence[Path], lock_file: bytes | None) -> str:
    """Return the tool's own settings: where providers come from.

    What is locked and kept here is asked of nobody else, so a registry may be away; the same
    holds for what is in an operator's mirror, as terraform has it for mirrors on its own disk.

    Args:
        mirrors: the operator's, as they are called on this machine.
    """
    kept = [source for source, version in locked(lock_file).items() if _kept(room, source, version)]
    mirrored = {source for mirror in mirrors for source in _sources(mirror)}
    own = str(room.seen_providers)
    methods = [_method("filesystem_mirror", path=own, include=kept)]
    methods += [
        _method("filesystem_mirror", path=str(seen), exclude=kept) for seen in room.seen_mirrors
    ]
    methods.append(_method("direct", exclude=sorted(mirrored.union(kept))))
    return "\n".join(["disable_checkpoint = true", "provider_installation {", *methods, "}", ""])


def link(room: Room, lock_file: bytes | None) -> bool:
    """Put every locked provider where init would, and tell whether all of them were at hand."""
    links = []
    for source, version in locked(lock_file).items():
        kept = _kept(room, source, version)
        if kept is None:
            return False
        links.append((kept.relative_to(room.providers), kept))
    for place, _ in links:
        at = room.cwd / ".terraform/providers" / place
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(room.seen_providers / place)
    return True


def keep_new(room: Room) -> None:
    """Take over what init downloaded, leaving links; call it before anything else has run."""
    root = room.cwd / ".terraform/providers"
    for package in list(_packages(root)):
        place = package.relative_to(root)
        target = room.providers / place
        if not _is_plain(package):
            log.warning("A provider is not kept: it is not made of plain files", path=str(place))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            package.rename(target)
        except OSError:
            if not _copy(package, target):
                continue
            shutil.rmtree(package)
        package.symlink_to(room.seen_providers / place)


def has_remote_modules(plan: Path) -> bool:
    """Tell whether the configuration in a plan file has modules that init fetches.

    Raises:
        InvalidError: it is not a plan file.
    """
    try:
        with zipfile.ZipFile(plan) as archive, archive.open("tfconfig/modules.json") as file:
            modules = json.loads(file.read(_MODULES_LIMIT))
            return any(str(module["Dir"]).startswith(".terraform") for module in modules)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError) as error:
        raise InvalidError(
            "The plan file cannot be read. Start a new run; its plan makes a new one."
        ) from error


def _method(
    kind: str, *, path: str = "", include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> str:
    rows = {"path": path, "include": list(include), "exclude": list(exclude)}
    body = "\n".join(f"    {name} = {json.dumps(value)}" for name, value in rows.items() if value)
    return f"  {kind} {{\n{body}\n  }}"


def _sources(mirror: Path) -> Iterator[str]:
    """Yield the providers that an operator's mirror has in any version."""
    for provider in mirror.glob("*/*/*"):
        if provider.is_dir():
            yield "/".join(provider.parts[-3:])


def _kept(room: Room, source: str, version: str) -> Path | None:
    parts = [*source.split("/"), version]
    if len(parts) != _PARTS - 1 or not all(_SAFE.fullmatch(part) for part in parts):
        return None
    directory = room.providers.joinpath(*parts)
    try:
        (package,) = directory.glob("[!.]*")  # one platform: a worker's own
    except (OSError, ValueError):
        return None
    return package


def _packages(root: Path) -> Iterator[Path]:
    """Return the packages below `root` that are directories of their own and not links."""
    level = [root]
    for _ in range(_PARTS):
        level = [
            entry
            for directory in level
            if directory.is_dir() and not directory.is_symlink()
            for entry in directory.iterdir()
        ]
    return (path for path in level if path.is_dir() and not path.is_symlink())


def _is_plain(package: Path) -> bool:
    for directory, directories, files in os.walk(package):
        for name in (*directories, *files):
            mode = (Path(directory) / name).lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                return False
    return True


def _copy(package: Path, target: Path) -> bool:
    """Copy to another disk; False when another run was faster."""
    if target.exists():
        return False
    partial = target.with_name(f".{target.name}.{os.getpid()}.{id(package)}")
    shutil.copytree(package, partial)
    try:
        partial.rename(target)
    except OSError:
        shutil.rmtree(partial)
        return False
    return True
