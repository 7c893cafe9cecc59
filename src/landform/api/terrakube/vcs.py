"""Terrakube's `vcs`: VCS connections. Facts: terrakube_backend.md §1.4 and §2.

Beside Terrakube's own attributes it takes `signIn`, which says how to sign in where a provider has
several ways, and shows what an administrator needs to register and to mend.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    given,
    reads,
    seen,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    brief_context,
    new_router,
    selection_of,
)
from landform.edge.brief import BriefActor
from landform.kit.errors import InvalidError
from landform.triggers import hook_secrets
from landform.vcs import callback, connections, expiry, queries
from landform.vcs.kinds import WAYS, Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.oauth import federated_subject
from landform.vcs.settings import ConnectionSettings
from landform.workspaces import organizations

router = new_router()

_STATUS: Final[Mapping[ConnectionStatus, str]] = {
    ConnectionStatus.PENDING: "PENDING",
    ConnectionStatus.CONNECTED: "COMPLETED",
    ConnectionStatus.NEEDS_RECONNECT: "NEEDS_RECONNECT",
    ConnectionStatus.FAILED: "ERROR",
}
_TYPE: Final[Mapping[Kind, str]] = {
    Kind.AZURE_DEVOPS: "AZURE_DEVOPS",
    Kind.AZURE_DEVOPS_SERVER: "AZURE_DEVOPS_SERVER",
    Kind.GITHUB: "GITHUB",
    Kind.GITHUB_ENTERPRISE: "GITHUB",
    Kind.GITLAB: "GITLAB",
    Kind.GITLAB_SELF_MANAGED: "GITLAB",
    Kind.BITBUCKET: "BITBUCKET",
    Kind.BITBUCKET_DATA_CENTER: "BITBUCKET_DATA_CENTER",
    Kind.GITEA: "GITEA",
    Kind.GIT: "GIT",
}
# Terrakube has one type for the public service and for a server of one's own.
_PUBLIC: Final[Mapping[Kind, str]] = {
    Kind.GITHUB: "https://github.com",
    Kind.GITLAB: "https://gitlab.com",
    Kind.BITBUCKET: "https://bitbucket.org",
}
_OWN: Final[Mapping[Kind, Kind]] = {
    Kind.GITHUB: Kind.GITHUB_ENTERPRISE,
    Kind.GITLAB: Kind.GITLAB_SELF_MANAGED,
    Kind.BITBUCKET: Kind.BITBUCKET_DATA_CENTER,
}
_MANAGED: Final = "AZURE_SP_MI"
_STANDALONE: Final = "STANDALONE"


def _type(row: Connection) -> str:
    managed = row.kind is Kind.AZURE_DEVOPS and row.sign_in is SignIn.MANAGED_IDENTITY
    return _MANAGED if managed else _TYPE[row.kind]


def _connection_type(row: Connection) -> str:
    return _STANDALONE if row.sign_in is SignIn.GITHUB_APP else "OAUTH"


def _federated_subject(row: Connection) -> str | None:
    if row.sign_in is not SignIn.SERVICE_PRINCIPAL_FEDERATED:
        return None
    return federated_subject(row.organization_id, row.id)


class VcsAttributes(Attributes[Connection]):
    """A connection to a place that keeps repositories. Its secrets never come back."""

    name: str
    description: str
    vcs_type: str = reads(_type)
    connection_type: str = reads(_connection_type)
    sign_in: str
    client_id: str
    endpoint: str
    api_url: str
    account: str
    tenant: str
    username: str
    known_hosts: str
    ssh_public_key: str
    callback: str | None
    callback_url: str
    redirect_url: str
    federated_subject: str | None = reads(_federated_subject)
    status: str = reads(lambda row: _STATUS[row.status])
    status_reason: str
    capabilities: dict[str, Any] | None
    secret_expires_at: datetime | None
    warning: str = reads(expiry.warning)
    connected_at: datetime | None
    created_date: datetime = reads("created_at")
    created_by: str
    updated_date: datetime = reads("updated_at")


_FIELDS: Final = {
    "id": Field("id"),
    "name": Field("name"),
    "description": Field("description"),
    "clientId": Field("client_id"),
    "createdDate": Field("created_at"),
}


async def _by_ids(ids: Sequence[str], context: Context) -> list[Connection]:
    return await seen(
        lambda each: queries.get_connection(context.session, context.actor, each), ids
    )


VCS = Resource[Connection, Context](
    TERRAKUBE,
    "vcs",
    VcsAttributes,
    by_ids=_by_ids,
    sorts=("name", "created_date"),
    filters=("filter", "filter[vcs]"),
)


class VcsInput(Camel):
    """What a client gives of a connection."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    vcs_type: str | UnsetType | None = UNSET
    connection_type: str | UnsetType | None = UNSET
    sign_in: str | UnsetType | None = UNSET
    client_id: str | UnsetType | None = UNSET
    client_secret: str | UnsetType | None = UNSET
    private_key: str | UnsetType | None = UNSET
    certificate: str | UnsetType | None = UNSET
    endpoint: str | UnsetType | None = UNSET
    api_url: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET
    tenant: str | UnsetType | None = UNSET
    username: str | UnsetType | None = UNSET
    known_hosts: str | UnsetType | None = UNSET
    callback: str | UnsetType | None = UNSET
    redirect_url: str | UnsetType | None = UNSET
    secret_expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "vcs", VcsInput)
