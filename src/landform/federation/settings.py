"""What may be set of an identity provider. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit

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
}
_MOST: Final = 100  # domains, or groups
_DOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+")
_SCOPES: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_MANY_TENANTS: Final = ("common", "organizations", "consumers")


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """What a client gives of a provider; None means as it is, or its kind's for a new one."""

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
    is_enabled: bool | None = None


def given(settings: ProviderSettings) -> dict[str, Any]:
    """Return what was given, tidied up; the secret apart."""
    found = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if each.name != "client_secret" and getattr(settings, each.name) is not None
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
    return found


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
    for name in ("name", "issuer", "client_id"):
        if not every.get(name):
            hint = f", such as {PRESETS[kind].issuer_hint}" if name == "issuer" else ""
            raise InvalidError(f"An identity provider needs a {name}{hint}.", pointer=name)
    if secret is not None and not secret.strip():
        raise InvalidError("An identity provider needs a client_secret.", pointer="client_secret")
    _check_issuer(kind, str(every["issuer"]))
    _check_scopes(kind, str(every["scopes"]))
    _check_lists(every)
    _check_door(kind, every)


def _check_issuer(kind: Kind, issuer: str) -> None:
    try:
        parts = urlsplit(issuer)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    plain = issuer.isprintable() and " " not in issuer
    if (
        parts.scheme not in ("https", "http")
        or not host
        or not plain
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
