"""Terrakube's `team`, and `access` of a team to one workspace.

Facts: terrakube_backend.md §1.2 and §1.4. A role that is named goes before the flags, which then
are all false. What a flag would allow that cannot be given apart here is refused, not widened.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access import directory, team_access, teams
from landform.access.models import ProjectGrant, Team, WorkspaceGrant
from landform.access.permissions import CUSTOM, WORKSPACE_LEVELS, Place
from landform.access.team_access import Access
from landform.access.teams import TeamSettings
from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToOne,
    given,
    reads,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    CurrentWorkspace,
    new_router,
    refuse_set,
    selection_of,
)
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.kit.selection import matches
from landform.workspaces.models import Workspace

Grant = TypeVar("Grant", WorkspaceGrant, ProjectGrant)
router = new_router()

# ── teams ───────────────────────────────────────────────────────────────────────────────────────

_SWITCHES: Final = {
    "manage_workspace": "manage-workspaces",
    "manage_module": "manage-modules",
    "manage_provider": "manage-providers",
    "manage_vcs": "manage-vcs-settings",
}
_READ: Final = "read-workspaces"
_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "admin": frozenset({*_SWITCHES.values(), "manage-projects"}),
    "read": frozenset({_READ}),
}
_ON_WORKSPACES: Final = (
    "A team's {name} cannot be given for a whole organization without manageWorkspace; give the"
    " team access to workspaces."
)
# What is in `manageWorkspace` here, and cannot be given for all workspaces without it.
_WITHIN: Final = {
    "manage_state": "manageState",
    "manage_job": "manageJob",
    "plan_job": "planJob",
    "approve_job": "approveJob",
}
_NOT_OFFERED: Final = {
    "manage_template": "Templates are the same everywhere here, and nobody's to manage.",
    "manage_collection": "Collections of variables are not offered yet.",
    "manage_policies": "Policies are not offered yet.",
}


def _role(team: Team) -> str:
    if team.is_owners:
        return "admin"
    held = set(team.organization_access)
    return next((role for role, switches in _ROLES.items() if held == switches), CUSTOM)


def _flag(switch: str) -> Any:
    return reads(lambda team: _role(team) == CUSTOM and switch in team.organization_access)


class TeamAttributes(Attributes[Team]):
    """Who may do what in an organization."""

    name: str
    role: str = reads(_role)
    manage_workspace: bool = _flag("manage-workspaces")
    manage_state: bool = _flag("manage-workspaces")
    manage_job: bool = _flag("manage-workspaces")
    plan_job: bool = _flag("manage-workspaces")
    approve_job: bool = _flag("manage-workspaces")
    manage_module: bool = _flag("manage-modules")
    manage_provider: bool = _flag("manage-providers")
    manage_vcs: bool = _flag("manage-vcs-settings")
    manage_template: bool = reads(lambda _: False)
    manage_collection: bool = reads(lambda _: False)


TEAM = Resource[Team, Context](
    TERRAKUBE,
    "team",
    TeamAttributes,
    relationships=[ToOne("organization", "organization")],
    sorts=("name",),
    filters=("filter", "filter[team]"),
)


class TeamInput(Camel):
    """What a client gives of a team."""

    name: str | UnsetType | None = UNSET
    role: str | UnsetType | None = UNSET
    manage_workspace: bool | UnsetType | None = UNSET
    manage_state: bool | UnsetType | None = UNSET
    manage_job: bool | UnsetType | None = UNSET
    manage_module: bool | UnsetType | None = UNSET
    manage_provider: bool | UnsetType | None = UNSET
    manage_vcs: bool | UnsetType | None = UNSET
    manage_template: bool | UnsetType | None = UNSET
    manage_collection: bool | UnsetType | None = UNSET
    manage_policies: bool | UnsetType | None = UNSET
    plan_job: bool | UnsetType | None = UNSET
    approve_job: bool | UnsetType | None = UNSET


TEAM_INPUT = Input(TERRAKUBE, "team", TeamInput)
OneTeam = Annotated[Query, Depends(TEAM.query)]
SentTeam = Annotated[Body[TeamInput], Depends(TEAM_INPUT)]

_TEAMS: Final = "/organization/{organization_id}/team"
_TEAM: Final = _TEAMS + "/{team_id}"
_TEAM_FIELDS: Final = {"id": Field("id"), "name": Field("name")}


async def _team(organization: CurrentOrganization, team_id: str, context: CurrentContext) -> Team:
    team = await directory.get_team(context.session, context.actor, team_id)
    if team.organization_id != organization.id:
        raise NotFoundError(f"There is no team {team_id} in {organization.name}.")
    return team


CurrentTeam = Annotated[Team, Depends(_team)]


@router.get(_TEAMS)
async def list_teams(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(TEAM.list_query)],
    context: CurrentContext,
) -> Response:
    found = await directory.list_teams(
        context.session,
        context.actor,
        organization.id,
        query.page,
        selection=selection_of(query, "team", _TEAM_FIELDS),
    )
    return await TEAM.many(found.items, query, context, total=found.total)


@router.post(_TEAMS, status_code=201)
async def create_team(
    organization: CurrentOrganization, body: SentTeam, query: OneTeam, context: CurrentContext
) -> Response:
    settings = _team_settings(body.attributes, ())
    team = await teams.create_team(context.session, context.actor, organization.id, settings)
    return await TEAM.one(team, query, context)


@router.get(_TEAM)
async def read_team(team: CurrentTeam, query: OneTeam, context: CurrentContext) -> Response:
    return await TEAM.one(team, query, context)


@router.patch(_TEAM, status_code=204)
async def update_team(team: CurrentTeam, body: SentTeam, context: CurrentContext) -> Response:
    settings = _team_settings(body.attributes, team.organization_access)
    await teams.update_team(context.session, context.actor, team, settings)
    return Response(status_code=204)


@router.delete(_TEAM, status_code=204)
async def delete_team(team: CurrentTeam, context: CurrentContext) -> Response:
    await teams.delete_team(context.session, context.actor, team)
    return Response(status_code=204)


def _team_settings(sent: TeamInput, present: Sequence[str]) -> TeamSettings:
    """Translate role and flags to switches; those that Terrakube has no flag for stay.

    Raises:
        InvalidError: a role or a flag cannot be given for a whole organization.
    """
    flags = given(sent)
    refuse_set(_NOT_OFFERED, flags)
    role = sent.role or ""
    if role and role != CUSTOM:
        return TeamSettings(name=sent.name or None, organization_access=sorted(_of_role(role)))
    changed = {switch: bool(flags[name]) for name, switch in _SWITCHES.items() if name in flags}
    if role == "" and not changed:
        return TeamSettings(name=sent.name or None)
    held = {each for each in present if each not in changed} | {
        switch for switch, is_on in changed.items() if is_on
    }
    if "manage-workspaces" not in held:
        refuse_set({name: _ON_WORKSPACES.format(name=at) for name, at in _WITHIN.items()}, flags)
    return TeamSettings(name=sent.name or None, organization_access=sorted(held))


def _of_role(role: str) -> frozenset[str]:
    if role not in _ROLES:
        raise InvalidError(
            f"The role {role[:40]!r} cannot be given for a whole organization, but"
            f" {', '.join(_ROLES)} and custom can; give others on workspaces.",
            pointer="role",
        )
    return _ROLES[role]


# ── access to a workspace ───────────────────────────────────────────────────────────────────────


def _custom(row: WorkspaceGrant) -> Mapping[str, Any]:
    return row.custom if row.level == CUSTOM else {}


def _plans(row: WorkspaceGrant) -> bool:
    return _custom(row).get("runs") in ("plan", "apply")


def _approves(row: WorkspaceGrant) -> bool:
    return _custom(row).get("runs") == "apply"


class AccessAttributes(Attributes[WorkspaceGrant]):
    """What a team, which is found by its name, may do on one workspace."""

    name: str = reads(lambda row, context: context.team_names[row.team_id])
    role: str = reads("level")
    manage_state: bool = reads(lambda row: _custom(row).get("state-versions") == "write")
    manage_workspace: bool = reads(lambda _: False)
    manage_job: bool = reads(_approves)
    plan_job: bool = reads(_plans)
    approve_job: bool = reads(_approves)


async def name_teams(rows: Sequence[WorkspaceGrant | ProjectGrant], context: Context) -> None:
    """Have the context know what the teams of these grants are called."""
    for team_id in {row.team_id for row in rows} - context.team_names.keys():
        team = await context.session.get_one(Team, team_id)
        context.team_names[team_id] = team.name


ACCESS = Resource[WorkspaceGrant, Context](
    TERRAKUBE,
    "access",
    AccessAttributes,
    relationships=[ToOne("workspace", "workspace")],
    prepare=name_teams,
    filters=("filter", "filter[access]"),
)


class AccessInput(Camel):
    """What a client gives of access; `name` is the team's, and stays."""

    name: str | UnsetType | None = UNSET
    role: str | UnsetType | None = UNSET
    manage_state: bool | UnsetType | None = UNSET
    manage_workspace: bool | UnsetType | None = UNSET
    manage_job: bool | UnsetType | None = UNSET
    plan_job: bool | UnsetType | None = UNSET
    approve_job: bool | UnsetType | None = UNSET


