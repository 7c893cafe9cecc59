"""TFE's SSH keys, and which of them a workspace's runs fetch modules by.

Beside TFE's own attributes it shows the public half, and takes `known-hosts`: the servers that the
key is for, where they are not public ones. Facts: TFE's pages "SSH keys API" and "Workspaces API"
(assign and unassign an SSH key).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    given,
    seen,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.workspaces import WORKSPACES
from landform.kit.errors import InvalidError
from landform.ssh_keys import queries, service
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.service import SshKeySettings
from landform.vcs.private_keys import KeyKind
from landform.workspaces import module_keys, organizations
from landform.workspaces import queries as workspaces

router = new_router()


class SshKeyAttributes(Attributes[SshKey]):
    """A key of an organization. Its private half never comes back."""

    name: str
    description: str
    kind: KeyKind
    public_key: str
    fingerprint: str
    known_hosts: str
    created_at: datetime


async def _by_ids(ids: Sequence[str], context: Context) -> list[SshKey]:
    return await seen(lambda each: queries.get_key(context.session, context.actor, each), ids)


SSH_KEYS = Resource[SshKey, Context](
    TFE, "ssh-keys", SshKeyAttributes, url="/api/v2/ssh-keys/{id}", by_ids=_by_ids
)


class SshKeyInput(Kebab):
    """What a client gives of a key; `value` is the private half."""

    name: str | UnsetType | None = UNSET
    value: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    known_hosts: str | UnsetType | None = UNSET


class AssignedKey(Kebab):
    """The key that a workspace is to have; null: none."""

    id: str | None


INPUT = Input(TFE, "ssh-keys", SshKeyInput)
ASSIGNED = Input(TFE, "workspaces", AssignedKey)
One = Annotated[Query, Depends(SSH_KEYS.query)]
Sent = Annotated[Body[SshKeyInput], Depends(INPUT)]


@router.get("/organizations/{organization}/ssh-keys")
async def list_of_organization(
    organization: str,
    query: Annotated[ListQuery, Depends(SSH_KEYS.list_query)],
    context: CurrentContext,
) -> Response:
    owner = await organizations.by_name(context.session, context.actor, organization)
    found = await queries.list_keys(context.session, context.actor, owner.id, query.page)
    return await SSH_KEYS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/ssh-keys", status_code=201)
async def create(organization: str, body: Sent, query: One, context: CurrentContext) -> Response:
    owner = await organizations.by_name(context.session, context.actor, organization)
    settings = _settings(body)
    if not settings.private_key:
        raise InvalidError("The private key is missing.", pointer="value")
    keyring = context.process.platform.keyring
    with _its_own_word():
        row = await service.create_key(context.session, keyring, context.actor, owner.id, settings)
    return await SSH_KEYS.one(row, query, context)


@router.get("/ssh-keys/{ssh_key_id}")
async def read(ssh_key_id: str, query: One, context: CurrentContext) -> Response:
    row = await queries.get_key(context.session, context.actor, ssh_key_id)
    return await SSH_KEYS.one(row, query, context)


@router.patch("/ssh-keys/{ssh_key_id}")
async def update(ssh_key_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    row = await queries.get_key(context.session, context.actor, ssh_key_id)
    keyring = context.process.platform.keyring
    with _its_own_word():
        await service.update_key(context.session, keyring, context.actor, row, _settings(body))
    return await SSH_KEYS.one(row, query, context)


@router.delete("/ssh-keys/{ssh_key_id}", status_code=204)
async def delete(ssh_key_id: str, context: CurrentContext) -> Response:
    row = await queries.get_key(context.session, context.actor, ssh_key_id)
    await service.delete_key(context.session, context.actor, row)
    return Response(status_code=204)


@router.patch("/workspaces/{workspace_id}/relationships/ssh-key")
async def assign(
    workspace_id: str,
    body: Annotated[Body[AssignedKey], Depends(ASSIGNED)],
    query: Annotated[Query, Depends(WORKSPACES.query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    try:
        workspace = await module_keys.assign_key(session, actor, workspace, body.attributes.id)
    except InvalidError as failure:
        raise InvalidError(str(failure), pointer="id") from None
    return await WORKSPACES.one(workspace, query, context)


@contextmanager
def _its_own_word() -> Iterator[None]:
    """Have an error point to `value`, as TFE calls the private key."""
    try:
        yield
    except InvalidError as failure:
        if failure.pointer != "private_key":
            raise
        raise InvalidError(str(failure), pointer="value") from None


def _settings(body: Body[SshKeyInput]) -> SshKeySettings:
    sent = {name: value for name, value in given(body.attributes).items() if value is not None}
    return SshKeySettings(private_key=sent.pop("value", None), **sent)
