"""Sends webhooks: each in a thread of its own, again when its provider would, all of them noted."""

import hashlib
import hmac
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.standins.threads import Threads

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Sent:
    """One attempt; a status of 0: nobody answered in time."""

    url: str
    event: str
    attempt: int
    status: int


class Webhooks:
    """The sender of one provider.

    Args:
        timeout_s: how long it waits for an answer.
        pauses_s: before each further attempt at what was not answered 2xx.
    """

    def __init__(self, *, timeout_s: float = 10.0, pauses_s: Sequence[float] = ()) -> None:
        self.sent: list[Sent] = []
        self._timeout_s = timeout_s
        self._pauses_s = pauses_s
        self._threads = Threads()

    def send(
        self, url: str, event: str, body: bytes, headers: Callable[[int], Mapping[str, str]]
    ) -> None:
        """Send; `headers` may tell the attempt's number, from 1 on."""
        self._threads.start(self._deliver, url, event, body, headers)

    def settle(self) -> None:
        """Wait for everything that is under way."""
        self._threads.settle()

    def _deliver(
        self, url: str, event: str, body: bytes, headers: Callable[[int], Mapping[str, str]]
    ) -> None:
        for attempt, pause_s in enumerate((0.0, *self._pauses_s), 1):
            time.sleep(pause_s)
            status = self._once(url, body, headers(attempt))
            self.sent.append(Sent(url, event, attempt, status))
            if 200 <= status < 300:
                return

    def _once(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
        try:
            with _OPENER.open(request, timeout=self._timeout_s) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0


def signature(secret: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of a body in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
