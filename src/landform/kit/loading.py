"""Loading of a long-lived process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import what stays for good, quicker, and never look through it for garbage again.

    The collector would walk over a million objects again and again while they are made, which
    is a fifth of the time that a server takes to load, and for as long as it runs after that:
    each full walk is a pause for all requests.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
