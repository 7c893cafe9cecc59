"""A new run: what was asked, whether it may be, and its place in the queue."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.configurations import queries as configurations
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.contract import Phase
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.ids import new_id
from landform.runs import pools, workspace_queue
from landform.runs.events import RunCreated
from landform.runs.models import Run, RunPhase
from landform.runs.status import FINAL, RunStatus
from landform.toolchain.versions import parse_requirement
from landform.workspaces import rows as workspace_rows
from landform.workspaces.models import ExecutionMode, Workspace

OUR_PAGES: Final = "tfe-ui"
"""Source of runs that are asked for on this site; the word is TFE's."""
_MAX_WAITING: Final = 500  # runs per workspace that wait or are at work
_MAX_MESSAGE: Final = 4096  # characters
_MAX_ADDRESSES: Final = 1000
_MAX_ADDRESS: Final = 2048  # characters
_MAX_VARIABLES: Final = 500
_MAX_VALUE: Final = 256 * 1024  # characters
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class RunVariable(msgspec.Struct, frozen=True):
    """A variable given with the run; `value` is an HCL literal: a string carries its quotes."""

    key: str
    value: str


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """What a client asks for; None means "as the workspace or the configuration says"."""

    message: str = ""
    source: str = "tfe-api"
    configuration_version_id: str | None = None
    is_destroy: bool = False
    refresh: bool = True
    refresh_only: bool = False
    plan_only: bool | None = None
    save_plan: bool = False
    auto_apply: bool | None = None
    allow_empty_apply: bool = False
    allow_config_generation: bool = False
    target_addrs: Sequence[str] = ()
    replace_addrs: Sequence[str] = ()
    variables: Sequence[RunVariable] = field(default=(), repr=False)
    terraform_version: str | None = None


async def create_run(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace, new: NewRun
) -> Run:
    """Put a new run at the back of the workspace's queue, and start it if its turn has come.

    Raises:
        ForbiddenError: `actor` may not queue plans on `workspace`, or may not have them applied.
        InvalidError: the options contradict each other or the workspace.
        ConflictError: the workspace runs elsewhere, or too many runs wait already.
    """
    await require(session, actor, Permission.QUEUE_PLAN, workspace.place)
    configuration = await _configuration(session, actor, workspace, new)
    plan_only = configuration.speculative if new.plan_only is None else new.plan_only
    plan_only = plan_only or configuration.speculative
    _check(workspace, new, plan_only=plan_only)
    auto_apply = await _auto_apply(session, actor, workspace, new, plan_only=plan_only)
    workspace = await workspace_rows.locked(session, workspace.id)
    await pools.require_usable(session, workspace)
    await _require_room(session, workspace)
    reach(FailPoint.RUN_CREATING)
    run_id = new_id("run")
    run = Run(
        id=run_id,
        workspace_id=workspace.id,
        organization_id=workspace.organization_id,
        configuration_version_id=configuration.id,
        message=new.message[:_MAX_MESSAGE],
        source=new.source,
        is_destroy=new.is_destroy,
        refresh=new.refresh,
        refresh_only=new.refresh_only,
        plan_only=plan_only,
        save_plan=new.save_plan,
        auto_apply=auto_apply,
        allow_empty_apply=new.allow_empty_apply,
        allow_config_generation=new.allow_config_generation,
        target_addrs=list(new.target_addrs),
        replace_addrs=list(new.replace_addrs),
        sealed_variables=_seal(keyring, run_id, new.variables),
        tool=workspace.tool,
        tool_version=new.terraform_version or workspace.tool_version,
        created_by=actor.id,
        status=RunStatus.PENDING,
    )
    session.add(run)
    suffix = run_id.removeprefix("run-")
    await session.flush()
    session.add(RunPhase(id=f"plan-{suffix}", run_id=run_id, phase=Phase.PLAN))
    session.add(RunPhase(id=f"apply-{suffix}", run_id=run_id, phase=Phase.APPLY))
    await session.flush()
    events.publish(
        session,
        RunCreated(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=workspace.id,
            source=run.source,
        ),
    )
    await start_if_possible(session, workspace, run, configuration)
    reach(FailPoint.RUN_QUEUEING)
    return run


async def create_again(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace, run: Run
) -> Run:
    """Create a run that asks for what `run`, of the same workspace, asked for.

    The run's own variables are given to the new run and shown to nobody. Raises as `create_run`.
    """
    new = NewRun(
        message=run.message,
        source=OUR_PAGES,
        configuration_version_id=run.configuration_version_id,
        is_destroy=run.is_destroy,
        refresh=run.refresh,
        refresh_only=run.refresh_only,
        plan_only=run.plan_only,
        save_plan=run.save_plan,
        allow_empty_apply=run.allow_empty_apply,
        allow_config_generation=run.allow_config_generation,
        target_addrs=run.target_addrs,
        replace_addrs=run.replace_addrs,
        variables=open_variables(keyring, run),
    )
    return await create_run(session, keyring, actor, workspace, new)


async def start_if_possible(
    session: AsyncSession, workspace: Workspace, run: Run, configuration: ConfigurationVersion
) -> None:
    """Start `run` at once when it takes no turn, else let the queue decide."""
    if run.is_queued:
        await workspace_queue.advance(session, workspace)
    elif configuration.status is ConfigurationStatus.UPLOADED:
        await workspace_queue.enqueue(session, run, Phase.PLAN)


