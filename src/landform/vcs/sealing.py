"""Credentials of connections and hooks, encrypted for the one place each belongs to."""

from datetime import datetime
from typing import Any, Final

import msgspec

from landform.kit.crypto import Keyring
from landform.vcs.models import Connection, DeliveryRow, Hook
from landform.vcs.provider import Token

SECRET_NAMES: Final = ("client_secret", "private_key", "certificate")
# And what comes with an app that is registered from here, which nobody gives by hand.
_NAMES: Final = (*SECRET_NAMES, "app_id", "webhook_secret")


class _Kept(msgspec.Struct):
    value: str
    expires_at: datetime | None
    refresh_token: str
    scopes: tuple[str, ...]


def seal_secrets(keyring: Keyring, connection_id: str, secrets: dict[str, str]) -> bytes:
    """Encrypt client secret, private key and certificate, and what came with an app."""
    return keyring.seal(msgspec.json.encode(secrets), place=_secrets_place(connection_id))


def open_secrets(keyring: Keyring, connection: Connection) -> dict[str, str]:
    """Decrypt them; what was never given is empty."""
    clear = keyring.open(connection.sealed_secrets, place=_secrets_place(connection.id))
    known: dict[str, str] = msgspec.json.decode(clear, type=dict[str, str])
    return {name: known.get(name, "") for name in _NAMES}


def seal_token(keyring: Keyring, connection_id: str, token: Token) -> bytes:
    """Encrypt a token with its refresh token."""
    kept = _Kept(token.value, token.expires_at, token.refresh_token, token.scopes)
    return keyring.seal(msgspec.json.encode(kept), place=_token_place(connection_id))


def open_token(keyring: Keyring, connection: Connection) -> Token | None:
    """Decrypt the present token; None when there is none."""
    if connection.sealed_token is None:
        return None
    clear = keyring.open(connection.sealed_token, place=_token_place(connection.id))
    kept = msgspec.json.decode(clear, type=_Kept)
    return Token(
        value=kept.value,
        expires_at=kept.expires_at,
        refresh_token=kept.refresh_token,
        scopes=kept.scopes,
    )


def seal_verifier(keyring: Keyring, connection_id: str, verifier: str) -> bytes:
    """Encrypt the verifier of PKCE while its person is away."""
    return keyring.seal(verifier.encode(), place=_verifier_place(connection_id))


def open_verifier(keyring: Keyring, connection_id: str, sealed: bytes) -> str:
    """Decrypt it."""
    return keyring.open(sealed, place=_verifier_place(connection_id)).decode()


def seal_hook_secrets(keyring: Keyring, hook_id: str, secrets: list[str]) -> bytes:
    """Encrypt the secrets of a hook, newest first."""
    return keyring.seal(msgspec.json.encode(secrets), place=f"vcs-hooks/{hook_id}")


def open_hook_secrets(keyring: Keyring, hook: Hook) -> list[str]:
    """Decrypt them."""
    clear: Any = keyring.open(hook.sealed_secrets, place=f"vcs-hooks/{hook.id}")
    return msgspec.json.decode(clear, type=list[str])


def seal_body(keyring: Keyring, delivery_id: str, body: bytes) -> bytes:
    """Encrypt what a delivery said: it tells of private repositories."""
    return keyring.seal(body, place=f"vcs-deliveries/{delivery_id}")


def open_body(keyring: Keyring, row: DeliveryRow) -> bytes:
    """Decrypt it."""
    return keyring.open(row.body, place=f"vcs-deliveries/{row.id}")


def _secrets_place(connection_id: str) -> str:
    return f"vcs-connections/{connection_id}/secrets"


def _token_place(connection_id: str) -> str:
    return f"vcs-connections/{connection_id}/token"


def _verifier_place(connection_id: str) -> str:
    return f"vcs-authorizations/{connection_id}"
