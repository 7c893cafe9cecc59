"""A workspace planned from a private repository on an Azure DevOps of the test's own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, text

from landform.identity.actor import SYSTEM
from landform.kit.db import transaction
from landform.kit.egress import Outbound
from landform.kit.egress_allow import Allow
from landform.runs.attempts import Platform
from landform.runs.models import Run
from landform.triggers.acting import act
from landform.triggers.background import Background
from landform.triggers.desk import Desk
from landform.triggers.intents import Outcomes
from landform.triggers.looking import look_at_due
from landform.triggers.upkeep import see_to_due
from landform.triggers.watching import enroll
from landform.vcs.credentials import open_provider
from landform.vcs.deliveries import receive
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, Hook
from landform.vcs.provider import Services
from landform.vcs.providers import READERS
from landform.vcs.reach import Reach
from landform.vcs.sealing import seal_secrets
from landform.workspaces import repositories
from landform.workspaces.repositories import RepositorySettings
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING, PullRequest, Repository
from tests.standins.serving import Answer, Request, Server
from tests.world import World

EVENTS = (
    "git.push",
    "git.pullrequest.created",
    "git.pullrequest.updated",
    "git.pullrequest.merged",
)


@dataclass
class Scene:
    """Everything at once.

    Attributes:
        received: deliveries that the provider made and nobody has looked at.
    """

    azure: AzureDevOps
    platform: Platform
    world: World
    desk: Desk
    connection_id: str
    repository: Repository
    pat: str
    received: list[Request]
    _answers: list[Answer]
    _server: Server

    @classmethod
    async def make(cls, platform: Platform, azure: AzureDevOps, **settings: Any) -> "Scene":
        world = await World.make(platform, **settings)
        organization = azure.organization("Acme")
        ann = organization.identity("Ann")
        repository = organization.repository("Cloud Team", "infra")
        azure.people.push(repository, ann, {"main.tf": "# first\n"})
        pat = azure.tokens.issue(ann, EVERYTHING)
        received: list[Request] = []
        answers = [Answer(202)]

        def keep(request: Request) -> Answer:
            received.append(request)
            return answers[0]

        scene = cls(
            azure,
            platform,
            world,
            make_desk(platform),
            await _connect(platform, world, azure, pat),
            repository,
            pat,
            received,
            answers,
            Server(keep),
        )
        for event in EVENTS:
            scene.subscribe(event)
        await scene.link()
        return scene

    async def link(self, world: World | None = None, **settings: Any) -> None:
        """Plan a workspace from the repository."""
        provider = await open_provider(self.desk.reach, self.connection_id)
        found = await provider.repository(self.repository.id)
        head = await provider.branch(found, settings.get("branch") or found.default_branch)
        given = RepositorySettings(
            connection_id=self.connection_id,
            repository=found,
            head=head.commit if head else "",
            **settings,
        )
        await (world or self.world).on_workspace(repositories.connect, given=given)

    def answer(self, answer: Answer) -> None:
        """Answer what the provider delivers like this from now on."""
        self._answers[0] = answer

    # ── what people do ──────────────────────────────────────────────────────────────────────────

    @property
    def ann(self) -> Any:
        return next(iter(self.repository.project.organization.identities.values()))

    def push(self, files: Mapping[str, str | bytes | None], **options: Any) -> str:
        return self.azure.people.push(self.repository, self.ann, files, **options)

    def open_pull(self, files: Mapping[str, str], **options: Any) -> PullRequest:
        """Push to a new branch and ask for it to be merged."""
        branch = options.pop("branch", "topic")
        self.push(files, branch=branch)
        return self.azure.people.open_pull(self.repository, self.ann, branch, **options)

    def open_fork(self, files: Mapping[str, str]) -> PullRequest:
        """Ask for a branch of another repository to be merged."""
        fork = self.repository.project.organization.repository("Cloud Team", "fork")
        source = self.repository.git
        fork.git.git("fetch", "--quiet", str(source.directory), "refs/heads/main:refs/heads/main")
        fork.git.commit("theirs", files)
        return self.azure.people.open_pull(self.repository, self.ann, "theirs", fork=fork)

    # ── what the platform does ──────────────────────────────────────────────────────────────────

    async def take(self, *, reverse: bool = False) -> list[dict[str, Any]]:
        """Act on everything delivered since, in order; return what came of it."""
        requests = self._delivered()
        rows: list[dict[str, Any]] = []
        for request in reversed(requests) if reverse else requests:
            rows += await self.act_on(request)
        return rows

    async def act_on(self, request: Request) -> list[dict[str, Any]]:
        reader = READERS[Kind.AZURE_DEVOPS]
        delivery = reader.read(request.headers, request.body)

        async def record(session: Any, outcomes: Outcomes) -> bool:
            return True

        outcomes = await act(self.desk, self.connection_id, delivery.changes, record)
        assert outcomes is not None
        return outcomes.rows

    async def hook(self) -> Hook:
        """Have hooks made at the provider; they lead here instead of those of the scene."""
        self.repository.project.organization.subscriptions.clear()
        reach = replace(self.desk.reach, public_url=self._server.url)
        self.desk = replace(self.desk, reach=reach)
        await enroll(self.desk)
        await look_at_due(self.desk, every_s=30)
        await see_to_due(self.desk)
        async with transaction(self.platform.sessions) as session:
            return (await session.scalars(select(Hook))).one()

    async def receive(self) -> int:
        """Store what was delivered since `hook`, as a server does; return how much was new."""
        count = 0
        for request in self._delivered():
            hook_id = request.path.rpartition("/")[2]
            count += await receive(self.desk.reach, hook_id, request.headers, request.body)
        return count

    def _delivered(self) -> list[Request]:
        """Return what was delivered since, in the order in which it happened.

        The provider sends each by itself, and one overtakes another.
        """
        self.azure.sender.settle()
        found, self.received[:] = list(self.received), []
        happened = [delivery.body for delivery in self.azure.sender.deliveries]
        return sorted(found, key=lambda request: happened.index(request.body))

    async def run_jobs(self) -> int:
        """Do what was enqueued, as a worker would; return how many jobs that was."""
        tasks = Background(self.desk, look_s=30).tasks
        count = 0
        while jobs := await self._due_jobs():
            for name, arguments in jobs:
                await tasks[name](**arguments)
                count += 1
        return count

    async def _due_jobs(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        async with transaction(self.platform.sessions) as session:
            rows = await session.execute(
                text(
                    "DELETE FROM procrastinate_jobs WHERE queue_name = 'vcs'"
                    " AND coalesce(scheduled_at, now()) <= now() RETURNING task_name, args"
                )
            )
            return [(row[0], row[1]) for row in rows]

    async def jobs(self) -> Sequence[Mapping[str, Any]]:
        """What is enqueued, for now or later."""
        async with transaction(self.platform.sessions) as session:
            rows = await session.execute(
                text("SELECT args FROM procrastinate_jobs WHERE queue_name = 'vcs' ORDER BY id")
            )
            return [row[0] for row in rows]

    # ── what there is to see ────────────────────────────────────────────────────────────────────

    async def runs(self, world: World | None = None) -> Sequence[Run]:
        return await (world or self.world).runs()

    def close(self) -> None:
        self._server.close()

    def subscribe(self, event: str, version: str = "1.0") -> None:
        """Have what happens at the provider delivered here."""
        project = self.repository.project
        self.azure.hooks.create(
            project.organization,
            Request(
                "POST",
                "/",
                {},
                json.dumps(
                    {
                        "publisherId": "tfs",
                        "eventType": event,
                        "resourceVersion": version,
                        "consumerId": "webHooks",
                        "consumerActionId": "httpRequest",
                        "publisherInputs": {
                            "projectId": project.id,
                            "repository": self.repository.id,
                        },
                        "consumerInputs": {"url": self._server.url},
                    }
                ).encode(),
            ),
            self.ann,
        )


def make_desk(platform: Platform) -> Desk:
    async def assertion(subject: str, audience: str) -> str:
        raise AssertionError("nobody asked for it")

    services = Services(
        http=Outbound(Allow.parse("127.0.0.1")),
        imds=Outbound(),
        entra_url="",
        imds_url="",
        assertion=assertion,
    )
    reach = Reach(sessions=platform.sessions, keyring=platform.keyring, services=services)
    return Desk(platform, reach)


async def _connect(platform: Platform, world: World, azure: AzureDevOps, pat: str) -> str:
    async with transaction(platform.sessions) as session:
        row = Connection(
            id="oc-0123456789abcdef",
            organization_id=world.organization_id,
            name="azure",
            kind=Kind.AZURE_DEVOPS,
            sign_in=SignIn.TOKEN,
            endpoint=azure.vssps_url,
            api_url=azure.url,
            account="Acme",
            status=ConnectionStatus.CONNECTED,
            created_by=SYSTEM.id,
            sealed_secrets=seal_secrets(
                platform.keyring, "oc-0123456789abcdef", {"client_secret": pat}
            ),
        )
        session.add(row)
        await session.flush()
        return row.id
