"""Keys that SSH servers prove themselves by: asked for, shown to a person, and pinned.

`ssh-keyscan` proves nothing: whoever sits between us and the server can answer it. So what it says
is pinned only once a person has compared the fingerprints with the server's own.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from landform.kit.crypto import Keyring
from landform.kit.egress import Allow
from landform.kit.errors import InvalidError
from landform.vcs.errors import ProviderAwayError
from landform.vcs.git.remotes import judged, parse

_SCAN_S: Final = 10
_KINDS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
)
_ASKED: Final = "ed25519,ecdsa,rsa"
_MOST: Final = 20
_PURPOSE: Final = "vcs-host-keys"
_POINTER: Final = "known_hosts"
_FIELDS: Final = 3  # of a line: host, kind, key


@dataclass(frozen=True)
class HostKey:
    """A key of a server.

    Attributes:
        line: as a known_hosts file has it.
        fingerprint: `SHA256:…`, as `ssh-keygen -l` shows it.
    """

    host: str
    kind: str
    line: str
    fingerprint: str


def read_host_keys(text: str) -> Sequence[HostKey]:
    """Read lines of a known_hosts file; empty ones and comments are passed over.

    Raises:
        InvalidError: a line is none, or there are too many.
    """
    lines = [line.strip() for line in text.splitlines()]
    found = [_host_key(line) for line in lines if line and not line.startswith("#")]
    if len(found) > _MOST:
        raise InvalidError(f"A connection pins {_MOST} host keys at most.", pointer=_POINTER)
    return found


def proof_of(keyring: Keyring, connection_id: str, lines: Sequence[str]) -> str:
    """Return what shows that we asked for these keys, while a page's address carries them.

    Without it, a link could have somebody pin keys that no server showed.
    """
    message = "\n".join([connection_id, *lines]).encode()
    return hmac.digest(keyring.derive(_PURPOSE)[0], message, "sha256").hex()


async def scan(url: str, *, allow: Allow) -> Sequence[HostKey]:
    """Ask the server of an `ssh://` address which keys it has; nothing proves the answer.

    Raises:
        InvalidError: `url` is not of SSH.
        BlockedAddressError: it is not on the public network, and not allowed.
        ProviderAwayError: nothing answers there as an SSH server does.
    """
    target = parse(url)
    if target.scheme != "ssh":
        raise InvalidError("Only a server that is reached by SSH has host keys.")
    [address, *_] = await judged(target, allow)
    words = ("-T", str(_SCAN_S), "-p", str(target.port), "-t", _ASKED, "--", address)
    process = await asyncio.create_subprocess_exec(
        "ssh-keyscan",
        *words,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(3 * _SCAN_S):
            said, _ = await process.communicate()
    except TimeoutError:
        said = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    rows = [line.split() for line in said.decode(errors="replace").splitlines()]
    lines = [f"{target.known_as} {row[1]} {row[2]}" for row in rows if len(row) == _FIELDS]
    found = read_host_keys("\n".join(lines[:_MOST]))
    if not found:
        raise ProviderAwayError(
            f"{target.host} does not answer at port {target.port} as an SSH server does."
        )
    return sorted(found, key=lambda each: _KINDS.index(each.kind))


def _host_key(line: str) -> HostKey:
    wrong = InvalidError(
        f"{line[:80]!r} is no line of a known_hosts file: HOST TYPE KEY, as `ssh-keyscan HOST`"
        " prints it.",
        pointer=_POINTER,
    )
    words = line.split()
    if len(words) < _FIELDS or words[1] not in _KINDS:
        raise wrong
    host, kind, key = words[:_FIELDS]
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return HostKey(host, kind, f"{host} {kind} {key}", f"SHA256:{digest}")