One = Annotated[Query, Depends(VCS.query)]
Listed = Annotated[ListQuery, Depends(VCS.list_query)]
Sent = Annotated[Body[VcsInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/vcs"
_ONE: Final = _PATH + "/{vcs_id}"


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization, query: Listed, context: CurrentContext
) -> Response:
    found = await queries.list_connections(
        context.session,
        context.actor,
        organization.id,
        query.page,
        selection_of(query, "vcs", _FIELDS),
    )
    return await VCS.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    sent = body.attributes
    kind, sign_in = _kind_of(sent)
    row = await connections.create_connection(
        context.session,
        context.process.platform.keyring,
        context.actor,
        organization.id,
        _settings(sent),
        kind=kind,
        sign_in=sign_in,
        base=context.base,
    )
    return await VCS.one(row, query, context)


@router.get(_ONE)
async def read(
    organization: CurrentOrganization, vcs_id: str, query: One, context: CurrentContext
) -> Response:
    return await VCS.one(await _find(context, organization.id, vcs_id), query, context)


@router.patch(_ONE)
async def update(
    organization: CurrentOrganization,
    vcs_id: str,
    body: Sent,
    query: One,
    context: CurrentContext,
) -> Response:
    row = await _find(context, organization.id, vcs_id)
    await connections.update_connection(
        context.session,
        context.process.platform.keyring,
        context.actor,
        row,
        _settings(body.attributes),
    )
    return await VCS.one(row, query, context)


@router.delete(_ONE, status_code=204)
async def delete(
    request: Request, organization_id: str, vcs_id: str, actor: BriefActor
) -> Response:
    """Remove it, and its hooks at the provider."""
    async with brief_context(request, actor) as context:
        await _find_below(context, organization_id, vcs_id)
    await connections.delete_connection(context.process.reach, actor, vcs_id)
    return Response(status_code=204)


@router.post(_ONE + "/connect")
async def connect(
    organization: CurrentOrganization, vcs_id: str, context: CurrentContext
) -> Response:
    """Answer where to sign in at the provider, and what to register there."""
    row = await _find(context, organization.id, vcs_id)
    way = await callback.begin(
        context.session, context.process.reach, context.actor, row, base=context.base
    )
    said = {"url": way.url, "documentedUrl": way.documented_url, "callbackUrl": way.callback_url}
    return JSONResponse(said, headers={"Cache-Control": "no-store"})


@router.post(_ONE + "/test")
async def test(
    request: Request, organization_id: str, vcs_id: str, actor: BriefActor, query: One
) -> Response:
    """Ask the provider who we are there and what we may do."""
    async with brief_context(request, actor) as context:
        await _find_below(context, organization_id, vcs_id)
    await connections.test_connection(context.process.reach, actor, vcs_id)
    async with brief_context(request, actor) as context:
        row = await queries.get_connection(context.session, actor, vcs_id)
        return await VCS.one(row, query, context)


@router.post(_ONE + "/host-keys")
async def ask_host_keys(
    request: Request, organization_id: str, vcs_id: str, actor: BriefActor
) -> Response:
    """Answer which SSH keys the git server has; pinned are those sent back as `knownHosts`."""
    async with brief_context(request, actor) as context:
        await _find_below(context, organization_id, vcs_id)
    keys = await connections.ask_host_keys(context.process.reach, actor, vcs_id)
    said = [
        {"type": each.kind, "fingerprint": each.fingerprint, "line": each.line} for each in keys
    ]
    return JSONResponse({"hostKeys": said}, headers={"Cache-Control": "no-store"})


@router.post(_ONE + "/hook-secrets")
async def replace_hook_secrets(
    organization: CurrentOrganization, vcs_id: str, context: CurrentContext
) -> Response:
    """Have the hooks' secrets replaced; answer of how many."""
    row = await _find(context, organization.id, vcs_id)
    keyring = context.process.platform.keyring
    count = await hook_secrets.replace_all(context.session, keyring, context.actor, row)
    return JSONResponse({"hooks": count})


async def _find_below(context: Context, organization_id: str, vcs_id: str) -> Connection:
    organization = await organizations.by_id_or_name(
        context.session, context.actor, organization_id
    )
    return await _find(context, organization.id, vcs_id)


async def _find(context: Context, organization_id: str, vcs_id: str) -> Connection:
    return await queries.get_connection_of(context.session, context.actor, organization_id, vcs_id)


def _settings(sent: VcsInput) -> ConnectionSettings:
    known = ConnectionSettings.__dataclass_fields__
    return ConnectionSettings(
        **{
            name: value
            for name, value in given(sent).items()
            if name in known and value is not None
        }
    )


def _kind_of(sent: VcsInput) -> tuple[Kind, SignIn]:
    """Return provider and way to sign in, as Terrakube's two types say them or `signIn` does."""
    word = str(sent.vcs_type or "").upper()
    kinds = {shown: kind for kind, shown in reversed(list(_TYPE.items()))}
    kind = Kind.AZURE_DEVOPS if word == _MANAGED else kinds.get(word)
    if kind is None:
        raise InvalidError(
            f"{word or 'Nothing'} is no VCS type; give one of"
            f" {', '.join(dict.fromkeys(_TYPE.values()))}.",
            pointer="vcs_type",
        )
    endpoint = str(sent.endpoint or "").rstrip("/")
    if endpoint and kind in _OWN and endpoint.lower() != _PUBLIC[kind]:
        kind = _OWN[kind]
    return kind, _sign_in_of(kind, word, sent)


def _sign_in_of(kind: Kind, word: str, sent: VcsInput) -> SignIn:
    if sent.sign_in:
        try:
            return SignIn(str(sent.sign_in))
        except ValueError:
            raise InvalidError(
                f"{sent.sign_in!r} is no way to sign in to {word}; give one of"
                f" {', '.join(WAYS[kind])}.",
                pointer="sign_in",
            ) from None
    if word == _MANAGED:
        return SignIn.MANAGED_IDENTITY
    if str(sent.connection_type or "").upper() == _STANDALONE:
        return SignIn.GITHUB_APP
    return WAYS[kind][0]
