"""What happens to agent pools and agents."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class AgentPoolCreated(Event):
    """A pool was made; it is the subject."""

    name: str
    organization_scoped: bool


@dataclass(frozen=True, kw_only=True)
class AgentPoolUpdated(Event):
    """Its name, or which workspaces may use it, changed; the pool is the subject."""

    name: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AgentPoolDeleted(Event):
    """The pool is gone, and its tokens with it; it is the subject."""

    name: str


@dataclass(frozen=True, kw_only=True)
class AgentJoined(Event):
    """An agent that was not known before showed a token of the pool. The agent is the subject."""

    pool_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class AgentForgotten(Event):
    """Somebody took an agent out of its pool's list. The agent is the subject."""

    pool_id: str
    name: str