ACCESS_INPUT = Input(TERRAKUBE, "access", AccessInput)
OneAccess = Annotated[Query, Depends(ACCESS.query)]
SentAccess = Annotated[Body[AccessInput], Depends(ACCESS_INPUT)]

_ACCESSES: Final = "/organization/{organization_id}/workspace/{workspace_id}/access"
_ACCESS: Final = _ACCESSES + "/{access_id}"
_ACCESS_FIELDS: Final = {"id": Field("id"), "name": Field("name"), "role": Field("role")}


@router.get(_ACCESSES)
async def list_access(
    workspace: CurrentWorkspace,
    query: Annotated[ListQuery, Depends(ACCESS.list_query)],
    context: CurrentContext,
) -> Response:
    rows = await grants_at(workspace.place, WorkspaceGrant, context)
    condition = selection_of(query, "access", _ACCESS_FIELDS).condition

    def holds(row: WorkspaceGrant) -> bool:
        texts = {"id": row.id, "name": context.team_names[row.team_id], "role": row.level}
        return matches(condition, texts.__getitem__)

    return await ACCESS.many([row for row in rows if holds(row)], query, context)


@router.post(_ACCESSES, status_code=201)
async def give_access(
    workspace: CurrentWorkspace, body: SentAccess, query: OneAccess, context: CurrentContext
) -> Response:
    session, actor, name = context.session, context.actor, body.attributes.name or ""
    access = _access(body.attributes, {})
    team = await team_called(context, workspace.organization_id, name)
    row = await team_access.grant(session, actor, team, workspace.place, access)
    assert isinstance(row, WorkspaceGrant)  # noqa: S101 - the place is a workspace's
    return await ACCESS.one(row, query, context)


