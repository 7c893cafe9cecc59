"""Who is calling."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class ActorKind(StrEnum):
    """Whose credentials were shown."""

    USER = "user"
    TEAM = "team"
    ORGANIZATION = "organization"
    AGENT_POOL = "agent-pool"
    RUN = "run"  # the terraform of a plan or apply, while it runs
    SYSTEM = "system"  # the platform itself: schedulers, sweeps


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A user, a team or organization token, an agent, a run, or the platform itself.

    Attributes:
        id: the id of the user, team, organization, pool or run; `landform` for the platform.
        organization_id: the only organization the actor can reach; None for users.
        workspace_id: of a run, the workspace it is in.
        token_id: the API token that was shown; None for a browser session, and for a run.
        token_made_at: of a user's token: organizations may not take old ones.
    """

    kind: ActorKind
    id: str
    name: str = ""
    is_site_admin: bool = False
    organization_id: str | None = None
    workspace_id: str | None = None
    token_id: str | None = None
    token_made_at: datetime | None = field(default=None, compare=False)


SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="landform", name="Landform")
