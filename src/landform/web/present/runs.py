"""A run as its page and the lists of runs show it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landform.access.permissions import Permission
from landform.configurations.models import Ingress
from landform.contract import Created, Phase
from landform.identity.actor import SYSTEM, Actor
from landform.kit.clock import now
from landform.runs.models import Comment, Run, RunPhase
from landform.runs.recovery import import_block
from landform.runs.service import force_cancel_available_at
from landform.runs.standing import Standing
from landform.runs.status import FINAL, PhaseStatus, RunStatus, Step, can
from landform.web.present.text import duration
from landform.web.present.workspaces import body_of, title_of

_WORKER: Final = "for a worker"
_AGENT: Final = "for an agent"
_SOURCES: Final = {
    "tfe-api": "by the API",
    "tfe-ui": "on this site",
    "tfe-configuration-version": "by an upload",
    "landform-schedule": "by a schedule",
    "terraform": "from the command line",
    "terraform+cloud": "from the command line",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run of a list."""

    id: str
    href: str
    title: str
    status: str
    kind: str
    author: str
    workspace: str
    created_at: datetime
    lasted_s: float | None

    @property
    def key(self) -> str:
        """Return what names the row on its page."""
        return self.id


def row_of(run: Run, organization: str, workspace: str, author: str) -> Row:
    """Return the row of one run."""
    is_over = run.status in FINAL
    return Row(
        id=run.id,
        href=f"/app/{organization}/{workspace}/runs/{run.id}",
        title=title_of(run.message),
        status=run.status.value,
        kind=kind_of(run),
        author=author,
        workspace=workspace,
        created_at=run.created_at,
        lasted_s=(run.changed_at - run.created_at).total_seconds() if is_over else None,
    )


def kind_of(run: Run) -> str:
    """Return in words what was asked for."""
    if run.is_destroy:
        kind = "destroy"
    elif run.refresh_only:
        kind = "refresh only"
    else:
        kind = "plan and apply"
    if run.plan_only:
        return "plan only" if kind == "plan and apply" else f"{kind}, plan only"
    return f"{kind}, saved plan" if run.save_plan else kind


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of a run's life.

    Attributes:
        state: `done`, `now`, `bad` or `ahead`.
        since: when it began, if it goes on.
    """

    label: str
    state: str
    note: str = ""
    lasted_s: float | None = None
    since: str = ""


def timeline(
    run: Run,
    wait_reason: str,
    author: str,
    names: Mapping[str, str],
    agents: Mapping[Phase, str],
    before: Sequence[str] = (),
) -> list[Stage]:
    """Return what happened and what is to come, with what each wait was or is for.

    Args:
        author: who started it, by name.
        before: the runs that went first while it waited for its turn.
        agents: which agent had a phase, of those that an agent took.
    """
    return list(_stages(run, wait_reason, author, names, agents, before))


def _stages(
    run: Run,
    reason: str,
    author: str,
    names: Mapping[str, str],
    agents: Mapping[Phase, str],
    before: Sequence[str],
) -> Iterable[Stage]:
    at = _Times(run)
    plan_ends = ("planned-at", "planned-and-finished-at", "planned-and-saved-at")
    yield at.stage(
        "Queued",
        run.created_at.isoformat(),
        ("planning-at",),
        note=", ".join([f"by {author}", *_waits(at, run, before, agents.get(Phase.PLAN, ""))]),
        waiting=reason,
        waits={RunStatus.PENDING, RunStatus.PLAN_QUEUED},
    )
    yield at.stage(
        "Plan",
        at.get("planning-at"),
        plan_ends,
        where=agents.get(Phase.PLAN, ""),
        waits={RunStatus.PLANNING},
    )
    if run.plan_only or (run.status is RunStatus.PLANNED_AND_FINISHED):
        return
    planned = at.get("planned-at") or at.get("planned-and-saved-at")
    confirmed_by = names.get(run.confirmed_by or "", run.confirmed_by or "")
    yield at.stage(
        "Confirmation",
        planned,
        ("confirmed-at", "discarded-at"),
        note=f"by {confirmed_by}" if confirmed_by else "automatic" if run.auto_apply else "",
        waiting=reason,
        waits={RunStatus.PLANNED, RunStatus.PLANNED_AND_SAVED},
    )
    yield at.stage(
        "Apply queued",
        at.get("confirmed-at"),
        ("applying-at",),
        note=_WORKER if not agents.get(Phase.APPLY) else _AGENT,
        waiting=reason,
        waits={RunStatus.CONFIRMED, RunStatus.APPLY_QUEUED},
    )
    yield at.stage(
        "Apply",
        at.get("applying-at"),
        ("applied-at",),
        where=agents.get(Phase.APPLY, ""),
        waits={RunStatus.APPLYING},
    )


def _waits(at: "_Times", run: Run, before: Sequence[str], agent: str) -> Iterable[str]:
    """Yield what a run that has begun was waiting for until then, and how long."""
    queued, began = at.get("plan-queued-at"), at.get("planning-at")
    if queued is None or began is None:
        return
    turn_s = (datetime.fromisoformat(queued) - run.created_at).total_seconds()
    if turn_s >= 1:
        others = f"{before[0]} and {len(before) - 1} more" if before[1:] else "".join(before)
        why = f"after {others}" if others else "of a workspace that was locked or not ready"
        yield f"{duration(turn_s)} for its turn {why}"
    free_s = (datetime.fromisoformat(began) - datetime.fromisoformat(queued)).total_seconds()
    yield f"{duration(max(0.0, free_s))} {_AGENT if agent else _WORKER}"


class _Times:
    def __init__(self, run: Run) -> None:
        self._run = run
        stamps = run.status_timestamps
        self._over = next(
            (
                str(stamps[key])
                for key in ("errored-at", "canceled-at", "discarded-at")
                if key in stamps
            ),
            None,
        )

    def get(self, key: str) -> str | None:
        found = self._run.status_timestamps.get(key)
        return None if found is None else str(found)

    def stage(
        self,
        label: str,
        began: str | None,
        ends: Sequence[str],
        *,
        note: str = "",
        where: str = "",
        waiting: str = "",
        waits: set[RunStatus],
    ) -> Stage:
        if began is None:
            return Stage(label=label, state="ahead")
        start = datetime.fromisoformat(began)
        ended = next((stamp for stamp in map(self.get, ends) if stamp), None)
        if self._run.status in waits:
            return Stage(label=label, state="now", note=waiting or note or where, since=began)
        end, state = ended, "done"
        if end is None:
            end, state = self._over, "bad"
        if end is None:
            return Stage(label=label, state="done", note=note or where)
        lasted = (datetime.fromisoformat(end) - start).total_seconds()
        over = self._run.status.value if state == "bad" else ""
        shown = ", ".join(filter(None, (over or note, where)))
        return Stage(label=label, state=state, note=shown, lasted_s=max(0.0, lasted))


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something the visitor may do to the run now; `look` is `main`, `plain` or `danger`."""

    name: str
    label: str
    look: str
    question: str


