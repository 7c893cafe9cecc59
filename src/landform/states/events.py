"""What happens to states."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class StateSaved(Event):
    """A state became the workspace's newest. The subject is the state version."""

    workspace_id: str
    serial: int
    run_id: str | None


@dataclass(frozen=True, kw_only=True)
class StateOffered(Event):
    """A state came too late to be the workspace's, and was kept beside the others."""

    workspace_id: str
    run_id: str | None


@dataclass(frozen=True, kw_only=True)
class StateRead(Event):
    """Somebody downloaded a raw state, secrets and all."""

    workspace_id: str
