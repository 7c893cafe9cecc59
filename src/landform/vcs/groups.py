"""Groups of a provider that count as teams here: whose permissions comments of their members have.

Who is in a group is asked of the provider when a comment arrives, and never remembered. A person
whom an owner has named (`people`) is that user alone, whatever groups they are in.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Team
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor, ActorKind
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.vcs import queries
from landform.vcs.credentials import make_provider, setup_of
from landform.vcs.events import GroupAdmitted, GroupDismissed
from landform.vcs.models import Connection, KnownGroup
from landform.vcs.reach import Reach

PER_CONNECTION: Final = 20  # each is asked about for a comment
_UNIQUE: Final = "uq_vcs_groups_connection_id_name"
_LIMIT: Final = 200  # characters


async def list_groups(
    session: AsyncSession, actor: Actor, connection: Connection, page: Page
) -> Paged[KnownGroup]:
    """Return the groups that count as teams, by name.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    wanted = select(KnownGroup).where(KnownGroup.connection_id == connection.id)
    return await fetch_page(session, wanted, page, KnownGroup.name, KnownGroup.id)


async def admit(
    session: AsyncSession,
    reach: Reach,
    actor: Actor,
    connection: Connection,
    *,
    name: str,
    team_id: str,
) -> KnownGroup:
    """Say that the members of a group of the provider count as a team of the organization.

    From then on their comments have the team's permissions, so that only owners may say so.

    Args:
        name: the group, as its provider's `check_group` reads it.

    Raises:
        ForbiddenError: `actor` is no owner.
        InvalidError: there is no such team, the group is a team already, or the provider has no
            such groups.
        ConflictError: the connection has as many as it may.
    """
    await require(session, actor, Permission.MANAGE_OWNERS, connection.place)
    check_text(name, what="The group", limit=_LIMIT, pointer="name")
    name = make_provider(reach, setup_of(reach, connection)).check_group(name)
    team = await session.get(Team, team_id)
    if team is None or team.organization_id != connection.organization_id:
        raise InvalidError(f"{team_id} is no team of the organization.", pointer="team")
    await session.refresh(connection, with_for_update=True)
    mine = KnownGroup.connection_id == connection.id
    count = await session.scalar(select(func.count()).select_from(KnownGroup).where(mine))
    if (count or 0) >= PER_CONNECTION:
        raise ConflictError(f"A connection has at most {PER_CONNECTION} groups.")
    row = KnownGroup(connection_id=connection.id, name=name, team_id=team.id, created_by=actor.id)
    async with unique(session, _UNIQUE, InvalidError(f"{name} is a team already.", pointer="name")):
        session.add(row)
    events.publish(
        session,
        GroupAdmitted(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=row.id,
            connection_id=connection.id,
            name=name,
            team_id=team.id,
        ),
    )
    return row


async def dismiss(session: AsyncSession, actor: Actor, group_id: str) -> None:
    """Take from the members of a group what `admit` gave.

    Raises:
        NotFoundError: there is no such group, or `actor` may not know of it.
        ForbiddenError: `actor` is no owner.
    """
    row, connection = await queries.get_known(session, actor, KnownGroup, group_id, what="group")
    await require(session, actor, Permission.MANAGE_OWNERS, connection.place)
    await session.delete(row)
    events.publish(
        session,
        GroupDismissed(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=row.id,
            connection_id=connection.id,
            name=row.name,
            team_id=row.team_id,
        ),
    )


async def names_of(session: AsyncSession, connection_id: str) -> Sequence[str]:
    """Return the groups to ask about, for the platform itself."""
    query = select(KnownGroup.name).where(KnownGroup.connection_id == connection_id)
    return (await session.scalars(query.order_by(KnownGroup.name))).all()


async def behind(
    session: AsyncSession, connection_id: str, names: Sequence[str]
) -> Sequence[Actor]:
    """Return the teams that members of these groups count as, for the platform itself."""
    query = (
        select(Team)
        .join(KnownGroup, KnownGroup.team_id == Team.id)
        .where(KnownGroup.connection_id == connection_id, KnownGroup.name.in_(names))
        .order_by(Team.name, Team.id)
        .distinct()
    )
    return [
        Actor(kind=ActorKind.TEAM, id=team.id, name=team.name, organization_id=team.organization_id)
        for team in await session.scalars(query)
    ]
