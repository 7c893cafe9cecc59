"""Terrakube's `ssh`: keys by which jobs fetch modules. Facts: terrakube_backend.md §1.4 and §2.7.

Beside Terrakube's own attributes it shows the public half, and takes `knownHosts`: the servers that
the key is for, where they are not public ones. Without a `privateKey` one is made here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToOne,
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
    new_router,
    selection_of,
)
from landform.kit.errors import InvalidError
from landform.ssh_keys import queries, service
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.service import SshKeySettings
from landform.vcs.private_keys import KeyKind

router = new_router()


class SshAttributes(Attributes[SshKey]):
    """A key of an organization. Its private half never comes back."""

    name: str
    description: str
    ssh_type: KeyKind = reads("kind")
    public_key: str
    fingerprint: str
    known_hosts: str
    created_date: datetime = reads("created_at")
    created_by: str
    updated_date: datetime = reads("updated_at")


_FIELDS: Final = {
    "id": Field("id"),
    "name": Field("name"),
    "description": Field("description"),
    "sshType": Field("kind"),
    "createdDate": Field("created_at"),
}


async def _by_ids(ids: Sequence[str], context: Context) -> list[SshKey]:
    return await seen(lambda each: queries.get_key(context.session, context.actor, each), ids)


SSH = Resource[SshKey, Context](
    TERRAKUBE,
    "ssh",
    SshAttributes,
    relationships=[ToOne("organization", "organization")],
    by_ids=_by_ids,
    sorts=("name", "created_date"),
    filters=("filter", "filter[ssh]"),
)


class SshInput(Camel):
    """What a client gives of a key."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    private_key: str | UnsetType | None = UNSET
    ssh_type: str | UnsetType | None = UNSET
    known_hosts: str | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "ssh", SshInput)
One = Annotated[Query, Depends(SSH.query)]
Sent = Annotated[Body[SshInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/ssh"
_ONE: Final = _PATH + "/{ssh_id}"


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(SSH.list_query)],
    context: CurrentContext,
) -> Response:
    found = await queries.list_keys(
        context.session,
        context.actor,
        organization.id,
        query.page,
        selection_of(query, "ssh", _FIELDS),
    )
    return await SSH.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    row = await service.create_key(
        context.session,
        context.process.platform.keyring,
        context.actor,
        organization.id,
        _settings(body),
    )
    return await SSH.one(row, query, context)


@router.get(_ONE)
async def read(
    organization: CurrentOrganization, ssh_id: str, query: One, context: CurrentContext
) -> Response:
    row = await queries.get_key_of(context.session, context.actor, organization.id, ssh_id)
    return await SSH.one(row, query, context)


@router.patch(_ONE, status_code=204)
async def update(
    organization: CurrentOrganization, ssh_id: str, body: Sent, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    row = await queries.get_key_of(session, actor, organization.id, ssh_id)
    keyring = context.process.platform.keyring
    await service.update_key(session, keyring, actor, row, _settings(body))
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(
    organization: CurrentOrganization, ssh_id: str, context: CurrentContext
) -> Response:
    row = await queries.get_key_of(context.session, context.actor, organization.id, ssh_id)
    await service.delete_key(context.session, context.actor, row)
    return Response(status_code=204)


def _settings(body: Body[SshInput]) -> SshKeySettings:
    sent = {name: value for name, value in given(body.attributes).items() if value is not None}
    kind = str(sent.pop("ssh_type", "")).lower()
    try:
        return SshKeySettings(kind=KeyKind(kind) if kind else None, **sent)
    except ValueError:
        raise InvalidError(
            f"{kind[:80]!r} is no sshType; it is one of {', '.join(KeyKind)}.", pointer="ssh_type"
        ) from None
