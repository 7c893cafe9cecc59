"""What happens to identity providers and by their word. No event holds a secret."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class IdentityProviderCreated(Event):
    """People can sign in through another provider."""

    name: str
    kind: str
    issuer: str


@dataclass(frozen=True, kw_only=True)
class IdentityProviderUpdated(Event):
    """Settings of a provider are other than before."""

    name: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class IdentityProviderDeleted(Event):
    """Nobody can sign in through the provider any more."""

    name: str


@dataclass(frozen=True, kw_only=True)
class IdentityLinked(Event):
    """An account at a provider is a user's from now on; the subject is the user.

    Attributes:
        how: `new` (the user was made for it), `email` or `explicit`.
    """

    provider_id: str
    identity_id: str
    how: str


@dataclass(frozen=True, kw_only=True)
class IdentityUnlinked(Event):
    """An account at a provider is no longer the user's, who is the subject."""

    provider_id: str
    identity_id: str


@dataclass(frozen=True, kw_only=True)
class SignedInThrough(Event):
    """A user, the subject, came in by a provider's word."""

    provider_id: str
    identity_id: str


@dataclass(frozen=True, kw_only=True)
class ProviderSignInRefused(Event):
    """Somebody came back from a provider and was not let in; the subject is the provider."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class FederatedCredentialCreated(Event):
    """Machines that an issuer vouches for may act for the team; the subject is the credential."""

    name: str
    team_id: str
    issuer: str


@dataclass(frozen=True, kw_only=True)
class FederatedCredentialDeleted(Event):
    """They may no longer; the tokens they were given are gone."""

    name: str
    team_id: str


@dataclass(frozen=True, kw_only=True)
class WorkloadSignedIn(Event):
    """A machine showed a token that `issuer` had signed, and was given one of the team."""

    name: str
    team_id: str
    issuer: str
    workload: str


@dataclass(frozen=True, kw_only=True)
class WorkloadRefused(Event):
    """A machine's token was not taken; `reason` says why, without the token."""

    name: str
    team_id: str
    reason: str
