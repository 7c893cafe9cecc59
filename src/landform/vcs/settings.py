"""What may be set of a connection, and what each way to sign in needs. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from landform.kit.errors import InvalidError
from landform.kit.text import check_text
from landform.vcs.host_keys import read_host_keys
from landform.vcs.kinds import WAYS, Kind, SignIn
from landform.vcs.sealing import SECRET_NAMES

NAME_LIMIT: Final = 128  # characters
_TEXT_LIMITS: Final[Mapping[str, int]] = {
    "name": NAME_LIMIT,
    "description": 1024,
    "endpoint": 1024,
    "api_url": 1024,
    "account": 256,
    "tenant": 256,
    "client_id": 256,
    "username": 256,
    "known_hosts": 16 * 1024,
    "redirect_url": 2048,
    "client_secret": 8 * 1024,
    "private_key": 32 * 1024,
    "certificate": 32 * 1024,
}
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_CALLBACK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_AZURE_NEEDS_ACCOUNT: Final = (
    SignIn.TOKEN,
    SignIn.SERVICE_PRINCIPAL_SECRET,
    SignIn.SERVICE_PRINCIPAL_CERTIFICATE,
    SignIn.SERVICE_PRINCIPAL_FEDERATED,
    SignIn.MANAGED_IDENTITY,
)

NEEDS: Final[Mapping[SignIn, tuple[str, ...]]] = {
    SignIn.OAUTH: ("client_id", "client_secret"),
    SignIn.ENTRA_OAUTH: ("client_id",),
    SignIn.SERVICE_PRINCIPAL_SECRET: ("tenant", "client_id", "client_secret"),
    SignIn.SERVICE_PRINCIPAL_CERTIFICATE: ("tenant", "client_id", "certificate", "private_key"),
    SignIn.SERVICE_PRINCIPAL_FEDERATED: ("tenant", "client_id"),
    SignIn.MANAGED_IDENTITY: (),
    SignIn.TOKEN: ("client_secret",),
    SignIn.GITHUB_APP: (),  # neither, and it is registered from here; see `_check_app`
    SignIn.SSH_KEY: (),
    SignIn.PASSWORD: ("username", "client_secret"),
}

# A token of one place is worthless at another: a change of these drops it.
IDENTIFYING: Final = frozenset({"endpoint", "api_url", "client_id", "tenant"})


@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """What a client gives of a connection; None means as it is, or the default for a new one.

    Attributes:
        client_secret: of an application; or the one token or password of ways that have no more.
        callback: what may stand for the id in the callback's address.
        secret_expires_at: when the secret ends, for providers that cannot be asked.
    """

    name: str | None = None
    description: str | None = None
    endpoint: str | None = None
    api_url: str | None = None
    account: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    username: str | None = None
    known_hosts: str | None = None
    callback: str | None = None
    redirect_url: str | None = None
    secret_expires_at: datetime | None = None
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)


def given(settings: ConnectionSettings) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was given: the open settings, and the secrets."""
    found = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if getattr(settings, each.name) is not None
    }
    secrets: dict[str, str] = {
        name: found.pop(name).strip() for name in SECRET_NAMES if name in found
    }
    for name in ("endpoint", "api_url"):
        if name in found:
            found[name] = found[name].strip().rstrip("/")
    if "callback" in found:
        found["callback"] = found["callback"] or None
    return found, secrets


