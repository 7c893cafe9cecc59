"""`terraform login`: an OAuth authorization code with PKCE, exchanged for an API token.

The client, its redirect and the S256 challenge are as in reference tfe_api.md §1.1; the code and
its exchange as in RFC 6749 §4.1 and RFC 7636.
"""

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LONGEST, digest, new_secret
from landform.identity.events import LoginApproved
from landform.identity.models import LoginCode, User
from landform.identity.users import actor_of
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ForbiddenError, InvalidError, UnauthenticatedError

CODE_LIFE: Final = timedelta(minutes=5)
_PORTS: Final = range(1024, 65536)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CLIENT_LIMIT: Final = 128


async def create_code(
    session: AsyncSession, actor: Actor, client_id: str, redirect_uri: str, challenge: str
) -> str:
    """Let a command line on the user's machine fetch a token; return the code it needs for that.

    Args:
        challenge: base64url of the SHA-256 of the secret the command line keeps (S256).

    Raises:
        ForbiddenError: `actor` is not a user in a browser, or must set a password first.
        InvalidError: the redirect leads elsewhere than to a command line on the same machine,
            or the challenge is not one of S256.
    """
    if actor.kind is not ActorKind.USER or actor.token_id is not None:
        raise ForbiddenError("Only a user who signed in with a browser can approve a login.")
    if (await session.get_one(User, actor.id)).must_change_password:
        raise ForbiddenError("Set a password of your own first, then log in.")
    check_redirect(redirect_uri)
    if _CHALLENGE.fullmatch(challenge) is None:
        raise InvalidError("The code challenge must be one of method S256.", pointer="challenge")
    if not 0 < len(client_id) <= _CLIENT_LIMIT or "\0" in client_id:
        raise InvalidError("The client id is missing or too long.", pointer="client_id")
    await session.execute(delete(LoginCode).where(LoginCode.expires_at <= now()))
    code = new_secret()
    session.add(
        LoginCode(
            code_hash=digest(code),
            user_id=actor.id,
            client_id=client_id,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=now() + CODE_LIFE,
        )
    )
    await session.flush()
    events.publish(
        session,
        LoginApproved(
            actor_id=actor.id, organization_id=None, subject_id=actor.id, client_id=client_id
        ),
    )
    return code


async def exchange(
    session: AsyncSession, code: str, verifier: str, client_id: str, redirect_uri: str
) -> str:
    """Take `code` out of the world and return the secret of a new API token of its user.

    Raises:
        UnauthenticatedError: unknown, used or expired, or of another client or redirect, or
            the verifier is not the challenge's.
    """
    # The first of two exchanges at once deletes the row, the second waits and finds none.
    query = (
        delete(LoginCode)
        .where(LoginCode.code_hash == digest(code[:LONGEST]))
        .returning(LoginCode)
        .execution_options(synchronize_session=False)
    )
    row = (await session.scalars(query)).one_or_none()
    if (
        row is None
        or row.expires_at <= now()
        or row.client_id != client_id
        or row.redirect_uri != redirect_uri
        or not _answers(verifier, row.challenge)
    ):
        raise UnauthenticatedError(
            "The login code is unknown, used, expired or not this client's; log in again."
        )
    user = await session.get_one(User, row.user_id)
    if user.is_suspended:
        raise UnauthenticatedError(f"The user {user.username} is suspended.")
    _, secret = await tokens.issue(
        session,
        actor_of(user),
        owner_kind=ActorKind.USER,
        owner_id=user.id,
        description="terraform login",
    )
    return secret


def check_redirect(uri: str) -> None:
    """Refuse a redirect that is not to `/login` on a high port of the user's own machine.

    Raises:
        InvalidError: it is not.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    expected = {f"http://{host}:{port}/login" for host in ("localhost", "127.0.0.1")}
    if port not in _PORTS or uri not in expected:
        raise InvalidError(
            "The redirect must be http://localhost:PORT/login or http://127.0.0.1:PORT/login"
            f" with a port from {_PORTS.start} to {_PORTS.stop - 1}.",
            pointer="redirect_uri",
        )


def _answers(verifier: str, challenge: str) -> bool:
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    answer = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(answer.rstrip(b"=").decode(), challenge)
