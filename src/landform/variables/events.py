"""What happens to variables. The subject of each is the variable; no event holds a value."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class VariableCreated(Event):
    """A variable was added to a workspace."""

    workspace_id: str
    key: str
    category: str
    sensitive: bool


@dataclass(frozen=True, kw_only=True)
class VariableUpdated(Event):
    """A variable changed; `changed` names what of it."""

    workspace_id: str
    key: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VariableDeleted(Event):
    """A variable was removed from a workspace."""

    workspace_id: str
    key: str
    category: str
