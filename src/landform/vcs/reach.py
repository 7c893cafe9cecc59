"""What the services of VCS need of a process: made once by a composition root."""

from dataclasses import dataclass

from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.vcs.provider import Services


@dataclass(frozen=True)
class Reach:
    """Sessions, the key, and the way out to providers.

    Attributes:
        public_url: how providers and people reach us, without a trailing slash; empty: unknown,
            and then no hook can be made.
    """

    sessions: Sessions
    keyring: Keyring
    services: Services
    public_url: str = ""

    async def close(self) -> None:
        """Close the connections to providers."""
        await self.services.http.close()
        await self.services.imds.close()
