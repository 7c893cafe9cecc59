"""Who reads a log while it grows."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2

from tests.faults.client import Client


class Reader:
    """Reads a log to its end as the command line does: by offset, again when it fails.

    Attributes:
        refusals: those failures that were answers; the others are lost connections, such as one
            that the kernel took when its server had stopped already.
    """

    def __init__(self, client: Client, address: str) -> None:
        self.read = bytearray()
        self.failures = 0
        self.refusals = 0
        self._client = client
        self._address = address
        self._given_up = False

    def follow(self, within_s: float = 120.0) -> None:
        """Return when the log's end was read."""
        deadline = time.monotonic() + within_s
        while not self.read.endswith(b"\3") and not self._given_up:
            assert time.monotonic() < deadline, bytes(self.read[-200:])
            try:
                self.read += self._client.read_log(self._address, len(self.read), 4096)
            except httpx2.HTTPError as failure:
                self.failures += 1
                self.refusals += isinstance(failure, httpx2.HTTPStatusError)
                time.sleep(0.05)

    @contextmanager
    def following(self) -> Iterator["Reader"]:
        """Follow in the background; the end must come before the context's."""
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.follow)
            try:
                yield self
                following.result()
            finally:
                self._given_up = True
