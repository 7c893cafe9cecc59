"""A workspace with its runs, and what workers and people do to them, at the level of services."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, TypeVar

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import service as configurations
from landform.configurations.service import NewConfiguration
from landform.contract import LogStream, Outcome, Phase, PhaseJob, PhaseResult
from landform.dispatch.models import Lease
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.logs import service as logs
from landform.logs.models import Log
from landform.organizations.models import Organization
from landform.runs import attempts, creation, service
from landform.runs.attempts import Platform
from landform.runs.creation import NewRun
from landform.runs.models import Run, RunPhase
from landform.runs.sweep import sweep
from landform.runs.uploads import receive_configuration
from landform.states import service as states
from landform.states.document import md5_of
from landform.states.models import StateVersion
from landform.states.service import Announcement
from landform.toolchain.versions import Tool
from landform.workspaces.models import Workspace
from tests import factories
from tests.files import make_archive

T = TypeVar("T")
Resolve = Callable[[Tool, str], Awaitable[str]]


class Said(Protocol):
    """What `confirm`, `discard`, `cancel` and `force_cancel` have in common."""

    def __call__(
        self, session: AsyncSession, actor: Actor, run_id: str, /, *, comment: str = ""
    ) -> Awaitable[Run]: ...


async def resolve(tool: Tool, version: str) -> str:
    """Know one version of each tool."""
    return "1.11.4"


@dataclass
class World:
    """One workspace of one organization; every call is a transaction of its own.

    Attributes:
        owner: may do anything in the organization.
        configuration_id: an uploaded configuration that runs plan unless told otherwise.
    """

    platform: Platform
    organization_id: str
    organization: str
    workspace_id: str
    owner: Actor
    configuration_id: str
    _workers: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    async def make(cls, platform: Platform, **settings: Any) -> "World":
        """Make an organization with a workspace of these settings."""
        async with transaction(platform.sessions) as session:
            organization = await factories.make_organization(session)
            owner = await factories.make_owner(session, organization)
            workspace = await factories.make_workspace(session, organization, **settings)
        world = cls(platform, organization.id, organization.name, workspace.id, owner, "")
        world.configuration_id = await world.configure()
        return world

    async def beside(self, **settings: Any) -> "World":
        """Return another workspace of the same organization and owner."""
        async with transaction(self.platform.sessions) as session:
            organization = await session.get_one(Organization, self.organization_id)
            workspace = await factories.make_workspace(session, organization, **settings)
        world = World(
            self.platform, organization.id, organization.name, workspace.id, self.owner, ""
        )
        world.configuration_id = await world.configure()
        return world

    # ── what people and clients do ──────────────────────────────────────────────────────────────

    async def announce_configuration(self, **options: Any) -> str:
        """Make a configuration version that awaits its upload; return its id."""
        async with transaction(self.platform.sessions) as session:
            workspace = await session.get_one(Workspace, self.workspace_id)
            new = NewConfiguration(**{"auto_queue_runs": False, **options})
            row = await configurations.create(session, self.owner, workspace, new)
            return row.id

    async def upload_configuration(self, configuration_id: str, archive: bytes = b"") -> None:
        """Upload what was announced."""
        await receive_configuration(
            self.platform.sessions,
            self.platform.store,
            self.platform.keyring,
            configuration_version_id=configuration_id,
            archive=archive or make_archive(),
        )

    async def configure(self, archive: bytes = b"", **options: Any) -> str:
        """Announce and upload a configuration; return its id."""
        configuration_id = await self.announce_configuration(**options)
        await self.upload_configuration(configuration_id, archive)
        return configuration_id

    async def create(self, actor: Actor | None = None, **options: Any) -> str:
        """Create a run; return its id."""
        options = {"configuration_version_id": self.configuration_id, **options}
        async with transaction(self.platform.sessions) as session:
            workspace = await session.get_one(Workspace, self.workspace_id)
            run = await creation.create_run(
                session, self.platform.keyring, actor or self.owner, workspace, NewRun(**options)
            )
            return run.id

    async def say(self, step: Said, run_id: str, actor: Actor | None = None) -> None:
        """Take one of the steps of `landform.runs.service`."""
        async with transaction(self.platform.sessions) as session:
            await step(session, actor or self.owner, run_id)

    async def confirm(self, run_id: str) -> None:
        await self.say(service.confirm, run_id)

    async def discard(self, run_id: str) -> None:
        await self.say(service.discard, run_id)

    async def cancel(self, run_id: str) -> None:
        await self.say(service.cancel, run_id)

    async def on_workspace(
        self, step: Callable[..., Awaitable[T]], actor: Actor | None = None, **options: Any
    ) -> T:
        """Call a service that takes session, actor and workspace."""
        async with transaction(self.platform.sessions) as session:
            workspace = await session.get_one(Workspace, self.workspace_id)
            return await step(session, actor or self.owner, workspace, **options)

    async def save_state(self, raw: bytes, *, serial: int, lineage: str = "lineage-1") -> str:
        """Announce and upload a state as a client that holds the lock; return its id."""
        announcement = Announcement(serial=serial, md5=md5_of(raw), lineage=lineage)
        workspace = await self.workspace()
        platform = self.platform
        return await states.save(
            platform.sessions,
            platform.store,
            platform.keyring,
            self.owner,
            workspace,
            announcement,
            raw,
        )

    # ── what workers do ─────────────────────────────────────────────────────────────────────────

    async def begin(
        self, run_id: str, phase: Phase = Phase.PLAN, *, resolve: Resolve = resolve
    ) -> PhaseJob | None:
        """Take the phase as a new worker; None when it is not to be had."""
        phase_id = self.phase_id(run_id, phase)
        worker_id = f"worker-{next(self._workers)}"
        return await attempts.begin(self.platform, resolve, phase_id=phase_id, worker_id=worker_id)

    async def must_begin(self, run_id: str, phase: Phase = Phase.PLAN) -> PhaseJob:
        """Take the phase, which is to be had."""
        job = await self.begin(run_id, phase)
        assert job is not None, f"the {phase} of {run_id} is not to be had"
        return job

    async def finish(
        self, job: PhaseJob, outcome: Outcome = Outcome.FINISHED, **result: Any
    ) -> None:
        """End the phase, with changes unless told otherwise."""
        result.setdefault("has_changes", job.phase is Phase.PLAN)
        await attempts.finish(self.platform, job, PhaseResult(outcome=outcome, **result))

    async def plan(self, run_id: str, **result: Any) -> None:
        """Plan the run from begin to end."""
        await self.finish(await self.must_begin(run_id), **result)

    async def apply(self, run_id: str, state: bytes | None = None) -> None:
        """Apply the run from begin to end, and save `state` in between."""
        job = await self.must_begin(run_id, Phase.APPLY)
        if state is not None:
            await attempts.put_state(self.platform, job, state, final=True)
        await self.finish(job)

    async def append(
        self, job: PhaseJob, offset: int, data: bytes, stream: LogStream = LogStream.TEXT
    ) -> None:
        """Add to a log of the phase."""
        await logs.append(
            self.platform.sessions,
            self.platform.store,
            phase_id=job.phase_id,
            epoch=job.epoch,
            stream=stream,
            offset=offset,
            data=data,
        )

    async def expire(self, job: PhaseJob) -> None:
        """Let the attempt's lease run out, as if its worker were silent for long."""
        async with transaction(self.platform.sessions) as session:
            lease = await session.get_one(Lease, job.phase_id)
            lease.leased_until = lease.leased_until and lease.queued_at

    async def sweep(self) -> int:
        """Sweep once."""
        return await sweep(self.platform.sessions, self.platform.store)

    # ── what is there to see ────────────────────────────────────────────────────────────────────

    @staticmethod
    def phase_id(run_id: str, phase: Phase) -> str:
        return f"{phase}-{run_id.removeprefix('run-')}"

    async def run(self, run_id: str) -> Run:
        return await self._get(Run, run_id)

    async def runs(self) -> Sequence[Run]:
        """Return the workspace's runs in order."""
        async with transaction(self.platform.sessions) as session:
            query = select(Run).where(Run.workspace_id == self.workspace_id).order_by(Run.number)
            return (await session.scalars(query)).all()

    async def status(self, run_id: str) -> str:
        return (await self.run(run_id)).status.value

    async def phase(self, run_id: str, phase: Phase = Phase.PLAN) -> RunPhase:
        return await self._get(RunPhase, self.phase_id(run_id, phase))

    async def lease(self, run_id: str, phase: Phase = Phase.PLAN) -> Lease:
        return await self._get(Lease, self.phase_id(run_id, phase))

    async def log(self, run_id: str, phase: Phase = Phase.PLAN) -> bytes:
        """Return the text log."""
        return await logs.read(
            self.platform.sessions,
            self.platform.store,
            phase_id=self.phase_id(run_id, phase),
            stream=LogStream.TEXT,
        )

    async def is_sealed(self, run_id: str, phase: Phase = Phase.PLAN) -> bool:
        async with transaction(self.platform.sessions) as session:
            query = select(Log).where(Log.phase_id == self.phase_id(run_id, phase))
            found = (await session.scalars(query)).all()
        return len(found) == len(LogStream) and all(log.is_sealed for log in found)

    async def workspace(self) -> Workspace:
        return await self._get(Workspace, self.workspace_id)

    async def state(self, state_id: str) -> StateVersion:
        return await self._get(StateVersion, state_id)

    async def current_state(self) -> StateVersion:
        state_id = (await self.workspace()).current_state_version_id
        assert state_id is not None, "the workspace has no state"
        return await self.state(state_id)

    async def events(self, subject_id: str) -> list[EventRow]:
        """Return what happened to one thing, in order."""
        async with transaction(self.platform.sessions) as session:
            query = select(EventRow).where(EventRow.subject_id == subject_id).order_by(EventRow.id)
            return list((await session.scalars(query)).all())

    async def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table that runs write to, for "and nothing changed"."""
        tables = (
            *("runs", "run_phases", "leases", "logs", "log_blocks", "state_versions"),
            *("workspaces", "configuration_versions", "events", "procrastinate_jobs"),
        )
        async with transaction(self.platform.sessions) as session:
            return {
                table: sorted(
                    (tuple(row) for row in await session.execute(text(f"SELECT * FROM {table}"))),
                    key=repr,
                )
                for table in tables
            }

    async def _get(self, table: type[T], key: str) -> T:
        async with transaction(self.platform.sessions) as session:
            return await session.get_one(table, key)
