"""Credentials of a run that nobody stores: we sign who it is, and clouds that trust us believe it.

Which clouds, and as whom there, a workspace says in environment variables, by the names that TFE
has for them (https://developer.hashicorp.com/terraform/cloud-docs/dynamic-provider-credentials) or
Terrakube (its guide to dynamic provider credentials). A plan and an apply have subjects of their
own, so that a cloud can let the one read and the other write:

    organization:acme:project:Default Project:workspace:network:run_phase:plan
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from landform.contract import CREDENTIAL_FILES, Category, Credentials, PhaseJob, VaultLogin
from landform.identity import issuer
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.kit.errors import InvalidError

MOST_TOKENS: Final = 20

_AUTH: Final = re.compile(
    r"TFC_(?P<cloud>AWS|AZURE|GCP|VAULT|KUBERNETES)_PROVIDER_AUTH(?:_(?P<tag>\w+))?"
)
_MANUAL: Final = re.compile(r"TFC_WORKLOAD_IDENTITY_AUDIENCE(?:_(?P<tag>\w+))?")
_AUDIENCES: Final = {
    "AWS": "aws.workload.identity",
    "AZURE": "api://AzureADTokenExchange",
    "VAULT": "vault.workload.identity",
    "KUBERNETES": "kubernetes",
}
_TERRAKUBE: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS": {"TFC_AWS_RUN_ROLE_ARN": "WORKLOAD_IDENTITY_ROLE_AWS"},
    "AZURE": {"TFC_AZURE_RUN_CLIENT_ID": "ARM_CLIENT_ID"},
    "GCP": {"TFC_GCP_RUN_SERVICE_ACCOUNT_EMAIL": "WORKLOAD_IDENTITY_SERVICE_ACCOUNT_EMAIL"},
    "VAULT": {
        "TFC_VAULT_ADDR": "VAULT_ADDR",
        "TFC_VAULT_NAMESPACE": "VAULT_NAMESPACE",
        "TFC_VAULT_RUN_ROLE": "WORKLOAD_IDENTITY_VAULT_ROLE",
        "TFC_VAULT_AUTH_PATH": "WORKLOAD_IDENTITY_VAULT_AUTH_PATH",
        "TFC_VAULT_WORKLOAD_IDENTITY_AUDIENCE": "WORKLOAD_IDENTITY_VAULT_AUDIENCE",
    },
}
_STS: Final = "https://sts.googleapis.com/v1/token"
_IMPERSONATE: Final = (
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:generateAccessToken"
)


@dataclass(frozen=True)
class Asked:
    """A token that a run is to have.

    Attributes:
        put: says where it goes, once it is there.
        claims: beside those that every run's token has.
    """

    audience: str
    put: Callable[[str], Credentials]
    claims: Mapping[str, Any]


async def make_credentials(
    sessions: Sessions, keyring: Keyring, job: PhaseJob, *, public_url: str
) -> Credentials:
    """Return what the workspace's variables ask for; nothing, where they ask for nothing.

    Args:
        job: with `organization`, `project`, `workspace` and their `…_id` in its context.
        public_url: where the clouds find our keys; empty: nowhere.

    Raises:
        InvalidError: a variable is missing or wrong, or clouds do not reach us.
    """
    asked = list(wanted(job))
    if not asked:
        return Credentials()
    if not public_url:
        raise InvalidError(
            "The workspace asks for dynamic credentials, which a cloud gives only to an issuer that"
            " it reaches: set LANDFORM_PUBLIC_URL to the platform's address."
        )
    if len(asked) > MOST_TOKENS:
        raise InvalidError(
            f"The workspace asks for {len(asked)} identity tokens; {MOST_TOKENS} is the most."
        )
    parts = []
    for one in asked:
        token = await issuer.sign(
            sessions,
            keyring,
            issuer=public_url,
            subject=f"{_full_name(job)}:run_phase:{job.phase}",
            audience=one.audience,
            claims={**_claims(job), **one.claims},
            life_s=job.timeout_s + job.grace_s,
        )
        part = one.put(token)
        parts.append(part.model_copy(update={"secrets": (token, *part.secrets)}))
    return _joined(parts)


def wanted(job: PhaseJob) -> Iterator[Asked]:
    """Yield each token that the environment variables of `job` ask for.

    Raises:
        InvalidError: a variable is missing or wrong.
    """
    variables = {one.key: one.value for one in job.variables if one.category is Category.ENV}
    variables = _with_terrakubes(variables)
    tags: dict[str, list[str]] = {}
    for name, value in variables.items():
        if (match := _AUTH.fullmatch(name)) and _is_true(value):
            tags.setdefault(match["cloud"], []).append(match["tag"] or "")
        if (match := _MANUAL.fullmatch(name)) and value:
            yield Asked(
                value, _environment(_suffixed("TFC_WORKLOAD_IDENTITY_TOKEN", match["tag"])), {}
            )
    for cloud, found in sorted(tags.items()):
        for tag in sorted(found):
            settings = _Settings(variables, cloud, tag, job.phase.upper())
            yield Asked(
                settings.audience(), _CLOUDS[cloud](settings), _extra_claims(cloud, variables, job)
            )


@dataclass(frozen=True)
class _Settings:
    """What a workspace says of one way into one cloud; more ways are told apart by their tags."""

    variables: Mapping[str, str]
    cloud: str
    tag: str
    phase: str

    def get(self, name: str) -> str:
        """Return `TFC_{cloud}_{name}` of this tag, or what all tags share."""
        own = self.variables.get(_suffixed(f"TFC_{self.cloud}_{name}", self.tag), "")
        if own or not self.tag:
            return own
        return self.variables.get(f"TFC_DEFAULT_{self.cloud}_{name}", "")

    def need(self, name: str) -> str:
        """Return the same, which must be there.

        Raises:
            InvalidError: it is not.
        """
        if not (found := self.get(name)):
            raise InvalidError(
                f"{_suffixed(f'TFC_{self.cloud}_PROVIDER_AUTH', self.tag)} is set, so the workspace"
                f" needs the environment variable {_suffixed(f'TFC_{self.cloud}_{name}', self.tag)}"
                " too."
            )
        return found

    def of_phase(self, name: str) -> str:
        """Return what `TFC_{cloud}_PLAN_{name}` or `…_APPLY_…` says, or else `…_RUN_…`.

        Raises:
            InvalidError: none of them is there.
        """
        return self.get(f"{self.phase}_{name}") or self.need(f"RUN_{name}")

    def audience(self) -> str:
        said = self.get("WORKLOAD_IDENTITY_AUDIENCE")
        if self.cloud == "GCP":
            return said or f"//iam.googleapis.com/{_google_provider(self)}"
        return said or _AUDIENCES[self.cloud]

    def file(self, kind: str) -> str:
        """Return a name for a file of this configuration."""
        return "-".join(filter(None, ("workload", self.cloud.lower(), self.tag, kind)))


def _aws(settings: _Settings) -> Callable[[str], Credentials]:
    role = settings.of_phase("ROLE_ARN")
    if re.fullmatch(r"[\w+=,.@:/-]+", role) is None:
        raise InvalidError(f"{role!r} is not the ARN of a role.")
    token_file, config_file = settings.file("token"), settings.file("config")
    config = f"[default]\nweb_identity_token_file={_at(token_file)}\nrole_arn={role}\n"

    def put(token: str) -> Credentials:
        return _part(
            settings,
            files={token_file: token, config_file: config},
            environment={
                "AWS_WEB_IDENTITY_TOKEN_FILE": _at(token_file),
                "AWS_ROLE_ARN": role,
            },
            aliased={"shared_config_file": _at(config_file)},
        )

    return put


def _azure(settings: _Settings) -> Callable[[str], Credentials]:
    client_id = settings.of_phase("CLIENT_ID")
    token_file, client_file = settings.file("token"), settings.file("client-id")

    def put(token: str) -> Credentials:
        return _part(
            settings,
            files={token_file: token, client_file: client_id},
            environment={
                "ARM_USE_OIDC": "true",
                "ARM_CLIENT_ID": client_id,
                "ARM_OIDC_TOKEN": token,
                "ARM_OIDC_TOKEN_FILE_PATH": _at(token_file),
            },
            aliased={
                "client_id_file_path": _at(client_file),
                "oidc_token_file_path": _at(token_file),
            },
        )

    return put


def _google(settings: _Settings) -> Callable[[str], Credentials]:
    account = settings.of_phase("SERVICE_ACCOUNT_EMAIL")
    provider = _google_provider(settings)
    token_file, key_file = settings.file("token"), settings.file("credentials.json")
    # https://google.aip.dev/auth/4117: an external account, whose subject's token is in a file
    external = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{provider}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": _STS,
        "credential_source": {"file": _at(token_file), "format": {"type": "text"}},
        "service_account_impersonation_url": _IMPERSONATE.format(account),
    }

    def put(token: str) -> Credentials:
        return _part(
            settings,
            files={token_file: token, key_file: msgspec.json.encode(external).decode()},
            environment={
                "GOOGLE_CREDENTIALS": _at(key_file),
                "GOOGLE_APPLICATION_CREDENTIALS": _at(key_file),
            },
            aliased={"credentials": _at(key_file)},
        )

    return put


def _kubernetes(settings: _Settings) -> Callable[[str], Credentials]:
    token_file = settings.file("token")

    def put(token: str) -> Credentials:
        return _part(
            settings,
            files={token_file: token},
            environment={"KUBE_TOKEN": token},
            aliased={"token_path": _at(token_file)},
        )

    return put


def _vault(settings: _Settings) -> Callable[[str], Credentials]:
    if settings.tag:
        raise InvalidError(
            f"{_suffixed('TFC_VAULT_PROVIDER_AUTH', settings.tag)}: a run signs in to one Vault"
            " only. Remove the variable."
        )
    address = settings.need("ADDR").rstrip("/")
    role = settings.of_phase("ROLE")
    mount = settings.get("AUTH_PATH").strip("/") or "jwt"
    try:
        authority = b64decode(settings.get("ENCODED_CACERT"), validate=True).decode()
    except (NotBase64Error, UnicodeDecodeError):
        raise InvalidError("TFC_VAULT_ENCODED_CACERT is not a certificate in Base64.") from None

    def put(token: str) -> Credentials:
        return Credentials(
            vault=VaultLogin(
                address=address,
                mount=mount,
                role=role,
                namespace=settings.get("NAMESPACE"),
                authority=authority,
                jwt=token,
            )
        )

    return put


_CLOUDS: Final[Mapping[str, Callable[[_Settings], Callable[[str], Credentials]]]] = {
    "AWS": _aws,
    "AZURE": _azure,
    "GCP": _google,
    "KUBERNETES": _kubernetes,
    "VAULT": _vault,
}


def _google_provider(settings: _Settings) -> str:
    if name := settings.get("WORKLOAD_PROVIDER_NAME"):
        return name.removeprefix("//iam.googleapis.com/")
    number, pool, provider = (
        settings.get(name)
        for name in ("PROJECT_NUMBER", "WORKLOAD_POOL_ID", "WORKLOAD_PROVIDER_ID")
    )
    if not (number and pool and provider):
        return settings.need("WORKLOAD_PROVIDER_NAME")
    return f"projects/{number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"


def _part(
    settings: _Settings,
    *,
    files: dict[str, str],
    environment: dict[str, str],
    aliased: Mapping[str, str],
) -> Credentials:
    """Return one configuration's part; what has a tag is for provider blocks with an alias.

    Those find their own in `var.tfc_{cloud}_dynamic_credentials`.
    """
    name = f"tfc_{settings.cloud.lower()}_dynamic_credentials"
    return Credentials(
        files=files,
        environment={} if settings.tag else environment,
        terraform={name: msgspec.json.encode({settings.tag: aliased}).decode()},
    )


def _environment(name: str) -> Callable[[str], Credentials]:
    return lambda token: Credentials(environment={name: token})


def _joined(parts: list[Credentials]) -> Credentials:
    files: dict[str, str] = {}
    environment: dict[str, str] = {}
    aliases: dict[str, dict[str, Any]] = {}
    for part in parts:
        files |= part.files
        environment |= part.environment
        for name, value in part.terraform.items():
            aliases.setdefault(name, {}).update(msgspec.json.decode(value))
    return Credentials(
        files=files,
        environment=environment,
        terraform={
            name: _variable(found) for name, found in aliases.items() if found.keys() - {""}
        },
        secrets=[secret for part in parts for secret in part.secrets],
        vault=next((part.vault for part in parts if part.vault), None),
    )


def _variable(found: Mapping[str, Any]) -> str:
    """Return what TFE passes, as HCL, of which JSON without templates is a part."""
    aliases = {tag: value for tag, value in found.items() if tag}
    nothing = dict.fromkeys(next(iter(found.values())), "")
    return msgspec.json.encode({"default": found.get("", nothing), "aliases": aliases}).decode()


def _with_terrakubes(variables: Mapping[str, str]) -> dict[str, str]:
    """Return `variables` with Terrakube's switches said in TFE's names, unless those are there."""
    said: dict[str, str] = {}
    for cloud, names in _TERRAKUBE.items():
        if not _is_true(variables.get(f"ENABLE_DYNAMIC_CREDENTIALS_{cloud}", "")):
            continue
        audience = variables.get(f"WORKLOAD_IDENTITY_AUDIENCE_{cloud}", "")
        said |= {f"TFC_{cloud}_PROVIDER_AUTH": "true"}
        said |= {f"TFC_{cloud}_WORKLOAD_IDENTITY_AUDIENCE": audience} if audience else {}
        if cloud == "GCP" and audience:
            said["TFC_GCP_WORKLOAD_PROVIDER_NAME"] = audience.removeprefix("https:")
        said |= {ours: variables[theirs] for ours, theirs in names.items() if variables.get(theirs)}
    return said | dict(variables)


def _full_name(job: PhaseJob) -> str:
    named = ((kind, job.context[kind]) for kind in ("organization", "project", "workspace"))
    return ":".join(f"{kind}:{name}" for kind, name in named)


def _claims(job: PhaseJob) -> dict[str, str]:
    """Return what TFE's tokens say of a run, for clouds that judge by more than the subject."""
    claims = {
        "terraform_run_id": job.run_id,
        "terraform_run_phase": job.phase.value,
        "terraform_full_workspace": _full_name(job),
    }
    for kind in ("organization", "project", "workspace"):
        claims[f"terraform_{kind}_name"] = job.context[kind]
        claims[f"terraform_{kind}_id"] = job.context[f"{kind}_id"]
    return claims


def _extra_claims(cloud: str, variables: Mapping[str, str], job: PhaseJob) -> dict[str, Any]:
    """Return the session tags that AWS takes from a token, where Terrakube's switch asks for them.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
    """
    if cloud != "AWS" or not _is_true(variables.get("ENABLE_AWS_SESSION_TAGS", "")):
        return {}
    kinds = {"org": "organization", "project": "project", "workspace": "workspace"}
    tags = {f"terrakube:{short}": [job.context[kind]] for short, kind in kinds.items()}
    return {
        "https://aws.amazon.com/tags": {"principal_tags": tags, "transitive_tag_keys": list(tags)}
    }


def _suffixed(name: str, tag: str | None) -> str:
    return f"{name}_{tag}" if tag else name


def _is_true(value: str) -> bool:
    return value.strip().lower() in {"true", "1"}


def _at(file: str) -> str:
    return f"{CREDENTIAL_FILES}/{file}"
