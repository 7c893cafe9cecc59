"""One deed on many workspaces: each is authorised, done and told of by itself, or refused alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import InvalidError, LandformError, NotFoundError, TooLargeError
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import creation, locks, overview
from landform.runs.creation import NewRun
from landform.runs.overview import Standing
from landform.workspaces import queries, tags
from landform.workspaces.models import Workspace
from landform.workspaces.queries import WorkspaceFilter
from landform.workspaces.tags import Tag

MOST: Final = 500  # workspaces of one order


class Deed(StrEnum):
    """What can be done to many workspaces at once."""

    TAG = "tag"
    UNTAG = "untag"
    LOCK = "lock"
    UNLOCK = "unlock"
    PLAN = "plan"
    RUN = "run"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done to each workspace.

    Attributes:
        tags: for `tag`; of them only the keys count for `untag`.
        text: why a lock is taken, or the message of a run.
    """

    deed: Deed
    tags: Sequence[Tag] = ()
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an order at one workspace.

    Attributes:
        name: empty when there is no such workspace, as far as the actor may know.
        failure: why it was refused; None when it was done.
    """

    workspace_id: str
    name: str = ""
    failure: LandformError | None = None


async def matching(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    wanted: WorkspaceFilter,
    standing: Standing | None,
) -> list[str]:
    """Return the ids of all workspaces that are wanted and that `actor` may read, by name.

    Raises:
        TooLargeError: they are more than an order may be about.
    """
    page = Page(number=1, size=MOST)
    found = await overview.list_with_runs(
        session, actor, organization, wanted, standing=standing, page=page
    )
    _check_count(found.total)
    return [each.workspace.id for each in found.items]


async def carry_out(
    sessions: Sessions,
    keyring: Keyring,
    actor: Actor,
    organization: Organization,
    workspace_ids: Sequence[str],
    order: Order,
) -> list[Outcome]:
    """Do it to one workspace after the other, each in a transaction of its own.

    Raises:
        InvalidError: nothing was chosen, or tags are missing or malformed; nothing was done.
        TooLargeError: too many were chosen; nothing was done.
    """
    chosen = list(dict.fromkeys(workspace_ids))
    if not chosen:
        raise InvalidError("Choose at least one workspace.")
    _check_count(len(chosen))
    if order.deed in (Deed.TAG, Deed.UNTAG):
        if not order.tags:
            raise InvalidError("Say which tags, such as env=prod team.")
        tags.check(order.tags)
    return [await _one(sessions, keyring, actor, organization, each, order) for each in chosen]


async def _one(
    sessions: Sessions,
    keyring: Keyring,
    actor: Actor,
    organization: Organization,
    workspace_id: str,
    order: Order,
) -> Outcome:
    name = ""
    try:
        async with transaction(sessions) as session:
            workspace = await queries.get(session, actor, workspace_id)
            if workspace.organization_id != organization.id:
                raise NotFoundError(f"There is no workspace {workspace_id}.")
            name = workspace.name
            await _do(session, keyring, actor, workspace, order)
    except LandformError as failure:
        return Outcome(workspace_id=workspace_id, name=name, failure=failure)
    return Outcome(workspace_id=workspace_id, name=name)


async def _do(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace, order: Order
) -> None:
    match order.deed:
        case Deed.TAG:
            await tags.update_bindings(session, actor, workspace, order.tags)
        case Deed.UNTAG:
            await tags.remove_tags(session, actor, workspace, [each.key for each in order.tags])
        case Deed.LOCK:
            await locks.lock(session, actor, workspace, reason=order.text)
        case Deed.UNLOCK:
            await locks.unlock(session, actor, workspace)
        case Deed.PLAN | Deed.RUN:
            plan_only = True if order.deed is Deed.PLAN else None
            new = NewRun(message=order.text, source=creation.OUR_PAGES, plan_only=plan_only)
            await creation.create_run(session, keyring, actor, workspace, new)


def _check_count(count: int) -> None:
    if count > MOST:
        raise TooLargeError(
            f"These are {count:,} workspaces; {MOST} can be changed at once. Narrow the choice."
        )
