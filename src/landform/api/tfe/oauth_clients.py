"""TFE's OAuth clients and tokens: the same VCS connections, in go-tfe's words.

Facts: go-tfe's oauth_client.go and oauth_token.go, tfe_openapi.json. A client has one token, whose
id is the client's with another beginning; it is there once the connection can be used.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    reads,
)
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.people import learn_organizations
from landform.edge.brief import BriefActor
from landform.edge.deps import process_of
from landform.kit.errors import InvalidError, NotFoundError
from landform.vcs import connections, expiry, queries
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.settings import ConnectionSettings
from landform.workspaces import organizations

router = new_router()

_CLIENT: Final = "oc-"
_TOKEN: Final = "ot-"  # noqa: S105 - how ids begin
_NAMES: Final = {
    Kind.AZURE_DEVOPS: "Azure DevOps Services",
    Kind.AZURE_DEVOPS_SERVER: "Azure DevOps Server",
    Kind.GITHUB: "GitHub",
    Kind.GITHUB_ENTERPRISE: "GitHub Enterprise",
    Kind.GITLAB: "GitLab",
    Kind.GITLAB_SELF_MANAGED: "GitLab Enterprise Edition",
    Kind.BITBUCKET: "Bitbucket Cloud",
    Kind.BITBUCKET_DATA_CENTER: "Bitbucket Data Center",
    Kind.GITEA: "Gitea",
    Kind.GIT: "Git",
}
_DEV_AZURE: Final = "https://dev.azure.com"
_GITLAB_API: Final = "/api/v4"
_USES_KEY: Final = frozenset(
    {SignIn.SERVICE_PRINCIPAL_CERTIFICATE, SignIn.GITHUB_APP, SignIn.SSH_KEY}
)


def has_token(row: Connection) -> bool:
    """Tell whether there is a token: of ways that need nobody there always is."""
    return not row.waits_for_person


def token_id(row: Connection) -> str:
    """Return the id of the client's token."""
    return _TOKEN + row.id.removeprefix(_CLIENT)


def _token_ids(row: Connection) -> list[str]:
    return [token_id(row)] if has_token(row) else []


def _organization(row: Connection, context: Context) -> str:
    return context.organization_names[row.organization_id]


async def _prepare(rows: Sequence[Connection], context: Context) -> None:
    await learn_organizations(context, (row.organization_id for row in rows))


async def _by_ids(ids: Sequence[str], context: Context) -> Iterable[Connection]:
    return await seen(
        lambda each: queries.get_connection(
            context.session, context.actor, _CLIENT + each.partition("-")[2]
        ),
        ids,
    )


class OAuthClientAttributes(Attributes[Connection]):
    """A connection between an organization and a VCS provider."""

    name: str
    created_at: datetime
    updated_at: datetime
    callback_url: str
    connect_path: str | None = reads(lambda _: None)
    service_provider: str = reads("kind")
    service_provider_display_name: str = reads(lambda row: _NAMES[row.kind])
    http_url: str = reads(lambda row: row.endpoint or row.api_url or _default(row, "web"))
    api_url: str = reads(lambda row: row.api_url or _api(row))
    key: str | None = reads(lambda row: row.client_id or None)
    ado_entra_tenant_id: str | None = reads(lambda row: row.tenant or None)
    secret: str | None = reads(lambda _: None)
    rsa_public_key: str | None = reads(lambda _: None)
    organization_scoped: bool = reads(lambda _: True)
    sign_in: str
    status: str
    status_reason: str
    warning: str = reads(expiry.warning)


def _default(row: Connection, what: str) -> str:
    if row.kind is Kind.GITHUB:
        return "https://github.com" if what == "web" else "https://api.github.com"
    if row.kind is Kind.GITLAB:
        return "https://gitlab.com" if what == "web" else f"https://gitlab.com{_GITLAB_API}"
    if row.kind is Kind.BITBUCKET:
        return "https://bitbucket.org" if what == "web" else "https://api.bitbucket.org/2.0"
    return _DEV_AZURE if row.kind is Kind.AZURE_DEVOPS else ""


def _api(row: Connection) -> str:
    if row.kind in (Kind.GITLAB, Kind.GITLAB_SELF_MANAGED) and row.endpoint:
        return f"{row.endpoint}{_GITLAB_API}"
    return row.endpoint or _default(row, "api")


