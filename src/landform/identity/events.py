"""What happens to users and their credentials. No event holds a secret or its hash."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class UserCreated(Event):
    """A user can sign in from now on."""

    username: str
    is_site_admin: bool


@dataclass(frozen=True, kw_only=True)
class UserSuspended(Event):
    """A user was shut out: no sign-in, no token, no session of theirs works."""


@dataclass(frozen=True, kw_only=True)
class UserReinstated(Event):
    """A suspended user may sign in again."""


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Event):
    """A user has a new password."""


@dataclass(frozen=True, kw_only=True)
class SignedIn(Event):
    """A browser session began."""

    session_id: str


@dataclass(frozen=True, kw_only=True)
class PasswordRefused(Event):
    """Somebody gave a wrong password; the subject is the user, empty when nobody has the name.

    What was typed, be it as a name, is not told: it may be a password of somebody's.
    """


@dataclass(frozen=True, kw_only=True)
class CodeRefused(Event):
    """After a right password, somebody gave a wrong code; the subject is the user."""


@dataclass(frozen=True, kw_only=True)
class SecondFactorSet(Event):
    """A user has to give a code to sign in from now on."""


@dataclass(frozen=True, kw_only=True)
class SecondFactorRemoved(Event):
    """A user signs in with the password alone again."""


@dataclass(frozen=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """A user signed in, or removed the second factor, without the authenticator.

    Attributes:
        left: recovery codes that the user still has.
    """

    left: int


@dataclass(frozen=True, kw_only=True)
class SignInPolicyChanged(Event):
    """Signing in by password was switched on or off; the subject is the break-glass admin."""

    local_sign_in: bool


@dataclass(frozen=True, kw_only=True)
class SignedOut(Event):
    """A browser session was ended by its user."""

    session_id: str


@dataclass(frozen=True, kw_only=True)
class SessionRevoked(Event):
    """A browser was signed out from another one; the subject is the user."""

    session_id: str


@dataclass(frozen=True, kw_only=True)
class LoginApproved(Event):
    """A user let a command line have a token of theirs."""

    client_id: str


@dataclass(frozen=True, kw_only=True)
class TokenIssued(Event):
    """A credential was made."""

    owner_kind: str
    owner_id: str
    description: str


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """A credential was withdrawn."""

    owner_kind: str
    owner_id: str
    description: str
