"""What happens to configuration versions."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class ConfigurationCreated(Event):
    """A configuration version was made, and awaits its upload. It is the subject."""

    workspace_id: str
    source: str
    speculative: bool


@dataclass(frozen=True, kw_only=True)
class ConfigurationRefused(Event):
    """An upload was no archive to work with. The subject is the configuration version."""

    workspace_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConfigurationUploaded(Event):
    """An archive arrived whole. The subject is the configuration version."""

    workspace_id: str
    size_bytes: int
