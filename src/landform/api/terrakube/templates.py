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

router = new_router()

_APPROVAL: Final = ("approval", 150, "Approve")


@dataclass(frozen=True)
class Template:
    """What a run of it does.

    Attributes:
        plan_only: it applies nothing.
        auto_apply: it applies without being asked again.
    """

    id: str
    name: str
    description: str
    flow: tuple[tuple[str, int, str], ...]
    plan_only: bool = False
    is_destroy: bool = False
    auto_apply: bool = False

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
    plan_only=True,
)
PLAN_AND_APPLY: Final = Template(
    "tpl-plan-and-apply",
    "Plan and apply",
    "A plan that is applied by itself.",
    (("terraformPlan", 100, "Plan"), ("terraformApply", 200, "Apply")),
    auto_apply=True,
)
DESTROY: Final = Template(
    "tpl-destroy",
    "Destroy",
    "A plan to destroy everything that is applied by itself.",
    (("terraformPlanDestroy", 100, "Plan"), ("terraformApply", 200, "Destroy")),
    is_destroy=True,
    auto_apply=True,
)
CONFIRMED_APPLY: Final = Template(
    "tpl-plan-apply-cli",
    "Terraform-Plan/Apply-Cli",
    "A plan that is applied when somebody approves it.",
    (("terraformPlan", 100, "Plan"), _APPROVAL, ("terraformApply", 200, "Apply")),
)
CONFIRMED_DESTROY: Final = Template(
    "tpl-plan-destroy-cli",
    "Terraform-Plan/Destroy-Cli",
    "A plan to destroy everything that is applied when somebody approves it.",
    (("terraformPlanDestroy", 100, "Plan"), _APPROVAL, ("terraformApply", 200, "Destroy")),
    is_destroy=True,
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
            return each.auto_apply
    raise InvalidError(
        f"A workspace's default template is {PLAN_AND_APPLY.id}, whose runs apply by themselves, or"
        f" {CONFIRMED_APPLY.id}, whose plans wait for approval; others are named with a job.",
        pointer="default_template",
    )
