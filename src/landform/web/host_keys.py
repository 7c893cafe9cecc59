"""Keys that a server just showed us, on their way to a person who compares them."""

import hmac
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Query
from fastapi.responses import RedirectResponse

from landform.edge.process import Process
from landform.vcs.host_keys import HostKey, proof_of, read_host_keys
from landform.web.pages import SECURITY_HEADERS

Lines = Annotated[Sequence[str], Query(alias="key", max_length=20)]
Proof = Annotated[str, Query(max_length=100)]
PLACE: Final = "host-keys"


def to_compare(
    process: Process, here: str, owner_id: str, keys: Sequence[HostKey]
) -> RedirectResponse:
    """Send the visitor to the page `here` of what the keys would be pinned with."""
    lines = [each.line for each in keys]
    proof = proof_of(process.platform.keyring, owner_id, lines)
    asked = urlencode([*(("key", line) for line in lines), ("proof", proof)])
    return RedirectResponse(f"{here}?{asked}#{PLACE}", 303, headers=SECURITY_HEADERS)


def shown(process: Process, owner_id: str, lines: Sequence[str], proof: str) -> Sequence[HostKey]:
    """Return the keys in an address, if it was us who put them there."""
    ours = proof_of(process.platform.keyring, owner_id, lines)
    if not hmac.compare_digest(ours.encode(), proof.encode()):
        return []
    return read_host_keys("\n".join(lines))
