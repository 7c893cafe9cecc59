"""Which of several variables of one name a run gets. Pure.

As HCP Terraform documents it (its page "Variables", "Precedence"), from what goes first to what
goes last: sets with priority (global; of a project; of a workspace; then those that a project
owns, likewise), the command line, the workspace's own variables, and the other sets (owned by a
project: of the workspace, of the project; owned by the organization: of the workspace, of the
project, global). Of two sets on one step the name that comes first by code point goes first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from landform.contract import Category
from landform.variables.models import Variable, VariableSet

Name: TypeAlias = tuple[Category, str]


class Way(StrEnum):
    """How a variable set comes to a workspace."""

    GLOBAL = "global"
    PROJECT = "project"
    WORKSPACE = "workspace"


_COMMAND_LINE: Final = 5
_OWN: Final = 6
# By whether the set has priority, whether a project owns it, and how it comes to the workspace.
_STEPS: Final[Mapping[tuple[bool, bool, Way], int]] = {
    (True, False, Way.GLOBAL): 0,
    (True, False, Way.PROJECT): 1,
    (True, False, Way.WORKSPACE): 2,
    (True, True, Way.PROJECT): 3,
    (True, True, Way.WORKSPACE): 4,
    (False, True, Way.WORKSPACE): 7,
    (False, True, Way.PROJECT): 8,
    (False, False, Way.WORKSPACE): 9,
    (False, False, Way.PROJECT): 10,
    (False, False, Way.GLOBAL): 11,
}


@dataclass(frozen=True)
class Applied:
    """A set that applies to a workspace, and how; it may do so in several ways."""

    row: VariableSet
    ways: frozenset[Way]

    @property
    def way(self) -> Way:
        """The way that takes it furthest."""
        return min(self.ways, key=self._step)

    def _step(self, way: Way) -> int:
        return _STEPS[self.row.is_priority, self.row.project_id is not None, way]

    @property
    def rank(self) -> tuple[int, int, str]:
        """What goes first has the lower one."""
        return self._step(self.way), -self.row.weight, self.row.name


@dataclass(frozen=True)
class Candidate:
    """A variable that a run of a workspace might get; `source` is None for the workspace's own."""

    row: Variable
    source: Applied | None = None

    @property
    def name(self) -> Name:
        """What two candidates must share to be in each other's way."""
        return self.row.category, self.row.key

    @property
    def rank(self) -> tuple[int, int, str]:
        """What goes first has the lower one."""
        return (_OWN, 0, "") if self.source is None else self.source.rank

    @property
    def beats_command_line(self) -> bool:
        """Whether it goes before what was given with the run."""
        return self.rank[0] < _COMMAND_LINE


def winners(candidates: Iterable[Candidate]) -> dict[Name, Candidate]:
    """Return the one candidate of each name that a run gets, by name."""
    found: dict[Name, Candidate] = {}
    for each in candidates:
        first = found.get(each.name)
        if first is None or each.rank < first.rank:
            found[each.name] = each
    return found
