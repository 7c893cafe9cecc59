"""What happens to variables and their sets. The subject is the variable or the set.

No event holds a value. A variable is of a workspace or of a set; the other id is None.
"""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class VariableCreated(Event):
    """A variable was added to a workspace or a set."""

    workspace_id: str | None
    variable_set_id: str | None = None
    key: str
    category: str
    sensitive: bool


@dataclass(frozen=True, kw_only=True)
class VariableUpdated(Event):
    """A variable changed; `changed` names what of it."""

    workspace_id: str | None
    variable_set_id: str | None = None
    key: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VariableDeleted(Event):
    """A variable was removed from a workspace or a set."""

    workspace_id: str | None
    variable_set_id: str | None = None
    key: str
    category: str


@dataclass(frozen=True, kw_only=True)
class VariableSetCreated(Event):
    """A variable set was made, without variables."""

    name: str
    is_global: bool
    is_priority: bool


@dataclass(frozen=True, kw_only=True)
class VariableSetUpdated(Event):
    """A variable set changed; `changed` names what of it."""

    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VariableSetDeleted(Event):
    """A variable set was deleted with its variables."""

    name: str


@dataclass(frozen=True, kw_only=True)
class VariableSetApplied(Event):
    """A variable set applies to these places, to which it did not before."""

    name: str
    workspace_ids: tuple[str, ...] = ()
    project_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VariableSetWithdrawn(Event):
    """A variable set applies no more to these places."""

    name: str
    workspace_ids: tuple[str, ...] = ()
    project_ids: tuple[str, ...] = ()