OAUTH_CLIENTS = Resource[Connection, Context](
    TFE,
    "oauth-clients",
    OAuthClientAttributes,
    relationships=[
        ToOne("organization", "organizations", id=_organization),
        ToMany("oauth_tokens", "oauth-tokens", ids=_token_ids),
    ],
    by_ids=_by_ids,
    prepare=_prepare,
)


class OAuthTokenAttributes(Attributes[Connection]):
    """What a connection shows its provider; the token itself is never shown."""

    created_at: datetime = reads(lambda row: row.connected_at or row.created_at)
    service_provider_user: str | None = reads(
        lambda row: (row.capabilities or {}).get("identity") or None
    )
    has_ssh_key: bool = reads(lambda row: bool(row.has_ssh_key))


OAUTH_TOKENS = Resource[Connection, Context](
    TFE,
    "oauth-tokens",
    OAuthTokenAttributes,
    key=token_id,
    relationships=[ToOne("oauth_client", "oauth-clients", id="id")],
    by_ids=_by_ids,
)


class OAuthClientInput(Kebab):
    """What a client gives of a connection; with a token string there is nothing to sign in for."""

    service_provider: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    http_url: str | UnsetType | None = UNSET
    api_url: str | UnsetType | None = UNSET
    key: str | UnsetType | None = UNSET
    secret: str | UnsetType | None = UNSET
    oauth_token_string: str | UnsetType | None = UNSET
    ado_entra_tenant_id: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET


class OAuthTokenInput(Kebab):
    """An SSH key, for submodules."""

    ssh_key: str | UnsetType | None = UNSET


CLIENT = Input(TFE, "oauth-clients", OAuthClientInput)
TOKEN = Input(TFE, "oauth-tokens", OAuthTokenInput)
OneClient = Annotated[Query, Depends(OAUTH_CLIENTS.query)]
Clients = Annotated[ListQuery, Depends(OAUTH_CLIENTS.list_query)]
OneToken = Annotated[Query, Depends(OAUTH_TOKENS.query)]
Tokens = Annotated[ListQuery, Depends(OAUTH_TOKENS.list_query)]
SentClient = Annotated[Body[OAuthClientInput], Depends(CLIENT)]
SentToken = Annotated[Body[OAuthTokenInput], Depends(TOKEN)]


@router.get("/organizations/{organization}/oauth-clients")
async def list_clients(organization: str, query: Clients, context: CurrentContext) -> Response:
    owner = await organizations.by_name(context.session, context.actor, organization)
    found = await queries.list_connections(context.session, context.actor, owner.id, query.page)
    return await OAUTH_CLIENTS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/oauth-clients", status_code=201)
async def create(
    organization: str, body: SentClient, query: OneClient, context: CurrentContext
) -> Response:
    owner = await organizations.by_name(context.session, context.actor, organization)
    kind, sign_in = _kind_of(body.attributes)
    row = await connections.create_connection(
        context.session,
        context.process.platform.keyring,
        context.actor,
        owner.id,
        _settings(body.attributes, kind),
        kind=kind,
        sign_in=sign_in,
        base=context.base,
    )
    return await OAUTH_CLIENTS.one(row, query, context)


@router.get("/oauth-clients/{oauth_client_id}")
async def read(oauth_client_id: str, query: OneClient, context: CurrentContext) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    return await OAUTH_CLIENTS.one(row, query, context)


@router.patch("/oauth-clients/{oauth_client_id}")
async def update(
    oauth_client_id: str, body: SentClient, query: OneClient, context: CurrentContext
) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    settings = _settings(body.attributes, row.kind)
    keyring = context.process.platform.keyring
    await connections.update_connection(context.session, keyring, context.actor, row, settings)
    return await OAUTH_CLIENTS.one(row, query, context)


@router.delete("/oauth-clients/{oauth_client_id}", status_code=204)
async def delete(request: Request, oauth_client_id: str, actor: BriefActor) -> Response:
    """Remove it, and its hooks at the provider."""
    await connections.delete_connection(process_of(request).reach, actor, oauth_client_id)
    return Response(status_code=204)


@router.get("/oauth-clients/{oauth_client_id}/oauth-tokens")
async def list_of_client(oauth_client_id: str, query: Tokens, context: CurrentContext) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    return await OAUTH_TOKENS.many([row] if has_token(row) else [], query, context)


