"""Whose approval the runs of a workspace need. TFE has no such thing; the words are ours."""

from typing import Annotated

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access import approval_rules
from landform.access.models import ApprovalRule
from landform.api.jsonapi import Attributes, Body, Input, Kebab, Query, Resource, reads
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.workspaces import queries
from landform.workspaces.models import Workspace

router = new_router()


class ApprovalRuleAttributes(Attributes[ApprovalRule]):
    """How many approvals, of members of which teams (ids); the run's author gives none."""

    approvals_needed: int = reads("needed")
    teams: list[str] = reads("team_ids")


RULES = Resource[ApprovalRule, Context](
    TFE, "approval-rules", ApprovalRuleAttributes, key="workspace_id"
)


class RuleInput(Kebab):
    """What a client gives of a rule; what it leaves out stays."""

    approvals_needed: int | UnsetType = UNSET
    teams: list[str] | UnsetType = UNSET


RULE = Input(TFE, "approval-rules", RuleInput)
RuleQuery = Annotated[Query, Depends(RULES.query)]


@router.get("/workspaces/{workspace_id}/approval-rule")
async def show(workspace_id: str, query: RuleQuery, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await queries.get(session, actor, workspace_id)
    row = await approval_rules.get_rule(session, actor, workspace.place)
    return await RULES.one(row or _none(workspace), query, context)


@router.patch("/workspaces/{workspace_id}/approval-rule")
async def change(
    workspace_id: str,
    body: Annotated[Body[RuleInput], Depends(RULE)],
    query: RuleQuery,
    context: CurrentContext,
) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    workspace = await queries.get(session, actor, workspace_id)
    before = await approval_rules.get_rule(session, actor, workspace.place) or _none(workspace)
    row = await approval_rules.set_rule(
        session,
        actor,
        workspace.place,
        needed=before.needed if sent.approvals_needed is UNSET else sent.approvals_needed,
        team_ids=before.team_ids if sent.teams is UNSET else sent.teams,
    )
    return await RULES.one(row or _none(workspace), query, context)


def _none(workspace: Workspace) -> ApprovalRule:
    return ApprovalRule(workspace_id=workspace.id, needed=0, team_ids=[])
