"""Which versions there are: on this machine, on the shipped list, in the mirror's index."""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.toolchain.mirror import DEFAULT_MIRRORS, Limits, Mirror, read_index
from landform.toolchain.places import (
    Found,
    SearchPath,
    cached_path,
    find_cached,
    find_provided,
    is_runnable,
)
from landform.toolchain.releases import shipped
from landform.toolchain.versions import Tool, Version, parse_versions

FRESH_S: Final = 24 * 3600.0
# A question on the way to an answer must not hold a request for long.
ASK_LIMITS: Final = Limits(total_s=10.0, idle_s=5.0, attempts=1)


@dataclass(frozen=True)
class Index:
    """What a mirror listed.

    Attributes:
        read_at: when, in seconds of the epoch.
    """

    mirror: str
    read_at: float
    versions: frozenset[Version]

    def age_s(self) -> float:
        """Seconds since; at least 0, whatever the clock did."""
        return max(0.0, time.time() - self.read_at)


class Catalog:
    """The versions of both tools, from every source; only `refresh` uses the network."""

    def __init__(
        self,
        cache_dir: Path,
        operator_dir: Path | None,
        mirrors: Mapping[Tool, Mirror],
        *,
        use_path: bool,
    ) -> None:
        self._cache_dir = cache_dir
        self._operator_dir = operator_dir
        self._mirrors = mirrors
        self._search_path = SearchPath() if use_path else None
        self._read: dict[Tool, tuple[int, Index]] = {}

    def on_path(self, tool: Tool) -> Found | None:
        """Find the tool on PATH, if PATH counts; may run it once."""
        return self._search_path.find(tool) if self._search_path else None

    def local(self, tool: Tool) -> dict[Version, Path]:
        """List the binaries at hand: the operator's before PATH before the cache."""
        binaries = find_cached(self._cache_dir, tool)
        found = self.on_path(tool)
        if found:
            binaries[found.version] = found.path
        if self._operator_dir:
            binaries |= find_provided(self._operator_dir, tool)
        return binaries

    def binary(self, tool: Tool, version: Version) -> Path | None:
        """Find the binary of one version on this machine."""
        path = cached_path(self._cache_dir, tool, version)
        if self._operator_dir is None and is_runnable(path):
            return path  # PATH's would be no better, and need not be asked
        return self.local(tool).get(version)

    def known(self, tool: Tool) -> set[Version]:
        """List every version that can be named here.

        A mirror of one's own that told what it has is believed; else the shipped list counts too.
        """
        index = self.index(tool)
        versions = set(self.local(tool))
        if index:
            versions |= index.versions
        if index is None or index.mirror == DEFAULT_MIRRORS[tool]:
            versions |= shipped(tool)
        return versions

    def index(self, tool: Tool) -> Index | None:
        """Read the index kept from the last refresh of the present mirror, by any process."""
        path = self._index_path(tool)
        try:
            changed = path.stat().st_mtime_ns
            kept = self._read.get(tool)
            if kept is None or kept[0] != changed:
                kept = (changed, _load(path))
                self._read[tool] = kept
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or of another make
            return None
        return kept[1] if kept[1].mirror == self._mirrors[tool].base_url else None

    async def refresh(self, tool: Tool) -> Index:
        """Ask the mirror and keep the answer for every process that shares the cache.

        Raises:
            InvalidError: the mirror has no index.
            UnavailableError: it cannot be reached.
            OSError: the answer cannot be kept.
        """
        mirror = self._mirrors[tool]
        versions = await read_index(mirror, ASK_LIMITS)
        index = Index(mirror.base_url, time.time(), frozenset(versions))
        await asyncio.to_thread(_keep, index, self._index_path(tool))
        return index

    def _index_path(self, tool: Tool) -> Path:
        return self._cache_dir / ".index" / f"{tool}.json"


def _keep(index: Index, path: Path) -> None:
    """Write it whole or not at all, readable to every user of the cache."""
    document = {
        "mirror": index.mirror,
        "read_at": index.read_at,
        "versions": [str(version) for version in sorted(index.versions)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        draft = Path(directory) / path.name
        draft.write_text(json.dumps(document))
        draft.replace(path)


def _load(path: Path) -> Index:
    document = json.loads(path.read_bytes())
    versions = frozenset(parse_versions(document["versions"]))
    return Index(str(document["mirror"]), float(document["read_at"]), versions)
