"""Decides what a change means. Asks the provider, so never inside a transaction."""

from collections.abc import Awaitable, Callable

import structlog

from landform.kit.db import transaction
from landform.triggers.commenting import decide_comment
from landform.triggers.desk import Desk
from landform.triggers.intents import Intent, Known, SeenMark, origin_of, rules_of
from landform.triggers.matching import (
    Rules,
    Verdict,
    judge_change,
    judge_pull_request,
    judge_push,
    judge_tag,
    needs_paths,
)
from landform.triggers.models import SeenPullRequest, SeenRef
from landform.triggers.providing import Providing
from landform.triggers.starting import Origin, short
from landform.vcs.changes import Action, Change, Comment, PullRequest, Push, TagPush
from landform.vcs.models import Connection
from landform.workspaces import repositories

log = structlog.get_logger()

_CLOSED = frozenset({Action.MERGED, Action.CLOSED})
Paths = Callable[[], Awaitable[frozenset[str] | None]]


async def decide(desk: Desk, connection_id: str, change: Change) -> Intent:
    """Return what is to be done about a push, a tag, a pull request or a comment.

    Raises:
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider had to be asked.
    """
    provider = Providing(desk, connection_id, change.repository_id)
    if isinstance(change, Push):
        return await _decide_push(desk, connection_id, provider, change)
    if isinstance(change, TagPush):
        return await _decide_tag(desk, connection_id, provider, change)
    if isinstance(change, PullRequest):
        return await _decide_pull_request(desk, connection_id, provider, change)
    if isinstance(change, Comment):
        known = await _look(desk, connection_id, change.repository_id, number=change.number)
        return await decide_comment(desk, connection_id, known, provider, change)
    return Intent(change=type(change).__name__, nothing="Nothing is done about this.")


async def _decide_push(desk: Desk, connection_id: str, provider: Providing, push: Push) -> Intent:
    ref = f"refs/heads/{push.branch}"
    words = f"{push.branch}: {short(push.before) or 'new'} → {short(push.after) or 'deleted'}"
    known = await _look(desk, connection_id, push.repository_id, ref=ref)
    if not known.linked:
        return Intent(change=words, nothing="No workspace is planned from this repository.")
    if known.commit is not None and known.commit == push.after:
        return Intent(change=words, nothing="This was acted on before.")
    if known.commit not in (None, push.before) and not await _is_tip(provider, push):
        return Intent(
            change=words, nothing="The branch has moved on since; its newest push counts."
        )
    verdicts = [
        (workspace.id, rules, judge_push(rules, push.branch, is_deleted=not push.after))
        for workspace, repository in known.linked
        for rules in (rules_of(workspace, repository),)
    ]
    base = known.commit or push.before
    origin = Origin(
        connection_id=connection_id,
        kind=known.connection.kind,
        repository_id=push.repository_id,
        ref=ref,
        commit=push.after,
        base_commit=base,
        message=push.message,
        sender=push.by.name or push.by.login,
    )
    mark = SeenMark(ref, known.commit, push.after)
    return await _filtered(
        words, origin, mark, verdicts, lambda: provider.changed_paths(base, push.after)
    )


async def _decide_tag(desk: Desk, connection_id: str, provider: Providing, push: TagPush) -> Intent:
    ref = f"refs/tags/{push.tag}"
    words = f"tag {push.tag}"
    known = await _look(desk, connection_id, push.repository_id, ref=ref)
    if not known.linked:
        return Intent(change=words, nothing="No workspace is planned from this repository.")
    verdicts = [
        (workspace.id, rules, judge_tag(rules, push.tag, is_deleted=not push.object_id))
        for workspace, repository in known.linked
        for rules in (rules_of(workspace, repository),)
    ]
    commit = push.commit
    if push.object_id and not commit and any(verdict.starts for _, _, verdict in verdicts):
        service, repository = await provider.open()
        found = await service.tag(repository, push.tag)
        if found is None:
            return Intent(change=words, nothing="The tag is gone again.")
        commit = found.commit
    if known.commit is not None and known.commit == commit:
        return Intent(change=words, nothing="This was acted on before.")
    origin = Origin(
        connection_id=connection_id,
        kind=known.connection.kind,
        repository_id=push.repository_id,
        ref=ref,
        commit=commit,
        sender=push.by.name or push.by.login,
    )
    return Intent(
        change=words,
        origin=origin,
        mark=SeenMark(ref, known.commit, commit),
        starts=[(each, verdict.reason) for each, _, verdict in verdicts if verdict.starts],
        refuses=[(each, verdict.reason) for each, _, verdict in verdicts if not verdict.starts],
    )


