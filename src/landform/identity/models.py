"""Tables of identity."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from landform.identity.actor import ActorKind
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class User(Base):
    """A person who can sign in.

    Attributes:
        must_change_password: the password was printed or set by someone else.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("user"))
    username: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str | None]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    is_site_admin: Mapped[bool] = mapped_column(default=False)
    is_suspended: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


Index("uq_users_lower_username", func.lower(User.username), unique=True)


class ApiToken(Base):
    """A bearer credential. Only its SHA-256 is stored; exactly one owner column is set.

    Attributes:
        last_used_at: within a minute, so that a busy token does not write on each request.
        last_used_from: the address it was shown from then.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(user_id, team_id, organization_id, agent_pool_id) = 1", name="one_owner"
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("at"))
    kind: Mapped[ActorKind]
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    team_id: Mapped[str | None] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), index=True
    )
    organization_id: Mapped[str | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    agent_pool_id: Mapped[str | None] = mapped_column(
        ForeignKey("agent_pools.id", ondelete="CASCADE"), index=True
    )
    federated_credential_id: Mapped[str | None] = mapped_column(
        ForeignKey("federated_credentials.id", ondelete="CASCADE"), index=True
    )
    description: Mapped[str] = mapped_column(default="")
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_from: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]


class RunToken(Base):
    """What the terraform of one attempt at a phase shows; only its SHA-256 is stored.

    The row is there exactly as long as the attempt holds the phase.
    """

    __tablename__ = "run_tokens"

    phase_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class BrowserSession(Base):
    """A signed-in browser; the cookie holds the secret, the row its SHA-256.

    Attributes:
        address: where it signed in from.
        agent: what the browser called itself then.
        seen_at: within some minutes, so that not every page writes.
        awaits_code: the password was right, the code of the second factor is still to be given;
            nobody is signed in with it.
    """

    __tablename__ = "browser_sessions"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("session"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    address: Mapped[str] = mapped_column(default="")
    agent: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    awaits_code: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime]


class SecondFactor(Base):
    """What a user's authenticator knows, and what stands in for it.

    Attributes:
        sealed_secret: encrypted for the place `second-factors/{user_id}`.
        confirmed_at: None until a first code was right; nothing is asked for before.
        last_step: the newest half minute whose code was used.
        recovery_digests: SHA-256, in hexadecimal, of the recovery codes that are left.
    """

    __tablename__ = "second_factors"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[bytes] = mapped_column(Sealed("second-factors/{user_id}"))
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    recovery_digests: Mapped[list[str]] = mapped_column(JSONB, default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)


class SignInPolicy(Base):
    """How people may sign in; one row, or none: by password.

    Attributes:
        break_glass_user_id: the site admin who may sign in by password when nobody else may.
    """

    __tablename__ = "sign_in_policy"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    local_sign_in: Mapped[bool] = mapped_column(default=True)
    break_glass_user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )


class PasswordAttempts(Base):
    """How often a password was tried and failed, for one account or from one address.

    Attributes:
        key: a hash of what it counts for.
        wait_until: by the database's clock; no attempt is looked at before.
    """

    __tablename__ = "password_attempts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    wait_until: Mapped[datetime]


class IssuerKey(Base):
    """A key that tokens of our own issuer are signed with; its id is their `kid`.

    Attributes:
        sealed_key: the private JSON Web Key, encrypted for the place `issuer-keys/{id}`.
    """

    __tablename__ = "issuer_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    sealed_key: Mapped[bytes] = mapped_column(Sealed("issuer-keys/{id}"))
    public_key: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class LoginCode(Base):
    """An authorization code of `terraform login`, good for one exchange within minutes."""

    __tablename__ = "login_codes"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    client_id: Mapped[str]
    redirect_uri: Mapped[str]
    challenge: Mapped[str]
    expires_at: Mapped[datetime]
