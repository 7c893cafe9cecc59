"""How people sign in, for site admins. TFE has one SAML provider there; the words are ours."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Response

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    given,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.federation import providers, queries
from landform.federation.kinds import Kind
from landform.federation.models import IdentityProvider
from landform.federation.providers import CALLBACK
from landform.federation.saml.facts import entity_id
from landform.federation.settings import ProviderSettings
from landform.identity import policy
from landform.identity.models import SignInPolicy
from landform.kit.errors import InvalidError

router = new_router()


def _callback(row: IdentityProvider, context: Context) -> str:
    return f"{context.base}{CALLBACK}/{row.id}"


def _entity_id(row: IdentityProvider, context: Context) -> str | None:
    if row.kind is not Kind.SAML:
        return None
    return entity_id(row.id, row.client_id, context.base)


def _own_metadata(row: IdentityProvider, context: Context) -> str | None:
    return f"{context.base}/login/saml/{row.id}" if row.kind is Kind.SAML else None


class ProviderAttributes(Attributes[IdentityProvider]):
    """Somebody whose word is taken for who a person is; its client secret is never shown.

    `callback-url` is what to register there; of SAML it is the ACS URL, and `entity-id` and
    `own-metadata-url` are ours. `certificates` and `sso-url` are what metadata that were given say.
    """

    allowed_domains: list[str]
    callback_url: str = reads(_callback)
    certificates: list[str]
    client_id: str
    created_at: datetime
    creates_users: bool
    enabled: bool = reads("is_enabled")
    entity_id: str | None = reads(_entity_id)
    group_prefix: str
    groups_claim: str
    issuer: str
    kind: Kind
    links_by_email: bool
    metadata_url: str
    name: str
    own_metadata_url: str | None = reads(_own_metadata)
    required_groups: list[str]
    scopes: str
    signs_requests: bool
    sso_url: str
    trusts_email: bool
    updated_at: datetime


PROVIDERS = Resource[IdentityProvider, Context](TFE, "identity-providers", ProviderAttributes)


class ProviderInput(Kebab):
    """What is set of a provider; null leaves it as it is, or as its kind has it."""

    name: str | None = None
    kind: str | None = None
    issuer: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scopes: str | None = None
    groups_claim: str | None = None
    group_prefix: str | None = None
    allowed_domains: list[str] | None = None
    required_groups: list[str] | None = None
    creates_users: bool | None = None
    links_by_email: bool | None = None
    trusts_email: bool | None = None
    metadata: str | None = None
    metadata_url: str | None = None
    signs_requests: bool | None = None
    enabled: bool | None = None


class PolicyAttributes(Attributes[SignInPolicy]):
    """Whether people may sign in by password, and who may when nobody may."""

    break_glass_user_id: str | None
    local_sign_in: bool


POLICY = Resource[SignInPolicy, Context](TFE, "sign-in-policies", PolicyAttributes)


class PolicyInput(Kebab):
    """`break-glass` is the username of a site admin."""

    local_sign_in: bool
    break_glass: str = ""


PROVIDER = Input(TFE, "identity-providers", ProviderInput)
NEW_POLICY = Input(TFE, "sign-in-policies", PolicyInput)
One = Annotated[Query, Depends(PROVIDERS.query)]
Listed = Annotated[ListQuery, Depends(PROVIDERS.list_query)]
Sent = Annotated[Body[ProviderInput], Depends(PROVIDER)]
Policy = Annotated[Query, Depends(POLICY.query)]


@router.get("/admin/identity-providers")
async def list_all(query: Listed, context: CurrentContext) -> Response:
    found = await queries.list_providers(context.session, context.actor, query.page)
    return await PROVIDERS.many(found.items, query, context, total=found.total)


@router.post("/admin/identity-providers", status_code=201)
async def create(body: Sent, query: One, context: CurrentContext) -> Response:
    queries.require_site_admin(context.actor)
    keyring = context.process.platform.keyring
    row = await providers.create_provider(
        context.session, keyring, context.actor, _kind(body.attributes.kind), _settings(body)
    )
    return await PROVIDERS.one(row, query, context)


@router.get("/admin/identity-providers/{provider_id}")
async def read(provider_id: str, query: One, context: CurrentContext) -> Response:
    row = await queries.get_provider(context.session, context.actor, provider_id)
    return await PROVIDERS.one(row, query, context)


@router.patch("/admin/identity-providers/{provider_id}")
async def update(provider_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    row = await queries.get_provider(context.session, context.actor, provider_id)
    if body.attributes.kind not in (None, row.kind):
        raise InvalidError("A provider stays of its kind; make another.", pointer="kind")
    keyring = context.process.platform.keyring
    await providers.update_provider(context.session, keyring, context.actor, row, _settings(body))
    return await PROVIDERS.one(row, query, context)


@router.delete("/admin/identity-providers/{provider_id}", status_code=204)
async def delete(provider_id: str, context: CurrentContext) -> Response:
    row = await queries.get_provider(context.session, context.actor, provider_id)
    await providers.delete_provider(context.session, context.actor, row)
    return Response(status_code=204)


@router.get("/admin/sign-in-policy")
async def read_policy(query: Policy, context: CurrentContext) -> Response:
    queries.require_site_admin(context.actor)
    return await POLICY.one(await policy.get_policy(context.session), query, context)


@router.patch("/admin/sign-in-policy")
async def set_policy(
    body: Annotated[Body[PolicyInput], Depends(NEW_POLICY)], query: Policy, context: CurrentContext
) -> Response:
    sent = body.attributes
    row = await providers.set_local_sign_in(
        context.session, context.actor, is_on=sent.local_sign_in, break_glass=sent.break_glass
    )
    return await POLICY.one(row, query, context)


def _kind(text: str | None) -> Kind:
    if text not in set(Kind):
        raise InvalidError(f"The kind is one of {', '.join(Kind)}.", pointer="kind")
    return Kind(text)


def _settings(body: Body[ProviderInput]) -> ProviderSettings:
    sent: dict[str, Any] = dict(given(body.attributes))
    sent.pop("kind", None)
    if "enabled" in sent:
        sent["is_enabled"] = sent.pop("enabled")
    return ProviderSettings(**sent)
