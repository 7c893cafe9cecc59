"""What the last commits of a branch changed: one bounded fetch of trees, of no file's content."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landform.checkout.service import CheckoutTimeoutError, CredentialSource
from landform.kit.egress import Allow
from landform.kit.scratch import scratch
from landform.vcs.git.program import Access, Limits, Repository
from landform.vcs.git.remotes import access_to

_LIMITS: Final = Limits(total_s=45.0, fetched_bytes=512 << 20, said_bytes=16 << 20)
_FORMAT: Final = "--format=%H%x00%P%x00%an%x00%aI%x00%s"
_MOST_PATHS: Final = 20_000  # of one commit; what changes more is not known path by path
_TAG: Final = re.compile(r"([0-9a-f]+)\trefs/tags/(.+?)(\^\{\})?")


@dataclass(frozen=True, kw_only=True)
class Past:
    """A commit on a branch, as one push of it would have changed things.

    Attributes:
        paths: what differs from its first parent, both names of a moved file; None: too much.
        tags: that are on it now.
    """

    sha: str
    subject: str
    author: str
    authored_at: datetime
    paths: frozenset[str] | None
    tags: tuple[str, ...]


async def recent_commits(
    credentials: CredentialSource,
    branch: str,
    *,
    count: int,
    allow: Allow,
    limits: Limits = _LIMITS,
) -> Sequence[Past]:
    """Return the last `count` commits of a branch, newest first, along first parents.

    Raises:
        SignInNeededError, NotAllowedError, NoSuchRepositoryError, GitFailedError: see there.
        TooLargeError: past a limit.
        CheckoutTimeoutError: it took too long.
    """
    with scratch() as home:
        try:
            async with asyncio.timeout(limits.total_s):
                repository = Repository(home / "repository.git", limits)
                await repository.create()
                shown = await credentials()
                access = await access_to(shown.url, shown, allow=allow, home=home)
                return await _read(repository, access, branch, count)
        except TimeoutError:
            raise CheckoutTimeoutError(
                f"Reading the last commits took longer than {limits.total_s:g} s."
            ) from None


async def _read(repository: Repository, access: Access, branch: str, count: int) -> Sequence[Past]:
    options = ("--no-tags", "--no-progress", "--no-recurse-submodules", "--filter=blob:none")
    # One more than is shown, for the last one's changes are against its parent.
    depth = f"--depth={count + 1}"
    ref = f"refs/heads/{branch}"
    await repository.run("fetch", *options, depth, "--", "origin", ref, access=access)
    tags = await _tags(repository, access)
    log = ("log", "--first-parent", "--no-decorate", f"--max-count={count}", _FORMAT, "FETCH_HEAD")
    found = []
    for line in (await repository.text(*log)).splitlines():
        sha, parents, author, authored_at, subject = line.split("\0", 4)
        found.append(
            Past(
                sha=sha,
                subject=subject,
                author=author,
                authored_at=datetime.fromisoformat(authored_at),
                paths=await _paths(repository, parents.split(), sha),
                tags=tuple(tags.get(sha, ())),
            )
        )
    return found


async def _paths(repository: Repository, parents: list[str], sha: str) -> frozenset[str] | None:
    compare = ("diff-tree", "--no-renames", *parents[:1], sha) if parents else ("ls-tree", sha)
    options = ("-r", "-z", "--name-only")
    output = await repository.run(compare[0], *options, *compare[1:]) or b""
    if output.count(b"\0") > _MOST_PATHS:
        return None
    return frozenset(path.decode(errors="replace") for path in output.split(b"\0") if path)


async def _tags(repository: Repository, access: Access) -> dict[str, list[str]]:
    """Return the names of the server's tags by the commit each is on."""
    said = await repository.run("ls-remote", "--quiet", "--tags", "--", "origin", access=access)
    commits: dict[str, str] = {}
    for line in (said or b"").decode(errors="replace").splitlines():
        match = _TAG.fullmatch(line)
        if match is not None and (match[3] or match[2] not in commits):
            commits[match[2]] = match[1]
    found: dict[str, list[str]] = {}
    for name, commit in commits.items():
        found.setdefault(commit, []).append(name)
    return found
