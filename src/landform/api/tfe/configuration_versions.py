"""TFE configuration versions."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Response
from fastapi.responses import RedirectResponse

from landform.api.jsonapi.body import Body
from landform.api.jsonapi.declaration import Attributes, ToOne, reads
from landform.api.jsonapi.inputs import Input
from landform.api.jsonapi.naming import Kebab
from landform.api.jsonapi.query import ListQuery, Query
from landform.api.jsonapi.resource import Resource
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.configurations import queries, service
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion, Ingress
from landform.configurations.service import NewConfiguration
from landform.edge.signed_urls import Deed
from landform.kit.clock import rfc3339
from landform.kit.errors import NotFoundError
from landform.workspaces import queries as workspaces

router = new_router()


def _upload_url(row: ConfigurationVersion, context: Context) -> str | None:
    """The address is a permission: only whoever made the configuration version is told it."""
    if row.status is not ConfigurationStatus.PENDING or row.created_by != context.actor.id:
        return None
    return context.signed(Deed.UPLOAD_CONFIGURATION, row.id)


def _timestamps(row: ConfigurationVersion) -> dict[str, str]:
    moments = {"queued-at": row.created_at, "uploaded-at": row.uploaded_at}
    return {name: rfc3339(moment) for name, moment in moments.items() if moment is not None}


class ConfigurationVersionAttributes(Attributes[ConfigurationVersion]):
    """One upload of a configuration."""

    auto_queue_runs: bool
    error: str | None = reads(lambda row: "invalid-archive" if row.error else None)
    error_message: str | None = reads(lambda row: row.error or None)
    provisional: bool
    source: str
    speculative: bool
    status: ConfigurationStatus
    status_timestamps: dict[str, Any] = reads(_timestamps)
    upload_url: str | None = reads(_upload_url)


class IngressAttributes(Attributes[Ingress]):
    """Where a configuration came from, when that is a repository."""

    branch: str
    clone_url: str
    commit_message: str
    commit_sha: str
    commit_url: str
    compare_url: str
    identifier: str
    is_pull_request: bool = reads(lambda row: row.pull_request_number is not None)
    on_default_branch: bool
    pull_request_body: str = reads(lambda _: "")
    pull_request_number: int | None
    pull_request_title: str
    pull_request_url: str
    sender_avatar_url: str = reads(lambda _: "")
    sender_html_url: str = reads(lambda _: "")
    sender_username: str = reads("sender_name")
    tag: str


async def _ingress_by_ids(ids: Sequence[str], context: Context) -> list[Ingress]:
    return await queries.ingress_by_ids(context.session, context.actor, ids)


INGRESS_ATTRIBUTES = Resource[Ingress, Context](
    TFE, "ingress-attributes", IngressAttributes, by_ids=_ingress_by_ids
)


async def _prepare(rows: Sequence[ConfigurationVersion], context: Context) -> None:
    found = await queries.ingress_of(context.session, [row.id for row in rows])
    context.ingress_ids.update({key: row.id for key, row in found.items()})


async def _by_ids(ids: Sequence[str], context: Context) -> list[ConfigurationVersion]:
    return await seen(lambda each: queries.get(context.session, context.actor, each), ids)


CONFIGURATION_VERSIONS = Resource[ConfigurationVersion, Context](
    TFE,
    "configuration-versions",
    ConfigurationVersionAttributes,
    relationships=[
        ToOne(
            "ingress_attributes",
            "ingress-attributes",
            id=lambda row, context: context.ingress_ids.get(row.id),
        )
    ],
    url="/api/v2/configuration-versions/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
)


class CreateConfigurationVersion(Kebab):
    """What a client says of a configuration before it uploads it."""

    auto_queue_runs: bool | None = None
    speculative: bool | None = None
    provisional: bool | None = None


CREATE = Input(TFE, "configuration-versions", CreateConfigurationVersion)
One = Annotated[Query, Depends(CONFIGURATION_VERSIONS.query)]


@router.post("/workspaces/{workspace_id}/configuration-versions", status_code=201)
async def create(
    workspace_id: str,
    body: Annotated[Body[CreateConfigurationVersion], Depends(CREATE)],
    query: One,
    context: CurrentContext,
) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    workspace = await workspaces.get(session, actor, workspace_id)
    new = NewConfiguration(
        auto_queue_runs=sent.auto_queue_runs is not False,
        speculative=bool(sent.speculative),
        provisional=bool(sent.provisional),
        source="terraform" if context.client.terraform_version else "tfe-api",
    )
    row = await service.create(session, actor, workspace, new)
    return await CONFIGURATION_VERSIONS.one(row, query, context)


@router.get("/workspaces/{workspace_id}/configuration-versions")
async def list_of_workspace(
    workspace_id: str,
    query: Annotated[ListQuery, Depends(CONFIGURATION_VERSIONS.list_query)],
    context: CurrentContext,
) -> Response:
    session = context.session
    workspace = await workspaces.get(session, context.actor, workspace_id)
    found = await queries.list_of(session, context.actor, workspace, query.page)
    return await CONFIGURATION_VERSIONS.many(found.items, query, context, total=found.total)


@router.get("/configuration-versions/{configuration_id}")
async def read(configuration_id: str, query: One, context: CurrentContext) -> Response:
    row = await queries.get(context.session, context.actor, configuration_id)
    return await CONFIGURATION_VERSIONS.one(row, query, context)


@router.get("/configuration-versions/{configuration_id}/download")
async def download(configuration_id: str, context: CurrentContext) -> Response:
    row = await queries.get(context.session, context.actor, configuration_id)
    if row.uploaded_at is None:
        raise NotFoundError(f"Configuration version {row.id} has not been uploaded.")
    return RedirectResponse(context.signed(Deed.DOWNLOAD_CONFIGURATION, row.id), status_code=302)


@router.get("/configuration-versions/{configuration_id}/ingress-attributes")
async def read_ingress(
    configuration_id: str,
    query: Annotated[Query, Depends(INGRESS_ATTRIBUTES.query)],
    context: CurrentContext,
) -> Response:
    row = await queries.ingress(context.session, context.actor, configuration_id)
    return await INGRESS_ATTRIBUTES.one(row, query, context)
