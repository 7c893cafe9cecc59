"""Plain functions that make rows; each takes only what the test cares about.

They go past the services, so that a test of one service does not rest on another.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import forget
from landform.access.models import Membership, ProjectGrant, Team, TeamMember, WorkspaceGrant
from landform.configurations.models import Ingress
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.organizations.models import Organization
from landform.workspaces.models import Project, TagBinding, Workspace

Row = TypeVar("Row")
_NUMBERS = count(1)


async def make_user(
    session: AsyncSession,
    username: str | None = None,
    *,
    is_site_admin: bool = False,
    is_suspended: bool = False,
    email: str = "",
    password_hash: str | None = None,
) -> User:
    user = User(
        username=username or f"user-{next(_NUMBERS)}",
        email=email,
        is_site_admin=is_site_admin,
        is_suspended=is_suspended,
        password_hash=password_hash,
    )
    return await _add(session, user)


async def make_organization(
    session: AsyncSession, name: str | None = None, *, owners: Sequence[User] = ()
) -> Organization:
    """Make an organization with its owners team and its default project."""
    organization = await _add(session, Organization(name=name or f"org-{next(_NUMBERS)}"))
    project = await make_project(session, organization, "Default Project")
    organization.default_project_id = project.id
    team = Team(organization_id=organization.id, name="owners", is_owners=True)
    await _add(session, team)
    await put_in(session, team, *owners)
    return organization


async def owners_of(session: AsyncSession, organization: Organization) -> Team:
    query = select(Team).where(Team.organization_id == organization.id, Team.is_owners)
    return (await session.scalars(query)).one()


async def make_team(
    session: AsyncSession,
    organization: Organization,
    name: str | None = None,
    *,
    organization_access: Sequence[str] = (),
    members: Sequence[User] = (),
    visibility: str = "secret",
) -> Team:
    team = Team(
        organization_id=organization.id,
        name=name or f"team-{next(_NUMBERS)}",
        organization_access=list(organization_access),
        visibility=visibility,
    )
    await _add(session, team)
    await put_in(session, team, *members)
    return team


async def make_member(session: AsyncSession, organization_id: str, user: User) -> Membership:
    """Make the user a member of the organization unless they are."""
    query = select(Membership).where(
        Membership.organization_id == organization_id, Membership.user_id == user.id
    )
    there = (await session.scalars(query)).one_or_none()
    if there is not None:
        return there
    return await _add(session, Membership(organization_id=organization_id, user_id=user.id))


async def put_in(session: AsyncSession, team: Team, *users: User) -> None:
    """Put users into the team, and so into its organization."""
    for user in users:
        await make_member(session, team.organization_id, user)
        await _add(session, TeamMember(team_id=team.id, user_id=user.id))


async def make_project(
    session: AsyncSession, organization: Organization, name: str | None = None
) -> Project:
    project = Project(organization_id=organization.id, name=name or f"project {next(_NUMBERS)}")
    return await _add(session, project)


async def make_workspace(
    session: AsyncSession,
    organization: Organization | None = None,
    name: str | None = None,
    *,
    project: Project | None = None,
    tags: Mapping[str, str] | None = None,
    **settings: Any,
) -> Workspace:
    """Make a workspace, in the default project of a new organization unless told otherwise."""
    organization = organization or await make_organization(session)
    workspace = Workspace(
        organization_id=organization.id,
        project_id=project.id if project else organization.default_project_id,
        name=name or f"workspace-{next(_NUMBERS)}",
        **settings,
    )
    await _add(session, workspace)
    for key, value in (tags or {}).items():
        await _add(session, TagBinding(workspace_id=workspace.id, key=key, value=value))
    return workspace


async def grant(
    session: AsyncSession,
    team: Team,
    place: Workspace | Project,
    level: str,
    custom: Mapping[str, Any] | None = None,
) -> WorkspaceGrant | ProjectGrant:
    """Let the team do on the workspace or project what the level, or `custom`, allows."""
    settings = dict(custom or {})
    row: WorkspaceGrant | ProjectGrant
    if isinstance(place, Workspace):
        row = WorkspaceGrant(team_id=team.id, workspace_id=place.id, level=level, custom=settings)
    else:
        row = ProjectGrant(team_id=team.id, project_id=place.id, level=level, custom=settings)
    return await _add(session, row)


async def make_owner(session: AsyncSession, organization: Organization) -> Actor:
    """Return an actor who owns the organization."""
    user = await make_user(session)
    await put_in(session, await owners_of(session, organization), user)
    return actor_of(user)


async def make_actor(
    session: AsyncSession,
    place: Workspace | Project,
    level: str,
    custom: Mapping[str, Any] | None = None,
) -> Actor:
    """Return a user who may do on the place what `level` allows, through a team of their own."""
    user = await make_user(session)
    organization = await session.get_one(Organization, place.organization_id)
    team = await make_team(session, organization, members=[user])
    await grant(session, team, place, level, custom)
    return actor_of(user)


def team_actor(team: Team) -> Actor:
    """Return the actor that a token of the team is."""
    return Actor(
        kind=ActorKind.TEAM,
        id=team.id,
        name=team.name,
        organization_id=team.organization_id,
        token_id="at-test",
    )


def organization_actor(organization: Organization) -> Actor:
    """Return the actor that a token of the organization is."""
    return Actor(
        kind=ActorKind.ORGANIZATION,
        id=organization.id,
        name=organization.name,
        organization_id=organization.id,
        token_id="at-test",
    )


async def make_ingress(
    session: AsyncSession, configuration_version_id: str, **given: Any
) -> Ingress:
    """Say of a configuration which commit it is of; `given` are columns that a test is about."""
    row = {
        "connection_id": "oc-1",
        "repository_id": "1",
        "identifier": "acme/infra",
        "ref": "refs/heads/main",
        "commit_sha": "a" * 40,
        **given,
    }
    return await _add(session, Ingress(configuration_version_id=configuration_version_id, **row))


async def _add(session: AsyncSession, row: Row) -> Row:
    session.add(row)
    await session.flush()
    forget(session)
    return row
