"""How people sign in, for site admins: identity providers, passwords, and who pushes people."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select

from landform.directories import service as directories
from landform.edge.deps import base_url
from landform.federation import providers, queries, saml_extra
from landform.federation.kinds import PRESETS, Kind
from landform.federation.models import IdentityProvider
from landform.federation.providers import CALLBACK
from landform.federation.saml.facts import entity_id
from landform.federation.settings import ProviderSettings, defaults
from landform.identity import policy
from landform.identity.models import User
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.web.forms import Form, OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.present.pages import with_query
from landform.web.visit import AnyVisit, Crumb, Visit

router = APIRouter(include_in_schema=False)

_HERE: Final = "/site/sign-in"
_SHOWN: Final = Page(number=1, size=100)
_TITLE: Final = "Sign-in"
_FLAGS: Final = ("creates_users", "links_by_email", "trusts_email", "is_enabled")
_LISTS: Final = ("allowed_domains", "required_groups")
_LINES: Final = ("name", "client_id", "groups_claim", "group_prefix")
Text = Annotated[str, Query(max_length=40)]


@router.get(_HERE)
async def show(visit: AnyVisit) -> Response:
    """List the providers and directories, and say whether passwords are for all."""
    return await _overview(visit)


@router.post(f"{_HERE}/directories")
async def create_directory(visit: AnyVisit, form: OwnForm) -> Response:
    """Make a directory and show its token, this once."""
    with refusals_to(_HERE):
        _, token = await directories.create_directory(
            visit.session,
            visit.actor,
            name=form.line("name"),
            organization=form.line("organization"),
        )
    return await _overview(visit, token)


@router.post(f"{_HERE}/directories/{{directory_id}}/delete")
async def delete_directory(visit: AnyVisit, directory_id: str, _: OwnForm) -> Response:
    """Remove a directory; its token works no more."""
    await directories.delete_directory(visit.session, visit.actor, directory_id)
    return redirect(_HERE, say="The directory was removed.")


async def _overview(visit: Visit, token: str = "") -> Response:
    found = await queries.list_providers(visit.session, visit.actor, _SHOWN)
    listed = await directories.list_directories(visit.session, visit.actor, _SHOWN)
    ids = {row.organization_id for row in listed.items}
    rows = await visit.session.scalars(select(Organization).where(Organization.id.in_(ids)))
    names = {row.id: row.name for row in rows}
    set_ = await policy.get_policy(visit.session)
    helper = (
        await visit.session.get(User, set_.break_glass_user_id)
        if set_.break_glass_user_id
        else None
    )
    return await visit.page(
        "site/sign_in.html",
        section="site-sign-in",
        follows=("federation", "directories", "identity"),
        crumbs=[Crumb(_TITLE)],
        providers=[(row, PRESETS[row.kind].label) for row in found.items],
        kinds=[(kind.value, preset.label) for kind, preset in PRESETS.items()],
        is_local=set_.local_sign_in,
        break_glass=helper.username if helper else "",
        directories=[(row, names.get(row.organization_id or "", "")) for row in listed.items],
        token=token,
        scim_url=f"{base_url(visit.request)}/scim/v2",
    )


@router.post(_HERE)
async def set_policy(visit: AnyVisit, form: OwnForm) -> Response:
    """Let everybody sign in by password, or nobody but one."""
    is_on = form.line("local") == "on"
    with refusals_to(_HERE):
        await providers.set_local_sign_in(
            visit.session, visit.actor, is_on=is_on, break_glass=form.line("break_glass")
        )
    return redirect(_HERE, say=f"Signing in by password is {'on' if is_on else 'off'}.")


@router.get(f"{_HERE}/new")
async def show_new(request: Request, visit: AnyVisit, kind: Text = "") -> Response:
    """Show the form for a provider of a kind."""
    queries.require_site_admin(visit.actor)
    chosen = _kind(kind)
    return await _form(request, visit, chosen, {**defaults(chosen), "client_id": ""}, None)


@router.post(f"{_HERE}/new")
async def create(visit: AnyVisit, form: OwnForm) -> Response:
    """Make the provider; its page says what to register there."""
    queries.require_site_admin(visit.actor)
    kind = _kind(form.line("kind"))
    settings = _settings(form, kind, issuer=form.line("issuer"))
    if kind is Kind.SAML and not settings.metadata and not settings.metadata_url:
        settings = replace(settings, is_enabled=False)
    keyring = visit.process.platform.keyring
    with refusals_to(with_query(f"{_HERE}/new", {"kind": kind})):
        made = await providers.create_provider(visit.session, keyring, visit.actor, kind, settings)
    return redirect(f"{_HERE}/{made.id}", say=f"{made.name} was saved.")


@router.get(f"{_HERE}/{{provider_id}}")
async def show_one(request: Request, visit: AnyVisit, provider_id: str) -> Response:
    """Show a provider; its secret is never shown."""
    row = await queries.get_provider(visit.session, visit.actor, provider_id)
    shown = {name: getattr(row, name) for name in (*defaults(row.kind), "client_id")}
    return await _form(request, visit, row.kind, shown, row)


@router.post(f"{_HERE}/{{provider_id}}")
async def change(visit: AnyVisit, provider_id: str, form: OwnForm) -> Response:
    """Change a provider, or remove it."""
    row = await queries.get_provider(visit.session, visit.actor, provider_id)
    here = f"{_HERE}/{row.id}"
    with refusals_to(here):
        if form.line("deed") == "delete":
            await providers.delete_provider(visit.session, visit.actor, row)
            return redirect(_HERE, say=f"{row.name} was removed.")
        keyring = visit.process.platform.keyring
        await providers.update_provider(
            visit.session,
            keyring,
            visit.actor,
            row,
            _settings(form, row.kind, issuer=None if row.issuer else form.line("issuer")),
        )
    return redirect(here, say="Saved.")


async def _form(
    request: Request,
    visit: Visit,
    kind: Kind,
    shown: dict[str, Any],
    row: IdentityProvider | None,
) -> Response:
    last = Crumb(row.name if row else "New")
    base = base_url(request)
    return await visit.page(
        "site/identity_provider.html",
        section="site-sign-in",
        follows=("federation",) if row else None,
        crumbs=[Crumb(_TITLE, _HERE), last],
        provider=row,
        kind=kind,
        preset=PRESETS[kind],
        shown=shown,
        callback=f"{base}{CALLBACK}/{row.id}" if row else "",
        own=_own(row, base) if row and kind is Kind.SAML else [],
        certificates=saml_extra.describe_certificates(row) if row else [],
        lacks="" if kind is not Kind.SAML or saml_extra.is_installed() else saml_extra.LACKS,
    )


def _own(row: IdentityProvider, base: str) -> list[tuple[str, str]]:
    """Return what the provider has to know of us, in its own words."""
    return [
        ("Reply address (assertion consumer service, ACS URL)", f"{base}{CALLBACK}/{row.id}"),
        ("Entity id (identifier, audience)", entity_id(row.id, row.client_id, base)),
        ("Or all of it as metadata, from", f"{base}/login/saml/{row.id}"),
        ("Sign-in address (sign-on URL)", f"{base}/login/with/{row.id}"),
    ]


def _settings(form: Form, kind: Kind, *, issuer: str | None) -> ProviderSettings:
    given: dict[str, Any] = {name: form.line(name) for name in _LINES}
    given |= {name: form.flag(name) for name in _FLAGS}
    given |= {name: form.lines(name) for name in _LISTS}
    if kind is Kind.SAML:
        return ProviderSettings(
            issuer=issuer,
            metadata=form.line("metadata"),
            metadata_url=form.line("metadata_url"),
            signs_requests=form.flag("signs_requests"),
            **given,
        )
    return ProviderSettings(
        issuer=issuer,
        client_secret=form.line("client_secret"),
        scopes=form.line("scopes"),
        **given,
    )


def _kind(text: str) -> Kind:
    return Kind(text) if text in set(Kind) else Kind.OIDC
