"""How git reaches a repository: its address judged and pinned, its credentials by environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from landform.kit.egress import Allow, BlockedAddressError, resolve
from landform.kit.egress_allow import is_public
from landform.kit.errors import InvalidError
from landform.vcs.facts import CloneCredentials
from landform.vcs.git.program import Access
from landform.vcs.git.ssh import ssh_command

# The value is a shell command; it names the variables that hold the secrets, not the secrets.
_HELPER: Final = (
    '!f() { test "$1" = get || exit 0; printf "username=%s\\npassword=%s\\n"'
    ' "$LANDFORM_GIT_USERNAME" "$LANDFORM_GIT_PASSWORD"; }; f'
)
_SCP: Final = re.compile(r"(?:([\w.-]+)@)?([A-Za-z0-9][\w.-]*):(?!//)(.+)")
_DEFAULT_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True)
class Target:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int

    @property
    def known_as(self) -> str:
        """Return what a known_hosts file calls it."""
        return self.host if self.port == _DEFAULT_PORTS["ssh"] else f"[{self.host}]:{self.port}"


async def access_to(url: str, credentials: CloneCredentials, *, allow: Allow, home: Path) -> Access:
    """Return how git fetches `url`; credentials go along only within their scope.

    Args:
        home: a directory of this fetch alone, for files ssh cannot do without.

    Raises:
        InvalidError: not an address to fetch from.
        BlockedAddressError: it is not on the public network, and not allowed.
    """
    target = parse(url)
    addresses = await judged(target, allow)
    settings = {"remote.origin.url": url}
    if target.scheme == "ssh":
        return _by_ssh(credentials, target, addresses[0], settings, home)
    if addresses != [target.host]:
        pinned = ",".join(map(_bracketed, addresses))
        settings["http.curloptResolve"] = f"{target.host}:{target.port}:{pinned}"
    protocols = ("https",) if target.scheme == "https" else ("http",)
    if not credentials.password or not is_within(url, credentials.scope or credentials.url):
        return Access(settings=settings, protocols=protocols)
    scope = (credentials.scope or credentials.url).rstrip("/")
    settings[f"credential.{scope}.helper"] = _HELPER
    return Access(
        settings=settings,
        variables={
            "LANDFORM_GIT_USERNAME": credentials.username or "x",
            "LANDFORM_GIT_PASSWORD": credentials.password,
        },
        protocols=protocols,
        secrets=(credentials.password,),
    )


def parse(url: str) -> Target:
    """Return where `url` leads: https, http or ssh, in either form of the last.

    Raises:
        InvalidError: it is of another transport, or holds what a URL must not.
    """
    if any(ord(letter) <= ord(" ") for letter in url) or url.startswith("-"):
        raise InvalidError(f"{url[:200]!r} is not an address of a git repository.")
    if "://" not in url:
        match = _SCP.fullmatch(url)
        if match is None or "::" in url:
            raise InvalidError(f"{url[:200]!r} is not an address of a git repository.")
        return Target("ssh", match[2], 22)
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidError(f"{parts.scheme}:// is not fetched from; use https or ssh.")
    if parts.scheme != "ssh" and parts.username is not None:
        raise InvalidError("A repository's URL must not hold a user or password.")
    try:
        port = parts.port
    except ValueError:
        raise InvalidError(f"{url[:200]!r} has no port that there is.") from None
    return Target(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


async def judged(target: Target, allow: Allow) -> list[str]:
    """Return the addresses that may be connected to, and no others are.

    Raises:
        BlockedAddressError: there is none.
    """
    if allow.names(target.host, target.port):
        return await resolve(target.host, target.port)
    addresses = [
        address
        for address in await resolve(target.host, target.port)
        # Without TLS, credentials would be shown to the network.
        if allow.covers(address, target.port) or (target.scheme != "http" and is_public(address))
    ]
    if addresses:
        return addresses
    raise BlockedAddressError(
        f"{target.host} is at an address that is not public, or is spoken to without TLS, which"
        " Landform does not do unless its operator allows it: LANDFORM_EGRESS_ALLOW."
    )


def _by_ssh(
    credentials: CloneCredentials,
    target: Target,
    address: str,
    settings: Mapping[str, str],
    home: Path,
) -> Access:
    if not credentials.ssh_key:
        raise InvalidError("The repository is reached by SSH, and the connection has no SSH key.")
    if not credentials.known_hosts.strip():
        raise InvalidError("The connection pins no SSH host keys; add the host's known_hosts line.")
    key, known = _secret_file(home / "key", credentials.ssh_key), home / "known_hosts"
    known.write_text(credentials.known_hosts.strip() + "\n")
    command = ssh_command(
        str(key),
        str(known),
        HostName=address,
        HostKeyAlias=target.known_as,
        CheckHostIP="no",
    )
    return Access(
        settings=settings,
        variables={"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"},
        protocols=("ssh",),
        secrets=(credentials.ssh_key,),
    )


def _secret_file(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text.strip() + "\n")
    return path


def is_within(url: str, scope: str) -> bool:
    """Tell whether `url` is below `scope`: same scheme, host and port, path under its path."""
    one, other = urlsplit(url), urlsplit(scope)
    base = other.path.rstrip("/")
    return (
        (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
        and (one.path == base or one.path.startswith(base + "/"))
        and ".." not in one.path.split("/")
    )


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
