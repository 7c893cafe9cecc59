"""Which repository of a git server a reference means. Pure.

A repository is known by its path below the connection's address: there is no other id.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

DEFAULT_USER: Final = "git"
_SCP: Final = re.compile(r"(?:[\w.-]+@)?(?P<host>[A-Za-z0-9][\w.-]*):(?!//)(?P<path>.+)")
_PORTS: Final = {"ssh": 22, "https": 443, "http": 80}
_LONGEST: Final = 1024  # characters


@dataclass(frozen=True)
class Reference:
    """A path below the connection's address.

    Attributes:
        is_home: it was written `host:path`, which a plain SSH server sees from the user's home.
    """

    path: str
    is_home: bool = False


def read_reference(text: str, setup: Setup) -> Reference:
    """Return the path that a reference means: itself a path, or any form of address.

    Raises:
        InvalidError: it is of no form that is known, or of another place.
    """
    given = text.strip()
    if "://" in given:
        return Reference(_checked(_below(given, setup), given))
    base = urlsplit(setup.endpoint)
    scp = _SCP.fullmatch(given)
    if scp and base.scheme == "ssh":
        if scp["host"].lower() != (base.hostname or ""):
            raise _elsewhere(given, setup)
        path = scp["path"]
        if path.startswith("/"):
            whole = f"ssh://{base.netloc}{quote(path, safe='/~')}"
            return Reference(_checked(_below(whole, setup), given))
        return Reference(_checked(path, given), is_home=True)
    return Reference(_checked(given, given))


def address_of(path: str, endpoint: str, username: str) -> str:
    """Return where git fetches the repository at a path; the user is in it only for SSH."""
    base = urlsplit(endpoint)
    user = f"{username or DEFAULT_USER}@" if base.scheme == "ssh" else ""
    below = base.path.rstrip("/")
    return f"{base.scheme}://{user}{base.netloc}{below}/{quote(path, safe='/~')}"


def _below(url: str, setup: Setup) -> str:
    try:
        parts, base = urlsplit(url), urlsplit(setup.endpoint)
        here = (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme))
        ours = (base.scheme, base.hostname, base.port or _PORTS.get(base.scheme))
    except ValueError:
        raise _elsewhere(url, setup) from None
    below = base.path.rstrip("/") + "/"
    if here != ours or not parts.path.startswith(below):
        raise _elsewhere(url, setup)
    return unquote(parts.path.removeprefix(below))


def _checked(path: str, given: str) -> str:
    found = path.strip("/")
    parts = found.split("/")
    is_plain = all(letter.isprintable() for letter in found)
    if not found or len(found) > _LONGEST or not is_plain or {"", ".", ".."} & set(parts):
        raise InvalidError(
            f"{given[:200]!r} names no repository; write its path on the server, such as"
            " team/infra.git, or its address."
        )
    return found


def _elsewhere(given: str, setup: Setup) -> InvalidError:
    return InvalidError(
        f"This connection is to {setup.endpoint}, and {given[:200]!r} is somewhere else."
    )
