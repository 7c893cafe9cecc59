"""What a browser that goes to a provider carries, and brings back; whatever the protocol."""

from dataclasses import dataclass, field

import msgspec

from landform.federation.discovery import Directory
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions


@dataclass(frozen=True)
class Reach:
    """What signing in through providers needs of a process."""

    sessions: Sessions
    keyring: Keyring
    directory: Directory


@dataclass(frozen=True)
class Departure:
    """Where a browser goes, and what it must bring back.

    Attributes:
        cookie: sealed; for this browser only.
    """

    url: str
    cookie: str


@dataclass(frozen=True, kw_only=True)
class Return:
    """What a browser came back with; all of it is a stranger's.

    Attributes:
        response: of SAML, in base64; `state` is its RelayState then.
    """

    cookie: str = ""
    code: str = ""
    state: str = ""
    issuer: str = ""
    error: str = ""
    description: str = ""
    response: str = field(default="", repr=False)


class Away(msgspec.Struct):
    """Somebody who is at a provider.

    Attributes:
        nonce: what the answer must be the answer to.
        verifier: of PKCE.
        redirect_uri: where they come back to.
        base: how their browser reaches us.
        until: when they are too late, in seconds of the epoch.
    """

    provider_id: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    base: str
    then: str
    user_id: str
    until: float
