"""What happens to SSH keys. The subject of each is the key."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class SshKeyCreated(Event):
    """A key was kept; its fingerprint is that of its public half."""

    name: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class SshKeyUpdated(Event):
    """Settings changed; `changed` names which, and `private_key` means another key."""

    name: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SshKeyDeleted(Event):
    """A key is gone, also from the workspaces that used it."""

    name: str
