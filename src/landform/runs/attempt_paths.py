"""Where the store holds what an attempt at a phase left."""

from landform.contract import Artefact


def artefact_path(phase_id: str, artefact: Artefact, epoch: int) -> str:
    """Return the object's path; another attempt's is another object."""
    return f"phases/{phase_id}/{epoch}/{artefact}"
