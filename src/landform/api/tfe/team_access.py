"""TFE team access: what teams may do on single workspaces and projects."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar, cast

from fastapi import Depends, Response
from msgspec import structs

from landform.access import directory, team_access
from landform.access.models import ProjectGrant, WorkspaceGrant
from landform.access.permissions import (
    CUSTOM,
    PROJECT_CUSTOM,
    PROJECT_LEVELS,
    PROJECT_WORKSPACES_CUSTOM,
    WORKSPACE_CUSTOM,
    WORKSPACE_LEVELS,
    Choice,
    Permissions,
    Place,
    Settings,
    Switch,
)
from landform.access.team_access import Access, Grant
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    QueryError,
    Resource,
    ToOne,
    kebab,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.kit.errors import ForbiddenError, NotFoundError
from landform.workspaces import projects
from landform.workspaces import queries as workspaces

router = new_router()

Known: TypeAlias = Mapping[str, Choice | Switch]
Levels: TypeAlias = Mapping[str, Permissions]
Sent: TypeAlias = Mapping[str, str | bool | None]
G = TypeVar("G", WorkspaceGrant, ProjectGrant)


def _shown(known: Known, levels: Levels, level: str, custom: Settings) -> dict[str, str | bool]:
    """Return each setting of a grant: as given, or as its fixed level amounts to."""
    if level == CUSTOM:
        return team_access.settings_of(known, custom)
    return {name: _amount(setting, levels[level]) for name, setting in known.items()}


def _amount(setting: Choice | Switch, held: Permissions) -> str | bool:
    """Return the most that `setting` could say without allowing more than `held`.

    A value that allows nothing (yet) is not claimed.
    """
    if isinstance(setting, Switch):
        return bool(setting.on) and setting.on <= held
    within = [name for name, allowed in setting.values.items() if allowed and allowed <= held]
    return within[-1] if within else setting.default


def _on_workspace(name: str) -> Callable[[WorkspaceGrant], Any]:
    return lambda row: _shown(WORKSPACE_CUSTOM, WORKSPACE_LEVELS, row.level, row.custom)[name]


def _on_project(known: Known, part: str) -> Callable[[ProjectGrant], dict[str, str | bool]]:
    return lambda row: _shown(known, PROJECT_LEVELS, row.level, row.custom.get(part, {}))


class TeamWorkspaceAttributes(Attributes[WorkspaceGrant]):
    """What a team may do on one workspace."""

    access: str = reads("level")
    policy_overrides: bool = reads(_on_workspace("policy-overrides"))
    run_tasks: bool = reads(_on_workspace("run-tasks"))
    runs: str = reads(_on_workspace("runs"))
    sentinel_mocks: str = reads(_on_workspace("sentinel-mocks"))
    state_versions: str = reads(_on_workspace("state-versions"))
    variables: str = reads(_on_workspace("variables"))
    workspace_locking: bool = reads(_on_workspace("workspace-locking"))


class TeamProjectAttributes(Attributes[ProjectGrant]):
    """What a team may do on a project and on every workspace in it."""

    access: str = reads("level")
    project_access: dict[str, str | bool] = reads(_on_project(PROJECT_CUSTOM, "project-access"))
    workspace_access: dict[str, str | bool] = reads(
        _on_project(PROJECT_WORKSPACES_CUSTOM, "workspace-access")
    )


TEAM_WORKSPACES = Resource[WorkspaceGrant, Context](
    TFE,
    "team-workspaces",
    TeamWorkspaceAttributes,
    relationships=[ToOne("team", "teams"), ToOne("workspace", "workspaces")],
    url="/api/v2/team-workspaces/{id}",
    filters=("filter[workspace][id]", "filter[team][id]"),
)
TEAM_PROJECTS = Resource[ProjectGrant, Context](
    TFE,
    "team-projects",
    TeamProjectAttributes,
    relationships=[ToOne("team", "teams"), ToOne("project", "projects")],
    url="/api/v2/team-projects/{id}",
    filters=("filter[project][id]", "filter[team][id]"),
)


class WorkspaceAccess(Kebab):
    """What a client gives of access to a workspace; the single settings with `custom` only."""

    access: str | None = None
    runs: str | None = None
    variables: str | None = None
    state_versions: str | None = None
    sentinel_mocks: str | None = None
    workspace_locking: bool | None = None
    run_tasks: bool | None = None
    policy_overrides: bool | None = None


class ProjectAccess(Kebab):
    """What a client gives of access to a project; the single settings with `custom` only."""

    access: str | None = None
    project_access: dict[str, str | bool | None] | None = None
    workspace_access: dict[str, str | bool | None] | None = None


ON_WORKSPACE = Input(
    TFE, "team-workspaces", WorkspaceAccess, one={"team": "teams", "workspace": "workspaces"}
)
ON_PROJECT = Input(
    TFE, "team-projects", ProjectAccess, one={"team": "teams", "project": "projects"}
)
WorkspaceQuery = Annotated[Query, Depends(TEAM_WORKSPACES.query)]
ProjectQuery = Annotated[Query, Depends(TEAM_PROJECTS.query)]
SentOnWorkspace = Annotated[Body[WorkspaceAccess], Depends(ON_WORKSPACE)]
SentOnProject = Annotated[Body[ProjectAccess], Depends(ON_PROJECT)]


@router.get("/team-workspaces")
async def list_on_workspace(
    query: Annotated[ListQuery, Depends(TEAM_WORKSPACES.list_query)], context: CurrentContext
) -> Response:
    workspace_id = _needed(query, "filter[workspace][id]")
    workspace = await workspaces.get(context.session, context.actor, workspace_id)
    rows = await _listed(WorkspaceGrant, workspace.place, query, context)
    return await TEAM_WORKSPACES.many(_page(rows, query), query, context, total=len(rows))


@router.post("/team-workspaces", status_code=201)
async def grant_on_workspace(
    body: SentOnWorkspace, query: WorkspaceQuery, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, body.need("workspace").id)
    access = _workspace_access(body.attributes)
    row = await _grant(body.need("team").id, workspace.place, access, context)
    return await TEAM_WORKSPACES.one(cast("WorkspaceGrant", row), query, context)


@router.get("/team-workspaces/{grant_id}")
async def read_on_workspace(
    grant_id: str, query: WorkspaceQuery, context: CurrentContext
) -> Response:
    row, _ = await _found(WorkspaceGrant, grant_id, context)
    return await TEAM_WORKSPACES.one(row, query, context)


@router.patch("/team-workspaces/{grant_id}")
async def change_on_workspace(
    grant_id: str, body: SentOnWorkspace, query: WorkspaceQuery, context: CurrentContext
) -> Response:
    row, place = await _found(WorkspaceGrant, grant_id, context)
    access = _workspace_access(body.attributes, of=row)
    await team_access.change(context.session, context.actor, row, place, access)
    return await TEAM_WORKSPACES.one(row, query, context)


@router.delete("/team-workspaces/{grant_id}", status_code=204)
async def withdraw_on_workspace(grant_id: str, context: CurrentContext) -> Response:
    row, place = await _found(WorkspaceGrant, grant_id, context)
    await team_access.withdraw(context.session, context.actor, row, place)
    return Response(status_code=204)


@router.get("/team-projects")
async def list_on_project(
    query: Annotated[ListQuery, Depends(TEAM_PROJECTS.list_query)], context: CurrentContext
) -> Response:
    project_id = _needed(query, "filter[project][id]")
    project = await projects.get_project(context.session, context.actor, project_id)
    rows = await _listed(ProjectGrant, project.place, query, context)
    return await TEAM_PROJECTS.many(_page(rows, query), query, context, total=len(rows))


@router.post("/team-projects", status_code=201)
async def grant_on_project(
    body: SentOnProject, query: ProjectQuery, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    project = await projects.get_project(session, actor, body.need("project").id)
    access = _project_access(body.attributes)
    row = await _grant(body.need("team").id, project.place, access, context)
    return await TEAM_PROJECTS.one(cast("ProjectGrant", row), query, context)


@router.get("/team-projects/{grant_id}")
async def read_on_project(grant_id: str, query: ProjectQuery, context: CurrentContext) -> Response:
    row, _ = await _found(ProjectGrant, grant_id, context)
    return await TEAM_PROJECTS.one(row, query, context)


@router.patch("/team-projects/{grant_id}")
async def change_on_project(
    grant_id: str, body: SentOnProject, query: ProjectQuery, context: CurrentContext
) -> Response:
    row, place = await _found(ProjectGrant, grant_id, context)
    access = _project_access(body.attributes, of=row)
    await team_access.change(context.session, context.actor, row, place, access)
    return await TEAM_PROJECTS.one(row, query, context)


@router.delete("/team-projects/{grant_id}", status_code=204)
async def withdraw_on_project(grant_id: str, context: CurrentContext) -> Response:
    row, place = await _found(ProjectGrant, grant_id, context)
    await team_access.withdraw(context.session, context.actor, row, place)
    return Response(status_code=204)


def _needed(query: ListQuery, parameter: str) -> str:
    value = query.text(parameter)
    if not value:
        raise QueryError(f"Say whose: {parameter}=ID.", parameter=parameter)
    return value


async def _listed(kind: type[G], place: Place, query: ListQuery, context: Context) -> list[G]:
    rows = await team_access.list_at(context.session, context.actor, place)
    teams = query.values("filter[team][id]")
    return [row for row in rows if isinstance(row, kind) and (not teams or row.team_id in teams)]


def _page(rows: Sequence[G], query: ListQuery) -> Sequence[G]:
    return rows[query.page.offset :][: query.page.size]


async def _grant(team_id: str, place: Place, access: Access, context: Context) -> Grant:
    session, actor = context.session, context.actor
    team = await directory.get_team(session, actor, team_id)
    return await team_access.grant(session, actor, team, place, access)


async def _found(kind: type[G], grant_id: str, context: Context) -> tuple[G, Place]:
    """Return a grant that the actor may see, and where it is.

    Raises:
        NotFoundError: there is none, or the place or the team is not the actor's to see.
    """
    row = await context.session.get(kind, grant_id)
    if row is not None:
        try:
            place = await _place(row, context)
            if row in await team_access.list_at(context.session, context.actor, place):
                return row, place
        except (NotFoundError, ForbiddenError):
            pass
    raise NotFoundError(f"There is no team access {grant_id}.")


async def _place(row: Grant, context: Context) -> Place:
    session, actor = context.session, context.actor
    if isinstance(row, WorkspaceGrant):
        return (await workspaces.get(session, actor, row.workspace_id)).place
    return (await projects.get_project(session, actor, row.project_id)).place


def _workspace_access(sent: WorkspaceAccess, *, of: WorkspaceGrant | None = None) -> Access:
    settings = structs.asdict(sent)
    level = settings.pop("access") or (of.level if of else "")
    given = {kebab(name): value for name, value in settings.items()}
    return Access(level=level, custom=_merged(of, level, of.custom if of else {}, given))


def _project_access(sent: ProjectAccess, *, of: ProjectGrant | None = None) -> Access:
    level = sent.access or (of.level if of else "")
    custom: Mapping[str, Settings] = of.custom if of else {}
    own, inside = custom.get("project-access", {}), custom.get("workspace-access", {})
    return Access(
        level=level,
        project_access=_merged(of, level, own, sent.project_access or {}),
        workspace_access=_merged(of, level, inside, sent.workspace_access or {}),
    )


def _merged(of: Grant | None, level: str, present: Settings, sent: Sent) -> Settings:
    """Return the settings of a grant after a change of some; null and absent leave them."""
    kept = present if of is not None and of.level == level == CUSTOM else {}
    return {**kept, **{name: value for name, value in sent.items() if value is not None}}
