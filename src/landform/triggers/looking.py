"""Looking at a repository: for networks that no delivery reaches, and for what one did not tell.

What is found goes the way of deliveries (`act`), so that each is acted on once, whoever told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.triggers import watching
from landform.triggers.acting import act
from landform.triggers.desk import Desk
from landform.triggers.intents import Linked, Outcomes
from landform.triggers.models import SeenPullRequest, SeenRef
from landform.triggers.watching import Watched
from landform.vcs.changes import AnyChange, PullRequest, Push, TagPush
from landform.vcs.credentials import open_provider
from landform.vcs.facts import Ref, Repository
from landform.vcs.models import Hook
from landform.vcs.provider import VcsProvider
from landform.workspaces import repositories
from landform.workspaces.models import WorkspaceRepository

log = structlog.get_logger()

WITH_HOOK_S: Final = 600.0
_LONGEST_PAUSE_S: Final = 3600.0
_MOST_PAGES: Final = 100


@dataclass(frozen=True)
class _Known:
    """What we know of a repository before we look."""

    linked: Linked
    refs: dict[str, str]
    pulls: dict[int, SeenPullRequest]
    is_hooked: bool


async def look_at_due(desk: Desk, *, every_s: float) -> int:
    """Look at every repository whose turn it is; return how many.

    Args:
        every_s: seconds between two looks at one that no hook tells of.
    """
    count = 0
    while (watched := await watching.claim_look(desk)) is not None:
        count += 1
        known = await _read(desk, watched)
        pause_s = WITH_HOOK_S if known.is_hooked else every_s
        try:
            await _look(desk, watched, known)
        except LandformError as failure:
            log.info("a repository was not looked at", reason=str(failure))
            await _note(desk, watched, pause_s=pause_s, problem=str(failure))
        else:
            await _note(desk, watched, pause_s=pause_s)
    return count


async def _look(desk: Desk, watched: Watched, known: _Known) -> None:
    provider = await open_provider(desk.reach, watched.connection_id)
    repository = await provider.repository(watched.repository_id)
    await _keep_names(desk, watched, repository)
    tags = await _tags(provider, repository, known)
    pulls = await _pulls(provider, repository, known)
    changes: list[AnyChange] = [*await _pushes(provider, repository, known)]
    if watched.has_baseline:
        changes += _new_tags(watched, known, tags)
        changes += _changed_pulls(known, pulls)
        changes += await _ended_pulls(provider, repository, known, pulls)
    else:
        await _keep_baseline(desk, watched, tags, pulls)

    async def record(session: AsyncSession, outcomes: Outcomes) -> bool:
        return True

    for change in changes:
        await act(desk, watched.connection_id, [change], record)


async def _pushes(provider: VcsProvider, repository: Repository, known: _Known) -> Sequence[Push]:
    """Return where followed branches are not what was last seen, or was there at the beginning."""
    begun = {row.followed_branch: row.linked_commit for _, row in known.linked}
    branches = {name for name in begun if name}
    if not branches:
        return []
    found = await _named(provider, repository, branches)
    pushes = []
    for name in sorted(branches):
        before = known.refs.get(f"refs/heads/{name}", begun[name])
        if before != found.get(name, ""):
            pushes.append(
                Push(
                    repository_id=repository.id,
                    repository_name=repository.name,
                    branch=name,
                    before=before,
                    after=found.get(name, ""),
                )
            )
    return pushes


async def _named(provider: VcsProvider, repository: Repository, names: set[str]) -> dict[str, str]:
    """Return the commits of the branches: one call for one, and pages of all for more."""
    if len(names) == 1:
        [name] = names
        ref = await provider.branch(repository, name)
        return {} if ref is None else {name: ref.commit}
    found: dict[str, str] = {}
    page = ""
    for _ in range(_MOST_PAGES):
        listing = await provider.branches(repository, page=page)
        found |= {ref.name: ref.commit for ref in listing.items if ref.name in names}
        page = listing.following
        if not page:
            break
    return found


async def _tags(provider: VcsProvider, repository: Repository, known: _Known) -> Sequence[Ref]:
    if not any(row.tags_regex for _, row in known.linked):
        return []
    found: list[Ref] = []
    page = ""
    for _ in range(_MOST_PAGES):
        listing = await provider.tags(repository, page=page)
        found += listing.items
        page = listing.following
        if not page:
            break
    return found


async def _pulls(
    provider: VcsProvider, repository: Repository, known: _Known
) -> Sequence[PullRequest]:
    if not any(workspace.speculative_enabled for workspace, _ in known.linked):
        return []
    return await provider.open_pull_requests(repository)


def _new_tags(watched: Watched, known: _Known, tags: Sequence[Ref]) -> Sequence[TagPush]:
    return [
        TagPush(
            repository_id=watched.repository_id,
            tag=tag.name,
            object_id=tag.commit,
            commit=tag.commit,
        )
        for tag in tags
        if known.refs.get(f"refs/tags/{tag.name}") != tag.commit
    ]


def _changed_pulls(known: _Known, pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    return [
        pull
        for pull in pulls
        for seen in (known.pulls.get(pull.number),)
        if seen is None or not seen.is_open or seen.source_commit != pull.source_commit
    ]


async def _ended_pulls(
    provider: VcsProvider, repository: Repository, known: _Known, pulls: Sequence[PullRequest]
) -> Sequence[PullRequest]:
    still_open = {pull.number for pull in pulls}
    return [
        await provider.pull_request(repository, number)
        for number, seen in known.pulls.items()
        if seen.is_open and number not in still_open
    ]


async def _read(desk: Desk, watched: Watched) -> _Known:
    key = {"connection_id": watched.connection_id, "repository_id": watched.repository_id}
    async with transaction(desk.sessions) as session:
        linked = await repositories.linked_to(session, **key)
        refs = await session.scalars(select(SeenRef).filter_by(**key))
        pulls = await session.scalars(select(SeenPullRequest).filter_by(**key))
        hook = (await session.scalars(select(Hook).filter_by(**key))).one_or_none()
        return _Known(
            linked=linked,
            refs={row.ref: row.commit for row in refs},
            pulls={row.number: row for row in pulls},
            is_hooked=hook is not None and bool(hook.remote) and not hook.problem,
        )


async def _keep_names(desk: Desk, watched: Watched, repository: Repository) -> None:
    """Follow a rename, and a default branch that is another now."""
    async with transaction(desk.sessions) as session:
        query = select(WorkspaceRepository).filter_by(
            connection_id=watched.connection_id, repository_id=watched.repository_id
        )
        for row in await session.scalars(query):
            row.identifier, row.web_url = repository.identifier, repository.web_url
            row.default_branch = repository.default_branch or row.default_branch


async def _keep_baseline(
    desk: Desk, watched: Watched, tags: Sequence[Ref], pulls: Sequence[PullRequest]
) -> None:
    """Remember what was there before anybody asked; it starts nothing."""
    place = {"connection_id": watched.connection_id, "repository_id": watched.repository_id}
    async with transaction(desk.sessions) as session:
        row = await watching.row_of(session, watched)
        if row is None:
            return
        row.has_baseline = True
        for tag in tags:
            new_tag = insert(SeenRef).values(
                **place, ref=f"refs/tags/{tag.name}", commit=tag.commit
            )
            await session.execute(new_tag.on_conflict_do_nothing())
        for pull in pulls:
            new_pull = insert(SeenPullRequest).values(
                **place, number=pull.number, source_commit=pull.source_commit, is_open=True
            )
            await session.execute(new_pull.on_conflict_do_nothing())


async def _note(desk: Desk, watched: Watched, *, pause_s: float, problem: str = "") -> None:
    failures = watched.failures + 1 if problem else 0
    pause_s = min(pause_s * 2 ** min(failures, 10), max(_LONGEST_PAUSE_S, pause_s))
    async with transaction(desk.sessions) as session:
        row = await watching.row_of(session, watched)
        if row is not None:
            row.failures, row.problem = failures, problem
            row.next_look_at = watching.after(pause_s)
