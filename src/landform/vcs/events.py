"""What happens to connections, hooks and deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class ConnectionCreated(Event):
    """A connection was made; its subject is the connection."""

    name: str
    kind: str
    sign_in: str


@dataclass(frozen=True, kw_only=True)
class ConnectionUpdated(Event):
    """Settings changed; `changed` names which, never their values."""

    name: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConnectionOpened(Event):
    """Somebody set out to sign in at the provider."""

    name: str


@dataclass(frozen=True, kw_only=True)
class ConnectionEstablished(Event):
    """The provider gave its first token, or one after the connection was broken."""

    name: str


@dataclass(frozen=True, kw_only=True)
class ConnectionBroken(Event):
    """The connection stopped working; `reason` says what an administrator must do."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConnectionExpiring(Event):
    """A secret of the connection ends within `days`, or has ended; told once for each stage."""

    name: str
    days: int
    warning: str


@dataclass(frozen=True, kw_only=True)
class ConnectionDeleted(Event):
    """A connection, its hooks and its credentials are gone."""

    name: str


@dataclass(frozen=True, kw_only=True)
class CommitFetched(Event):
    """The credential of a connection, the subject, was used to fetch a commit for workspaces."""

    repository_id: str
    commit_sha: str
    workspace_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class DeliveryReceived(Event):
    """A provider delivered something; its subject is the delivery."""

    hook_id: str
    event: str


@dataclass(frozen=True, kw_only=True)
class DeliveryRepeated(Event):
    """Somebody had a delivery looked at again."""

    hook_id: str


@dataclass(frozen=True, kw_only=True)
class PersonIntroduced(Event):
    """An owner said that a person of the provider is a user here; its subject is the entry."""

    connection_id: str
    person_id: str
    user_id: str


@dataclass(frozen=True, kw_only=True)
class PersonForgotten(Event):
    """A person of the provider is nobody here any more."""

    connection_id: str
    person_id: str
    user_id: str


@dataclass(frozen=True, kw_only=True)
class GroupAdmitted(Event):
    """An owner said that a group of the provider counts as a team; its subject is the entry."""

    connection_id: str
    name: str
    team_id: str


@dataclass(frozen=True, kw_only=True)
class GroupDismissed(Event):
    """A group of the provider is no team here any more."""

    connection_id: str
    name: str
    team_id: str


@dataclass(frozen=True, kw_only=True)
class HookSecretReplaced(Event):
    """A hook has a new secret, of which its provider is told next; its subject is the hook."""

    connection_id: str
    repository: str
