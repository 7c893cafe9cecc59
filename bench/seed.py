"""Organizations of any size, written in bulk: what would take the API an hour takes seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership, Team, TeamMember, WorkspaceGrant
from landform.identity import tokens
from landform.identity.actor import SYSTEM, ActorKind
from landform.identity.models import User
from landform.organizations.models import Organization
from landform.workspaces.models import Project, TagBinding, Workspace

TEAMS: Final = 200
_ROWS_AT_ONCE: Final = 2000
_SHARE: Final = 10  # one in so many workspaces is granted to the member's team
_SEEN: Final = 100  # but at least as many, where there are

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Seeded:
    """An organization, and the token of a user who is in one of its teams."""

    name: str
    member_token: str


async def seed(session: AsyncSession, name: str, *, workspaces: int) -> Seeded:
    """Make an organization with so many workspaces and `TEAMS` teams of one member each."""
    organization = Organization(name=name)
    session.add(organization)
    await session.flush()
    project = Project(organization_id=organization.id, name="Default Project")
    session.add(project)
    await session.flush()
    organization.default_project_id = project.id
    ids = [f"ws-{name}-{number:06}" for number in range(workspaces)]
    teams = [f"team-{name}-{number:03}" for number in range(TEAMS)]
    users = [f"user-{name}-{number:03}" for number in range(TEAMS)]
    await write(session, Workspace, list(_workspaces(organization, project, ids)))
    await write(session, TagBinding, list(_tags(ids)))
    await write(session, User, [_user(one) for one in users])
    of_it = {"organization_id": organization.id}
    await write(session, Team, [{"id": one, "name": one, **of_it} for one in teams])
    await write(session, Membership, [{"user_id": one, **of_it} for one in users])
    pairs = zip(teams, users, strict=True)
    await write(session, TeamMember, [{"team_id": t, "user_id": u} for t, u in pairs])
    await write(session, WorkspaceGrant, list(_grants(ids, teams)))
    _, secret = await tokens.issue(
        session, SYSTEM, owner_kind=ActorKind.USER, owner_id=users[0], description="bench"
    )
    return Seeded(name, secret)


async def write(session: AsyncSession, table: type[Any], rows: Rows) -> None:
    """Insert the rows, many at once."""
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        await session.execute(insert(table), rows[at : at + _ROWS_AT_ONCE])


def _workspaces(
    organization: Organization, project: Project, ids: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for number, one in zip(count(), ids):
        yield {
            "id": one,
            "organization_id": organization.id,
            "project_id": project.id,
            # Neither in the order of the ids nor of their making.
            "name": f"app-{number * 7919 % len(ids):06}",
        }


def _tags(ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, one in zip(count(), ids):
        yield {"workspace_id": one, "key": "stage", "value": ("test", "live")[number % 2]}
        yield {"workspace_id": one, "key": f"area-{number % 20}"}


def _user(user_id: str) -> dict[str, Any]:
    return {"id": user_id, "username": user_id, "email": f"{user_id}@example.com"}


def _grants(ids: Sequence[str], teams: Sequence[str]) -> Iterator[dict[str, Any]]:
    every = max(1, min(_SHARE, len(ids) // _SEEN))
    for number, one in zip(count(), ids):
        yield {"team_id": teams[1 + number % (TEAMS - 1)], "workspace_id": one, "level": "write"}
        if number % every == 0:
            yield {"team_id": teams[0], "workspace_id": one, "level": "read"}