def deeds(
    run: Run,
    standing: Standing,
    held: frozenset[Permission],
    actor: Actor,
    teams: frozenset[str],
) -> list[Deed]:
    """Return what the visitor, who is in `teams`, may do, the likeliest first."""
    found = []
    may_apply = Permission.QUEUE_APPLY in held
    if standing.asks(actor, run, teams):
        found.append(_deed("approve", "Approve", "main", "Approve this plan?"))
    if run.cancel_asked_at is None:
        if (
            can(run.status, Step.CONFIRM)
            and may_apply
            and standing.is_met
            and (run.has_changes or run.allow_empty_apply)
        ):
            found.append(_deed("confirm", "Confirm and apply", "main", "Apply this plan?"))
        if can(run.status, Step.DISCARD) and may_apply:
            found.append(_deed("discard", "Discard", "plain", "Discard this run?"))
        is_own = run.created_by == actor.id and Permission.QUEUE_PLAN in held
        if can(run.status, Step.CANCEL) and (
            may_apply or (is_own and run.status is not RunStatus.APPLYING)
        ):
            found.append(_deed("cancel", "Cancel", "plain", "Cancel this run?"))
    available_at = force_cancel_available_at(run)
    if available_at is not None and available_at <= now() and Permission.FORCE_CANCEL in held:
        found.append(_deed("force-cancel", "Force-cancel", "danger", "Kill this run?"))
    if run.status in FINAL and Permission.QUEUE_PLAN in held:
        found.append(_deed("retry", "Run again", "plain", "Run it again?"))
    return found


def _deed(name: str, label: str, look: str, question: str) -> Deed:
    return Deed(name=name, label=label, look=look, question=question)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A comment."""

    author: str
    body: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CommitView:
    """The commit that a run is of; `href` and `pull_href` are empty where nobody knows a page."""

    short: str
    href: str
    ref: str
    pull: str
    pull_href: str


def commit_of(source: Ingress | None) -> CommitView | None:
    """Return where a run's configuration came from, if that is a repository."""
    if source is None:
        return None
    number = source.pull_request_number
    return CommitView(
        short=source.commit_sha[:8],
        href=_outward(source.commit_url),
        ref=source.tag or source.branch or source.ref,
        pull="" if number is None else f"pull request {number}",
        pull_href=_outward(source.pull_request_url),
    )


