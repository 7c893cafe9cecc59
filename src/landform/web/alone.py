"""Visits that hold no transaction, as somebody else's server is asked meanwhile."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.web.pages import CurrentSession, Visitor
from landform.web.visit import Visit, WorkspaceVisit, locate


@dataclass(frozen=True, kw_only=True)
class WorkspaceAlone:
    """A visit of a workspace that the visitor may change.

    Attributes:
        path: the address of the workspace.
    """

    request: Request
    process: Process
    visitor: Visitor
    names: tuple[str, str]
    organization_id: str
    workspace_id: str
    path: str

    async def again(self, session: AsyncSession) -> WorkspaceVisit:
        """Return the visit in a transaction."""
        return await locate(Visit(self.request, session, self.visitor), *self.names)


async def _changeable(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    workspace: str,
) -> WorkspaceAlone:
    """Look first; who may not change the workspace comes no further."""
    names = (organization, workspace)
    async with transaction(process.platform.sessions) as session:
        visit = await locate(Visit(request, session, visitor), *names)
        await require(session, visit.actor, Permission.UPDATE_WORKSPACE, visit.workspace.place)
        return WorkspaceAlone(
            request=request,
            process=process,
            visitor=visitor,
            names=names,
            organization_id=visit.organization.id,
            workspace_id=visit.workspace.id,
            path=visit.path,
        )


ChangeableAlone = Annotated[WorkspaceAlone, Depends(_changeable)]
