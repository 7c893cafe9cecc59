"""Rows of the table of workspaces, and what it can be narrowed and sorted by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landform.runs.bulk import Deed
from landform.runs.overview import Listed, Standing
from landform.toolchain.versions import Tool
from landform.web.present.pages import with_query
from landform.workspaces.models import WorkspaceRepository

STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ATTENTION: "Needs confirmation",
    Standing.WORKING: "In progress",
    Standing.ERRORED: "Errored",
    Standing.DONE: "Up to date",
    Standing.STOPPED: "Stopped",
    Standing.NEVER: "Never run",
    Standing.DRIFTED: "Drifted",
}
# What each deed is called, and what is said of a workspace it was done to.
DEEDS: Final[Mapping[Deed, tuple[str, str]]] = {
    Deed.TAG: ("Add tags", "Tagged."),
    Deed.UNTAG: ("Remove tags", "The tags are gone."),
    Deed.LOCK: ("Lock", "Locked."),
    Deed.UNLOCK: ("Unlock", "The lock is open."),
    Deed.PLAN: ("Plan", "A plan was queued."),
    Deed.RUN: ("Start runs", "A run was queued."),
}
_TITLE: Final = 200  # characters
# What each column is sorted by, if by anything, its head, and from which width on it is shown.
_COLUMNS: Final = (
    ("name", "Workspace", ""),
    ("status", "Latest run", ""),
    ("version", "Version", "hidden lg:table-cell"),
    ("repository", "Repository", "hidden xl:table-cell"),
    ("project", "Project", "hidden md:table-cell"),
    ("changed", "Last change", "hidden md:table-cell"),
)


TOOLS: Final[Mapping[Tool, str]] = {Tool.TERRAFORM: "Terraform", Tool.TOFU: "OpenTofu"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workspace of the table."""

    id: str
    name: str
    href: str
    description: str
    status: str
    run_href: str
    run_title: str
    drifted: int
    drift_href: str
    project: str
    tool: str
    version: str
    repository: str
    branch: str
    tags: Sequence[str]
    is_locked: bool
    lock_reason: str
    changed_at: datetime

    @property
    def key(self) -> str:
        """Return what names the row on its page."""
        return self.name


def row_of(
    organization: str,
    listed: Listed,
    tags: Sequence[str],
    repository: WorkspaceRepository | None = None,
) -> Row:
    """Return the row of one workspace."""
    workspace, run = listed.workspace, listed.run
    href = f"/app/{organization}/{workspace.name}"
    return Row(
        id=workspace.id,
        name=workspace.name,
        href=href,
        description=workspace.description,
        status=run.status.value if run else "",
        run_href=f"{href}/runs/{run.id}" if run else "",
        run_title=title_of(run.message) if run else "",
        drifted=workspace.drifted,
        drift_href=f"{href}/runs/{workspace.drift_run_id}" if workspace.drift_run_id else "",
        project=listed.project,
        tool=TOOLS[workspace.tool],
        version=workspace.tool_version,
        repository=repository.identifier if repository else "",
        branch=repository.followed_branch if repository else "",
        tags=tags,
        is_locked=workspace.is_locked,
        lock_reason=workspace.lock_reason,
        changed_at=run.changed_at if run else workspace.updated_at,
    )


def title_of(message: str) -> str:
    """Return the first line of a run's message, or what stands for none."""
    lines = message.strip().splitlines()
    return lines[0][:_TITLE] if lines else "Run without a message"


def body_of(message: str) -> str:
    """Return what a run's message says besides its title."""
    title, _, rest = message.strip().partition("\n")
    return message.strip() if len(title) > _TITLE else rest.strip()


@dataclass(frozen=True)
class Column:
    """A column's head: where a click on it leads, and how it is sorted now."""

    label: str
    href: str
    order: str
    width: str


def columns(path: str, query: Mapping[str, str], sort: str) -> list[Column]:
    """Return the heads of the table."""
    found = []
    for key, label, width in _COLUMNS:
        other = f"-{key}" if sort == key else key
        order = {key: "ascending", f"-{key}": "descending"}.get(sort, "none")
        href = with_query(path, {**query, "sort": other, "page": ""})
        found.append(Column(label, href, order, width))
    return found


def all_of(counts: Mapping[Standing, int]) -> int:
    """Return how many workspaces there are: those that drifted stand in another way too."""
    return sum(count for standing, count in counts.items() if standing is not Standing.DRIFTED)


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
    found = [Choice("All", everything, all_of(counts), chosen is None)]
    for standing, label in STANDINGS.items():
        href = with_query(path, {**narrowed, "status": standing.value})
        if counts[standing] or standing is chosen:
            found.append(Choice(label, href, counts[standing], standing is chosen))
    return found
