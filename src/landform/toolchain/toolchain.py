"""The tools as the rest of Landform sees them: name a requirement, get a version and a binary."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from landform.kit.errors import InvalidError, LandformError, UnavailableError
from landform.toolchain.catalog import ASK_LIMITS, FRESH_S, Catalog
from landform.toolchain.install import install
from landform.toolchain.mirror import Limits, MissingError, has_release, mirror_of, shown
from landform.toolchain.places import Found, platform
from landform.toolchain.signatures import read_keys, shipped_keys
from landform.toolchain.versions import (
    Tool,
    Version,
    nearest,
    newest,
    parse_requirement,
    parse_version,
)

_ASK_AGAIN_S: Final = 6 * 3600.0  # of an index that was read
_ASK_AGAIN_AFTER_FAILURE_S: Final = 60.0


class Toolchain:
    """Finds and installs terraform and tofu.

    Args:
        cache_dir: where downloads are kept; several processes and machines may share it.
        operator_dir: binaries put there by hand, as `terraform/1.9.8/terraform` or
            `terraform_1.9.8`; they win over everything else.
        mirrors: base URL per tool; missing or empty means the publisher's.
        keys: armored OpenPGP public keys per tool, in place of the publisher's, for a mirror that
            signs its own builds.
        use_path: whether a tool on PATH counts.
        offline: never use the network.

    Raises:
        InvalidError: a mirror is no URL, or keys are no keys.
    """

    def __init__(
        self,
        cache_dir: Path,
        operator_dir: Path | None = None,
        *,
        mirrors: Mapping[Tool, str] | None = None,
        keys: Mapping[Tool, bytes] | None = None,
        use_path: bool = True,
        offline: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._cache_dir = cache_dir
        self._offline = offline
        self._limits = limits or Limits()
        self._mirrors = {tool: mirror_of(tool, mirrors or {}) for tool in Tool}
        own = keys or {}
        self._keys = {
            tool: read_keys(own[tool]) if tool in own else shipped_keys(tool) for tool in Tool
        }
        self._catalog = Catalog(cache_dir, operator_dir, self._mirrors, use_path=use_path)
        self._ready: dict[tuple[Tool, str], tuple[Path, int, int]] = {}
        self._refreshing = {tool: asyncio.Lock() for tool in Tool}
        self._failed: dict[Tool, tuple[float, LandformError]] = {}

    async def resolve(self, tool: Tool, requirement: str, *, network: bool = True) -> str:
        """Pick the exact version that `requirement` means now.

        `latest` and ranges mean the newest release that can be had: of all while the mirror's
        index is fresh, else the newest on this machine, else the newest known.

        Args:
            requirement: `1.11.4`, `~> 1.9`, `>= 1.6, < 2.0` or `latest`.
            network: False answers at once from what is known here, for use inside a request.

        Raises:
            InvalidError: it is no requirement, or no version satisfies it.
            UnavailableError: the version is not known here and the mirror could not be asked.
        """
        wanted = parse_requirement(requirement)
        asks = network and not self._offline
        if wanted.exact:
            return await self._resolve_exact(tool, wanted.exact, asks=asks)
        if asks:
            await self._refresh_if_due(tool)
        local = await asyncio.to_thread(self._catalog.local, tool)
        known = await asyncio.to_thread(self._catalog.known, tool)
        best = newest(known, wanted)
        if not self._is_mirror_at_hand(tool):
            best = newest(local, wanted) or best
        if best is None:
            about = wanted.terms[0].version if wanted.terms else Version((0, 0, 0))
            near = _suggestion(known, about)
            raise InvalidError(f"No {tool.product} known here satisfies {requirement!r}.{near}")
        return str(best)

    async def _resolve_exact(self, tool: Tool, version: Version, *, asks: bool) -> str:
        known = await asyncio.to_thread(self._catalog.known, tool)
        if version in known:
            return str(version)
        if asks:  # it may be newer than what is known, or the mirror may have no index
            mirror = self._mirrors[tool]
            if await has_release(mirror, version, platform(), ASK_LIMITS):
                return str(version)
            where = f"on {shown(mirror.base_url)}"
        else:
            where = "among the versions known here"
        raise InvalidError(
            f"There is no {tool.product} {version} {where}.{_suggestion(known, version)}"
        )

    async def ensure(self, tool: Tool, version: str) -> Path:
        """Return the binary of an exact version, ready to run; downloads it if need be.

        Raises:
            InvalidError: there is no such version, or (UntrustedError) the download is not what
                its publisher signed.
            UnavailableError: it is not on this machine and cannot be downloaded.
        """
        ready = self._ready.get((tool, version))
        if ready and _stamp(ready[0]) == ready:
            return ready[0]
        exact = parse_version(version)
        path = await asyncio.to_thread(self._catalog.binary, tool, exact)
        if path is None:
            path = await self._download(tool, exact)
        stamp = _stamp(path)
        if stamp is None:
            raise UnavailableError(f"{path} was removed while it was about to be used.")
        self._ready[tool, version] = stamp
        return path

    async def _download(self, tool: Tool, version: Version) -> Path:
        if self._offline:
            raise UnavailableError(
                f"{tool.product} {version} is not on this machine, and downloads are switched off. "
                f"{_remedy(tool, version)}"
            )
        try:
            return await install(
                self._mirrors[tool],
                version,
                keys=self._keys[tool],
                cache_dir=self._cache_dir,
                limits=self._limits,
            )
        except MissingError as failure:
            known = await asyncio.to_thread(self._catalog.known, tool)
            raise InvalidError(f"{failure}{_suggestion(known, version)}") from failure
        except UnavailableError as failure:
            raise UnavailableError(
                f"{tool.product} {version} is not on this machine: {str(failure).rstrip('.')}. "
                f"{_remedy(tool, version)}"
            ) from failure

    def known_versions(self, tool: Tool, *, prereleases: bool = False) -> list[str]:
        """List every version that can be named, newest first, without the network.

        The first call may run the tool on PATH once, for about 0.1 s.
        """
        known = self._catalog.known(tool)
        return [str(each) for each in sorted(known, reverse=True) if prereleases or not each.pre]

    async def on_path(self, tool: Tool) -> Found | None:
        """Find the tool on PATH, if PATH counts."""
        return await asyncio.to_thread(self._catalog.on_path, tool)

    async def refresh(self, tool: Tool) -> None:
        """Read the mirror's index now; to be done every few hours in the background.

        Raises:
            InvalidError: the mirror has no index.
            UnavailableError: it cannot be reached, or the network is not to be used.
        """
        if self._offline:
            raise UnavailableError("The index cannot be read: downloads are switched off.")
        try:
            await self._catalog.refresh(tool)
        except OSError as failure:
            raise UnavailableError(f"The index cannot be kept: {failure}") from failure
        self._failed.pop(tool, None)

    async def _refresh_if_due(self, tool: Tool) -> None:
        """Ask the mirror, but seldom, and remember a failure instead of raising it."""
        async with self._refreshing[tool]:
            index = self._catalog.index(tool)
            if index and index.age_s() < _ASK_AGAIN_S:
                return
            failed_at, _ = self._failed.get(tool, (-_ASK_AGAIN_AFTER_FAILURE_S, None))
            if time.monotonic() - failed_at < _ASK_AGAIN_AFTER_FAILURE_S:
                return
            try:
                await self.refresh(tool)
            except LandformError as failure:
                self._failed[tool] = (time.monotonic(), failure)

    def _is_mirror_at_hand(self, tool: Tool) -> bool:
        """Whether a version that is not here can be expected to be had."""
        index = self._catalog.index(tool)
        fresh = index is not None and index.age_s() < FRESH_S
        return fresh and not self._offline and tool not in self._failed


def _remedy(tool: Tool, version: Version) -> str:
    return f"Put it on PATH or into the operator's directory as {tool}/{version}/{tool}."


def _stamp(path: Path) -> tuple[Path, int, int] | None:
    """Note what changes when the binary is replaced; None when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return path, status.st_mtime_ns, status.st_size


def _suggestion(known: Iterable[Version], about: Version) -> str:
    near = nearest(known, about)
    return f" The nearest known are {', '.join(map(str, near))}." if near else ""
