"""What happens to configuration versions."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class ConfigurationUploaded(Event):
    """An archive arrived whole. The subject is the configuration version."""

    workspace_id: str
    size_bytes: int
