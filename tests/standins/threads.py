"""What a stand-in does beside answering: it tells others what happened."""

import threading
from collections.abc import Callable


class Threads:
    """Threads that any thread may start, and any may wait for."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()

    def start(self, target: Callable[..., None], *args: object) -> None:
        """Call `target` in a thread of its own."""
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()  # before anybody can wait for it
        self._threads.add(thread)

    def settle(self, timeout_s: float = 30.0) -> None:
        """Wait for each that is under way, for so long at most."""
        for thread in list(self._threads):
            thread.join(timeout_s)
            if not thread.is_alive():
                self._threads.discard(thread)