@router.get(_ACCESS)
async def read_access(
    workspace: CurrentWorkspace, access_id: str, query: OneAccess, context: CurrentContext
) -> Response:
    return await ACCESS.one(await _grant(workspace, access_id, context), query, context)


@router.patch(_ACCESS, status_code=204)
async def change_access(
    workspace: CurrentWorkspace, access_id: str, body: SentAccess, context: CurrentContext
) -> Response:
    row = await _grant(workspace, access_id, context)
    name = body.attributes.name
    if name and name != context.team_names[row.team_id]:
        raise InvalidError("Access stays its team's; give the other team its own.", pointer="name")
    access = _access(body.attributes, _custom(row))
    await team_access.change(context.session, context.actor, row, workspace.place, access)
    return Response(status_code=204)


@router.delete(_ACCESS, status_code=204)
async def withdraw_access(
    workspace: CurrentWorkspace, access_id: str, context: CurrentContext
) -> Response:
    row = await _grant(workspace, access_id, context)
    await team_access.withdraw(context.session, context.actor, row, workspace.place)
    return Response(status_code=204)


async def team_called(context: Context, organization_id: str, name: str) -> Team:
    """Return the team of that name.

    Raises:
        InvalidError: there is none that the actor may know of.
    """
    found = await directory.list_teams(
        context.session, context.actor, organization_id, Page(1, 1), names=[name]
    )
    if not found.items:
        raise InvalidError(f"There is no team {name} in the organization.", pointer="name")
    return found.items[0]


async def grants_at(place: Place, kind: type[Grant], context: Context) -> list[Grant]:
    """Return what teams were given at a place, with their names at hand."""
    rows = await team_access.list_at(context.session, context.actor, place)
    found = [row for row in rows if isinstance(row, kind)]
    await name_teams(found, context)
    return found


async def grant_at(
    place: Place, kind: type[Grant], access_id: str, context: Context, *, name: str
) -> Grant:
    """Return one of them.

    Args:
        name: of the place.

    Raises:
        NotFoundError: nothing was given there by this id.
    """
    rows = await grants_at(place, kind, context)
    row = next((each for each in rows if each.id == access_id), None)
    if row is None:
        raise NotFoundError(f"There is no access {access_id} on {name}.")
    return row


async def _grant(workspace: Workspace, access_id: str, context: Context) -> WorkspaceGrant:
    return await grant_at(workspace.place, WorkspaceGrant, access_id, context, name=workspace.name)


def _access(sent: AccessInput, present: Mapping[str, Any]) -> Access:
    """Translate role and flags; settings that Terrakube has no flag for stay as they are.

    Raises:
        InvalidError: there is no such role, or a flag cannot be given apart.
    """
    role = sent.role or CUSTOM
    if role != CUSTOM:
        if role not in WORKSPACE_LEVELS:
            raise InvalidError(
                f"The role is one of {', '.join((*WORKSPACE_LEVELS, CUSTOM))}.", pointer="role"
            )
        return Access(level=role)
    return Access(level=CUSTOM, custom=custom_of(sent, present, else_="admin"))


def custom_of(sent: AccessInput, present: Mapping[str, Any], *, else_: str) -> dict[str, Any]:
    """Translate the flags into settings for workspaces; others of `present` stay as they are.

    Args:
        else_: the role with which whole workspaces are managed.

    Raises:
        InvalidError: a flag cannot be given apart.
    """
    flags = given(sent)
    why = f"Who may change workspaces is their {else_}; give the role {else_}."
    refuse_set({"manage_workspace": why}, flags)
    whole = flags.get("manage_job")
    plans, approves = (bool(flags.get(name, whole)) for name in ("plan_job", "approve_job"))
    if approves and not plans:
        raise InvalidError(
            "Who may approve jobs may start them here; set planJob too.", pointer="approve_job"
        )
    runs = "apply" if approves else "plan" if plans else "read"
    states = present.get("state-versions", "none")
    if sent.manage_state or states == "write":
        states = "write" if sent.manage_state else "none"
    return {**present, "runs": runs, "state-versions": states}
