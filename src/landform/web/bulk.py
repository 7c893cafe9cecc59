"""One deed on many workspaces of the table, and what came of it at each."""

import contextlib
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from landform.access.errors import DeniedError, HiddenError
from landform.edge.deps import CurrentProcess
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, LandformError
from landform.runs import bulk
from landform.runs.bulk import Deed, Order, Outcome
from landform.web.forms import FormAlone, refusals_to
from landform.web.pages import CurrentSession, page
from landform.web.present import workspaces as present
from landform.web.present.pages import with_query
from landform.web.visit import Crumb, Visit, enter
from landform.web.workspaces import AsAsked
from landform.workspaces import tags

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of it at one workspace."""

    name: str
    href: str
    run_href: str
    is_done: bool
    text: str


@router.post("/organizations/{organization}/workspaces/bulk")
async def act(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    asked: AsAsked,
) -> Response:
    """Do it, and say at which workspaces it was done and why not at the others.

    The query of the address is that of the table: what `all` means, and the way back.
    """
    sessions, actor = process.platform.sessions, visitor.actor
    chosen = form.all("workspace")
    async with transaction(sessions) as session:
        visit = await enter(Visit(request, session, visitor), organization)
        owner = visit.organization
        back = with_query(f"/app/{owner.name}", asked.query)
        crumbs = (Crumb("Workspaces", back), Crumb("Many at once"))
        shell = await visit.shell("workspaces", crumbs)
        with refusals_to(back):
            order = _order(form.line("deed"), form.line("tags"), form.line("text"))
            if form.flag("all"):
                chosen = await bulk.matching(session, actor, owner, asked.wanted, asked.standing)
    with refusals_to(back):
        outcomes = await bulk.carry_out(
            sessions, process.platform.keyring, actor, owner, chosen, order
        )
    for failure in [each.failure for each in outcomes]:
        if isinstance(failure, DeniedError | HiddenError):
            with contextlib.suppress(LandformError):
                await process.denials.tell(
                    sessions, actor, failure, method="POST", path=request.url.path
                )
    rows = [_row(owner.name, each, order) for each in outcomes]
    return page(
        request,
        "workspaces/bulk.html",
        visitor=visitor,
        shell=shell,
        deed=present.DEEDS[order.deed][0],
        rows=sorted(rows, key=lambda row: row.is_done),
        done=sum(row.is_done for row in rows),
        back=back,
    )


def _order(deed: str, words: str, text: str) -> Order:
    if deed not in set(Deed):
        raise InvalidError(f"Choose what to do: {', '.join(Deed)}.")
    return Order(deed=Deed(deed), tags=tags.read(words), text=text)


def _row(organization: str, outcome: Outcome, order: Order) -> Row:
    href = f"/app/{organization}/{outcome.name}" if outcome.name else ""
    return Row(
        name=outcome.name or outcome.workspace_id[:40],
        href=href,
        run_href=f"{href}/runs/{outcome.run_id}" if outcome.run_id else "",
        is_done=outcome.failure is None,
        text=str(outcome.failure) if outcome.failure else present.DEEDS[order.deed][1],
    )
