"""The event loop of processes that live long."""

import asyncio
from collections.abc import Callable

try:
    import uvloop
except ImportError:  # there is none for this platform
    NEW_LOOP: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop
