"""The TFE v2 dialect: its resources are declared in it, and every request has its context."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Permissions
from landform.access.service import permissions
from landform.agents.queries import Places
from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.openapi import DocumentedRoute
from landform.edge.deps import CurrentActor, CurrentProcess, Session, authenticated, base_url
from landform.edge.process import Process
from landform.edge.signed_urls import Deed
from landform.identity.actor import Actor
from landform.kit.errors import LandformError
from landform.notifications.models import NotificationDelivery
from landform.runs.standing import Standing
from landform.toolchain.versions import parse_version
from landform.variables.set_queries import Reach
from landform.workspaces.models import Workspace, WorkspaceRepository

API_VERSION: Final = "2.6"  # what a client needs for every feature it looks for (tfe_api.md §1.2)
_RENDERS_SINCE: Final = parse_version("1.3.0")  # the first Terraform that reads structured output


@dataclass(frozen=True)
class Client:
    """What a request says of the program that sent it."""

    is_cloud_integration: bool
    terraform_version: str
    user_agent: str

    @property
    def renders_plans(self) -> bool:
        """Tell whether it turns JSON lines into what its user sees.

        The `cloud` block does, since 1.3; the `remote` back end prints what it gets.
        """
        try:
            version = parse_version(self.terraform_version)
        except LandformError:
            return False
        return self.is_cloud_integration and version >= _RENDERS_SINCE


@dataclass
class Context:
    """What readers and loaders of the dialect may use, for one request."""

    session: AsyncSession
    actor: Actor
    process: Process
    base: str
    client: Client
    held: dict[str, Permissions] = field(default_factory=dict)
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    wait_reasons: dict[str, str] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    structured: dict[str, bool] = field(default_factory=dict)
    states_of: dict[str, list[str]] = field(default_factory=dict)
    tag_names: dict[str, list[str]] = field(default_factory=dict)
    resource_counts: dict[str, int] = field(default_factory=dict)
    organization_names: dict[str, str] = field(default_factory=dict)
    may_force: dict[str, bool] = field(default_factory=dict)
    configuration_ids: dict[str, str] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    ingress_ids: dict[str, str] = field(default_factory=dict)
    repositories: dict[str, WorkspaceRepository] = field(default_factory=dict)
    connection_kinds: dict[str, str] = field(default_factory=dict)
    reaches: dict[str, Reach] = field(default_factory=dict)
    agent_counts: dict[str, int] = field(default_factory=dict)
    pool_places: dict[str, Places] = field(default_factory=dict)
    pool_users: dict[str, Sequence[str]] = field(default_factory=dict)
    answers: dict[str, NotificationDelivery] = field(default_factory=dict)
    overwriters: dict[str, str | None] = field(default_factory=dict)
    overwritten: dict[str, list[str]] = field(default_factory=dict)
    shown_output: str = ""

    async def learn(self, workspace_ids: Iterable[str]) -> None:
        """Load workspaces, and what the actor may do on them, for `workspaces` and `may`."""
        unknown = set(workspace_ids) - self.workspaces.keys()
        if not unknown:
            return
        rows = await self.session.scalars(select(Workspace).where(Workspace.id.in_(unknown)))
        for workspace in rows:
            self.workspaces[workspace.id] = workspace
            self.held[workspace.id] = await permissions(self.session, self.actor, workspace.place)

    def may(self, permission: Permission, workspace_id: str) -> bool:
        """Tell whether the actor may, on a workspace learnt about before."""
        return permission in self.held[workspace_id]

    def signed(self, deed: Deed, object_id: str) -> str:
        """Return the address that allows `deed` on an object the actor may do it to."""
        return self.base + self.process.signer.path(deed, object_id)


def _context(
    request: Request, session: Session, actor: CurrentActor, process: CurrentProcess
) -> Context:
    headers = request.headers
    client = Client(
        is_cloud_integration=headers.get("x-terraform-integration", "") == "cloud",
        terraform_version=headers.get("terraform-version", ""),
        user_agent=headers.get("user-agent", ""),
    )
    return Context(session, actor, process, base_url(request), client)


CurrentContext = Annotated[Context, Depends(_context)]

TFE: Final[Dialect[Context]] = Dialect("tfe", origin=base_url)


def new_router() -> APIRouter:
    """Return a router whose routes are documented from what they take and give.

    Who asks is known before anything else of a request is looked at.
    """
    return APIRouter(
        prefix="/api/v2", route_class=DocumentedRoute, dependencies=[Depends(authenticated)]
    )
