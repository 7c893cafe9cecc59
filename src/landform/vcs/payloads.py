"""What webhooks of several providers have in common: proof, decoding, names of refs. Pure."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from landform.kit.errors import MalformedError

BRANCH: Final = "refs/heads/"
TAG: Final = "refs/tags/"
_NOBODY: Final = "0" * 40


def signed_by_one(signature: str, body: bytes, secrets: Sequence[str], *, prefix: str = "") -> bool:
    """Tell, in constant time, if a signature is the HMAC-SHA256 of a body by one of the secrets.

    Args:
        prefix: before the hexadecimal digits, such as `sha256=`.
    """
    given = signature.encode()
    known = False
    for secret in secrets:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        known |= hmac.compare_digest(given, f"{prefix}{digest}".encode())
    return known


def id_of_content(body: bytes) -> str:
    """Return what stands for a delivery's id where it has none."""
    return "sha256/" + hashlib.sha256(body).hexdigest()


def decoded(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a delivery is.

    Raises:
        MalformedError: it is none.
    """
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MalformedError("A webhook sends a JSON object.")
    return said


def commit_or_none(sha: Any) -> str:
    """Return the id of a commit, empty for the zeros that stand for none."""
    return "" if sha in (None, _NOBODY) else str(sha)
