"""Terrakube's `template`: what can be run. There are five, in every organization, to read only.

Their names are those that Terrakube makes with an organization (terrakube_user.md §3.2), as its
provider looks a template up by name. A workspace's `defaultTemplate` is whether its runs apply by
themselves. A destroy shows what it does here: it is planned first.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, ListQuery, Query, Resource, reads
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    new_router,
    selection_of,
)
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.selection import matches
from landform.workspaces.run_kinds import RunKind

router = new_router()

_APPROVAL: Final = ("approval", 150, "Approve")


@dataclass(frozen=True)
class Template:
    """What can be run, as Terrakube shows it."""

    id: str
    name: str
    description: str
    flow: tuple[tuple[str, int, str], ...]
    kind: RunKind

    @property
    def tcl(self) -> str:
        """The steps as YAML, base64, as Terrakube shows them."""
        lines = ["flow:"]
        for kind, step, name in self.flow:
            lines += [f'  - type: "{kind}"', f"    step: {step}", f'    name: "{name}"']
        return base64.b64encode(("\n".join(lines) + "\n").encode()).decode()


PLAN: Final = Template(
    "tpl-plan",
    "Plan",
    "A plan, and nothing is applied.",
    (("terraformPlan", 100, "Plan"),),
    RunKind.PLAN,
)
PLAN_AND_APPLY: Final = Template(
    "tpl-plan-and-apply",
    "Plan and apply",
    "A plan that is applied by itself.",
    (("terraformPlan", 100, "Plan"), ("terraformApply", 200, "Apply")),
    RunKind.APPLY,
)
DESTROY: Final = Template(
    "tpl-destroy",
    "Destroy",
    "A plan to destroy everything that is applied by itself.",
    (("terraformPlanDestroy", 100, "Plan"), ("terraformApply", 200, "Destroy")),
    RunKind.DESTROY,
)
CONFIRMED_APPLY: Final = Template(
    "tpl-plan-apply-cli",
    "Terraform-Plan/Apply-Cli",
    "A plan that is applied when somebody approves it.",
    (("terraformPlan", 100, "Plan"), _APPROVAL, ("terraformApply", 200, "Apply")),
    RunKind.CONFIRMED_APPLY,
)
CONFIRMED_DESTROY: Final = Template(
    "tpl-plan-destroy-cli",
    "Terraform-Plan/Destroy-Cli",
    "A plan to destroy everything that is applied when somebody approves it.",
    (("terraformPlanDestroy", 100, "Plan"), _APPROVAL, ("terraformApply", 200, "Destroy")),
    RunKind.CONFIRMED_DESTROY,
)
ALL: Final = (PLAN, PLAN_AND_APPLY, DESTROY, CONFIRMED_APPLY, CONFIRMED_DESTROY)

_FIELDS: Final = {name: Field(name) for name in ("id", "name", "description")}


class TemplateAttributes(Attributes[Template]):
    """What can be run; the same in every organization, and not to be changed."""

    name: str
    description: str
    version: str = reads(lambda _: "1.0.0")
    tcl: str


async def _by_ids(ids: Sequence[str], _: Context) -> list[Template]:
    return [each for each in ALL if each.id in ids]


TEMPLATE = Resource[Template, Context](
    TERRAKUBE,
    "template",
    TemplateAttributes,
    by_ids=_by_ids,
    filters=("filter", "filter[template]"),
)

One = Annotated[Query, Depends(TEMPLATE.query)]

_PATH: Final = "/organization/{organization_id}/template"


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(TEMPLATE.list_query)],
    context: CurrentContext,
) -> Response:
    condition = selection_of(query, "template", _FIELDS).condition
    rows = [each for each in ALL if matches(condition, partial(getattr, each))]
    return await TEMPLATE.many(rows, query, context)


@router.get(_PATH + "/{template_id}")
async def read(
    organization: CurrentOrganization, template_id: str, query: One, context: CurrentContext
) -> Response:
    return await TEMPLATE.one(by_id(template_id), query, context)


def by_id(template_id: str) -> Template:
    """Return a template; NotFoundError: there is none."""
    found = next((each for each in ALL if each.id == template_id), None)
    if found is None:
        raise NotFoundError(f"There is no template {template_id}.")
    return found


def named(reference: str | None, tcl: str | None = None) -> Template | None:
    """Return the template that a client names, or whose steps it gives; None: it does neither.

    Raises:
        InvalidError: there is no such template.
    """
    if reference:
        try:
            return by_id(reference)
        except NotFoundError as failure:
            raise InvalidError(str(failure), pointer="template_reference") from None
    if not tcl:
        return None
    found = next((each for each in ALL if each.tcl == tcl), None)
    if found is None:
        raise InvalidError(
            "Templates of one's own are not offered; name one with templateReference.",
            pointer="tcl",
        )
    return found


def of_kind(kind: RunKind) -> Template:
    """Return the template whose runs are of that kind."""
    return next(each for each in ALL if each.kind is kind)


def default_of(*, auto_apply: bool) -> Template:
    """Return what the runs of a workspace with this setting do."""
    return PLAN_AND_APPLY if auto_apply else CONFIRMED_APPLY


def auto_apply_of(template_id: str) -> bool:
    """Return the setting of a workspace whose default template this is.

    Raises:
        InvalidError: it cannot be a workspace's default.
    """
    for each in (PLAN_AND_APPLY, CONFIRMED_APPLY):
        if each.id == template_id:
            return each.kind.auto_apply
    raise InvalidError(
        f"A workspace's default template is {PLAN_AND_APPLY.id}, whose runs apply by themselves, or"
        f" {CONFIRMED_APPLY.id}, whose plans wait for approval; others are named with a job.",
        pointer="default_template",
    )
