"""Where a server listens, and how it is reached."""

import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from landform.kit.errors import ConflictError, InvalidError
from landform.settings import Settings

# Of which one listens. Elsewhere a port that is kept could not be bound by its server.
_TWO_MAY_BIND: Final = sys.platform == "linux"


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen yet; port 0 takes a free one.

    Raises:
        ConflictError: the port is taken.
        InvalidError: there is no such address here, or the port needs privileges.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as failure:
        raise InvalidError(f"{host!r} is no address to listen on: {failure.strerror}.") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as failure:
        bound.close()
        if failure.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {port} of {host} is taken by another program. Stop that, or choose"
                " another with --port (0 picks a free one)."
            ) from None
        raise InvalidError(f"Cannot listen on port {port} of {host}: {failure.strerror}.") from None
    return bound


@contextmanager
def kept(host: str, port: int) -> Iterator[int]:
    """Yield a port that a server is to bind, and let nobody else have it; 0 takes a free one.

    Raises:
        ConflictError, InvalidError: see `bind`.
    """
    with bind(host, port) as bound:
        found: int = bound.getsockname()[1]
        if not _TWO_MAY_BIND:
            bound.close()
        yield found


def reachable(settings: Settings) -> str:
    """Return how this machine reaches a server with these settings."""
    try:
        address = ipaddress.ip_address(settings.host)
    except ValueError:
        return f"http://{settings.host}:{settings.port}"
    if isinstance(address, ipaddress.IPv4Address):
        return f"http://{'127.0.0.1' if address.is_unspecified else address}:{settings.port}"
    return f"http://[{'::1' if address.is_unspecified else address}]:{settings.port}"


def own_url(settings: Settings) -> str:
    """Return how clients reach it: as the operator says, else as this machine does."""
    return settings.public_url.rstrip("/") or reachable(settings)
