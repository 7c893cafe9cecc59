"""Terrakube's `project_access` of a team. Facts: terrakube_backend.md §1.4, terrakube_user.md §5.2.

A role that is named goes before the flags. The role `plan`, which is no level on projects here, is
kept as the settings that allow the same; `maintain` is a level that Terrakube does not know.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Response

from landform.access import team_access
from landform.access.models import ProjectGrant
from landform.access.permissions import CUSTOM, PROJECT_LEVELS
from landform.access.team_access import Access
from landform.api.jsonapi import Attributes, Body, Input, ListQuery, Query, Resource, ToOne, reads
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.access import (
    AccessInput,
    custom_of,
    grant_at,
    grants_at,
    name_teams,
    team_called,
)
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    new_router,
    selection_of,
)
from landform.api.terrakube.projects import CurrentProject
from landform.kit.errors import InvalidError
from landform.kit.selection import matches
from landform.workspaces.models import Project

router = new_router()

_WORKSPACES: Final = "workspace-access"
_PLAN: Final = "plan"
_PLANS: Final[Mapping[str, Any]] = {"runs": "plan", "variables": "read", "state-versions": "read"}


def _custom(row: ProjectGrant) -> Mapping[str, Any]:
    """Return what a grant's own settings allow on workspaces; nothing with a role."""
    return row.custom.get(_WORKSPACES, {}) if _role(row) == CUSTOM else {}


def _role(row: ProjectGrant) -> str:
    if row.level != CUSTOM:
        return row.level
    is_plan = row.custom == {"project-access": {}, _WORKSPACES: _PLANS}
    return _PLAN if is_plan else CUSTOM


class ProjectAccessAttributes(Attributes[ProjectGrant]):
    """What a team, which is found by its name, may do on a project and its workspaces."""

    name: str = reads(lambda row, context: context.team_names[row.team_id])
    role: str = reads(_role)
    manage_state: bool = reads(lambda row: _custom(row).get("state-versions") == "write")
    manage_workspace: bool = reads(lambda _: False)
    manage_job: bool = reads(lambda row: _custom(row).get("runs") == "apply")
    plan_job: bool = reads(lambda row: _custom(row).get("runs") in ("plan", "apply"))
    approve_job: bool = reads(lambda row: _custom(row).get("runs") == "apply")


PROJECT_ACCESS = Resource[ProjectGrant, Context](
    TERRAKUBE,
    "project_access",
    ProjectAccessAttributes,
    relationships=[ToOne("project", "project")],
    prepare=name_teams,
    filters=("filter", "filter[project_access]"),
)


class ProjectAccessInput(AccessInput):
    """What a client gives of access to a project; `name` is the team's, and stays."""


INPUT = Input(TERRAKUBE, "project_access", ProjectAccessInput)
One = Annotated[Query, Depends(PROJECT_ACCESS.query)]
Sent = Annotated[Body[ProjectAccessInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/project/{project_id}/projectAccess"
_ONE: Final = _PATH + "/{access_id}"
_FIELDS: Final = {"id": Field("id"), "name": Field("name"), "role": Field("role")}


@router.get(_PATH)
async def list_of_project(
    project: CurrentProject,
    query: Annotated[ListQuery, Depends(PROJECT_ACCESS.list_query)],
    context: CurrentContext,
) -> Response:
    rows = await grants_at(project.place, ProjectGrant, context)
    condition = selection_of(query, "project_access", _FIELDS).condition

    def holds(row: ProjectGrant) -> bool:
        texts = {"id": row.id, "name": context.team_names[row.team_id], "role": _role(row)}
        return matches(condition, texts.__getitem__)

    return await PROJECT_ACCESS.many([row for row in rows if holds(row)], query, context)


@router.post(_PATH, status_code=201)
async def give(
    project: CurrentProject, body: Sent, query: One, context: CurrentContext
) -> Response:
    access = _access(body.attributes, {})
    name = body.attributes.name or ""
    team = await team_called(context, project.organization_id, name)
    row = await team_access.grant(context.session, context.actor, team, project.place, access)
    assert isinstance(row, ProjectGrant)  # noqa: S101 - the place is a project's
    return await PROJECT_ACCESS.one(row, query, context)


@router.get(_ONE)
async def read(
    project: CurrentProject, access_id: str, query: One, context: CurrentContext
) -> Response:
    return await PROJECT_ACCESS.one(await _grant(project, access_id, context), query, context)


@router.patch(_ONE, status_code=204)
async def change(
    project: CurrentProject, access_id: str, body: Sent, context: CurrentContext
) -> Response:
    row = await _grant(project, access_id, context)
    name = body.attributes.name
    if name and name != context.team_names[row.team_id]:
        raise InvalidError("Access stays its team's; give the other team its own.", pointer="name")
    access = _access(body.attributes, row.custom if _role(row) == CUSTOM else {})
    await team_access.change(context.session, context.actor, row, project.place, access)
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def withdraw(project: CurrentProject, access_id: str, context: CurrentContext) -> Response:
    row = await _grant(project, access_id, context)
    await team_access.withdraw(context.session, context.actor, row, project.place)
    return Response(status_code=204)


async def _grant(project: Project, access_id: str, context: Context) -> ProjectGrant:
    return await grant_at(project.place, ProjectGrant, access_id, context, name=project.name)


def _access(sent: ProjectAccessInput, present: Mapping[str, Any]) -> Access:
    """Translate role and flags; settings that Terrakube has no flag for stay as they are.

    Raises:
        InvalidError: there is no such role, or a flag cannot be given apart.
    """
    role = sent.role or CUSTOM
    if role == _PLAN:
        return Access(level=CUSTOM, workspace_access=_PLANS)
    if role != CUSTOM:
        if role not in PROJECT_LEVELS:
            known = ", ".join((*PROJECT_LEVELS, _PLAN, CUSTOM))
            raise InvalidError(f"The role is one of {known}.", pointer="role")
        return Access(level=str(role))
    workspaces = custom_of(sent, present.get(_WORKSPACES, {}), else_="maintain")
    own = present.get("project-access", {})
    return Access(level=CUSTOM, project_access=own, workspace_access=workspaces)
