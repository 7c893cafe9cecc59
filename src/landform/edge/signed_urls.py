"""Addresses that are their own permission: bound to one object, one deed and a time.

The signature is in the path, not in the query, because go-tfe overwrites the query string of log
addresses (tfe_api.md §1.7).
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from landform.kit.errors import NotFoundError

PREFIX: Final = "/_signed"
_MAC_BYTES: Final = 24


class Deed(StrEnum):
    """What an address allows, and nothing else."""

    UPLOAD_CONFIGURATION = "cv-up"
    DOWNLOAD_CONFIGURATION = "cv-down"
    UPLOAD_STATE = "sv-up"
    UPLOAD_JSON_STATE = "svj-up"
    DOWNLOAD_STATE = "sv-down"
    DOWNLOAD_JSON_STATE = "svj-down"
    READ_TEXT_LOG = "log-text"
    READ_JSON_LOG = "log-json"
    DOWNLOAD_PLAN_JSON = "plan-json"
    DOWNLOAD_REDACTED_PLAN = "plan-redacted"


LIFE_S: Final[dict[Deed, int]] = {
    Deed.READ_TEXT_LOG: 24 * 3600,
    Deed.READ_JSON_LOG: 24 * 3600,
}
_DEFAULT_LIFE_S: Final = 3600


@dataclass(frozen=True)
class UrlSigner:
    """Makes signed paths with one secret key, and checks them with any of several.

    Attributes:
        keys: the one that signs comes first; asked each time, as keys are rotated.
    """

    keys: Callable[[], Sequence[bytes]]

    def path(self, deed: Deed, object_id: str) -> str:
        """Return the path that allows `deed` on `object_id` for as long as such deeds last."""
        expires = int(time.time()) + LIFE_S.get(deed, _DEFAULT_LIFE_S)
        return f"{PREFIX}/{deed}/{object_id}/{expires:x}/{self._macs(deed, object_id, expires)[0]}"

    def check(self, deed: Deed, object_id: str, expires: str, mac: str) -> None:
        """Raise NotFoundError unless the parts of a path are ours, unaltered and in time.

        One answer for all three: whoever guesses learns nothing.
        """
        try:
            until = int(expires, 16)
        except ValueError:
            until = 0
        given = mac.encode(errors="replace")
        made = self._macs(deed, object_id, until)
        genuine = any(hmac.compare_digest(one.encode(), given) for one in made)
        if not genuine or until < time.time():
            raise NotFoundError("This address is not valid, or no longer.")

    def _macs(self, deed: Deed, object_id: str, expires: int) -> list[str]:
        message = f"{deed}\n{object_id}\n{expires}".encode()
        digests = (hmac.digest(key, message, hashlib.sha256)[:_MAC_BYTES] for key in self.keys())
        return [base64.urlsafe_b64encode(digest).decode() for digest in digests]
