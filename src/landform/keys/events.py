"""What happens to encryption keys. The subject of each is the name of the new key."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class KeyRotationStarted(Event):
    """A new key is to replace the current one."""

    from_key_id: str


@dataclass(frozen=True, kw_only=True)
class KeyRotationFinished(Event):
    """All there is was encrypted with the new key; `unreadable` values no key opens."""

    rows: int
    objects: int
    unreadable: int