def open_variables(keyring: Keyring, run: Run) -> list[RunVariable]:
    """Return the run's own variables in clear; for its phases, and for nobody else."""
    if run.sealed_variables is None:
        return []
    sealed = keyring.open(run.sealed_variables, place=f"runs/{run.id}/variables")
    return msgspec.json.decode(sealed, type=list[RunVariable])


def _seal(keyring: Keyring, run_id: str, variables: Sequence[RunVariable]) -> bytes | None:
    if not variables:
        return None
    return keyring.seal(msgspec.json.encode(variables), place=f"runs/{run_id}/variables")


async def _configuration(
    session: AsyncSession, actor: Actor, workspace: Workspace, new: NewRun
) -> ConfigurationVersion:
    if new.configuration_version_id is None:
        return await configurations.newest_usable(session, workspace)
    row = await configurations.get(session, actor, new.configuration_version_id)
    if row.workspace_id != workspace.id:
        raise InvalidError(
            f"Configuration version {row.id} belongs to another workspace.",
            pointer="/data/relationships/configuration-version",
        )
    if row.status in (ConfigurationStatus.ERRORED, ConfigurationStatus.ARCHIVED):
        reason = f": {row.error}" if row.error else ""
        raise InvalidError(
            f"Configuration version {row.id} is {row.status}{reason}",
            pointer="/data/relationships/configuration-version",
        )
    return row


async def _auto_apply(
    session: AsyncSession, actor: Actor, workspace: Workspace, new: NewRun, *, plan_only: bool
) -> bool:
    """Plan does not imply apply: the workspace's setting helps only those who may apply.

    Where everything is to be destroyed from a page, the setting does not count: there it is
    promised that nothing happens before somebody has seen the plan.
    """
    if plan_only or new.save_plan:
        return False
    may_apply = await may(session, actor, Permission.QUEUE_APPLY, workspace.place)
    if new.auto_apply and not may_apply:
        raise ForbiddenError(f"You need permission to {Permission.QUEUE_APPLY} for auto-apply.")
    is_asked_for = new.is_destroy and new.source == OUR_PAGES
    by_itself = workspace.auto_apply and not is_asked_for
    return may_apply and (by_itself if new.auto_apply is None else new.auto_apply)


def _check(workspace: Workspace, new: NewRun, *, plan_only: bool) -> None:
    if workspace.execution_mode is ExecutionMode.LOCAL:
        raise ConflictError(
            f"Workspace {workspace.name} has execution mode local: it keeps state, and runs"
            " happen where the command line is. Set it to remote to run here."
        )
    _refuse(
        new.refresh_only and new.is_destroy,
        "refresh-only",
        "A run is either refresh-only or a destroy, not both.",
    )
    _refuse(
        new.refresh_only and not new.refresh,
        "refresh-only",
        "A refresh-only run with refresh false would do nothing.",
    )
    _refuse(
        bool(new.replace_addrs) and (new.is_destroy or new.refresh_only),
        "replace-addrs",
        "Replacing a resource goes with an ordinary plan only.",
    )
    _refuse(
        new.is_destroy and not plan_only and not workspace.allow_destroy_plan,
        "is-destroy",
        f"Workspace {workspace.name} does not allow destroy plans.",
    )
    _refuse(
        len(new.target_addrs) + len(new.replace_addrs) > _MAX_ADDRESSES,
        "target-addrs",
        f"At most {_MAX_ADDRESSES} addresses can be given.",
    )
    for address in (*new.target_addrs, *new.replace_addrs):
        _refuse(
            not address or len(address) > _MAX_ADDRESS or not address.isprintable(),
            "target-addrs",
            f"{address[:80]!r} is not a resource address.",
        )
    _check_variables(new.variables)
    _check_version(new)


def _check_version(new: NewRun) -> None:
    if new.terraform_version is None:
        return
    try:
        parse_requirement(new.terraform_version)
    except InvalidError as failure:
        pointer = "/data/attributes/terraform-version"
        raise InvalidError(str(failure), pointer=pointer) from None


def _check_variables(variables: Sequence[RunVariable]) -> None:
    _refuse(
        len(variables) > _MAX_VARIABLES,
        "variables",
        f"At most {_MAX_VARIABLES} variables can be given.",
    )
    for variable in variables:
        _refuse(
            _IDENTIFIER.fullmatch(variable.key) is None,
            "variables",
            f"{variable.key[:80]!r} is not a variable name.",
        )
        _refuse(
            len(variable.value) > _MAX_VALUE,
            "variables",
            f"The value of {variable.key} is longer than {_MAX_VALUE} characters.",
        )


def _refuse(is_wrong: bool, attribute: str, message: str) -> None:
    if is_wrong:
        raise InvalidError(message, pointer=f"/data/attributes/{attribute}")


async def _require_room(session: AsyncSession, workspace: Workspace) -> None:
    waiting = await session.scalar(
        select(func.count())
        .select_from(Run)
        .where(
            Run.workspace_id == workspace.id,
            Run.status.not_in(FINAL | {RunStatus.PLANNED_AND_SAVED}),
        )
    )
    if (waiting or 0) >= _MAX_WAITING:
        raise ConflictError(
            f"Workspace {workspace.name} has {waiting} runs that have not ended; discard or"
            " cancel some first."
        )
