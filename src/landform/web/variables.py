"""The variables of a workspace: one at a time, or many at once as lines of a `.tfvars` file."""

from typing import Any

from fastapi import APIRouter, Response

from landform.access.permissions import Permission
from landform.contract import Category
from landform.kit.errors import InvalidError
from landform.variables import queries, service
from landform.variables.service import VariableSettings
from landform.web.forms import Form, OwnForm, attempt, refusals_to
from landform.web.pages import redirect
from landform.web.present.tfvars import read
from landform.web.present.variables import groups_of, inherited_of, shown_of
from landform.web.visit import Crumb, InWorkspace

router = APIRouter(include_in_schema=False)


@router.get("/app/{organization}/{workspace}/variables")
async def show(visit: InWorkspace) -> Response:
    """List the variables; sensitive values are shown to nobody."""
    return await _page(visit, Form({}))


@router.post("/app/{organization}/{workspace}/variables")
async def create(visit: InWorkspace, form: OwnForm) -> Response:
    """Add a variable."""
    _, failure = await attempt(
        visit.session,
        service.create_variable(
            visit.session,
            visit.process.platform.keyring,
            visit.actor,
            visit.workspace,
            new_settings(form),
        ),
    )
    if failure:
        return await _page(visit, form, failure)
    return redirect(f"{visit.path}/variables", say=f"{form.line('key')} was added.")


@router.post("/app/{organization}/{workspace}/variables/import")
async def import_many(visit: InWorkspace, form: OwnForm) -> Response:
    """Add or change the variables that the lines of a `.tfvars` file set; all, or none."""
    back = f"{visit.path}/variables"
    keyring = visit.process.platform.keyring
    with refusals_to(back):
        found = read(form.text("content"))
        if not found:
            raise InvalidError('There is no variable in it; a line is such as: region = "eu-1"')
        shown = await queries.list_variables(visit.session, keyring, visit.actor, visit.workspace)
        present = {
            each.row.key: each.row.id for each in shown if each.row.category is Category.TERRAFORM
        }
        for one in found:
            settings = VariableSettings(
                key=one.key,
                value=one.value,
                category=Category.TERRAFORM,
                hcl=one.is_hcl,
                sensitive=form.flag("all_sensitive") or None,
            )
            if one.key in present:
                await service.update_variable(
                    visit.session, keyring, visit.actor, visit.workspace, present[one.key], settings
                )
            else:
                await service.create_variable(
                    visit.session, keyring, visit.actor, visit.workspace, settings
                )
    return redirect(back, say=f"{len(found)} variables were set.")


@router.post("/app/{organization}/{workspace}/variables/{variable_id}")
async def change(visit: InWorkspace, variable_id: str, form: OwnForm) -> Response:
    """Change or delete a variable; an empty field leaves a sensitive value as it is."""
    back = f"{visit.path}/variables"
    keyring = visit.process.platform.keyring
    with refusals_to(back):
        if form.line("deed") == "delete":
            await service.delete_variable(visit.session, visit.actor, visit.workspace, variable_id)
            return redirect(back, say="The variable was deleted.")
        old = await queries.get_variable(
            visit.session, keyring, visit.actor, visit.workspace, variable_id
        )
        key = old.row.key
        await service.update_variable(
            visit.session,
            keyring,
            visit.actor,
            visit.workspace,
            variable_id,
            changed_settings(form, is_sensitive=old.row.sensitive),
        )
    return redirect(back, say=f"{key} was changed.")


async def _page(visit: InWorkspace, form: Form, failure: str = "") -> Response:
    found = await queries.standings(
        visit.session, visit.process.platform.keyring, visit.actor, visit.workspace
    )
    return await visit.page(
        "workspaces/variables.html",
        status=422 if failure else 200,
        section="variables",
        crumbs=[Crumb("Variables")],
        groups=groups_of([shown_of(each) for each in found if each.candidate.source is None]),
        inherited=[inherited_of(each) for each in found if each.candidate.source is not None],
        may_write=visit.may(Permission.WRITE_VARIABLES),
        failure=failure,
        given=given_of(form),
    )


def new_settings(form: Form) -> VariableSettings:
    """Return what the form for a new variable says."""
    return VariableSettings(
        key=form.line("key"),
        value=form.text("value"),
        category=form.line("category"),
        hcl=form.flag("hcl"),
        sensitive=form.flag("sensitive"),
        description=form.line("description"),
    )


def changed_settings(form: Form, *, is_sensitive: bool) -> VariableSettings:
    """Return what the form of a variable says; an empty field leaves a sensitive value alone."""
    value = form.text("value")
    return VariableSettings(
        key=None if is_sensitive else form.line("key"),
        value=value if value or not is_sensitive else None,
        hcl=form.flag("hcl"),
        sensitive=True if form.flag("sensitive") else None,
        description=form.line("description"),
    )


def given_of(form: Form) -> dict[str, Any]:
    """Return what was typed for a new variable, so that a refusal need not lose it."""
    return {
        "key": form.line("key"),
        "value": "" if form.flag("sensitive") else form.text("value"),
        "category": form.line("category", "terraform"),
        "description": form.line("description"),
        "hcl": form.flag("hcl"),
        "sensitive": form.flag("sensitive"),
    }
