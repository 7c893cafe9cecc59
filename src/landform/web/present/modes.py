"""Where runs of a workspace happen, as one choice of a form: execution mode and agent pool."""

from collections.abc import Sequence
from typing import Final

from landform.agents.models import AgentPool
from landform.workspaces.models import ExecutionMode

_OF_POOL: Final = f"{ExecutionMode.AGENT}:"


def choices(pools: Sequence[AgentPool], *, present: str) -> list[tuple[str, str]]:
    """Return what can be chosen, by the value that the form sends.

    Args:
        present: what is chosen so far; it can stay, also where its pool is not among `pools`.
    """
    found = [
        (ExecutionMode.REMOTE.value, "Here (remote)"),
        (ExecutionMode.LOCAL.value, "On the command line (local): only the state is kept here"),
        *((f"{_OF_POOL}{pool.id}", f"On agents of {pool.name}") for pool in pools),
    ]
    if present not in dict(found):
        found.append((present, "On agents of a pool that is not offered here"))
    return found


def chosen(mode: str, pool_id: str | None) -> str:
    """Return the value that stands for a mode and a pool."""
    return f"{_OF_POOL}{pool_id}" if mode == ExecutionMode.AGENT else mode


def read(value: str) -> tuple[str | None, str | None]:
    """Return mode and pool of what a form sent; None for each that it does not give."""
    if value.startswith(_OF_POOL):
        return ExecutionMode.AGENT.value, value.removeprefix(_OF_POOL) or None
    return value or None, None
