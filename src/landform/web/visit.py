"""Where a visitor is: the organization or workspace of a page, and the frame around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Permissions, Place
from landform.access.service import may_somewhere, permissions, require
from landform.edge.deps import Session, process_of
from landform.edge.process import Process
from landform.identity.actor import Actor
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.vcs.events import (
    ConnectionBroken,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionEstablished,
    ConnectionExpiring,
    ConnectionOpened,
    ConnectionUpdated,
)
from landform.web.pages import CurrentVisitor, Visitor, page
from landform.workspaces import organizations, projects
from landform.workspaces import queries as workspaces
from landform.workspaces.events import (
    ProjectCreated,
    ProjectDeleted,
    ProjectUpdated,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceMoved,
    WorkspaceUpdated,
)
from landform.workspaces.models import Project, Workspace

# What happens often in an organization, and is nothing to other workspaces of it.
_OF_ONE_WORKSPACE: Final = (
    "workspaces",
    "runs",
    "configurations",
    "states",
    "schedules",
    "notifications",
)
# What pages follow that tell only names of workspaces and projects, or how connections are.
NAMED: Final = tuple(
    kind.__name__
    for kind in (
        *(WorkspaceCreated, WorkspaceUpdated, WorkspaceMoved, WorkspaceDeleted),
        *(ProjectCreated, ProjectUpdated, ProjectDeleted),
    )
)
CONNECTIONS: Final = tuple(
    kind.__name__
    for kind in (
        *(ConnectionCreated, ConnectionUpdated, ConnectionOpened, ConnectionEstablished),
        *(ConnectionBroken, ConnectionExpiring, ConnectionDeleted),
    )
)
_SHELVES: Final = Page(number=1, size=200)
_SWITCHER: Final = 12  # organizations that the switcher lists; the rest are a click away


@dataclass(frozen=True)
class Crumb:
    """One step of the way to a page."""

    label: str
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The frame of a page.

    Attributes:
        section: which entry of the navigation the page is under.
        held: what the visitor may do at the innermost place.
    """

    organization: str = ""
    workspace: str = ""
    section: str = ""
    crumbs: tuple[Crumb, ...] = ()
    organizations: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()

    @property
    def home(self) -> str:
        """Return the address of the organization."""
        return f"/organizations/{self.organization}"

    @property
    def place(self) -> str:
        """Return the address of the workspace."""
        return f"/app/{self.organization}/{self.workspace}"