@router.get("/organizations/{organization}/oauth-tokens")
async def list_tokens(organization: str, query: Tokens, context: CurrentContext) -> Response:
    owner = await organizations.by_name(context.session, context.actor, organization)
    rows = await queries.list_usable(context.session, context.actor, owner.id)
    page = rows[query.page.offset :][: query.page.size]
    return await OAUTH_TOKENS.many(page, query, context, total=len(rows))


@router.get("/oauth-tokens/{oauth_token_id}")
async def read_token(oauth_token_id: str, query: OneToken, context: CurrentContext) -> Response:
    return await OAUTH_TOKENS.one(await _of_token(context, oauth_token_id), query, context)


@router.patch("/oauth-tokens/{oauth_token_id}")
async def update_token(
    oauth_token_id: str, body: SentToken, query: OneToken, context: CurrentContext
) -> Response:
    """Keep an SSH key for submodules; the token itself comes from the provider alone."""
    row = await _of_token(context, oauth_token_id)
    key = given(body.attributes).get("ssh_key")
    if key is not None:
        if row.sign_in in _USES_KEY:
            raise InvalidError(
                f"A connection that signs in by {row.sign_in} has a key already.",
                pointer="ssh_key",
            )
        settings = ConnectionSettings(private_key=key)
        keyring = context.process.platform.keyring
        await connections.update_connection(context.session, keyring, context.actor, row, settings)
    return await OAUTH_TOKENS.one(row, query, context)


@router.delete("/oauth-tokens/{oauth_token_id}", status_code=204)
async def delete_token(oauth_token_id: str, context: CurrentContext) -> Response:
    """Forget the token; the connection waits for somebody to sign in."""
    row = await _of_token(context, oauth_token_id)
    await connections.disconnect(context.session, context.actor, row)
    return Response(status_code=204)


async def _of_token(context: Context, oauth_token_id: str) -> Connection:
    missing = NotFoundError(f"There is no OAuth token {oauth_token_id}.")
    if not oauth_token_id.startswith(_TOKEN):
        raise missing
    client_id = _CLIENT + oauth_token_id.removeprefix(_TOKEN)
    try:
        row = await queries.get_connection(context.session, context.actor, client_id)
    except NotFoundError:
        raise missing from None
    if not has_token(row):
        raise missing
    return row


def _kind_of(sent: OAuthClientInput) -> tuple[Kind, SignIn]:
    try:
        kind = Kind(str(sent.service_provider or ""))
    except ValueError:
        known = ", ".join(Kind)
        raise InvalidError(
            f"{sent.service_provider!r} is no service provider; give one of {known}.",
            pointer="service_provider",
        ) from None
    if sent.oauth_token_string:
        return kind, SignIn.TOKEN
    if sent.ado_entra_tenant_id and kind is Kind.AZURE_DEVOPS:
        return kind, SignIn.ENTRA_OAUTH
    return kind, SignIn.OAUTH


def _settings(sent: OAuthClientInput, kind: Kind) -> ConnectionSettings:
    values = {name: value for name, value in given(sent).items() if value is not None}
    found: dict[str, Any] = {
        "client_id": values.get("key"),
        "client_secret": values.get("oauth_token_string") or values.get("secret"),
        "tenant": values.get("ado_entra_tenant_id"),
        "account": values.get("account"),
        "endpoint": values.get("http_url"),
        "api_url": values.get("api_url"),
        "name": values.get("name"),
    }
    if sent.service_provider and not values.get("name"):
        found["name"] = _NAMES[kind]
    if kind is Kind.AZURE_DEVOPS:
        _read_azure(found)
    return ConnectionSettings(**found)


def _read_azure(found: dict[str, Any]) -> None:
    """Take the organization out of the address, where TFE's users write it.

    TFE's `http-url` is where the service is; ours is where tokens are, which is another place.
    """
    address = str(found.pop("endpoint") or found["api_url"] or "").rstrip("/")
    api = str(found["api_url"] or "").rstrip("/")
    url = urlsplit(api or address)
    path = url.path.strip("/")
    if path and "/" not in path:
        found["account"] = found["account"] or path
        api = f"{url.scheme}://{url.netloc}"
    found["api_url"] = None if api in ("", _DEV_AZURE) else api
