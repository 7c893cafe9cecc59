"""The identity providers we know of, and what is different about each. Pure.

Facts: each provider's own documentation of its OpenID Connect; GitHub has OAuth only. Whoever
speaks SAML is of one kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_USUAL: Final = "openid profile email"


class Kind(StrEnum):
    """Who keeps the accounts."""

    ENTRA_ID = "entra-id"
    GOOGLE = "google"
    OKTA = "okta"
    KEYCLOAK = "keycloak"
    DEX = "dex"
    GITLAB = "gitlab"
    GITHUB = "github"
    OIDC = "oidc"
    SAML = "saml"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What is set of a provider of this kind unless somebody says otherwise.

    Attributes:
        issuer: where it is, if it is at one place.
        issuer_hint: what to type where it is not.
        groups_claim: where an ID token, or the answer of the user info endpoint, has the groups;
            of SAML, the attribute's name.
        is_public: anybody in the world can have an account there.
    """

    label: str
    issuer: str = ""
    issuer_hint: str = ""
    scopes: str = _USUAL
    groups_claim: str = ""
    is_public: bool = False


PRESETS: Final[Mapping[Kind, Preset]] = {
    Kind.ENTRA_ID: Preset(
        label="Microsoft Entra ID",
        issuer_hint="https://login.microsoftonline.com/TENANT-ID/v2.0",
        groups_claim="groups",
    ),
    Kind.GOOGLE: Preset(label="Google", issuer="https://accounts.google.com", is_public=True),
    Kind.OKTA: Preset(
        label="Okta",
        issuer_hint="https://NAME.okta.com",
        scopes=f"{_USUAL} groups",
        groups_claim="groups",
    ),
    Kind.KEYCLOAK: Preset(
        label="Keycloak", issuer_hint="https://HOST/realms/REALM", groups_claim="groups"
    ),
    Kind.DEX: Preset(
        label="Dex",
        issuer_hint="https://HOST/dex",
        scopes=f"{_USUAL} groups",
        groups_claim="groups",
    ),
    Kind.GITLAB: Preset(
        label="GitLab", issuer="https://gitlab.com", groups_claim="groups", is_public=True
    ),
    Kind.GITHUB: Preset(
        label="GitHub",
        issuer="https://github.com",
        scopes="read:user user:email read:org",
        groups_claim="teams",
        is_public=True,
    ),
    Kind.OIDC: Preset(label="OpenID Connect", issuer_hint="https://HOST", groups_claim="groups"),
    Kind.SAML: Preset(label="SAML 2.0", scopes="", groups_claim="groups"),
}
