"""The variables of a workspace: one at a time, or many at once as lines of a `.tfvars` file."""

from fastapi import APIRouter, Response

from landform.access.permissions import Permission
from landform.variables import queries, service
from landform.web import variable_forms as forms
from landform.web.forms import OwnForm, attempt, refusals_to
from landform.web.pages import redirect
from landform.web.present.hcl import foreseen_of
from landform.web.present.variables import groups_of, inherited_of, shown_of
from landform.web.variable_forms import Typed, refusal_of
from landform.web.visit import Crumb, InWorkspace

router = APIRouter(include_in_schema=False)


@router.get("/app/{organization}/{workspace}/variables")
async def show(visit: InWorkspace) -> Response:
    """List the variables; sensitive values are shown to nobody."""
    return await _page(visit)


@router.post("/app/{organization}/{workspace}/variables")
async def create(visit: InWorkspace, form: OwnForm) -> Response:
    """Add a variable."""
    session, keyring = visit.session, visit.process.platform.keyring
    settings = forms.new_settings(form)
    making = service.create_variable(session, keyring, visit.actor, visit.workspace, settings)
    _, failure = await attempt(session, making)
    if failure:
        return await _page(visit, await forms.refused(form, failure))
    return redirect(f"{visit.path}/variables", say=f"{form.line('key')} was added.")


@router.post("/app/{organization}/{workspace}/variables/check")
async def check(visit: InWorkspace, form: OwnForm) -> Response:
    """Say of a value that is being typed whether terraform can read it, and as what."""
    return await forms.checked(visit, visit.workspace, form)


@router.post("/app/{organization}/{workspace}/variables/preview")
async def preview(visit: InWorkspace, form: OwnForm) -> Response:
    """Show what an import would do: as a part of the page for scripts, else as the page."""
    typed = await forms.foreseen(visit, visit.workspace, form)
    if visit.request.headers.get("hx-request"):
        return forms.foreseen_part(typed)
    return await _page(visit, typed)


@router.post("/app/{organization}/{workspace}/variables/import")
async def import_many(visit: InWorkspace, form: OwnForm) -> Response:
    """Add or change the variables that the lines of a `.tfvars` file set; all, or none."""
    done, failure = await attempt(visit.session, forms.imported(visit, visit.workspace, form))
    if done is None:
        typed = await forms.foreseen(visit, visit.workspace, form, failure)
        return await _page(visit, typed)
    return redirect(f"{visit.path}/variables", say=f"Imported: {foreseen_of(done).summary}.")


@router.post("/app/{organization}/{workspace}/variables/{variable_id}")
async def change(visit: InWorkspace, variable_id: str, form: OwnForm) -> Response:
    """Change or delete a variable; an empty field leaves a sensitive value as it is."""
    back = f"{visit.path}/variables"
    session, actor, keyring = visit.session, visit.actor, visit.process.platform.keyring
    with refusals_to(back):
        if form.line("deed") == "delete":
            await service.delete_variable(session, actor, visit.workspace, variable_id)
            return redirect(back, say="The variable was deleted.")
    old = await queries.get_variable(session, keyring, actor, visit.workspace, variable_id)
    key = old.row.key
    settings = forms.changed_settings(form, is_sensitive=old.row.sensitive)
    changing = service.update_variable(
        session, keyring, actor, visit.workspace, variable_id, settings
    )
    _, failure = await attempt(session, changing)
    if failure:
        return await _page(visit, await forms.refused(form, failure, old))
    return redirect(back, say=f"{key} was changed.")


async def _page(visit: InWorkspace, typed: Typed | None = None) -> Response:
    found = await queries.standings(
        visit.session, visit.process.platform.keyring, visit.actor, visit.workspace
    )
    return await visit.page(
        "workspaces/variables.html",
        **refusal_of(typed),
        section="variables",
        follows=("variables",),
        crumbs=[Crumb("Variables")],
        groups=groups_of([shown_of(each) for each in found if each.candidate.source is None]),
        inherited=[inherited_of(each) for each in found if each.candidate.source is not None],
        may_write=visit.may(Permission.WRITE_VARIABLES),
        typed=typed,
    )
