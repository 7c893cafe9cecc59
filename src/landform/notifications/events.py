"""What happens to notification configurations. The subject of each is the configuration.

None tells of an address or a token: those of chats are secrets.
"""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class NotificationConfigurationCreated(Event):
    """Somebody wants to be told of the workspace's runs."""

    workspace_id: str
    name: str
    destination: str
    enabled: bool
    triggers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NotificationConfigurationChanged(Event):
    """It was set anew.

    Attributes:
        address_changed: it leads elsewhere now.
        token_changed: what it is signed with is another.
    """

    workspace_id: str
    name: str
    enabled: bool
    triggers: tuple[str, ...]
    address_changed: bool
    token_changed: bool


@dataclass(frozen=True, kw_only=True)
class NotificationConfigurationDeleted(Event):
    """It was taken away."""

    workspace_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NotificationTested(Event):
    """Somebody had a test sent."""

    workspace_id: str
    name: str
    succeeded: bool