def check(
    kind: Kind, sign_in: SignIn, settings: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    """Refuse settings that cannot work.

    Raises:
        InvalidError: one of them is malformed, or lacks.
    """
    if sign_in not in WAYS[kind]:
        ways = ", ".join(WAYS[kind])
        raise InvalidError(
            f"{kind} is not signed in to by {sign_in} but by {ways}.", pointer="sign_in"
        )
    every = {**settings, **secrets}
    for name, limit in _TEXT_LIMITS.items():
        check_text(str(every.get(name) or ""), what=f"The {name}", limit=limit, pointer=name)
    if not str(every.get("name") or "").strip():
        raise InvalidError("A connection needs a name.", pointer="name")
    for name in NEEDS[sign_in]:
        if not every.get(name):
            raise InvalidError(f"To sign in by {sign_in}, give a {name}.", pointer=name)
    if sign_in is SignIn.GITHUB_APP:
        _check_app(every)
    _check_account(kind, sign_in, every)
    _check_addresses(kind, sign_in, every)
    if kind is Kind.GIT and not _USER.fullmatch(str(every.get("username") or "git")):
        raise InvalidError(
            "A user of git is a name: letters, digits, `.`, `_`, `-`.", pointer="username"
        )
    read_host_keys(str(every.get("known_hosts") or ""))


def check_lines(secrets: Mapping[str, str]) -> datetime | None:
    """Check the certificate, and return when it ends.

    Raises:
        InvalidError: it is no certificate.
    """
    text = secrets.get("certificate", "")
    if not text:
        return None
    try:
        return x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
    except ValueError:
        raise InvalidError(
            "The certificate is not PEM: it begins with -----BEGIN CERTIFICATE-----.",
            pointer="certificate",
        ) from None


def _check_app(every: Mapping[str, Any]) -> None:
    for name, other in (("client_id", "private_key"), ("private_key", "client_id")):
        if every.get(other) and not every.get(name):
            raise InvalidError(
                f"With a {other}, give a {name} too; with neither, the app is registered for you.",
                pointer=name,
            )


def _check_account(kind: Kind, sign_in: SignIn, every: Mapping[str, Any]) -> None:
    azure = kind in (Kind.AZURE_DEVOPS, Kind.AZURE_DEVOPS_SERVER)
    if azure and sign_in in _AZURE_NEEDS_ACCOUNT and not every.get("account"):
        what = "organization" if kind is Kind.AZURE_DEVOPS else "collection"
        raise InvalidError(
            f"Name the Azure DevOps {what}, which cannot be found out this way: `account`.",
            pointer="account",
        )
    own_host = kind in (
        Kind.AZURE_DEVOPS_SERVER,
        Kind.GITHUB_ENTERPRISE,
        Kind.GITLAB_SELF_MANAGED,
        Kind.BITBUCKET_DATA_CENTER,
        Kind.GITEA,
        Kind.GIT,
    )
    if own_host and not (every.get("endpoint") or every.get("api_url")):
        raise InvalidError(f"Say where your {kind} is: `endpoint`.", pointer="endpoint")


def _check_addresses(kind: Kind, sign_in: SignIn, every: Mapping[str, Any]) -> None:
    schemes: tuple[str, ...] = ("https", "http")
    if kind is Kind.GIT:
        schemes = ("ssh",) if sign_in is SignIn.SSH_KEY else schemes
        if not every.get("endpoint"):
            raise InvalidError("Say where the git server is: `endpoint`.", pointer="endpoint")
    for name in ("endpoint", "api_url"):
        if every.get(name):
            _check_url(name, str(every[name]), schemes=schemes)
    redirect = str(every.get("redirect_url") or "")
    if redirect and not (redirect.startswith("/") and not redirect.startswith(("//", "/\\"))):
        _check_url("redirect_url", redirect, schemes=("https", "http"))
    callback = every.get("callback")
    if callback and (_CALLBACK.fullmatch(callback) is None or callback.startswith("oc-")):
        raise InvalidError(
            "A callback is one segment of a path: letters, digits, `-`, `_` and `.`, at most 128,"
            " and not beginning with `oc-`.",
            pointer="callback",
        )


def _check_url(name: str, url: str, *, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    plain = not any(letter <= " " for letter in url)
    bare = name == "redirect_url" or not (parts.query or parts.fragment)
    if parts.scheme not in schemes or not host or not plain or not bare or parts.username:
        raise InvalidError(
            f"{url!r} is not an address: {schemes[0]}://HOST[:PORT][/PATH], without a user.",
            pointer=name,
        )