async def _decide_pull_request(
    desk: Desk, connection_id: str, provider: Providing, pull: PullRequest
) -> Intent:
    words = f"pull request {pull.number} {pull.action}"
    known = await _look(desk, connection_id, pull.repository_id, number=pull.number)
    if not known.linked:
        return Intent(change=words, nothing="No workspace is planned from this repository.")
    seen = known.seen if isinstance(known.seen, SeenPullRequest) else None
    if pull.action in _CLOSED:
        return _closed(words, connection_id, known, seen, pull)
    if _is_old_news(seen, pull):
        return Intent(change=words, nothing="No new commit; what was planned still holds.")
    # Deliveries come in any order, so what counts is how the pull request is now.
    service, repository = await provider.open()
    pull = await service.pull_request(repository, pull.number)
    if pull.action in _CLOSED:
        return _closed(words, connection_id, known, seen, pull)
    if _is_old_news(seen, pull):
        return Intent(change=words, nothing="No new commit; what was planned still holds.")
    verdicts = [
        (workspace.id, rules, judge_pull_request(rules, pull.target_branch, is_fork=pull.is_fork))
        for workspace, linked in known.linked
        for rules in (rules_of(workspace, linked, of_pulls=True),)
    ]
    return await _filtered(
        words,
        origin_of(connection_id, known, pull),
        _pull_mark(seen, pull, is_open=True),
        verdicts,
        lambda: provider.pull_request_paths(pull.number),
    )


def _closed(
    words: str,
    connection_id: str,
    known: Known,
    seen: SeenPullRequest | None,
    pull: PullRequest,
) -> Intent:
    if seen is None or not seen.is_open:
        return Intent(change=words, nothing="Nothing was planned for it, or it was closed before.")
    deed = "merged" if pull.action is Action.MERGED else "closed"
    return Intent(
        change=words,
        origin=origin_of(connection_id, known, pull),
        mark=_pull_mark(seen, pull, is_open=False),
        cancels=f"Pull request {pull.number} was {deed}.",
    )


def _is_old_news(seen: SeenPullRequest | None, pull: PullRequest) -> bool:
    """Azure says `updated` for votes and titles as well: only a new commit is news."""
    return seen is not None and seen.is_open and seen.source_commit == pull.source_commit


def _pull_mark(seen: SeenPullRequest | None, pull: PullRequest, *, is_open: bool) -> SeenMark:
    return SeenMark(
        pull.number,
        seen.source_commit if seen else None,
        pull.source_commit,
        was_open=seen.is_open if seen else None,
        is_open=is_open,
    )


async def _filtered(
    words: str,
    origin: Origin,
    mark: SeenMark,
    verdicts: list[tuple[str, Rules, Verdict]],
    paths: Paths,
) -> Intent:
    """Ask which files changed if, and only if, a workspace that would start wants to know."""
    wanted = any(verdict.starts and needs_paths(rules) for _, rules, verdict in verdicts)
    changed = await paths() if wanted else None
    starts: list[tuple[str, str]] = []
    refuses: list[tuple[str, str]] = []
    for workspace_id, rules, verdict in verdicts:
        judged = judge_change(rules, verdict, changed)
        (starts if judged.starts else refuses).append((workspace_id, judged.reason))
    return Intent(change=words, origin=origin, mark=mark, starts=starts, refuses=refuses)


async def _is_tip(provider: Providing, push: Push) -> bool:
    service, repository = await provider.open()
    tip = await service.branch(repository, push.branch)
    return (tip.commit if tip else "") == push.after


async def _look(
    desk: Desk, connection_id: str, repository_id: str, *, ref: str = "", number: int = 0
) -> Known:
    seen: SeenRef | SeenPullRequest | None
    async with transaction(desk.sessions) as session:
        connection = await session.get_one(Connection, connection_id)
        linked = await repositories.linked_to(session, connection_id, repository_id)
        if ref:
            seen = await session.get(SeenRef, (connection_id, repository_id, ref))
        else:
            seen = await session.get(SeenPullRequest, (connection_id, repository_id, number))
        return Known(connection, linked, seen)
