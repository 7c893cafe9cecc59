"""What happens to runs. The subject of each is the run."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class RunCreated(Event):
    """A run arrived at its workspace."""

    workspace_id: str
    source: str


@dataclass(frozen=True, kw_only=True)
class RunMoved(Event):
    """A run's status changed."""

    workspace_id: str
    status: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class DriftFound(Event):
    """The plan of a run found objects changed or gone, and not by terraform; so many."""

    workspace_id: str
    drifted: int


@dataclass(frozen=True, kw_only=True)
class RunConfirmed(Event):
    """Somebody, or auto-apply, said that a plan is to be applied."""

    workspace_id: str


@dataclass(frozen=True, kw_only=True)
class RunApproved(Event):
    """Somebody agreed that a plan is applied; `given` of `needed` have."""

    workspace_id: str
    given: int
    needed: int


@dataclass(frozen=True, kw_only=True)
class RunStopAsked(Event):
    """Somebody asked a running run to stop."""

    workspace_id: str
    forced: bool


@dataclass(frozen=True, kw_only=True)
class SecretsGiven(Event):
    """An attempt at a phase was given secrets, named here and told to nobody else.

    Attributes:
        variables: the keys of sensitive ones.
        ssh_key_id: what its modules are fetched by; empty: by none.
        audiences: of the identity tokens that were signed for it.
    """

    workspace_id: str
    phase_id: str
    phase: str
    variables: tuple[str, ...] = ()
    ssh_key_id: str = ""
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PhaseInterrupted(Event):
    """The worker of a phase stopped answering."""

    workspace_id: str
    phase_id: str
    epoch: int
    worker_id: str
    tried_again: bool


@dataclass(frozen=True, kw_only=True)
class RunCommented(Event):
    """Somebody said something of a run."""

    workspace_id: str
    comment_id: str
