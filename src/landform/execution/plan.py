"""A plan: one init, one plan, and everything that is told of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from landform.contract import Artefact, Outcome, PhaseResult
from landform.execution import providers
from landform.execution.desk import Desk
from landform.execution.made import read_made
from landform.execution.plan_output import PlanOutput, Schemas, read_plan, with_schemas
from landform.execution.redaction import Redactor
from landform.execution.schemas import schemas_for
from landform.execution.state_server import StateServer
from landform.execution.together import together
from landform.execution.trial import keep_record, plan_at_once
from landform.execution.variables import changes_trust, environment, write_tfvars
from landform.kit.errors import UnavailableError

log = structlog.get_logger()


async def plan(
    desk: Desk, inputs: Mapping[Artefact, bytes | None], redactor: Redactor
) -> PhaseResult:
    """Plan, keep what the plan made, and say how it went.

    Raises:
        HaltedError: the phase is being stopped.
        LandformError: the phase cannot be done; the text says why.
    """
    await desk.unpack(inputs[Artefact.CONFIGURATION])
    server = StateServer(inputs[Artefact.STATE], None, limit_bytes=desk.host.state_bytes)
    await server.start(desk.listener)
    try:
        desk.env = environment(
            desk.host, desk.room, desk.job, {**desk.purse.environment, **server.environment}
        )
        return await _plan(desk, redactor)
    finally:
        await server.close()


async def _plan(desk: Desk, redactor: Redactor) -> PhaseResult:
    desk.write_settings(desk.lock_file())
    argv = ["plan", "-input=false", "-json", f"-out={desk.room.inside(desk.room.plan_file)}"]
    argv += [
        f"-var-file={desk.room.inside(write_tfvars(desk))}",
        *_flags(desk),
    ]
    desk.alone = not providers.locked(desk.lock_file())
    code = await plan_at_once(desk, argv, out=desk.hear_plan)
    if code is None:
        if await desk.init() != 0:
            return _failed(desk, "The configuration could not be initialized; the log says why.")
        await asyncio.to_thread(_keep_fetched, desk)
        desk.alone = not providers.locked(desk.lock_file())
    schemas = asyncio.create_task(schemas_for(desk))
    try:
        if code is None:
            code = await desk.run(argv, out=desk.hear_plan)
        if code != 0:
            desk.halt.check()
            await _keep_partial(desk, schemas, redactor)
            return _failed(desk, "The plan failed; the log says why.")
        return await _keep(desk, schemas, redactor)
    finally:
        schemas.cancel()
        await asyncio.gather(schemas, return_exceptions=True)


def _keep_fetched(desk: Desk) -> None:
    keep_record(desk)
    if not changes_trust(desk.job.variables):
        providers.keep_new(desk.room)


def _flags(desk: Desk) -> list[str]:
    options = desk.job.options
    flags = ["-destroy"] if options.is_destroy else []
    flags += [] if options.refresh else ["-refresh=false"]
    flags += ["-refresh-only"] if options.refresh_only else []
    flags += [f"-target={address}" for address in options.target_addrs]
    flags += [f"-replace={address}" for address in options.replace_addrs]
    if options.allow_config_generation:
        flags.append(f"-generate-config-out={desk.room.inside(desk.room.generated_file)}")
    return flags


async def _keep(desk: Desk, schemas: asyncio.Task[Schemas], redactor: Redactor) -> PhaseResult:
    outputs: list[PlanOutput] = []

    async def keep_shown() -> None:
        outputs.append(await _keep_shown(desk, schemas, redactor))

    async def show_text() -> None:
        argv = ["show", "-no-color", desk.room.inside(desk.room.plan_file)]
        if await desk.run(argv, out=desk.log.for_people) != 0:
            raise UnavailableError("The plan could not be shown; the log says why. Plan again.")

    files = {
        Artefact.PLAN: read_made(desk.room.path, desk.room.plan_file),
        Artefact.LOCK_FILE: desk.lock_file(),
    }
    await together(keep_shown(), show_text(), _keep_files(desk, files))
    (output,) = outputs
    return PhaseResult(
        outcome=Outcome.FINISHED, counts=output.counts, has_changes=output.has_changes
    )


async def _keep_partial(desk: Desk, schemas: asyncio.Task[Schemas], redactor: Redactor) -> None:
    """Keep what a plan that failed had found by then, to be shown; never the plan to be applied.

    Terraform writes its plan file all the same (seen in 1.11.4), also with what it generated.
    """
    if read_made(desk.room.path, desk.room.plan_file) is None:
        return
    try:
        await together(_keep_shown(desk, schemas, redactor), _keep_files(desk, {}))
    except (UnavailableError, ValueError) as failure:
        log.info("A failed plan is not shown", phase=desk.job.phase_id, reason=str(failure))


async def _keep_shown(desk: Desk, schemas: asyncio.Task[Schemas], redactor: Redactor) -> PlanOutput:
    shown = await desk.show(["show", "-json", desk.room.inside(desk.room.plan_file)])
    if shown is None:
        raise UnavailableError("The plan could not be shown; the log says why. Plan again.")
    output = await asyncio.to_thread(read_plan, shown)
    known = await schemas
    if not output.providers <= known.provider_schemas.keys():
        known = await schemas_for(desk, fresh=True)
    redacted = await asyncio.to_thread(_redacted, output, known, redactor)
    await together(
        desk.put(Artefact.PLAN_JSON, shown), desk.put(Artefact.PLAN_JSON_REDACTED, redacted)
    )
    return output


async def _keep_files(desk: Desk, files: Mapping[Artefact, bytes | None]) -> None:
    generated = read_made(desk.room.path, desk.room.generated_file)
    kept = {**files, Artefact.GENERATED_CONFIGURATION: generated}
    await together(*(desk.put(name, data) for name, data in kept.items() if data is not None))


def _redacted(output: PlanOutput, schemas: Schemas, redactor: Redactor) -> bytes:
    # A variable may be sensitive to the platform and not to the configuration.
    document = with_schemas(output, schemas)
    if not redactor.touches(document):
        return document
    return with_schemas(replace(output, redacted=redactor.document(output.redacted)), schemas)


def _failed(desk: Desk, otherwise: str) -> PhaseResult:
    desk.halt.check()
    return PhaseResult(outcome=Outcome.ERRORED, error=desk.findings.error(otherwise))
