"""A commit fetched and packed as a configuration; and the paths that differ between two."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from landform.checkout.large_files import LargeFiles
from landform.checkout.submodules import submodules_of
from landform.checkout.tree import SUBMODULE, Part, entries_of, write_archive
from landform.kit.egress import Allow, Outbound
from landform.kit.errors import InvalidError, UnavailableError
from landform.kit.scratch import scratch
from landform.vcs.errors import NoSuchRepositoryError
from landform.vcs.git.program import GitFailedError, Limits, Repository
from landform.vcs.git.remotes import access_to
from landform.vcs.provider import CloneCredentials

# Asked for each fetch anew: a token may die while a large checkout goes on.
CredentialSource: TypeAlias = Callable[[], Awaitable[CloneCredentials]]

_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DEPTH_OF_SUBMODULES: Final = 5
_FIELDS: Final = ("%H", "%an", "%ae", "%aI", "%B")


@dataclass(frozen=True, kw_only=True)
class CommitText:
    """What git says of a commit; `authored_at` as RFC 3339."""

    sha: str
    author_name: str
    author_email: str
    authored_at: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A commit, packed as a configuration version holds it (tar.gz)."""

    archive: bytes
    commit: CommitText


class CheckoutTimeoutError(UnavailableError):
    """It took longer than it may."""


async def check_out(
    credentials: CredentialSource,
    commit: str,
    *,
    ref: str = "",
    with_submodules: bool = False,
    large_files: Outbound | None = None,
    allow: Allow,
    limits: Limits | None = None,
) -> Checkout:
    """Fetch one commit, and nothing of its history, and pack its files.

    Args:
        commit: the whole id.
        ref: a branch or tag, whole name, that has the commit: for servers that give no single
            commits.
        with_submodules: theirs too; each fetched with credentials only within their scope.
        large_files: the way out by which files in Git LFS are fetched; None: their pointers stay.

    Raises:
        SignInNeededError, NotAllowedError, NoSuchRepositoryError, GitFailedError: see there.
        TooLargeError: past a limit.
        CheckoutTimeoutError: it took too long.
        InvalidError: an address or a submodule that cannot be fetched.
    """
    limits = limits or Limits()
    with scratch() as directory:
        work = _Work(credentials, allow, limits, directory)
        try:
            async with asyncio.timeout(limits.total_s):
                return await work.check_out(
                    commit, ref, with_submodules=with_submodules, large_files=large_files
                )
        except TimeoutError:
            raise CheckoutTimeoutError(
                f"Fetching the repository took longer than {limits.total_s:g} s."
            ) from None


async def changed_paths(
    credentials: CredentialSource,
    before: str,
    after: str,
    *,
    allow: Allow,
    limits: Limits | None = None,
) -> frozenset[str]:
    """Return every path that differs between two commits, both names of a moved one.

    Only trees are fetched where the server can do that. Raises as `check_out`.
    """
    limits = limits or Limits()
    with scratch() as directory:
        work = _Work(credentials, allow, limits, directory)
        try:
            async with asyncio.timeout(limits.total_s):
                return await work.changed_paths(before, after)
        except TimeoutError:
            raise CheckoutTimeoutError(
                f"Comparing two commits took longer than {limits.total_s:g} s."
            ) from None


class _Work:
    """One checkout in a directory of its own."""

    def __init__(
        self, credentials: CredentialSource, allow: Allow, limits: Limits, directory: Path
    ) -> None:
        self._credentials = credentials
        self._allow = allow
        self._limits = limits
        self._directory = directory
        self._repositories = 0

    async def check_out(
        self, commit: str, ref: str, *, with_submodules: bool, large_files: Outbound | None
    ) -> Checkout:
        url = (await self._credentials()).url
        repository = await self._fetched(url, [commit], ref=ref)
        text = await _commit_text(repository, commit)
        parts = [(Part(repository, await entries_of(repository, commit), ""), url)]
        if with_submodules:
            parts += await self._submodules(parts[0][0], url, commit, depth=1)
        if large_files is not None:
            directory = self._directory / "large"
            filling = LargeFiles(large_files, self._credentials, self._limits, directory)
            parts = [(await filling.fill(part, origin), origin) for part, origin in parts]
        packed = self._directory / "archive.tar.gz"
        with packed.open("wb") as file:
            whole = [part for part, _ in parts]
            await asyncio.to_thread(write_archive, whole, file, self._limits)
        return Checkout(archive=await asyncio.to_thread(packed.read_bytes), commit=text)

    async def changed_paths(self, before: str, after: str) -> frozenset[str]:
        url = (await self._credentials()).url
        repository = await self._fetched(url, [before, after], only_trees=True)
        names = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after)
        output = await repository.run(*names) or b""
        return frozenset(path.decode(errors="replace") for path in output.split(b"\0") if path)

    async def _fetched(
        self, url: str, commits: list[str], *, ref: str = "", only_trees: bool = False
    ) -> Repository:
        for commit in commits:
            if _SHA.fullmatch(commit) is None:
                raise InvalidError(f"{commit[:80]!r} is not the whole id of a commit.")
        self._repositories += 1
        if self._repositories > self._limits.submodules:
            raise InvalidError(
                f"The configuration is of more than {self._limits.submodules} repositories."
            )
        base = self._directory / str(self._repositories)
        repository = Repository(base / "repository.git", self._limits)
        await repository.create()
        access = await access_to(url, await self._credentials(), allow=self._allow, home=base)
        options = ["--no-tags", "--no-progress", "--no-recurse-submodules"]
        options += ["--filter=blob:none"] if only_trees else []
        try:
            await repository.run(
                "fetch", *options, "--depth=1", "--", "origin", *commits, access=access
            )
        except GitFailedError as failure:
            if not ref or not _is_about_one_commit(str(failure)):
                raise
            await repository.run("fetch", *options, "--", "origin", ref, access=access)
        for commit in commits:
            known = await repository.run("cat-file", "-e", f"{commit}^{{commit}}", may_fail=True)
            if known is None:
                raise NoSuchRepositoryError(f"The repository has no commit {commit}.")
        return repository

    async def _submodules(
        self, part: Part, url: str, commit: str, *, depth: int
    ) -> list[tuple[Part, str]]:
        """Return the submodules of a part, and theirs, each with where it was fetched from."""
        if not any(entry.mode == SUBMODULE for entry in part.entries):
            return []
        if depth > _DEPTH_OF_SUBMODULES:
            raise InvalidError(f"Submodules are nested more than {_DEPTH_OF_SUBMODULES} deep.")
        rewrites: Mapping[str, str] = (await self._credentials()).rewrites
        found: list[tuple[Part, str]] = []
        for one in await submodules_of(part, commit, url, rewrites):
            repository = await self._fetched(one.url, [one.commit])
            inner = Part(repository, await entries_of(repository, one.commit), one.prefix)
            theirs = await self._submodules(inner, one.url, one.commit, depth=depth + 1)
            found += [(inner, one.url), *theirs]
        return found


async def _commit_text(repository: Repository, commit: str) -> CommitText:
    text = await repository.text("show", "--no-patch", f"--format={'%x00'.join(_FIELDS)}", commit)
    sha, name, mail, authored_at, message = text.split("\0", 4)
    return CommitText(
        sha=sha,
        author_name=name,
        author_email=mail,
        authored_at=authored_at,
        message=message.strip(),
    )


def _is_about_one_commit(words: str) -> bool:
    return "unadvertised object" in words or "not our ref" in words
