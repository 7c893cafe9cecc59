"""What happens to organizations. The subject of each is the organization."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class OrganizationCreated(Event):
    """A tenant was made."""

    name: str


@dataclass(frozen=True, kw_only=True)
class OrganizationUpdated(Event):
    """Its settings changed; `changed` names them, as the API does."""

    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OrganizationDeleted(Event):
    """A tenant and everything in it was deleted."""

    name: str
