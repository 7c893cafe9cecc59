"""Rows of the table of workspaces, and what it can be narrowed and sorted by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landform.runs.overview import Listed, Standing
from landform.web.present.pages import with_query

STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ATTENTION: "Needs confirmation",
    Standing.WORKING: "In progress",
    Standing.ERRORED: "Errored",
    Standing.DONE: "Up to date",
    Standing.STOPPED: "Stopped",
    Standing.NEVER: "Never run",
}
_COLUMNS: Final = (
    ("name", "Workspace"),
    ("status", "Latest run"),
    ("project", "Project"),
    ("changed", "Last change"),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workspace of the table."""

    name: str
    href: str
    description: str
    status: str
    run_href: str
    run_title: str
    project: str
    tool: str
    tags: Sequence[str]
    is_locked: bool
    changed_at: datetime


def row_of(organization: str, listed: Listed, tags: Sequence[str]) -> Row:
    """Return the row of one workspace."""
    workspace, run = listed.workspace, listed.run
    href = f"/app/{organization}/{workspace.name}"
    return Row(
        name=workspace.name,
        href=href,
        description=workspace.description,
        status=run.status.value if run else "",
        run_href=f"{href}/runs/{run.id}" if run else "",
        run_title=title_of(run.message) if run else "",
        project=listed.project,
        tool=f"{workspace.tool.value} {workspace.tool_version}",
        tags=tags,
        is_locked=workspace.is_locked,
        changed_at=run.changed_at if run else workspace.updated_at,
    )


def title_of(message: str) -> str:
    """Return the first line of a run's message, or what stands for none."""
    lines = message.strip().splitlines()
    return lines[0][:200] if lines else "Run without a message"


@dataclass(frozen=True)
class Column:
    """A column's head: where a click on it leads, and how it is sorted now."""

    label: str
    href: str
    order: str


def columns(path: str, query: Mapping[str, str], sort: str) -> list[Column]:
    """Return the heads of the table."""
    found = []
    for key, label in _COLUMNS:
        other = f"-{key}" if sort == key else key
        order = {key: "ascending", f"-{key}": "descending"}.get(sort, "none")
        found.append(Column(label, with_query(path, {**query, "sort": other, "page": ""}), order))
    return found


@dataclass(frozen=True)
class Choice:
    """One way to narrow the table, with how many rows it leaves."""

    label: str
    href: str
    count: int
    is_on: bool


def choices(
    path: str, query: Mapping[str, str], counts: Mapping[Standing, int], chosen: Standing | None
) -> list[Choice]:
    """Return the ways to narrow by standing; the chosen one leads back to all."""
    narrowed = {**query, "page": ""}
    everything = with_query(path, {**narrowed, "status": ""})
    found = [Choice("All", everything, sum(counts.values()), chosen is None)]
    for standing, label in STANDINGS.items():
        href = with_query(path, {**narrowed, "status": standing.value})
        if counts[standing] or standing is chosen:
            found.append(Choice(label, href, counts[standing], standing is chosen))
    return found
