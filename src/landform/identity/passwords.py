"""Passwords: argon2id, off the event loop, the same work whether the user exists or not."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from landform.kit.errors import InvalidError

SHORTEST: Final = 10
_LONGEST: Final = 1024  # bytes, so that a flood of long ones costs nothing

# The second recommended choice of RFC 9106: 3 passes over 64 MiB.
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, type=Type.ID)

# Of a password nobody has. Verified against when there is no hash, so that an unknown user
# takes as long as a known one; a test checks that its cost is HASHER's.
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$zd01M8tcNnpYn17N8GgtTg"
    "$IjOGolyBREzycAoiyfp+PZLWMToesU/vmqEC6mBZrh8"
)

# Two threads of their own: each hash takes 64 MiB, and a burst of sign-ins must not keep the
# default executor's threads from everything else.
_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="argon2")


async def hash_password(text: str) -> str:
    """Return the argon2id hash of `text`, parameters and salt included.

    Raises:
        InvalidError: too short to be safe or too long to be sensible.
    """
    if len(text) < SHORTEST or len(_bytes(text)) > _LONGEST:
        raise InvalidError(
            f"A password has at least {SHORTEST} characters and at most {_LONGEST} bytes.",
            pointer="password",
        )
    return await asyncio.get_running_loop().run_in_executor(_THREADS, HASHER.hash, _bytes(text))


async def verify_password(hashed: str | None, text: str) -> bool:
    """Tell whether `text` is the password of `hashed`; None, for nobody's, takes as long."""
    matches = await asyncio.get_running_loop().run_in_executor(
        _THREADS, _matches, hashed or NOBODY, _bytes(text)[: _LONGEST + 1]
    )
    return matches and hashed is not None


def _matches(hashed: str, password: bytes) -> bool:
    try:
        return HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _bytes(text: str) -> bytes:
    """Encode what a form or JSON may hold, half characters included."""
    return text.encode(errors="surrogatepass")
