"""What providers are told of a run, in words: pure, and harmless wherever it is shown."""

import re
from dataclasses import dataclass
from typing import Final

from landform.runs.status import RunStatus
from landform.vcs.facts import State

# The smallest of what providers take (GitHub: 65 536), with room for what we add.
LIMIT: Final = 60_000  # characters of a comment
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ALIVE: Final = re.compile(r"([@#!])(?=[\w<{(])")  # what a provider makes a mention or a link of
_DEAD: Final = "\u200b"  # a space of no width
_BEGINNINGS: Final = ("Terraform used the selected", "OpenTofu used the selected")
_OTHERS: Final = ("Terraform will perform", "OpenTofu will perform", "No changes.", "Error: ")
_CUT: Final = "… cut: the whole of it is in the run.\n"

_STATES: Final = {
    RunStatus.PENDING: (State.PENDING, "Waits for its turn."),
    RunStatus.PLAN_QUEUED: (State.PENDING, "Waits to be planned."),
    RunStatus.PLANNING: (State.RUNNING, "Plans."),
    RunStatus.PLANNED: (State.PENDING, "Waits to be confirmed"),
    RunStatus.PLANNED_AND_FINISHED: (State.SUCCEEDED, "Planned"),
    RunStatus.PLANNED_AND_SAVED: (State.SUCCEEDED, "Planned"),
    RunStatus.CONFIRMED: (State.RUNNING, "Waits to be applied."),
    RunStatus.APPLY_QUEUED: (State.RUNNING, "Waits to be applied."),
    RunStatus.APPLYING: (State.RUNNING, "Applies."),
    RunStatus.APPLIED: (State.SUCCEEDED, "Applied"),
    RunStatus.DISCARDED: (State.CANCELED, "Discarded."),
    RunStatus.ERRORED: (State.FAILED, "Failed"),
    RunStatus.CANCELED: (State.CANCELED, "Canceled."),
}
_WITH_COUNTS: Final = frozenset(
    {
        RunStatus.PLANNED,
        RunStatus.PLANNED_AND_FINISHED,
        RunStatus.PLANNED_AND_SAVED,
        RunStatus.APPLIED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run as it is told of.

    Attributes:
        name: `organization/workspace`.
        url: of its page; empty when nobody knows how we are reached.
        counts: to add, change, destroy; None before the plan is made.
        output: what terraform said, as its log has it.
    """

    name: str
    run_id: str
    status: RunStatus
    commit: str
    url: str
    error: str = ""
    counts: tuple[int, int, int] | None = None
    output: str = ""


def state_of(report: Report) -> tuple[State, str]:
    """Return the state of the status, and its one line."""
    state, words = _STATES[report.status]
    if report.status is RunStatus.ERRORED and report.error:
        return state, f"{words}: {_line(report.error)}"
    if report.status in _WITH_COUNTS:
        return state, f"{words}: {_counts(report)}."
    return state, words if words.endswith(".") else f"{words}."


def comment_of(report: Report) -> str:
    """Return the comment: a summary first, the plan folded, all of it under `LIMIT`."""
    _, words = state_of(report)
    link = f"[{report.run_id}]({report.url})" if report.url else f"`{report.run_id}`"
    head = (
        f"### Landform: {_inline(report.name)}\n\n**{_dead(words)}**"
        f" Commit `{report.commit[:8]}`, run {link}.\n"
    )
    output = tidy(report.output)
    if not output:
        return head
    fence = "`" * max(3, _longest_ticks(output) + 1)
    front = f"\n<details><summary>What terraform said</summary>\n\n{fence}\n"
    back = f"\n{fence}\n\n</details>\n"
    room = LIMIT - len(head) - len(front) - len(back)
    return head + front + _fitted(output, room) + back


def tidy(output: str) -> str:
    """Return what terraform said from the plan on, with nothing in it that comes alive."""
    text = _CONTROL.sub("", _ANSI.sub("", output.replace("\r\n", "\n"))).strip("\n")
    for marks in (_BEGINNINGS, _OTHERS):
        starts = [at for mark in marks if (at := text.find(mark)) >= 0]
        if starts:
            text = text[min(starts) :]
            break
    return _dead(text)


def _dead(text: str) -> str:
    return _ALIVE.sub(rf"\1{_DEAD}", text)


def _line(text: str) -> str:
    return _dead(" ".join(_CONTROL.sub(" ", text).split())[:300])


def _inline(text: str) -> str:
    return "`" + text.replace("`", "") + "`"


def _counts(report: Report) -> str:
    if report.counts is None or not any(report.counts):
        return "no changes"
    add, change, destroy = report.counts
    return f"{add} to add, {change} to change, {destroy} to destroy"


def _fitted(text: str, room: int) -> str:
    """Keep both ends: what is to be done begins a plan, how many of it ends one."""
    if len(text) <= room:
        return text
    half = (room - len(_CUT)) // 2
    return f"{text[:half]}\n{_CUT}{text[-half + 1 :]}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
