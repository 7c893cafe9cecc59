"""What the handlers of triggers need of the process they run in."""

from dataclasses import dataclass

from landform.kit.db import Sessions
from landform.runs.attempts import Platform
from landform.vcs.reach import Reach


@dataclass(frozen=True)
class Desk:
    """Made once by a composition root.

    Attributes:
        hook_secret_days: after which a hook gets a new secret; 0: never by itself.
    """

    platform: Platform
    reach: Reach
    hook_secret_days: int = 90

    @property
    def sessions(self) -> Sessions:
        """Of the platform."""
        return self.platform.sessions
