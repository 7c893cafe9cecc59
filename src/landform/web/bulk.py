"""One deed on many workspaces of the table, and what came of it at each."""

import contextlib
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request, Response

from landform.access.errors import DeniedError, HiddenError
from landform.edge.deps import CurrentProcess
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, LandformError
from landform.runs import bulk
from landform.runs.bulk import Deed, Order, Outcome
from landform.web.forms import FormAlone, refusals_to
from landform.web.pages import CurrentSession, redirect
from landform.web.present import workspaces as present
from landform.web.present.pages import with_query
from landform.web.visit import Visit, enter
from landform.web.workspaces import AsAsked
from landform.workspaces import tags

router = APIRouter(include_in_schema=False)


_NAMES: Final = {"tag_bindings": "tags"}  # of a field, by what the service calls it
_MOST_SAID: Final = 900  # characters of what the table says of an order


@router.post("/organizations/{organization}/workspaces/bulk")
async def act(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    asked: AsAsked,
) -> Response:
    """Do it, and say why not at some, on a list that shows what becomes of it.

    The query of the address is that of the table: what `all` means, and the way back.
    """
    sessions, actor = process.platform.sessions, visitor.actor
    chosen = form.all("workspace")
    async with transaction(sessions) as session:
        visit = await enter(Visit(request, session, visitor), organization)
        owner = visit.organization
        back = with_query(f"/app/{owner.name}", asked.query)
        with refusals_to(back, names=_NAMES):
            order = _order(form.line("deed"), form.line("tags"), form.line("text"))
            if form.flag("all"):
                chosen = await bulk.matching(session, actor, owner, asked.wanted, asked.standing)
    with refusals_to(back, names=_NAMES):
        outcomes = await bulk.carry_out(
            sessions, process.platform.keyring, actor, owner, chosen, order
        )
    for failure in [each.failure for each in outcomes]:
        if isinstance(failure, DeniedError | HiddenError):
            with contextlib.suppress(LandformError):
                await process.denials.tell(
                    sessions, actor, failure, method="POST", path=request.url.path
                )
    done = [each for each in outcomes if each.failure is None]
    # Plans alone are no run that a workspace is at, so that its table says nothing of them.
    plans = f"/organizations/{owner.name}/runs"
    to = plans if order.deed is Deed.PLAN and done else back
    return redirect(to, say=said_of(outcomes, order), failed=len(done) < len(outcomes))


def _order(deed: str, words: str, text: str) -> Order:
    if deed not in set(Deed):
        raise InvalidError(f"Choose what to do: {', '.join(Deed)}.")
    return Order(deed=Deed(deed), tags=tags.read(words), text=text)


def said_of(outcomes: Sequence[Outcome], order: Order) -> str:
    """Return what came of an order, each reason once; the first of them where they are many."""
    refused: dict[str, list[str]] = {}
    for each in outcomes:
        if each.failure is not None:
            name = each.name or each.workspace_id[:40]
            refused.setdefault(str(each.failure), []).append(name)
    missed = sum(map(len, refused.values()))
    done = len(outcomes) - missed
    count = f"Done at {done} of {len(outcomes)} workspace{'s' * (len(outcomes) != 1)}."
    said = f"{present.DEEDS[order.deed][1]} {count}" if done else count
    for reason, names in refused.items():
        for at, name in enumerate(names):
            more = f", {name}" if at else f" Not at {name}"
            if len(said) + len(more) + len(reason) > _MOST_SAID:
                return f"{said}{': ' + reason if at else ''} And not at {missed} more."
            said, missed = said + more, missed - 1
        said += f": {reason}"
    return said
