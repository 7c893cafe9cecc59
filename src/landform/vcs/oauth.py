"""What OAuth token endpoints have in common, as they are and not as RFC 6749 has them.

Facts (vcs_providers.md §1.1-§1.2, §3): Azure DevOps sends `expires_in` as a string and its error
keys capitalised; GitHub sends errors with status 200; Bitbucket (§5) says `scopes`.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from landform.kit import clock
from landform.kit.egress import Answer, NoAnswerError
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError
from landform.vcs.provider import Token

_SERVER_FAILED: Final = 500
_TOO_MANY: Final = 429
_LONGEST_S: Final = 400 * 24 * 3600  # a life past this is somebody's mistake
_QUOTED: Final = 300  # characters of a provider's own words


def federated_subject(organization_id: str, connection_id: str) -> str:
    """Return whom our own issuer says a connection is, for a federated credential."""
    return f"organization:{organization_id}:vcs:{connection_id}"


def new_verifier() -> str:
    """Return a fresh code verifier of PKCE (RFC 7636)."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Return its S256 challenge."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read_token(answer: Answer, *, provider: str) -> Token:
    """Read what a token endpoint answered.

    Args:
        provider: how messages name it.

    Raises:
        ProviderRefusedError: it is an error, whatever its status; `code` is the error's word.
        ProviderAwayError: it is neither a token nor an error.
    """
    if answer.status == _TOO_MANY or answer.status >= _SERVER_FAILED:
        raise ProviderAwayError(
            f"{provider} answers {answer.status}; try again later.",
            retry_after_s=answer.retry_after_s,
        )
    try:
        said = answer.json()
    except NoAnswerError:
        said = None
    if not isinstance(said, dict):
        raise ProviderAwayError(
            f"{provider} answered {answer.status} with something that is not a token."
        )
    known = {str(name).lower(): value for name, value in said.items()}
    if known.get("error"):
        raise refusal(known, provider=provider)
    value = known.get("access_token")
    if not isinstance(value, str) or not value:
        raise ProviderAwayError(f"{provider} answered {answer.status} without a token.")
    return Token(
        value=value,
        expires_at=_expiry(known),
        refresh_token=str(known.get("refresh_token") or ""),
        scopes=tuple(
            str(known.get("scope") or known.get("scopes") or "").replace(",", " ").split()
        ),
    )


def refusal(known: Mapping[str, Any], *, provider: str) -> ProviderRefusedError:
    """Return an error document as a failure, in the provider's words."""
    code = str(known.get("error"))
    words = known.get("error_description") or known.get("errordescription") or code
    return ProviderRefusedError(f"{provider} says: {quoted(str(words))}", code=code)


def quoted(words: str) -> str:
    """Return a provider's own words in one line, cut to a readable length."""
    line = " ".join("".join(each if each.isprintable() else " " for each in words).split())
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"


def _expiry(known: Mapping[str, Any]) -> Any:
    try:
        life_s = float(known.get("expires_in") or 0)
    except (TypeError, ValueError):
        return None
    if not 0 < life_s <= _LONGEST_S:
        return None
    return clock.now() + timedelta(seconds=life_s)
