"""Secrets that a caller shows: made at random, kept only as a hash."""

import hashlib
import secrets
from typing import Final

from landform.identity.actor import ActorKind
from landform.kit.ids import ALPHABET

LENGTH: Final = 43  # of 62 letters and digits: 256 bits
LONGEST: Final = 256  # characters worth hashing

# Fixed, so that scanners of leaked credentials can find ours.
PREFIXES: Final = {
    ActorKind.USER: "lfu_",
    ActorKind.TEAM: "lft_",
    ActorKind.ORGANIZATION: "lfo_",
    ActorKind.AGENT_POOL: "lfa_",
    ActorKind.RUN: "lfr_",
}


def new_secret(prefix: str = "") -> str:
    """Return `prefix` and 43 random letters and digits (256 bits)."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def digest(secret: str) -> bytes:
    """Return the SHA-256 to keep or to look up; no slow hash is needed for 256 random bits."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