@dataclass
class Visit:
    """A request by somebody who is signed in."""

    _always: ClassVar[tuple[str, ...]] = ()  # what all such pages follow

    request: Request
    session: AsyncSession
    visitor: Visitor

    @property
    def actor(self) -> Actor:
        """Return who asks."""
        return self.visitor.actor

    @property
    def process(self) -> Process:
        """Return what the server holds."""
        return process_of(self.request)

    async def page(
        self,
        template: str,
        *,
        section: str,
        status: int = 200,
        crumbs: Any = (),
        follows: Iterable[str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page inside the frame.

        Args:
            follows: what it is about besides its place and what the visitor may do there: nouns
                (packages with events), names of events, and ids or `id/noun`. None for a page that
                stays as it is.
        """
        shell = await self.shell(section, tuple(crumbs))
        return page(
            self.request,
            template,
            status=status,
            follows=() if follows is None else self.about(follows),
            visitor=self.visitor,
            shell=shell,
            **values,
        )

    def about(self, follows: Iterable[str]) -> tuple[str, ...]:
        """Return what `landform.web.following` listens to."""
        all_of_it = map(self._place_of, (*self._always, *follows))
        return tuple(dict.fromkeys((self.actor.id, *all_of_it)))

    def _place_of(self, followed: str) -> str:
        return followed

    async def shell(self, section: str, crumbs: tuple[Crumb, ...] = ()) -> Shell:
        """Return the frame of a page in no organization."""
        return Shell(section=section, crumbs=crumbs, organizations=await self._names())

    async def _names(self) -> tuple[str, ...]:
        first = Page(number=1, size=_SWITCHER)
        found = await organizations.list_organizations(self.session, self.actor, page=first)
        return tuple(each.name for each in found.items)


@dataclass
class OrganizationVisit(Visit):
    """A request about an organization that the visitor may know of."""

    _always: ClassVar[tuple[str, ...]] = ("access", "organizations")

    organization: Organization
    held: Permissions = field(default_factory=frozenset)

    @property
    def path(self) -> str:
        """Return the address of the organization's pages, its workspaces aside."""
        return f"/organizations/{self.organization.name}"

    def may(self, permission: Permission) -> bool:
        """Tell whether the visitor has the permission here."""
        return permission in self.held

    async def shell(self, section: str, crumbs: tuple[Crumb, ...] = ()) -> Shell:
        """Return the frame of a page of the organization."""
        return Shell(
            organization=self.organization.name,
            section=section,
            crumbs=(self._root(), *crumbs),
            organizations=await self._names(),
            held=frozenset(each.name for each in self.held),
        )

    async def may_make_workspaces(self) -> bool:
        """Tell whether the visitor may create workspaces, be it in one project."""
        return await may_somewhere(
            self.session, self.actor, Permission.CREATE_WORKSPACE, self.organization.id
        )

    async def shelves(self) -> Sequence[Project]:
        """Return the projects in which the visitor may create workspaces.

        Raises:
            ForbiddenError: there is none.
        """
        found = await projects.list_projects(
            *(self.session, self.actor, self.organization),
            allowing=Permission.CREATE_WORKSPACE,
            page=_SHELVES,
        )
        if not found.items:
            place = Place(organization_id=self.organization.id)
            await require(self.session, self.actor, Permission.CREATE_WORKSPACE, place)
        return found.items

    def _place_of(self, followed: str) -> str:
        return followed if "-" in followed else f"{self.organization.id}/{followed}"

    def _root(self) -> Crumb:
        return Crumb(self.organization.name, f"/app/{self.organization.name}")


@dataclass
class WorkspaceVisit(OrganizationVisit):
    """A request about a workspace that the visitor may know of."""

    _always: ClassVar[tuple[str, ...]] = ("access", "organizations", "workspaces")

    workspace: Workspace = field(kw_only=True)

    @property
    def path(self) -> str:
        """Return the address of the workspace."""
        return f"/app/{self.organization.name}/{self.workspace.name}"

    async def shell(self, section: str, crumbs: tuple[Crumb, ...] = ()) -> Shell:
        """Return the frame of a page of the workspace."""
        return Shell(
            organization=self.organization.name,
            workspace=self.workspace.name,
            section=section,
            crumbs=(self._root(), Crumb(self.workspace.name, self.path), *crumbs),
            organizations=await self._names(),
            held=frozenset(each.name for each in self.held),
        )

    def _place_of(self, followed: str) -> str:
        if followed in _OF_ONE_WORKSPACE:
            return f"{self.workspace.id}/{followed}"
        return super()._place_of(followed)


async def _visit(request: Request, session: Session, visitor: CurrentVisitor) -> Visit:
    return Visit(request, session, visitor)


AnyVisit = Annotated[Visit, Depends(_visit)]


async def enter(visit: Visit, organization: str) -> OrganizationVisit:
    """Return a visit of the organization.

    Raises:
        NotFoundError: there is none, or the visitor may not know of it.
    """
    found = await organizations.by_name(visit.session, visit.actor, organization)
    place = Place(organization_id=found.id)
    held = await permissions(visit.session, visit.actor, place)
    return OrganizationVisit(visit.request, visit.session, visit.visitor, found, held)


async def _in_organization(visit: AnyVisit, organization: str) -> OrganizationVisit:
    return await enter(visit, organization)


InOrganization = Annotated[OrganizationVisit, Depends(_in_organization)]


async def locate(visit: Visit, organization: str, workspace: str) -> WorkspaceVisit:
    """Return a visit of the workspace.

    Raises:
        NotFoundError: there is none, or the visitor may not know of it.
    """
    found = await workspaces.by_name(visit.session, visit.actor, organization, workspace)
    owner = await visit.session.get_one(Organization, found.organization_id)
    held = await permissions(visit.session, visit.actor, found.place)
    return WorkspaceVisit(visit.request, visit.session, visit.visitor, owner, held, workspace=found)


async def _in_workspace(visit: AnyVisit, organization: str, workspace: str) -> WorkspaceVisit:
    return await locate(visit, organization, workspace)


InWorkspace = Annotated[WorkspaceVisit, Depends(_in_workspace)]
