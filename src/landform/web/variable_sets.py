"""Variable sets of an organization: their variables, and where they apply."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from landform.access.permissions import Permission
from landform.access.service import may
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.variables import queries, service, set_queries, sets
from landform.variables.models import VariableSet
from landform.variables.sets import SetSettings
from landform.web import variable_forms as forms
from landform.web.forms import Form, OwnForm, attempt, refusals_to
from landform.web.pages import redirect
from landform.web.present.hcl import foreseen_of
from landform.web.present.pages import Pages
from landform.web.present.variables import groups_of, shown_variable
from landform.web.variable_forms import Typed, refusal_of
from landform.web.visit import NAMED, Crumb, InOrganization
from landform.workspaces import projects
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)

_SIZE: Final = 50
_PROJECTS: Final = Page(size=100)
# What the form calls what the service calls otherwise.
_NAMES: Final = {"global": "is_global", "priority": "is_priority"}

Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/organizations/{organization}/variable-sets")
async def show_all(visit: InOrganization, q: Text = "", page: Number = 1) -> Response:
    """List the sets that the visitor may read."""
    wanted = Page(number=page, size=_SIZE)
    found = await set_queries.list_sets(
        visit.session, visit.actor, visit.organization, search=q.strip(), page=wanted
    )
    return await visit.page(
        "organizations/variable_sets.html",
        section="variable-sets",
        follows=("variables", *NAMED),
        crumbs=[Crumb("Variable sets")],
        sets=found.items,
        reaches=await set_queries.reach_of(visit.session, visit.actor, found.items),
        may_create=visit.may(Permission.WRITE_VARIABLE_SETS),
        q=q,
        pages=Pages(f"{visit.path}/variable-sets", {"q": q}, wanted, found.total),
    )


@router.post("/organizations/{organization}/variable-sets")
async def create(visit: InOrganization, form: OwnForm) -> Response:
    """Make a set, and lead to it."""
    with refusals_to(f"{visit.path}/variable-sets", names=_NAMES):
        made = await sets.create_set(
            visit.session, visit.actor, visit.organization, _settings(form)
        )
    path = f"{visit.path}/variable-sets/{made.id}"
    return redirect(path, say=f"The variable set {made.name} was created.")


@router.get("/organizations/{organization}/variable-sets/{set_id}")
async def show(visit: InOrganization, set_id: str) -> Response:
    """Show what is in a set, and where it applies."""
    return await _page(visit, await _found(visit, set_id))


@router.post("/organizations/{organization}/variable-sets/{set_id}")
async def change(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Change or delete a set."""
    row = await _found(visit, set_id)
    back = f"{visit.path}/variable-sets"
    with refusals_to(f"{back}/{set_id}", names=_NAMES):
        if form.line("deed") == "delete":
            await sets.delete_set(visit.session, visit.actor, row)
            return redirect(back, say=f"The variable set {row.name} was deleted.")
        await sets.update_set(visit.session, visit.actor, row, _settings(form))
    return redirect(f"{back}/{set_id}", say="Saved.")


