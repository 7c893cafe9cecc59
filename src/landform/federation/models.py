"""Tables of federation."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.federation.kinds import Kind
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class IdentityProvider(Base):
    """Somebody whose word is taken for who a person is.

    Attributes:
        name: on the button of the sign-in page.
        issuer: exactly what its tokens call it; of GitHub, where it is; of SAML, its entity id,
            which is not known before its metadata.
        client_id: of SAML, our entity id; empty: where our metadata are.
        sealed_secret: of our registration there, encrypted for `identity-providers/{id}`; of SAML,
            our key and certificate, where we sign.
        groups_claim: where it tells of a person's groups; empty: they are not asked for.
        group_prefix: put before each group, so that two providers' groups cannot be confused.
        allowed_domains: of verified addresses; empty: any, and none.
        required_groups: a person must be in one of these; empty: in none.
        creates_users: who has no account here gets one.
        links_by_email: who has a verified address that a user has, is that user.
        trusts_email: an address of which it does not say whether it is verified counts as such.
        metadata_url: of SAML, where its metadata are; empty: they were given.
        sso_url: of SAML, by the metadata that were given, where a browser is sent.
        certificates: of SAML, by the same, of the keys that it signs with; base64 of DER.
        signs_requests: of SAML, what we ask is signed.
    """

    __tablename__ = "identity_providers"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("idp"))
    name: Mapped[str]
    kind: Mapped[Kind]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[bytes] = mapped_column(Sealed("identity-providers/{id}"))
    scopes: Mapped[str]
    groups_claim: Mapped[str] = mapped_column(default="")
    group_prefix: Mapped[str] = mapped_column(default="")
    allowed_domains: Mapped[list[str]] = mapped_column(default=list)
    required_groups: Mapped[list[str]] = mapped_column(default=list)
    creates_users: Mapped[bool] = mapped_column(default=True)
    links_by_email: Mapped[bool] = mapped_column(default=True)
    trusts_email: Mapped[bool] = mapped_column(default=False)
    metadata_url: Mapped[str] = mapped_column(default="")
    sso_url: Mapped[str] = mapped_column(default="")
    certificates: Mapped[list[str]] = mapped_column(default=list)
    signs_requests: Mapped[bool] = mapped_column(default=False)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


Index("uq_identity_providers_lower_name", func.lower(IdentityProvider.name), unique=True)


class Identity(Base):
    """A user's account at a provider.

    Attributes:
        subject: the provider's id of the account; the only thing of it that does not change hands.
        email: as it said last, for people who read the list.
    """

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("provider_id", "subject"),
        UniqueConstraint("provider_id", "user_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("identity"))
    provider_id: Mapped[str] = mapped_column(
        ForeignKey("identity_providers.id", ondelete="CASCADE")
    )
    subject: Mapped[str]
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    signed_in_at: Mapped[datetime | None]


class FederatedMember(Base):
    """A provider's groups put the user into the team, and will take them out again."""

    __tablename__ = "federated_members"

    provider_id: Mapped[str] = mapped_column(
        ForeignKey("identity_providers.id", ondelete="CASCADE"), primary_key=True
    )
    team_id: Mapped[str] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class SpentState(Base):
    """A way back from a provider that was used: kept until it would be too old anyway."""

    __tablename__ = "spent_states"

    state_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class FederatedCredential(Base):
    """Machines whose word an issuer vouches for act for a team, such as jobs of a pipeline.

    Attributes:
        issuer: whose tokens are taken, exactly as they call it.
        audience: what they must be made for.
        claims: what they must say, by claim; `*` stands for anything in a value.
    """

    __tablename__ = "federated_credentials"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("fc"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    issuer: Mapped[str]
    audience: Mapped[str]
    claims: Mapped[dict[str, Any]]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]
