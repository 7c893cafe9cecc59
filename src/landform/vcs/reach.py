"""What the services of VCS need of a process: made once by a composition root."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.kit.events import Origin
from landform.kit.gathering import Gathering
from landform.vcs.provider import Services

_ARRIVALS: Final = 32  # in one transaction


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A request that says that it is a delivery.

    Attributes:
        headers: names in lower case.
        origin: where it came from.
    """

    hook_id: str
    headers: Mapping[str, str]
    body: bytes
    origin: Origin


@dataclass(frozen=True)
class Reach:
    """Sessions, the key, and the way out to providers.

    Attributes:
        public_url: how providers and people reach us, without a trailing slash; empty: unknown,
            and then no hook can be made.
        arrivals: deliveries that came while others were stored, to be stored together.
    """

    sessions: Sessions
    keyring: Keyring
    services: Services
    public_url: str = ""
    arrivals: Gathering[Arrival, bool] = field(
        default_factory=lambda: Gathering(most=_ARRIVALS), compare=False
    )

    async def close(self) -> None:
        """Close the connections to providers."""
        await self.services.http.close()
        await self.services.imds.close()
