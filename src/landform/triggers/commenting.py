"""Comments that are commands: decided outside of any transaction, obeyed in the one that notes it.

Whoever wrote the comment is asked for permission, never whoever opened the pull request.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, LandformError
from landform.runs import service as runs
from landform.triggers.commands import Command, Deed, command_of
from landform.triggers.desk import Desk
from landform.triggers.intents import Intent, Known, Order, Outcomes, origin_of, rules_of
from landform.triggers.matching import judge_pull_request
from landform.triggers.models import SeenComment
from landform.triggers.providing import Providing
from landform.triggers.starting import Origin, ask_to_fetch, runs_of, start_run
from landform.vcs import groups, people
from landform.vcs.changes import Action, Comment, Person, PullRequest
from landform.vcs.errors import NotAllowedError
from landform.workspaces.models import Workspace, WorkspaceRepository

_CLOSED: Final = frozenset({Action.MERGED, Action.CLOSED})
_NO_APPLY: Final = "Applies by comment are off for the workspace (comment-applies-enabled)."

Linked = tuple[Workspace, WorkspaceRepository]


async def decide_comment(
    desk: Desk, connection_id: str, known: Known, provider: Providing, comment: Comment
) -> Intent:
    """Return what a comment asks for.

    Raises:
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider had to be asked.
    """
    words = f"comment on pull request {comment.number}"
    try:
        command = command_of(comment.text)
    except InvalidError as failure:
        return Intent(change=words, nothing=str(failure))
    if command is None:
        return Intent(change=words, nothing="It asks for nothing.")
    words = f"{command.deed} by comment on pull request {comment.number}"
    if not known.linked:
        return Intent(change=words, nothing="No workspace is planned from this repository.")
    service, repository = await provider.open()
    pull = await service.pull_request(repository, comment.number)
    if pull.action in _CLOSED:
        return Intent(change=words, nothing="The pull request is not open any more.")
    starts, refuses = _judge(known.linked, command, pull)
    if not starts and not refuses:
        name = command.workspace
        return Intent(change=words, nothing=f"No workspace {name} is planned from this repository.")
    if command.deed is Deed.APPLY and len(starts) > 1:
        names = ", ".join(sorted(workspace.name for workspace, _ in starts))
        return Intent(change=words, nothing=f"Say which to apply, with -w: {names}.")
    return Intent(
        change=words,
        origin=origin_of(connection_id, known, pull, sender=_called(comment.by)),
        starts=[(workspace.id, "Asked for by comment.") for workspace, _ in starts],
        refuses=refuses,
        order=await _order_of(desk, connection_id, provider, command, comment),
    )


async def obey(
    session: AsyncSession, desk: Desk, intent: Intent, linked: Sequence[Linked], outcomes: Outcomes
) -> None:
    """Do what a comment asks for, as far as whoever wrote it may; once per comment."""
    origin, order = intent.origin, intent.order
    if origin is None or order is None:
        raise TypeError("an intent without an order")
    if not await _is_new(session, origin, order):
        outcomes.add(intent.change, "This comment was acted on before.")
        return
    actors = await _behind(session, origin.connection_id, order)
    if not actors:
        who = f"{_called(order.by)} (id {order.by.id})"
        words = f"{who} is nobody here. An owner can say who it is. {order.unasked}"
        outcomes.add(intent.change, words.strip())
        return
    chosen = {workspace_id for workspace_id, _ in intent.starts}
    started = False
    for workspace, repository in linked:
        if workspace.id not in chosen:
            continue
        actor = await _who_may(session, actors, order.command.deed, workspace)
        if order.command.deed is Deed.CANCEL:
            await _cancel(session, actor, workspace, intent, origin, outcomes)
        else:
            found = workspace, repository
            started |= await _start(session, desk, actor, found, intent, outcomes)
    for workspace_id, reason in intent.refuses:
        outcomes.add(intent.change, reason, workspace_id=workspace_id)
    if started:
        await ask_to_fetch(session, origin)


async def _order_of(
    desk: Desk, connection_id: str, provider: Providing, command: Command, comment: Comment
) -> Order:
    """Return the order, having asked in which groups its author is, if that is of any use."""
    async with transaction(desk.sessions) as session:
        person = await people.behind(session, connection_id, comment.by.id)
        names = await groups.names_of(session, connection_id) if person is None else ()
    found, unasked = [], ""
    for name in names:
        service, repository = await provider.open()
        try:
            if await service.is_in_group(repository, comment.by, name):
                found.append(name)
        except (NotAllowedError, InvalidError) as failure:
            unasked = f"Who is in {name} could not be asked: {failure}"
    return Order(
        command=command,
        comment_id=comment.comment_id,
        by=comment.by,
        groups=found,
        unasked=unasked,
    )


async def _behind(session: AsyncSession, connection_id: str, order: Order) -> Sequence[Actor]:
    """Return who somebody is here: the user whom an owner named, else the teams of their groups."""
    person = await people.behind(session, connection_id, order.by.id)
    if person is not None:
        return [person]
    return await groups.behind(session, connection_id, order.groups)


async def _who_may(
    session: AsyncSession, actors: Sequence[Actor], deed: Deed, workspace: Workspace
) -> Actor:
    """Return the first that may do it on the workspace; else the first, to be refused as such."""
    wanted = Permission.QUEUE_PLAN if deed is Deed.PLAN else Permission.QUEUE_APPLY
    for actor in actors:
        if await may(session, actor, wanted, workspace.place):
            return actor
    return actors[0]


def _judge(
    linked: Sequence[Linked], command: Command, pull: PullRequest
) -> tuple[list[Linked], list[tuple[str, str]]]:
    """Return the workspaces a command is for, and why others, that were meant, are left out."""
    starts: list[Linked] = []
    refuses: list[tuple[str, str]] = []
    for workspace, repository in linked:
        if command.workspace and workspace.name.lower() != command.workspace.lower():
            continue
        # Who asks for a plan gets one, also where none is made by itself.
        rules = replace(rules_of(workspace, repository), is_speculative=True)
        verdict = judge_pull_request(rules, pull.target_branch, is_fork=pull.is_fork)
        if command.deed is not Deed.CANCEL and not verdict.starts:
            refuses.append((workspace.id, verdict.reason))
        elif command.deed is Deed.APPLY and not repository.applies_by_comment:
            refuses.append((workspace.id, _NO_APPLY))
        else:
            starts.append((workspace, repository))
    return starts, refuses


async def _start(
    session: AsyncSession,
    desk: Desk,
    actor: Actor,
    found: Linked,
    intent: Intent,
    outcomes: Outcomes,
) -> bool:
    workspace, repository = found
    if intent.origin is None or intent.order is None:
        raise TypeError("an intent without an order")
    applies = intent.order.command.deed is Deed.APPLY
    keyring = desk.platform.keyring
    try:
        run = await start_run(
            session, keyring, workspace, repository, intent.origin, actor=actor, applies=applies
        )
    except LandformError as failure:
        outcomes.add(intent.change, f"No run: {failure}", workspace_id=workspace.id)
        return False
    outcomes.add(intent.change, "Asked for by comment.", workspace_id=workspace.id, run_id=run.id)
    return True


async def _cancel(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    intent: Intent,
    origin: Origin,
    outcomes: Outcomes,
) -> None:
    under_way = await runs_of(session, origin, workspace_id=workspace.id)
    if not under_way:
        outcomes.add(intent.change, "Nothing of it is under way.", workspace_id=workspace.id)
    for run in under_way:
        reason = "Asked for by comment."
        try:
            async with session.begin_nested():
                await runs.cancel(session, actor, run.id, comment=reason)
        except LandformError as failure:
            reason = f"Not canceled: {failure}"
        outcomes.add(intent.change, reason, workspace_id=workspace.id, run_id=run.id)


async def _is_new(session: AsyncSession, origin: Origin, order: Order) -> bool:
    new = insert(SeenComment).values(
        connection_id=origin.connection_id,
        repository_id=origin.repository_id,
        number=origin.pull_request,
        comment_id=order.comment_id,
    )
    made = new.on_conflict_do_nothing().returning(SeenComment.comment_id)
    return await session.scalar(made) is not None


def _called(person: Person) -> str:
    return person.name or person.login or "Somebody"
