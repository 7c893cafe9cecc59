"""What may be set of an identity provider. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from landform.federation import saml_extra
from landform.federation.kinds import PRESETS, Kind
from landform.kit.errors import InvalidError
from landform.kit.text import check_text

_LIMITS: Final[Mapping[str, int]] = {
    "name": 60,
    "issuer": 1024,
    "client_id": 256,
    "client_secret": 4096,
    "scopes": 512,
    "groups_claim": 256,
    "group_prefix": 64,
    "metadata_url": 1024,
}
_MOST: Final = 100  # domains, or groups
_DOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+")
_SCOPES: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_MANY_TENANTS: Final = ("common", "organizations", "consumers")


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """What a client gives of a provider; None means as it is, or its kind's for a new one.

    Attributes:
        metadata: of a provider that speaks SAML, as XML; empty: as they are.
    """

    name: str | None = None
    issuer: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scopes: str | None = None
    groups_claim: str | None = None
    group_prefix: str | None = None
    allowed_domains: Sequence[str] | None = None
    required_groups: Sequence[str] | None = None
    creates_users: bool | None = None
    links_by_email: bool | None = None
    trusts_email: bool | None = None
    metadata: str | None = field(default=None, repr=False)
    metadata_url: str | None = None
    signs_requests: bool | None = None
    is_enabled: bool | None = None


def given(settings: ProviderSettings) -> dict[str, Any]:
    """Return what was given, tidied up; the secret apart, and metadata as what they say.

    Raises:
        InvalidError: the metadata cannot be read.
    """
    found = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if each.name not in ("client_secret", "metadata")
        and getattr(settings, each.name) is not None
    }
    for name, value in found.items():
        if isinstance(value, str):
            found[name] = value.strip()
    if "scopes" in found:
        found["scopes"] = " ".join(found["scopes"].split())
    if "allowed_domains" in found:
        domains = (each.strip().lstrip("@").lower() for each in found["allowed_domains"])
        found["allowed_domains"] = sorted({each for each in domains if each})
    if "required_groups" in found:
        groups = (each.strip() for each in found["required_groups"])
        found["required_groups"] = sorted({each for each in groups if each})
    return found | _of_metadata(settings, found)


def _of_metadata(settings: ProviderSettings, found: Mapping[str, Any]) -> dict[str, Any]:
    if found.get("metadata_url"):
        if (settings.metadata or "").strip():
            raise InvalidError(
                "Give the metadata or their address, not both.", pointer="metadata_url"
            )
        return {"sso_url": "", "certificates": []}
    if not (settings.metadata or "").strip():
        return {}
    said = saml_extra.read_metadata(settings.metadata or "")
    if found.get("issuer") not in (None, "", said.issuer):
        raise InvalidError(f"The metadata are of {said.issuer!r}.", pointer="issuer")
    if said.wants_signed and settings.signs_requests is False:
        raise InvalidError(
            "The provider takes signed requests only; have them signed.", pointer="signs_requests"
        )
    return {
        "issuer": said.issuer,
        "sso_url": said.sso_url,
        "certificates": list(said.certificates),
        "metadata_url": "",
    } | ({"signs_requests": True} if said.wants_signed else {})


def defaults(kind: Kind) -> dict[str, Any]:
    """Return the settings of a new provider of which nothing is said."""
    preset = PRESETS[kind]
    return {
        "name": preset.label,
        "issuer": preset.issuer,
        "scopes": preset.scopes,
        "groups_claim": preset.groups_claim,
        "group_prefix": "",
        "allowed_domains": [],
        "required_groups": [],
        "creates_users": True,
        "links_by_email": True,
        "trusts_email": False,
        "metadata_url": "",
        "sso_url": "",
        "certificates": [],
        "signs_requests": False,
        "is_enabled": True,
    }


def check(kind: Kind, every: Mapping[str, Any], secret: str | None) -> None:
    """Refuse settings that cannot work, or that let the whole world in.

    Args:
        every: all settings as they are going to be.
        secret: a new one; None: the present one stays.

    Raises:
        InvalidError: one of them is malformed, lacks, or is not safe.
    """
    for name, limit in _LIMITS.items():
        text = (secret or "") if name == "client_secret" else str(every.get(name) or "")
        check_text(text, what=f"The {name}", limit=limit, pointer=name)
    if kind is Kind.SAML:
        _check_saml(every)
    else:
        _check_registration(kind, every, secret)
    _check_lists(every)
    _check_door(kind, every)


def _check_registration(kind: Kind, every: Mapping[str, Any], secret: str | None) -> None:
    for name in ("name", "issuer", "client_id"):
        if not every.get(name):
            hint = f", such as {PRESETS[kind].issuer_hint}" if name == "issuer" else ""
            raise InvalidError(f"An identity provider needs a {name}{hint}.", pointer=name)
    if secret is not None and not secret.strip():
        raise InvalidError("An identity provider needs a client_secret.", pointer="client_secret")
    if every["metadata_url"] or every["sso_url"] or every["signs_requests"]:
        raise InvalidError("Only a provider of the kind saml has metadata.", pointer="metadata")
    _check_issuer(kind, str(every["issuer"]))
    _check_scopes(kind, str(every["scopes"]))


def _check_saml(every: Mapping[str, Any]) -> None:
    saml_extra.require_installed()
    if not every["name"]:
        raise InvalidError("An identity provider needs a name.", pointer="name")
    for name in ("issuer", "client_id"):
        if not every.get(name, "").isprintable() or " " in every.get(name, ""):
            raise InvalidError(f"{every[name]!r} is no entity id.", pointer=name)
    if every["metadata_url"]:
        parts = _parts(every["metadata_url"])
        if parts is None or parts.scheme not in ("https", "http") or parts.username:
            raise InvalidError(
                f"{every['metadata_url']!r} is no address of metadata.", pointer="metadata_url"
            )
        if not every["issuer"]:
            raise InvalidError(
                "With the address of metadata, say whose: the provider's entity id.",
                pointer="issuer",
            )
    elif every["is_enabled"] and not every["sso_url"]:
        raise InvalidError(
            "Give the provider's metadata, or their address. Before it has any, make it switched"
            " off: it says then what the provider has to know.",
            pointer="metadata",
        )


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address that names a host, or None."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if host and url.isprintable() and " " not in url else None


def _check_issuer(kind: Kind, issuer: str) -> None:
    parts = _parts(issuer)
    if (
        parts is None
        or parts.scheme not in ("https", "http")
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise InvalidError(
            f"{issuer!r} is not an issuer: https://HOST[:PORT][/PATH], as the provider writes it.",
            pointer="issuer",
        )
    if kind is Kind.ENTRA_ID and any(each in parts.path.split("/") for each in _MANY_TENANTS):
        raise InvalidError(
            "Name your own tenant in the issuer; `common`, `organizations` and `consumers` let"
            " people of every tenant in.",
            pointer="issuer",
        )


def _check_scopes(kind: Kind, scopes: str) -> None:
    if _SCOPES.fullmatch(scopes) is None:
        raise InvalidError("Scopes are words with a space between them.", pointer="scopes")
    if kind is not Kind.GITHUB and "openid" not in scopes.split():
        raise InvalidError("Without the scope `openid` nobody can sign in.", pointer="scopes")


def _check_lists(every: Mapping[str, Any]) -> None:
    for name in ("allowed_domains", "required_groups"):
        if len(every[name]) > _MOST:
            raise InvalidError(f"At most {_MOST} {name} can be named.", pointer=name)
    for domain in every["allowed_domains"]:
        if _DOMAIN.fullmatch(domain) is None:
            raise InvalidError(
                f"{domain!r} is no domain; one is example.com.", pointer="allowed_domains"
            )
    for group in every["required_groups"]:
        check_text(group, what="A group", limit=256, pointer="required_groups")
    if every["required_groups"] and not every["groups_claim"]:
        raise InvalidError(
            "To require a group, say where the groups are: groups_claim.", pointer="groups_claim"
        )


def _check_door(kind: Kind, every: Mapping[str, Any]) -> None:
    is_narrow = every["allowed_domains"] or every["required_groups"]
    if PRESETS[kind].is_public and every["creates_users"] and not is_narrow:
        raise InvalidError(
            f"Anybody can have an account at {PRESETS[kind].label}. Say whose to let in, by"
            " allowed_domains or required_groups, or let it make no users (creates_users).",
            pointer="creates_users",
        )