@router.post("/organizations/{organization}/variable-sets/{set_id}/places")
async def place(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Apply the set to a workspace or a project, or withdraw it from one."""
    session, actor = visit.session, visit.actor
    row = await _found(visit, set_id)
    back = f"{visit.path}/variable-sets/{set_id}"
    with refusals_to(back):
        if form.line("deed") == "withdraw":
            await sets.withdraw_from_workspaces(session, actor, row, form.all("workspace_id"))
            await sets.withdraw_from_projects(session, actor, row, form.all("project_id"))
            return redirect(back, say="It applies there no more.")
        name, project_id = form.line("workspace"), form.line("project_id")
        if not name and not project_id:
            raise InvalidError("Name a workspace, or choose a project.", pointer="workspace")
        if name:
            found = await _workspace(visit, name)
            await sets.apply_to_workspaces(session, actor, row, [found.id])
        if project_id:
            await sets.apply_to_projects(session, actor, row, [project_id])
    return redirect(back, say="Applied.")


@router.post("/organizations/{organization}/variable-sets/{set_id}/variables")
async def add_variable(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Add a variable to a set."""
    row = await _found(visit, set_id)
    keyring = visit.process.platform.keyring
    settings = forms.new_settings(form)
    making = service.create_variable(visit.session, keyring, visit.actor, row, settings)
    _, failure = await attempt(visit.session, making)
    if failure:
        return await _page(visit, row, await forms.refused(form, failure))
    say = f"{form.line('key')} was added."
    return redirect(f"{visit.path}/variable-sets/{set_id}", say=say)


@router.post("/organizations/{organization}/variable-sets/{set_id}/variables/check")
async def check(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Say of a value that is being typed whether terraform can read it, and as what."""
    return await forms.checked(visit, await _found(visit, set_id), form)


@router.post("/organizations/{organization}/variable-sets/{set_id}/variables/preview")
async def preview(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Show what an import would do: as a part of the page for scripts, else as the page."""
    row = await _found(visit, set_id)
    typed = await forms.foreseen(visit, row, form)
    if visit.request.headers.get("hx-request"):
        return forms.foreseen_part(typed)
    return await _page(visit, row, typed)


@router.post("/organizations/{organization}/variable-sets/{set_id}/variables/import")
async def import_many(visit: InOrganization, set_id: str, form: OwnForm) -> Response:
    """Add or change the variables that the lines of a `.tfvars` file set; all, or none."""
    row = await _found(visit, set_id)
    done, failure = await attempt(visit.session, forms.imported(visit, row, form))
    if done is None:
        typed = await forms.foreseen(visit, row, form, failure)
        return await _page(visit, row, typed)
    say = f"Imported: {foreseen_of(done).summary}."
    return redirect(f"{visit.path}/variable-sets/{set_id}", say=say)


@router.post("/organizations/{organization}/variable-sets/{set_id}/variables/{variable_id}")
async def change_variable(
    visit: InOrganization, set_id: str, variable_id: str, form: OwnForm
) -> Response:
    """Change or delete a variable of a set."""
    session, actor, keyring = visit.session, visit.actor, visit.process.platform.keyring
    row = await _found(visit, set_id)
    back = f"{visit.path}/variable-sets/{set_id}"
    with refusals_to(back):
        if form.line("deed") == "delete":
            await service.delete_variable(session, actor, row, variable_id)
            return redirect(back, say="The variable was deleted.")
    old = await queries.get_variable(session, keyring, actor, row, variable_id)
    key = old.row.key
    settings = forms.changed_settings(form, is_sensitive=old.row.sensitive)
    changing = service.update_variable(session, keyring, actor, row, variable_id, settings)
    _, failure = await attempt(session, changing)
    if failure:
        return await _page(visit, row, await forms.refused(form, failure, old))
    return redirect(back, say=f"{key} was changed.")


async def _workspace(visit: InOrganization, name: str) -> Workspace:
    try:
        return await workspaces.by_name(visit.session, visit.actor, visit.organization.name, name)
    except NotFoundError as failure:
        raise InvalidError(str(failure), pointer="workspace") from None


async def _found(visit: InOrganization, set_id: str) -> VariableSet:
    return await set_queries.get_set_of(visit.session, visit.actor, visit.organization, set_id)


def _settings(form: Form) -> SetSettings:
    return SetSettings(
        name=form.line("name"),
        description=form.line("description"),
        is_global=form.flag("is_global"),
        is_priority=form.flag("is_priority"),
    )


async def _page(visit: InOrganization, row: VariableSet, typed: Typed | None = None) -> Response:
    session, actor = visit.session, visit.actor
    found = await queries.list_variables(session, visit.process.platform.keyring, actor, row)
    reach = (await set_queries.reach_of(session, actor, [row]))[row.id]
    shelves = await projects.list_projects(session, actor, visit.organization, page=_PROJECTS)
    path = f"{visit.path}/variable-sets"
    return await visit.page(
        "organizations/variable_set.html",
        **refusal_of(typed),
        section="variable-sets",
        follows=("variables", *NAMED),
        crumbs=[Crumb("Variable sets", path), Crumb(row.name)],
        set=row,
        here=f"{path}/{row.id}",
        groups=groups_of([shown_variable(each) for each in found]),
        reach=reach,
        projects=[(each.id, each.name) for each in shelves.items],
        may_write=await may(session, actor, Permission.WRITE_VARIABLE_SETS, row.place),
        typed=typed,
    )
