"""What `git ls-remote` and one fetched commit tell of a repository that has no API."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landform.kit.egress import Allow
from landform.kit.scratch import scratch
from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import CloneCredentials, Commit, Ref
from landform.vcs.git.program import Access, GitFailedError, Limits, Repository
from landform.vcs.git.remotes import access_to

_LIMITS: Final = Limits(total_s=60.0, fetched_bytes=256 << 20, said_bytes=32 << 20)
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PEELED: Final = "^{}"
_HEAD: Final = "HEAD"
_FIELDS: Final = ("%H", "%an", "%ae", "%aI", "%B")


@dataclass(frozen=True)
class Remote:
    """A repository by its address, and what may be shown to get in."""

    credentials: CloneCredentials
    allow: Allow


async def default_branch(remote: Remote) -> str:
    """Return the branch that HEAD is on, without `refs/heads/`; empty when there is none.

    Raises:
        SignInNeededError, NotAllowedError, NoSuchRepositoryError, GitFailedError: see there.
        ProviderAwayError: it took too long.
    """
    for line in (await _ask(remote, "--symref", "--", "origin", _HEAD)).splitlines():
        target, _, name = line.partition("\t")
        if name == _HEAD and target.startswith("ref: refs/heads/"):
            return target.removeprefix("ref: refs/heads/")
    return ""


async def refs(remote: Remote, prefix: str, name: str = "") -> Sequence[Ref]:
    """Return the refs below `prefix` by name, tags peeled; only the one of `name` if given.

    Raises as `default_branch`.
    """
    pattern = f"{prefix}{name}" if name else f"{prefix}*"
    said = await _ask(remote, "--", "origin", pattern, f"{pattern}{_PEELED}")
    found: dict[str, str] = {}
    for line in said.splitlines():
        sha, _, ref = line.partition("\t")
        is_peeled = ref.endswith(_PEELED)
        plain = ref.removesuffix(_PEELED)
        # The pattern matches the ends of longer names as well.
        if plain.startswith(prefix) and (not name or plain == pattern):
            short = plain.removeprefix(prefix)
            found[short] = sha if is_peeled else found.get(short, sha)
    return [Ref(name=each, commit=sha) for each, sha in sorted(found.items())]


async def read_commit(remote: Remote, sha: str) -> Commit:
    """Return a commit by its whole id; it is fetched, without its files where that can be.

    Raises as `default_branch`.
    """
    if _SHA.fullmatch(sha) is None:
        raise NoSuchRepositoryError(f"{sha[:80]!r} is not the whole id of a commit.")
    async with _opened(remote) as (repository, access):
        options = ("--depth=1", "--filter=tree:0", "--no-tags", "--no-progress")
        try:
            await repository.run("fetch", *options, "--", "origin", sha, access=access)
        except GitFailedError as failure:
            raise NoSuchRepositoryError(f"The server does not give {sha}: {failure}") from None
        # Not `show`, which would look at the files.
        shown = f"--format={'%x00'.join(_FIELDS)}"
        text = await repository.text("log", "--no-walk", "--no-decorate", shown, sha)
    whole, name, mail, date, message = text.split("\0", 4)
    return Commit(
        sha=whole,
        message=message.strip(),
        author_name=name,
        author_email=mail,
        authored_at=datetime.fromisoformat(date),
    )


async def _ask(remote: Remote, *arguments: str) -> str:
    async with _opened(remote) as (repository, access):
        said = await repository.run("ls-remote", "--quiet", *arguments, access=access)
    return (said or b"").decode(errors="replace")


@asynccontextmanager
async def _opened(remote: Remote) -> AsyncIterator[tuple[Repository, Access]]:
    """Give an empty repository, and the way to the remote; both are gone afterwards."""
    with scratch() as home:
        try:
            async with asyncio.timeout(_LIMITS.total_s):
                repository = Repository(home / "repository.git", _LIMITS)
                await repository.create()
                way = await access_to(
                    remote.credentials.url, remote.credentials, allow=remote.allow, home=home
                )
                yield repository, way
        except TimeoutError:
            raise ProviderAwayError(
                f"The git server did not answer within {_LIMITS.total_s:g} s."
            ) from None
