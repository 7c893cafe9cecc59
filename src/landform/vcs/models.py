"""Tables of VCS: connections, the grants asked for, hooks, and what arrived at them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from landform.access.permissions import Place
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed
from landform.vcs.kinds import INTERACTIVE, Kind, SignIn


class ConnectionStatus(StrEnum):
    """Whether a connection can be used."""

    PENDING = "pending"  # nobody has signed in yet
    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs-reconnect"  # a person must sign in again
    FAILED = "failed"  # a setting is wrong: secret expired, application unknown


class Connection(Base):
    """What one organization may do at one provider.

    Attributes:
        account: organization, collection or group at the provider, where it must be known.
        callback: what may stand for the id in the callback's address; unique, as Terrakube's.
        callback_url: the whole address, as last shown to whoever registers it; what exchanges
            and refreshes send.
        redirect_url: where the browser goes once connected; empty: a page says `Connected`.
        app_url: the page of an app that was registered from here; empty for any other.
        installation: where the connection's app is installed, as it is shown; None: not known.
        sealed_secrets: client secret, private key and certificate as one JSON object, for the
            place `vcs-connections/{id}/secrets`; and id and webhook secret of an app that was
            registered from here.
        has_ssh_key: there is a key for git over SSH among the secrets.
        ssh_public_key: its public half where it is how the connection signs in, for the server.
        ssh_key_id: of the organization's key that it was made from, and follows.
        sealed_token: the present token as JSON, for `vcs-connections/{id}/token`. It and the
            columns after it change only under the lease, or in the callback.
        token_version: counts tokens, so that who used a dead one can tell it was replaced.
        lease_id: who is at present fetching a token; theirs until `lease_until` (database time).
        secret_expires_at: of the client secret, certificate or personal token, as told or found.
        warned_days: how many days before that end it was last told; None: not yet.
        opened_by: who last asked for the authorize URL, and `opened_at` when: what lets them
            come back without a `state`.
        status_reason: one sentence: what an administrator must do.
    """

    __tablename__ = "vcs_connections"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("oc"))
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[Kind]
    sign_in: Mapped[SignIn]
    endpoint: Mapped[str] = mapped_column(default="")
    api_url: Mapped[str] = mapped_column(default="")
    account: Mapped[str] = mapped_column(default="")
    tenant: Mapped[str] = mapped_column(default="")
    client_id: Mapped[str] = mapped_column(default="")
    username: Mapped[str] = mapped_column(default="")
    known_hosts: Mapped[str] = mapped_column(default="")
    callback: Mapped[str | None] = mapped_column(unique=True)
    callback_url: Mapped[str] = mapped_column(default="")
    redirect_url: Mapped[str] = mapped_column(default="")
    app_url: Mapped[str] = mapped_column(default="")
    installation: Mapped[dict[str, Any] | None]
    sealed_secrets: Mapped[bytes] = mapped_column(Sealed("vcs-connections/{id}/secrets"))
    has_ssh_key: Mapped[bool] = mapped_column(default=False)
    ssh_public_key: Mapped[str] = mapped_column(default="")
    ssh_key_id: Mapped[str | None] = mapped_column(
        ForeignKey("ssh_keys.id", ondelete="CASCADE"), index=True
    )
    sealed_token: Mapped[bytes | None] = mapped_column(Sealed("vcs-connections/{id}/token"))
    token_version: Mapped[int] = mapped_column(default=0)
    token_expires_at: Mapped[datetime | None]
    token_fetched_at: Mapped[datetime | None]
    lease_id: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    secret_expires_at: Mapped[datetime | None]
    warned_days: Mapped[int | None]
    status: Mapped[ConnectionStatus] = mapped_column(default=ConnectionStatus.PENDING)
    status_reason: Mapped[str] = mapped_column(default="")
    capabilities: Mapped[dict[str, Any] | None]
    opened_by: Mapped[str | None]
    opened_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @property
    def place(self) -> Place:
        """Where permissions on it are asked for."""
        return Place(organization_id=self.organization_id)

    @property
    def lacks_app(self) -> bool:
        """Whether it is to sign in as an app that is not registered yet."""
        return self.sign_in is SignIn.GITHUB_APP and not self.client_id

    @property
    def sends_people(self) -> bool:
        """Whether somebody goes to the provider and back: to sign in, or to register the app."""
        return self.sign_in in INTERACTIVE or self.lacks_app or bool(self.app_url)

    @property
    def waits_for_person(self) -> bool:
        """Whether nothing can be done with it before somebody went there."""
        return self.lacks_app or (
            self.sign_in in INTERACTIVE and self.status is ConnectionStatus.PENDING
        )


class Authorization(Base):
    """A person on their way to the provider and back; good for one return within minutes.

    Attributes:
        state_hash: SHA-256 of the `state` that goes with them.
        actor_id: who was sent: the return must be signed in as the same, or not at all.
        sealed_verifier: of PKCE, for the place `vcs-authorizations/{connection_id}`.
    """

    __tablename__ = "vcs_authorizations"

    state_hash: Mapped[bytes] = mapped_column(primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), index=True
    )
    actor_id: Mapped[str]
    sealed_verifier: Mapped[bytes] = mapped_column(Sealed("vcs-authorizations/{connection_id}"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Hook(Base):
    """Where one repository's deliveries arrive, for all its workspaces.

    Attributes:
        repository_id: the provider's id.
        sealed_secrets: the secrets that prove a delivery, newest first, as a JSON list, for the
            place `vcs-hooks/{id}`; two while one replaces the other.
        secret_made_at: when the newest of them was.
        secret_told_at: when the provider was given it; None: not yet.
        remote: what there is at the provider, as `RemoteHook`s.
        problem: why the provider calls it no more, or cannot be made to; empty: all is well.
    """

    __tablename__ = "vcs_hooks"
    __table_args__ = (UniqueConstraint("connection_id", "repository_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("hook"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("vcs_connections.id", ondelete="CASCADE"))
    repository_id: Mapped[str]
    repository_name: Mapped[str] = mapped_column(default="")
    sealed_secrets: Mapped[bytes] = mapped_column(Sealed("vcs-hooks/{id}"))
    secret_made_at: Mapped[datetime] = mapped_column(default=now)
    secret_told_at: Mapped[datetime | None]
    remote: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    problem: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    checked_at: Mapped[datetime | None]
    last_delivery_at: Mapped[datetime | None]


class KnownPerson(Base):
    """A person of the provider who is a user here.

    Attributes:
        person_id: the provider's; the only thing of theirs that does not change hands.
        name: for people who read the list.
    """

    __tablename__ = "vcs_people"
    __table_args__ = (UniqueConstraint("connection_id", "person_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("vcsp"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("vcs_connections.id", ondelete="CASCADE"))
    person_id: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]


class KnownGroup(Base):
    """A group of the provider whose members count as a team here.

    Attributes:
        name: as the provider's `check_group` has it: `permission:write`.
    """

    __tablename__ = "vcs_groups"
    __table_args__ = (UniqueConstraint("connection_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("vcsg"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("vcs_connections.id", ondelete="CASCADE"))
    name: Mapped[str]
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]


class DeliveryStatus(StrEnum):
    """How far a delivery has come."""

    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"  # tried, and will be tried again until `attempts` are used up


class DeliveryRow(Base):
    """One delivery as it came, and what came of it.

    Attributes:
        provider_id: what repeats of it have the same of; unique per hook.
        event: the provider's name for it.
        body: as it came, encrypted for the place `vcs-deliveries/{id}`.
        headers: only those the provider's reader needs.
        outcomes: why it did or did not start runs, one entry per change and workspace:
            `{"change": …, "workspace_id": …, "run_id": …, "reason": …}`.
    """

    __tablename__ = "vcs_deliveries"
    __table_args__ = (
        UniqueConstraint("hook_id", "provider_id"),
        Index("ix_vcs_deliveries_hook_id_received_at", "hook_id", "received_at"),
        Index("ix_vcs_deliveries_open", "received_at", postgresql_where=text("status <> 'done'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("whd"))
    hook_id: Mapped[str] = mapped_column(ForeignKey("vcs_hooks.id", ondelete="CASCADE"))
    provider_id: Mapped[str]
    event: Mapped[str] = mapped_column(default="")
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(Sealed("vcs-deliveries/{id}"))
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.RECEIVED)
    attempts: Mapped[int] = mapped_column(default=0)
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    received_at: Mapped[datetime] = mapped_column(default=now)
    done_at: Mapped[datetime | None]
