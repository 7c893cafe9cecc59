"""How often clients may ask: so many requests a second for each token, and for each address.

Counted in a server's memory, so that what is refused costs nearly nothing; of several servers, each
allows as much. A token has a measure of its own once it was accepted. Until then its address pays,
as it does for requests without one: whoever guesses tokens gets no more for having many.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from landform.kit.addresses import network_of

MOST: Final = 20_000
"""Callers that are remembered; of more, those that were silent longest are forgotten."""


class Allowance(NamedTuple):
    """What a caller has.

    Attributes:
        left: requests that it may make at once; below 0 it may not make this one.
        wait_s: seconds until it may make one.
    """

    left: int
    wait_s: float


class Allowances:
    """Who asked how much lately. Each may ask for one second's worth at once.

    Args:
        per_second: requests that each caller may make; 0 for no limit.
    """

    def __init__(
        self,
        per_second: int,
        *,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self._most = most
        self._clock = clock
        self._key = secrets.token_bytes(32)
        # When each will have all its requests again; in the order of the last request.
        self._full_at: OrderedDict[bytes, float] = OrderedDict()
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        """How much is remembered: callers, and tokens that were accepted."""
        return len(self._full_at) + len(self._accepted)

    def take(self, token: str, address: str) -> Allowance:
        """Take one request from what the token has, or else the address."""
        digest = self._digest(token)
        if token and digest in self._accepted:
            self._accepted.move_to_end(digest)
            return self._take(digest)
        return self._take(network_of(address).encode(errors="surrogatepass"))

    def accept(self, token: str) -> None:
        """Let the token, which was found to be somebody's, have a measure of its own."""
        self._accepted[self._digest(token)] = None
        if len(self._accepted) > self._most:
            self._accepted.popitem(last=False)

    def has_accepted(self, token: str) -> bool:
        """Tell whether the token was found to be somebody's."""
        digest = self._digest(token)
        if digest not in self._accepted:
            return False
        self._accepted.move_to_end(digest)
        return True

    def forget(self, token: str) -> None:
        """Take back that the token was accepted."""
        self._accepted.pop(self._digest(token), None)

    def _take(self, caller: bytes) -> Allowance:
        now = self._clock()
        full_at = max(self._full_at.get(caller, now), now) + 1 / self.per_second
        over_s = full_at - now - 1
        # A thousandth of a request is forgiven: sums of such numbers are never exact.
        if over_s > 0.001 / self.per_second:
            return Allowance(-1, over_s)
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return Allowance(int((1 - (full_at - now)) * self.per_second + 0.001), 0.0)

    def _digest(self, token: str) -> bytes:
        raw = token.encode(errors="surrogatepass")
        return hashlib.blake2b(raw, key=self._key, digest_size=16).digest()
