"""TFE plans and applies."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, Response
from fastapi.responses import RedirectResponse

from landform.access.permissions import Permission
from landform.access.service import require
from landform.api.jsonapi.declaration import Attributes, ToMany, reads
from landform.api.jsonapi.naming import Kebab
from landform.api.jsonapi.query import Query
from landform.api.jsonapi.resource import Resource
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.contract import Artefact, Created, Phase
from landform.edge.signed_urls import Deed
from landform.runs import queries
from landform.runs.models import Run, RunPhase
from landform.runs.recovery import import_block
from landform.runs.status import PhaseStatus
from landform.workspaces.models import Workspace

router = new_router()

_OVER: Final = (PhaseStatus.FINISHED, PhaseStatus.ERRORED)  # one that failed shows what it found


class ExecutionDetails(Kebab):
    """Where it ran."""

    mode: str


class Lost(Kebab):
    """An object that was made after the newest state that could be saved."""

    address: str
    id_value: str
    action: str
    import_block: str


def _lost(phase: RunPhase) -> list[Lost]:
    found = [Created.model_validate(one) for one in phase.maybe_not_in_state]
    return [Lost(one.address, one.id_value, one.action, import_block(one)) for one in found]


def _newest_state(phase: RunPhase, context: Context) -> str | None:
    saved = context.states_of.get(phase.run_id, ())
    return saved[-1] if saved else None


def _log_url(phase: RunPhase, context: Context) -> str:
    """The log that this client can show: JSON lines for those that render them, else text."""
    structured = context.client.renders_plans and _is_structured(phase, context)
    deed = Deed.READ_JSON_LOG if structured else Deed.READ_TEXT_LOG
    return context.signed(deed, phase.id)


def _is_structured(phase: RunPhase, context: Context) -> bool:
    return context.structured.get(phase.id, False)


def _has_generated(phase: RunPhase) -> bool:
    """Clients read what was generated from the plan's JSON, and here only whether to look."""
    return Artefact.GENERATED_CONFIGURATION.value in phase.artefacts


class PlanAttributes(Attributes[RunPhase]):
    """What a run would do. `sandbox` is ours."""

    execution_details: ExecutionDetails = reads(lambda _: ExecutionDetails("remote"))
    generated_configuration: bool = reads(_has_generated)
    has_changes: bool
    log_read_url: str = reads(_log_url)
    resource_additions: int | None = reads("additions")
    resource_changes: int | None = reads("changes")
    resource_destructions: int | None = reads("destructions")
    resource_imports: int | None = reads("imports")
    sandbox: str
    status: PhaseStatus
    status_timestamps: dict[str, Any]
    structured_run_output_enabled: bool = reads(_is_structured)


class ApplyAttributes(Attributes[RunPhase]):
    """What a run did.

    Ours: `maybe-not-in-state`, objects made after the newest state that the apply saved, each with
    the block that imports it; `newest-state-version-id`, that state; and `sandbox`.
    """

    execution_details: ExecutionDetails = reads(lambda _: ExecutionDetails("remote"))
    log_read_url: str = reads(_log_url)
    maybe_not_in_state: list[Lost] = reads(_lost)
    newest_state_version_id: str | None = reads(_newest_state)
    resource_additions: int | None = reads("additions")
    resource_changes: int | None = reads("changes")
    resource_destructions: int | None = reads("destructions")
    resource_imports: int | None = reads("imports")
    sandbox: str
    status: PhaseStatus
    status_timestamps: dict[str, Any]
    structured_run_output_enabled: bool = reads(_is_structured)


async def _by_ids(ids: Sequence[str], context: Context) -> list[RunPhase]:
    return await queries.get_phases(context.session, context.actor, ids)


async def _prepare(phases: Sequence[RunPhase], context: Context) -> None:
    enabled = await queries.structured(context.session, [phase.id for phase in phases])
    context.structured.update(enabled)


async def _prepare_applies(applies: Sequence[RunPhase], context: Context) -> None:
    await _prepare(applies, context)
    context.states_of.update(
        await queries.state_ids(context.session, [apply.run_id for apply in applies])
    )


PLANS = Resource[RunPhase, Context](
    TFE,
    "plans",
    PlanAttributes,
    relationships=[ToMany("state_versions", "state-versions", ids=lambda _: ())],
    url="/api/v2/plans/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
)
APPLIES = Resource[RunPhase, Context](
    TFE,
    "applies",
    ApplyAttributes,
    relationships=[
        ToMany("state_versions", "state-versions", ids=lambda a, c: c.states_of.get(a.run_id, ()))
    ],
    url="/api/v2/applies/{id}",
    by_ids=_by_ids,
    prepare=_prepare_applies,
)


@router.get("/plans/{phase_id}")
async def read_plan(
    phase_id: str, query: Annotated[Query, Depends(PLANS.query)], context: CurrentContext
) -> Response:
    plan, _ = await queries.get_phase(context.session, context.actor, phase_id, Phase.PLAN)
    return await PLANS.one(plan, query, context)


@router.get("/applies/{phase_id}")
async def read_apply(
    phase_id: str, query: Annotated[Query, Depends(APPLIES.query)], context: CurrentContext
) -> Response:
    apply, _ = await queries.get_phase(context.session, context.actor, phase_id, Phase.APPLY)
    return await APPLIES.one(apply, query, context)


@router.get("/plans/{phase_id}/json-output")
async def plan_json(phase_id: str, context: CurrentContext) -> Response:
    """Whoever reads a plan whole reads sensitive values, so this asks for more than the plan."""
    plan, run = await queries.get_phase(context.session, context.actor, phase_id, Phase.PLAN)
    await _require(context, run, Permission.READ_STATE)
    return _file(plan, context, Artefact.PLAN_JSON, Deed.DOWNLOAD_PLAN_JSON)


@router.get("/plans/{phase_id}/json-output-redacted")
async def redacted_plan_json(phase_id: str, context: CurrentContext) -> Response:
    plan, _ = await queries.get_phase(context.session, context.actor, phase_id, Phase.PLAN)
    return _file(plan, context, Artefact.PLAN_JSON_REDACTED, Deed.DOWNLOAD_REDACTED_PLAN)


@router.get("/runs/{run_id}/plan")
async def read_plan_of_run(
    run_id: str, query: Annotated[Query, Depends(PLANS.query)], context: CurrentContext
) -> Response:
    plan, _ = await queries.get_phase(
        context.session, context.actor, f"plan-{run_id.partition('-')[2]}", Phase.PLAN
    )
    return await PLANS.one(plan, query, context)


async def _require(context: Context, run: Run, permission: Permission) -> None:
    workspace = await context.session.get_one(Workspace, run.workspace_id)
    await require(context.session, context.actor, permission, workspace.place)


def _file(plan: RunPhase, context: Context, artefact: Artefact, deed: Deed) -> Response:
    """Send the client on to a signed address; no content while there is no such file yet."""
    if artefact.value not in plan.artefacts or plan.status not in _OVER:
        return Response(status_code=204)
    return RedirectResponse(context.signed(deed, plan.id), status_code=307)
