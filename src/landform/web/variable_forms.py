"""Forms of variables, the same for a workspace's and a set's: what they hold, and what is said."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse

from landform.contract import Category
from landform.kit.errors import InvalidError
from landform.variables import importing, service
from landform.variables.hcl_tokens import HclError
from landform.variables.importing import Step
from landform.variables.queries import Owner, ShownVariable
from landform.variables.service import VariableSettings
from landform.web.forms import Form
from landform.web.pages import SECURITY_HEADERS, fragment
from landform.web.present.hcl import Foreseen, Said, foreseen_of, said_of, wrong_at
from landform.web.visit import OrganizationVisit

NEW, IMPORT = "new", "import"


@dataclass(frozen=True)
class Typed:
    """A form that is shown again, so that nothing that was typed is lost.

    Attributes:
        of: `new`, `import`, or a variable's id.
        given: what is in its fields.
        failure: why it was refused; empty: it was not.
        said: beside the field of the value.
        foreseen: what an import would do.
    """

    of: str
    given: dict[str, Any] = field(repr=False)
    failure: str = ""
    said: Said | None = None
    foreseen: Foreseen | None = None


def refusal_of(typed: Typed | None) -> dict[str, Any]:
    """Return what a page is told of a form that was refused: its status, and the wrong field."""
    if typed is None or not typed.failure:
        return {}
    pointer = getattr(typed.failure, "pointer", "")
    wrong = pointer if typed.of == NEW or not pointer else f"{typed.of}-{pointer}"
    return {"status": 422, "wrong": wrong, "refusal": typed.failure}


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


def given_of(form: Form, *, is_sensitive: bool = False) -> dict[str, Any]:
    """Return what was typed for a variable; no page repeats a sensitive value."""
    return {
        "key": form.line("key"),
        "value": "" if is_sensitive or form.flag("sensitive") else form.text("value"),
        "category": form.line("category", Category.TERRAFORM),
        "description": form.line("description"),
        "hcl": form.flag("hcl"),
        "sensitive": form.flag("sensitive"),
    }


async def refused(form: Form, failure: str, old: ShownVariable | None = None) -> Typed:
    """Return the form of a variable, `old` or a new one, as it was refused."""
    if old is None:
        return Typed(NEW, given_of(form), failure, await _said(form))
    category, is_sensitive = old.row.category, old.row.sensitive
    given = given_of(form, is_sensitive=is_sensitive) | {"category": category}
    if is_sensitive:
        given["key"] = old.row.key
    said = await _said(form, category=category, is_sensitive=is_sensitive)
    return Typed(old.row.id, given, failure, said)


async def checked(visit: OrganizationVisit, owner: Owner, form: Form) -> Response:
    """Answer what there is to say of the value in a form; nothing is kept of it.

    Raises:
        ForbiddenError: the visitor may not change variables there.
    """
    await service.require_writer(visit.session, visit.actor, owner)
    said = await _said(form, is_sensitive=form.flag("is_sensitive"))
    return _part("workspaces/_said.html", said=said)


async def foreseen(visit: OrganizationVisit, owner: Owner, form: Form, failure: str = "") -> Typed:
    """Return the form of an import with what it would do, or what is wrong with it.

    Args:
        failure: why it was refused, if it was to be carried out.

    Raises:
        ForbiddenError: the visitor may not change variables there.
    """
    content, all_sensitive = form.text("content"), form.flag("all_sensitive")
    given = {"content": "" if all_sensitive else content, "all_sensitive": all_sensitive}
    said = found = None
    if not content.strip() and not failure:
        return Typed(IMPORT, given)
    try:
        steps = await importing.foresee(
            *(visit.session, visit.process.platform.keyring, visit.actor, owner, content),
            all_sensitive=all_sensitive,
        )
        found = foreseen_of(steps)
    except HclError as wrong:
        said = wrong_at(wrong, content, sensitive=all_sensitive)
    except InvalidError as wrong:
        said = Said("bad", str(wrong))
    return Typed(IMPORT, given, failure, said, found)


def foreseen_part(typed: Typed) -> Response:
    """Return what `foreseen` found as a part of the page."""
    return _part("workspaces/_import_foreseen.html", typed=typed)


async def imported(visit: OrganizationVisit, owner: Owner, form: Form) -> list[Step]:
    """Carry out the import that a form asks for.

    Raises:
        ForbiddenError: the visitor may not change variables there.
        InvalidError: something in it cannot be; nothing of it is done once the caller gives up.
    """
    return await importing.carry_out(
        visit.session,
        visit.process.platform.keyring,
        visit.actor,
        owner,
        form.text("content"),
        all_sensitive=form.flag("all_sensitive"),
    )


async def _said(form: Form, *, category: str = "", is_sensitive: bool = False) -> Said | None:
    if is_sensitive and not form.text("value"):
        return None  # an empty field keeps what is there
    return await asyncio.to_thread(
        said_of,
        form.text("value"),
        category=category or form.line("category", Category.TERRAFORM),
        is_hcl=form.flag("hcl"),
        sensitive=is_sensitive or form.flag("sensitive"),
    )


def _part(template: str, **values: Any) -> Response:
    return HTMLResponse(fragment(template, **values), headers=SECURITY_HEADERS)