def author_of(run: Run, names: Mapping[str, str], source: Ingress | None) -> str:
    """Return who started a run: of one that a repository started, who pushed."""
    return _started(run, names, source)[0]


def _started(run: Run, names: Mapping[str, str], source: Ingress | None) -> tuple[str, str]:
    """Return who started a run, and how; what a repository started is its people's doing."""
    author = names.get(run.created_by, run.created_by)
    if source is None or run.created_by != SYSTEM.id:
        return author, _SOURCES.get(run.source, f"by {run.source}")
    if source.pull_request_number is not None:
        return source.sender_name or author, "by a pull request"
    return source.sender_name or author, "by a tag" if source.tag else "by a push"


def _outward(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else ""


@dataclass(frozen=True, kw_only=True)
class PhaseView:
    """A plan or an apply.

    Attributes:
        lost: what was made after the newest state that could be saved, as import blocks.
        is_bare: whether nothing kept it from other runs and from its worker's machine.
    """

    id: str
    name: str
    status: str
    counts: Sequence[tuple[int, str, str]]
    lost: Sequence[str]
    began: bool
    is_running: bool
    is_bare: bool


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run; everything that does not depend on who looks."""

    id: str
    title: str
    body: str
    status: str
    kind: str
    tool: str
    author: str
    source: str
    created_at: datetime
    changed_at: datetime
    error: str
    reason: str
    is_over: bool
    stop_asked_at: datetime | None
    options: Sequence[tuple[str, str]]
    stages: Sequence[Stage]
    comments: Sequence[Said]
    plan: PhaseView
    apply: PhaseView
    saved_state: str | None
    commit: CommitView | None


def view(
    run: Run,
    phases: tuple[RunPhase, RunPhase],
    comments: Sequence[Comment],
    names: Mapping[str, str],
    reason: str,
    saved_state: str | None,
    source: Ingress | None,
    stages: Sequence[Stage],
) -> RunView:
    """Return the view of a run, of which `saved_state` is the newest state it saved."""
    plan, apply = phases
    author, road = _started(run, names, source)
    return RunView(
        id=run.id,
        title=title_of(run.message),
        body=body_of(run.message),
        status=run.status.value,
        kind=kind_of(run),
        tool=f"{run.tool.value} {run.tool_version}",
        author=author,
        source=road,
        created_at=run.created_at,
        changed_at=run.changed_at,
        error=run.error,
        reason=reason,
        is_over=run.status in FINAL,
        stop_asked_at=run.cancel_asked_at if run.status not in FINAL else None,
        options=list(_options(run)),
        stages=stages,
        comments=[
            Said(
                author=names.get(each.author_id, each.author_id),
                body=each.body,
                at=each.created_at,
            )
            for each in comments
        ],
        plan=_phase(plan),
        apply=_phase(apply),
        saved_state=saved_state,
        commit=commit_of(source),
    )


def _phase(phase: RunPhase) -> PhaseView:
    counts = []
    if phase.additions is not None:
        done = phase.phase is Phase.APPLY
        counts = [
            (phase.additions, "added" if done else "to add", "create"),
            (phase.changes or 0, "changed" if done else "to change", "update"),
            (phase.destructions or 0, "destroyed" if done else "to destroy", "delete"),
        ]
        if phase.imports:
            counts.append((phase.imports, "imported" if done else "to import", "import"))
    return PhaseView(
        id=phase.id,
        name=phase.phase.value,
        status=phase.status.value,
        counts=counts,
        lost=[import_block(Created.model_validate(one)) for one in phase.maybe_not_in_state],
        began=phase.status not in (PhaseStatus.PENDING, PhaseStatus.UNREACHABLE),
        is_running=phase.status in (PhaseStatus.RUNNING, PhaseStatus.QUEUED),
        is_bare=phase.sandbox == "none",
    )


def done_of(counts: Mapping[str, int]) -> list[tuple[int, str, str]]:
    """Return what an apply has done so far, of how often each action was done."""
    words = (("create", "added"), ("update", "changed"), ("delete", "destroyed"))
    return [(counts.get(action, 0), word, action) for action, word in words]


def _options(run: Run) -> Iterable[tuple[str, str]]:
    if run.target_addrs:
        yield "Only", ", ".join(run.target_addrs)
    if run.replace_addrs:
        yield "Replace", ", ".join(run.replace_addrs)
    if not run.refresh:
        yield "Refresh", "off"
    if run.auto_apply:
        yield "Apply", "automatic"
