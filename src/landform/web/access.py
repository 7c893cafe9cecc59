"""Teams, their members, and what each team may do on a workspace."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from landform.access import (
    approval_rules,
    directory,
    invitations,
    memberships,
    team_access,
    teams,
    tokens,
)
from landform.access.models import Invitation, Team, WorkspaceGrant
from landform.access.permissions import (
    ORGANIZATION_ACCESS,
    WORKSPACE_LEVELS,
    Permission,
    Place,
)
from landform.access.service import require
from landform.access.team_access import Access
from landform.access.teams import TeamSettings
from landform.identity import users
from landform.identity.models import ApiToken
from landform.kit.clock import now
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.visit import Crumb, InOrganization, InWorkspace, Visit

router = APIRouter(include_in_schema=False)

_SHOWN: Final = 100
_DIGITS: Final = 4
_SWITCHES: Final = (
    ("read-workspaces", "See every workspace"),
    ("read-projects", "See every project"),
    ("manage-workspaces", "Manage every workspace"),
    ("manage-projects", "Manage every project and workspace"),
    ("manage-membership", "Manage members"),
    ("manage-teams", "Manage teams"),
    ("manage-organization-access", "Give teams access to the organization"),
    ("access-secret-teams", "See secret teams"),
    ("manage-vcs-settings", "Manage VCS connections"),
    ("manage-agent-pools", "Manage agent pools"),
)
# What the forms call what the services call otherwise.
_NAMES: Final = {
    "sso_team_id": "group",
    "organization_access": "switch",
    "approvals_needed": "needed",
    "access": "level",
}
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/organizations/{organization}/teams")
async def show_teams(visit: InOrganization) -> Response:
    """List the teams that the visitor may know of, and the members for who manages them."""
    first = Page(number=1, size=_SHOWN)
    found = await directory.list_teams(visit.session, visit.actor, visit.organization.id, first)
    members: list[tuple[str, str, str]] = []
    invited: Sequence[Invitation] = []
    if visit.may(Permission.MANAGE_MEMBERSHIP):
        invited = await invitations.list_(visit.session, visit.actor, visit.organization.id)
        listed = await directory.list_memberships(
            visit.session, visit.actor, visit.organization.id, first
        )
        members = [(row.id, user.username, user.email) for row, user in listed.items]
    return await visit.page(
        "organizations/teams.html",
        section="teams",
        follows=(),
        crumbs=[Crumb("Teams")],
        teams=found.items,
        choices=[(team.id, team.name) for team in found.items],
        counts=await directory.member_counts(visit.session, found.items),
        members=members,
        invited=[(row, row.expires_at < now()) for row in invited],
        may_manage=visit.may(Permission.MANAGE_TEAMS),
        may_invite=visit.may(Permission.MANAGE_MEMBERSHIP),
    )


@router.post("/organizations/{organization}/teams")
async def create_team(visit: InOrganization, form: OwnForm) -> Response:
    """Make a team."""
    settings = TeamSettings(name=form.line("name"), visibility=form.line("visibility", "secret"))
    with refusals_to(f"{visit.path}/teams"):
        team = await teams.create_team(visit.session, visit.actor, visit.organization.id, settings)
    return redirect(f"{visit.path}/teams/{team.id}", say=f"Team {team.name} was created.")


@router.post("/organizations/{organization}/members")
async def change_members(visit: InOrganization, form: OwnForm) -> Response:
    """Let a user belong to the organization, or no longer."""
    back = f"{visit.path}/teams"
    with refusals_to(back, at="username", names={"user": "username"}):
        if form.line("deed") == "remove":
            membership = await directory.get_membership(
                visit.session, visit.actor, form.line("membership")
            )
            await memberships.remove_member(visit.session, visit.actor, membership)
            return redirect(back, say="The member was removed.")
        # Before a name is looked up: who is here is not for everybody to find out.
        place = Place(organization_id=visit.organization.id)
        await require(visit.session, visit.actor, Permission.MANAGE_MEMBERSHIP, place)
        user = await users.by_username(visit.session, form.line("username"))
        if user is None:
            raise InvalidError(f"There is no user {form.line('username')[:80]}.")
        await memberships.add_member(visit.session, visit.actor, visit.organization.id, user)
    return redirect(back, say=f"{user.username} is a member now.")


@router.get("/organizations/{organization}/teams/{team_id}")
async def show_team(visit: InOrganization, team_id: str) -> Response:
    """Show a team."""
    team = await _team(visit, team_id)
    known = await directory.members_of(visit.session, team)
    may_fill = visit.may(
        Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_MEMBERSHIP
    )
    return await visit.page(
        "organizations/team.html",
        section="teams",
        follows=(f"{team.id}/identity",),
        crumbs=[Crumb("Teams", f"{visit.path}/teams"), Crumb(team.name)],
        team=team,
        members=[(user.id, user.username) for user in known],
        switches=[s for s in _SWITCHES if s[0] in ORGANIZATION_ACCESS],
        may_manage=visit.may(Permission.MANAGE_TEAMS) and not team.is_owners,
        may_switch=visit.may(Permission.MANAGE_ORGANIZATION_ACCESS) and not team.is_owners,
        tokens=await _tokens_of(visit, team),
        may_fill=may_fill,
        may_group=may_fill and visit.may(Permission.MANAGE_TEAMS),
    )


async def _tokens_of(visit: Visit, team: Team) -> Sequence[ApiToken] | None:
    try:
        return await tokens.list_of_team(visit.session, visit.actor, team)
    except ForbiddenError:
        return None  # who may see the team, but not its tokens


@router.post("/organizations/{organization}/teams/{team_id}")
async def change_team(visit: InOrganization, team_id: str, form: OwnForm) -> Response:
    """Change a team, its members, or delete it."""
    team = await _team(visit, team_id)
    here, deed = f"{visit.path}/teams/{team.id}", form.line("deed")
    session, actor = visit.session, visit.actor
    at = {"add": "username", "group": "group"}.get(deed, "")
    with refusals_to(here, at=at, names=_NAMES):
        if deed == "delete":
            await teams.delete_team(session, actor, team)
            return redirect(f"{visit.path}/teams", say=f"Team {team.name} was deleted.")
        if deed == "add":
            user = await users.by_username(session, form.line("username"))
            user_id = user.id if user else form.line("username")[:80]
            await teams.add_members(session, actor, team, [user_id])
        elif deed == "remove":
            await teams.remove_members(session, actor, team, [form.line("user")])
        elif deed == "withdraw":
            await _withdraw(visit, team, form.line("token"))
        elif deed == "group":
            settings = TeamSettings(sso_team_id=form.line("group"))
            await teams.update_team(session, actor, team, settings)
        else:
            settings = TeamSettings(
                name=form.line("name"),
                visibility=form.line("visibility"),
                organization_access=_switched(team, form),
            )
            await teams.update_team(session, actor, team, settings)
    return redirect(here, say="Saved.")


async def _withdraw(visit: Visit, team: Team, token_id: str) -> None:
    known = await tokens.list_of_team(visit.session, visit.actor, team)
    if token_id not in {each.id for each in known}:
        raise InvalidError("The team has no such token any more.")
    await tokens.revoke(visit.session, visit.actor, token_id)


def _switched(team: Team, form: OwnForm) -> list[str] | None:
    """Return the switches that are to be on; those that the page does not show stay."""
    if not form.flag("switches"):
        return None
    shown = {name for name, _ in _SWITCHES}
    kept = [name for name in team.organization_access if name not in shown]
    return [*kept, *(name for name in form.all("switch") if name in shown)]


async def _team(visit: InOrganization, team_id: str) -> Team:
    team = await directory.get_team(visit.session, visit.actor, team_id)
    if team.organization_id != visit.organization.id:
        raise NotFoundError(f"There is no team {team_id}.")
    return team


@router.get("/app/{organization}/{workspace}/access")
async def show_access(visit: InWorkspace) -> Response:
    """Show which teams may do what on the workspace."""
    grants = await team_access.list_at(visit.session, visit.actor, visit.workspace.place)
    first = Page(number=1, size=_SHOWN)
    listed = await directory.list_teams(visit.session, visit.actor, visit.organization.id, first)
    rule = await approval_rules.get_rule(visit.session, visit.actor, visit.workspace.place)
    names = {team.id: team.name for team in listed.items}
    given = {grant.team_id for grant in grants}
    return await visit.page(
        "workspaces/access.html",
        section="access",
        follows=(),
        crumbs=[Crumb("Access")],
        grants=[(g.id, names.get(g.team_id, g.team_id), g.level) for g in grants],
        free=[(t.id, t.name) for t in listed.items if t.id not in given and not t.is_owners],
        levels=list(WORKSPACE_LEVELS),
        may_manage=visit.may(Permission.MANAGE_ACCESS),
        needed=rule.needed if rule else 0,
        choices=[(team.id, team.name) for team in listed.items],
        approvers=rule.team_ids if rule else (),
        most=approval_rules.MOST_APPROVALS,
    )


@router.post("/app/{organization}/{workspace}/access/approvals")
async def change_approvals(visit: InWorkspace, form: OwnForm) -> Response:
    """Say how many people of which teams must approve a run."""
    here, needed = f"{visit.path}/access", form.line("needed", "0")
    with refusals_to(here, names=_NAMES):
        await approval_rules.set_rule(
            visit.session,
            visit.actor,
            visit.workspace.place,
            needed=int(needed) if needed.isdecimal() and len(needed) < _DIGITS else -1,
            team_ids=form.all("teams"),
        )
    return redirect(here, say="Saved.")


@router.post("/app/{organization}/{workspace}/access")
async def change_access(visit: InWorkspace, form: OwnForm) -> Response:
    """Give a team access to the workspace, another level, or none."""
    here, deed = f"{visit.path}/access", form.line("deed")
    session, actor, place = visit.session, visit.actor, visit.workspace.place
    with refusals_to(here, names=_NAMES):
        if deed == "give":
            team = await directory.get_team(session, actor, form.line("team"))
            await team_access.grant(session, actor, team, place, Access(level=form.line("level")))
            return redirect(here, say=f"{team.name} has access now.")
        query = select(WorkspaceGrant).where(
            WorkspaceGrant.id == form.line("grant"),
            WorkspaceGrant.workspace_id == visit.workspace.id,
        )
        row = (await session.scalars(query)).one_or_none()
        if row is None:
            raise NotFoundError("There is no such access to this workspace.")
        if deed == "withdraw":
            await team_access.withdraw(session, actor, row, place)
        else:
            await team_access.change(session, actor, row, place, Access(level=form.line("level")))
    return redirect(here, say="Saved.")
