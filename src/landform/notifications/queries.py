"""Reads of notification configurations: for those who may change the workspace, as TFE has it.

They show where things are posted to, which is the one secret that chats know.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.notifications.models import NotificationConfiguration, NotificationDelivery
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

PER_WORKSPACE: Final = 20
_NAMED: Final = 100  # more than may be told by one configuration
_ALL: Final = Page(number=1, size=PER_WORKSPACE)


async def list_of(
    session: AsyncSession, actor: Actor, workspace: Workspace, page: Page = _ALL
) -> Paged[NotificationConfiguration]:
    """Return the configurations of a workspace, those made first before others.

    Raises:
        NotFoundError: `actor` may not know of the workspace.
        ForbiddenError: `actor` may not change it.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    wanted = select(NotificationConfiguration).where(
        NotificationConfiguration.workspace_id == workspace.id
    )
    order = (NotificationConfiguration.created_at, NotificationConfiguration.id)
    return await fetch_page(session, wanted, page, *order)


async def get(
    session: AsyncSession, actor: Actor, configuration_id: str
) -> tuple[NotificationConfiguration, Workspace]:
    """Return the configuration, with its workspace.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may not change its workspace.
    """
    row = await session.get(NotificationConfiguration, configuration_id)
    if row is None or not await workspaces.may_know(session, actor, row.workspace_id):
        raise NotFoundError(f"There is no notification configuration {configuration_id}.")
    workspace = await session.get_one(Workspace, row.workspace_id)
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    return row, workspace


def require_within(
    row: NotificationConfiguration, found: Workspace, workspace: Workspace
) -> NotificationConfiguration:
    """Return `row` if the workspace that it was found in is that one.

    Raises:
        NotFoundError: it is another's.
    """
    if found.id != workspace.id:
        raise NotFoundError(f"{workspace.name} has no notification configuration {row.id}.")
    return row


async def members_named(
    session: AsyncSession, organization_id: str, names: Sequence[str]
) -> list[str]:
    """Return the ids of members by their usernames, in any case.

    Raises:
        InvalidError: one is no member.
    """
    wanted = list(dict.fromkeys(each.lower() for each in names[:_NAMED]))
    query = (
        select(func.lower(User.username), User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organization_id == organization_id, func.lower(User.username).in_(wanted))
    )
    found = {row[0]: row[1] for row in await session.execute(query)}
    missing = next((each for each in wanted if each not in found), None)
    if missing is not None:
        raise InvalidError(f"The organization has no member {missing[:64]}.", pointer="users")
    return [found[each] for each in wanted]


async def last_deliveries(
    session: AsyncSession, configurations: Sequence[NotificationConfiguration], *, most: int
) -> dict[str, list[NotificationDelivery]]:
    """Return the newest deliveries of each, newest first; for who found them by these reads."""
    row = NotificationDelivery
    place = func.row_number().over(partition_by=row.configuration_id, order_by=row.id.desc())
    ranked = (
        select(row.id, place.label("place"))
        .where(row.configuration_id.in_([each.id for each in configurations]))
        .subquery()
    )
    query = (
        select(row)
        .join(ranked, ranked.c.id == row.id)
        .where(ranked.c.place <= most)
        .order_by(row.id.desc())
    )
    found: dict[str, list[NotificationDelivery]] = {each.id: [] for each in configurations}
    for each in await session.scalars(query):
        found[each.configuration_id].append(each)
    return found


async def last_answers(
    session: AsyncSession, configurations: Sequence[NotificationConfiguration]
) -> dict[str, NotificationDelivery]:
    """Return the newest delivery of each that was answered by HTTP, if one was."""
    row = NotificationDelivery
    query = (
        select(row)
        .ext(distinct_on(row.configuration_id))
        .where(
            row.configuration_id.in_([each.id for each in configurations]),
            row.code.is_not(None),
        )
        .order_by(row.configuration_id, row.sent_at.desc())
    )
    return {each.configuration_id: each for each in await session.scalars(query)}
