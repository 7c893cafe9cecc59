"""An apply of a saved plan: every state kept, every object accounted for."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from landform.contract import Artefact, Counts, Created, LostLeaseError, Outcome, PhaseResult
from landform.execution import providers
from landform.execution.desk import LOCK_FILE, Desk
from landform.execution.halt import Cause
from landform.execution.keeper import Keeper
from landform.execution.made import read_made
from landform.execution.recorded import addresses
from landform.execution.spool import Spool
from landform.execution.state_server import StateServer
from landform.execution.variables import environment, write_tfvars
from landform.execution.verdict import reason
from landform.kit.errors import InvalidError, LandformError
from landform.toolchain.versions import Tool

log = structlog.get_logger()

_VARIABLES_WITH_PLAN: Final = (1, 10)
"""Since this version terraform takes variables beside a plan file, for ephemeral ones."""

_SIGNALLED: Final = 128


async def apply(desk: Desk, inputs: Mapping[Artefact, bytes | None]) -> PhaseResult:
    """Apply the run's plan and say how it went.

    Raises:
        HaltedError: the phase is being stopped, before anything was applied.
        LandformError: the phase cannot be done; the text says why.
    """
    plan_file, lock_file = inputs[Artefact.PLAN], inputs[Artefact.LOCK_FILE]
    if plan_file is None:
        raise InvalidError("The run has no plan to apply. Start a new run.")
    await desk.unpack(inputs[Artefact.CONFIGURATION])
    desk.room.plan_file.write_bytes(plan_file)
    if lock_file is not None:
        (desk.room.cwd / LOCK_FILE).unlink(missing_ok=True)
        (desk.room.cwd / LOCK_FILE).write_bytes(lock_file)
    desk.alone = not providers.locked(lock_file)
    desk.write_settings(lock_file)
    return await _Apply(desk).run(inputs[Artefact.STATE], lock_file)


class _Apply:
    """The part of an apply during which state moves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._spool = Spool(desk.host.spool, desk.job)
        self._keeper = Keeper(
            desk.job,
            desk.plane,
            self._spool,
            delay_s=desk.host.clock.snapshot_s,
            on_sent=self._forget_saved,
            on_refused=lambda: desk.halt.interrupt(Cause.STATE_REFUSED),
            on_lost=lambda: desk.halt.kill(Cause.LOST),
        )

        self._server: StateServer | None = None
        self._is_lost = False

    async def run(self, state: bytes | None, lock_file: bytes | None) -> PhaseResult:
        desk = self._desk
        server = self._server = StateServer(
            state,
            self._spool,
            limit_bytes=desk.host.state_bytes,
            on_state=self._keeper.wake,
            on_unkept=lambda unkept: self._keeper.pass_on(
                unkept, patience_s=desk.host.clock.farewell_s
            ),
        )
        await server.start(desk.listener)
        reporter = asyncio.create_task(self._report())
        code = -1
        try:
            desk.env = environment(
                desk.host, desk.room, desk.job, {**desk.purse.environment, **server.environment}
            )
            code = await self._apply(lock_file)
        except Exception:
            await self._save(code, whole=False)
            raise
        finally:
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)
            await server.close()
            await self._keeper.close()
        whole = 0 <= code < _SIGNALLED and not desk.halt.hard
        saved = await self._save(code, whole=whole)
        return await self._result(code, whole=whole, saved=saved)

    async def _apply(self, lock_file: bytes | None) -> int:
        desk = self._desk
        at_hand = providers.link(desk.room, lock_file)
        if (not at_hand or providers.has_remote_modules(desk.room.plan_file)) and (
            code := await desk.init()
        ):
            return code
        argv = ["apply", "-input=false", "-json"]
        if desk.job.tool is Tool.TERRAFORM and desk.version >= _VARIABLES_WITH_PLAN:
            argv.append(f"-var-file={desk.room.inside(write_tfvars(desk))}")
        return await desk.run([*argv, desk.room.inside(desk.room.plan_file)], out=desk.hear)

    async def _save(self, code: int, *, whole: bool) -> bool:
        """Send what there is; return whether the platform has the newest state as such."""
        desk = self._desk
        lost = desk.halt.cause is Cause.LOST
        left = None
        if code != 0:
            try:
                left = read_made(
                    desk.room.path,
                    desk.room.cwd / "errored.tfstate",
                    limit_bytes=desk.host.state_bytes,
                )
            except LandformError:
                log.exception("The state that terraform left behind could not be read")
        if left is not None:
            await self._keeper.take(left)
        self._is_lost = left is None and self._server is not None and self._server.owes
        saved = await self._keeper.finish(
            final=whole, lost=lost, patience_s=desk.host.clock.farewell_s
        )
        return saved and not self._is_lost

    async def _result(self, code: int, *, whole: bool, saved: bool) -> PhaseResult:
        desk = self._desk
        own = self._own_error(code, saved=saved)
        if own:
            await desk.say(own)
        told = desk.findings.error("The apply failed; the log says why.")
        if code == 0 and saved:
            outcome = Outcome.FINISHED
        elif desk.halt.cause in {Cause.CANCELED, Cause.FORCED} and saved:
            outcome = Outcome.CANCELED
        else:
            outcome = Outcome.ERRORED
        return PhaseResult(
            outcome=outcome,
            counts=desk.findings.counts if code == 0 else Counts(),
            error=" ".join([*([told] if code and desk.halt.cause is None else []), own]).strip(),
            maybe_not_in_state=() if whole and saved else desk.findings.unaccounted(),
            state_in_doubt=desk.findings.touched and not (whole and saved),
        )

    def _own_error(self, code: int, *, saved: bool) -> str:
        """Return what went wrong that the tool does not know of."""
        desk = self._desk
        cause = desk.halt.cause
        texts = [reason(desk.job, desk.host, cause)] if cause is not None and code else []
        if self._keeper.refusal:
            texts.append(
                f"The platform refused the state: {self._keeper.refusal} It is kept beside the"
                " workspace's state versions: compare them, then make the right one current."
            )
        elif self._is_lost or self._keeper.is_in_memory_only:
            texts.append(
                "The newest state is lost: this worker's disk has no room for it, or it has more"
                f" than {desk.host.state_bytes} bytes. Import what was made, and then give it room."
            )
        elif not saved and cause is not Cause.LOST:
            texts.append(
                "The newest state did not reach the platform. It is kept on the worker, which"
                " offers it when it starts again."
            )
        return " ".join(text for text in texts if text)

    async def _forget_saved(self, state: bytes) -> None:
        if self._desk.findings.made:
            self._desk.findings.forget(await asyncio.to_thread(addresses, state))

    async def _report(self) -> None:
        """Keep the platform's list of what was made since the newest state like ours."""
        desk = self._desk
        told: list[Created] = []
        while True:
            await asyncio.sleep(desk.host.clock.created_s)
            made = list(desk.findings.made.values())
            if made == told:
                continue
            try:
                await desk.plane.report_created(desk.job, made)
                told = made
            except LostLeaseError:
                desk.halt.kill(Cause.LOST)
            except LandformError as error:
                log.info("What was made could not be reported yet", error=str(error))
