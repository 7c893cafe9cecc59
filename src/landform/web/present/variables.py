"""Variables as pages show them: a workspace's own, those of a set, and where each comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from landform.contract import Category
from landform.variables.precedence import Applied, Candidate, Way
from landform.variables.queries import ShownVariable, Standing

_WAYS: Final[Mapping[Way, str]] = {
    Way.GLOBAL: "applies to every workspace",
    Way.PROJECT: "applied to the project",
    Way.WORKSPACE: "applied to this workspace",
}


@dataclass(frozen=True)
class Shown:
    """A variable of a page.

    Attributes:
        beaten_by: what goes before it, in words; empty: nothing.
    """

    id: str
    key: str
    value: str
    category: str
    hcl: bool
    sensitive: bool
    description: str
    beaten_by: str = ""


@dataclass(frozen=True)
class Inherited:
    """A variable that comes from a set."""

    shown: Shown
    set_id: str
    set_name: str
    way: str


def shown_of(standing: Standing) -> Shown:
    """Return a workspace's variable, and what goes before it."""
    return shown_variable(standing.shown, beaten_by=_words(standing.beaten_by))


def shown_variable(variable: ShownVariable, *, beaten_by: str = "") -> Shown:
    """Return a variable as a page shows it."""
    row = variable.row
    return Shown(
        id=row.id,
        key=row.key,
        value=variable.value or "",
        category=row.category.value,
        hcl=row.hcl,
        sensitive=row.sensitive,
        description=row.description,
        beaten_by=beaten_by,
    )


def inherited_of(standing: Standing) -> Inherited:
    """Return a variable that a workspace has from a set."""
    source = standing.candidate.source
    if source is None:
        raise ValueError(f"{standing.shown.row.id} is the workspace's own.")
    return Inherited(shown_of(standing), source.row.id, source.row.name, _way(source))


def groups_of(shown: Sequence[Shown]) -> list[tuple[str, str, list[Shown]]]:
    """Return variables by category, each with its title."""
    titles = ((Category.TERRAFORM, "Terraform"), (Category.ENV, "Environment"))
    return [
        (category.value, title, [each for each in shown if each.category == category])
        for category, title in titles
    ]


def _way(source: Applied) -> str:
    return f"{_WAYS[source.way]}, with priority" if source.row.is_priority else _WAYS[source.way]


def _words(winner: Candidate | None) -> str:
    if winner is None:
        return ""
    if winner.source is None:
        return "the workspace's own variable"
    return f"the variable set {winner.source.row.name}"
