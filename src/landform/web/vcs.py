"""Connections to places that keep repositories: choosing, connecting, and what arrived."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.edge.deps import CurrentProcess, base_url
from landform.edge.process import Process
from landform.identity import users
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, LandformError, NotFoundError
from landform.kit.pagination import Page
from landform.triggers import hook_secrets
from landform.vcs import callback, connections, deliveries, expiry, queries
from landform.vcs.connections import callback_url
from landform.vcs.host_keys import read_host_keys
from landform.vcs.kinds import WAYS, Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, Hook
from landform.vcs.oauth import federated_subject
from landform.vcs.providers import KINDS, READERS
from landform.vcs.settings import ConnectionSettings
from landform.web import host_keys
from landform.web.forms import FormAlone, OwnForm, refusals_to
from landform.web.pages import SECURITY_HEADERS, CurrentSession, SendBackError, redirect
from landform.web.present import vcs as present
from landform.web.present.pages import Pages, with_query
from landform.web.present.vcs_fields import Guide
from landform.web.visit import CONNECTIONS, Crumb, InOrganization, OrganizationVisit
from landform.workspaces import organizations

router = APIRouter(include_in_schema=False)

_LIST: Final = "/organizations/{organization}/vcs"
_ONE: Final = _LIST + "/{vcs_id}"
_SIZE: Final = 50
_DELIVERIES: Final = 20
_CALLBACK_BYTES: Final = 8
_OFFERED: Final = re.compile(r"vcs-[0-9a-f]{16}")  # what we call a callback ourselves
Text = Annotated[str, Query(max_length=100)]
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get(_LIST)
async def show_all(visit: InOrganization, page: Number = 1) -> Response:
    """List the connections and how they are."""
    wanted = Page(number=page, size=_SIZE)
    found = await queries.list_connections(
        visit.session, visit.actor, visit.organization.id, wanted
    )
    path = f"{visit.path}/vcs"
    return await visit.page(
        "vcs/list.html",
        section="vcs",
        follows=CONNECTIONS,
        crumbs=[Crumb("VCS providers")],
        connections=[(each, *present.look(each), expiry.warning(each)) for each in found.items],
        providers=present.PROVIDERS,
        labels=present.LABELS,
        may_manage=visit.may(Permission.MANAGE_VCS),
        pages=Pages(path, {}, wanted, found.total),
    )


@router.get(f"{_LIST}/new")
async def show_new(
    request: Request, visit: InOrganization, kind: Text = "", way: Text = "", callback: Text = ""
) -> Response:
    """Lead through the choice: provider, way to sign in, and what to copy where.

    `callback` is in the address, so that what was copied holds when the page is loaded again.
    """
    place = Place(organization_id=visit.organization.id)
    await require(visit.session, visit.actor, Permission.MANAGE_VCS, place)
    chosen_kind = Kind(kind) if kind in KINDS else None
    chosen = _chosen(kind, way)
    offered = bool(_OFFERED.fullmatch(callback))
    name = callback if offered else f"vcs-{secrets.token_hex(_CALLBACK_BYTES)}"
    return await visit.page(
        "vcs/new.html",
        section="vcs",
        crumbs=[Crumb("VCS providers", f"{visit.path}/vcs"), Crumb("New")],
        providers=[(each, *present.PROVIDERS[each]) for each in KINDS],
        kind=chosen_kind,
        provider=present.PROVIDERS[chosen_kind][0] if chosen_kind else "",
        ways=present.ways_of(chosen_kind, WAYS[chosen_kind]) if chosen_kind else [],
        way=chosen[1] if chosen else None,
        way_label=present.LABELS[chosen[1]] if chosen else "",
        guide=present.guide(*chosen) if chosen else None,
        is_interactive=chosen is not None and present.has_callback(chosen[1]),
        is_app=chosen is not None and chosen[1] is SignIn.GITHUB_APP,
        callback=name,
        callback_url=callback_url(base_url(request), name),
    )


@router.post(f"{_LIST}/new")
async def create(request: Request, visit: InOrganization, form: OwnForm) -> Response:
    """Make the connection; where a person must sign in, its page says how to go on."""
    kind, way = form.line("kind"), form.line("way")
    chosen = _chosen(kind, way)
    new = f"{visit.path}/vcs/new"
    if chosen is None:
        raise SendBackError(new, "Choose a provider and a way to sign in.")
    fields = {each.name: form.text(each.name) for each in present.guide(*chosen).every}
    given = {**fields, "name": form.line("name"), "callback": form.line("callback")}
    asked = {"kind": kind, "way": way, "callback": given["callback"]}
    with refusals_to(with_query(new, asked)):
        made = await _create(visit, given, *chosen, base=base_url(request))
    return redirect(f"{visit.path}/vcs/{made.id}", say=f"{made.name} was saved.")


@router.get(_ONE)
async def show_one(
    visit: InOrganization,
    vcs_id: str,
    page: Number = 1,
    key: host_keys.Lines = (),
    proof: host_keys.Proof = "",
) -> Response:
    """Show a connection: how it is, what to do next, what arrived.

    `key` are the lines of host keys that a server just showed us, to be compared.
    """
    row = await _find(visit, vcs_id)
    asked = host_keys.shown(visit.process, row.id, key, proof)
    return await _show(visit, row, page=page, asked=asked)


async def _show(
    visit: OrganizationVisit,
    row: Connection,
    *,
    page: int = 1,
    asked: Any = None,
) -> Response:
    may_manage = visit.may(Permission.MANAGE_VCS)
    hooks: Sequence[Hook] = []
    arrived: dict[str, Any] = {"rows": []}
    if may_manage:
        hooks = await queries.list_hooks(visit.session, visit.actor, row)
        arrived = await _arrived(visit.session, visit.actor, row, visit.path, page)
    people = await users.names_of(visit.session, {row.created_by})
    look, label = present.look(row)
    guide = present.guide(row.kind, row.sign_in)
    return await visit.page(
        "vcs/connection.html",
        section="vcs",
        follows=("vcs",),
        crumbs=[Crumb("VCS providers", f"{visit.path}/vcs"), Crumb(row.name)],
        connection=row,
        provider=present.PROVIDERS[row.kind][0],
        way=present.LABELS[row.sign_in],
        guide=guide,
        connection_values=_values(row, guide),
        may_make=await visit.may_make_workspaces(),
        look=look,
        label=label,
        identity=(row.capabilities or {}).get("identity", ""),
        abilities=present.abilities(row),
        is_interactive=present.has_callback(row.sign_in),
        connect_label=present.connect_label(row),
        steps=present.steps(row, present.PROVIDERS[row.kind][0]),
        is_connected=row.status is ConnectionStatus.CONNECTED,
        federated=_federated(row),
        is_ssh=row.sign_in is SignIn.SSH_KEY,
        tells=row.kind in READERS,
        pinned=read_host_keys(row.known_hosts),
        asked=asked,
        may_manage=may_manage,
        made_by=people.get(row.created_by, row.created_by),
        warning=expiry.warning(row),
        hooks=hooks,
        **arrived,
    )


async def _arrived(
    session: AsyncSession, actor: Actor, row: Connection, path: str, number: int
) -> dict[str, Any]:
    wanted = Page(number=number, size=_DELIVERIES)
    found = await queries.list_deliveries(session, actor, row, wanted)
    hooks = await queries.list_hooks(session, actor, row)
    names = {each.id: each.repository_name or each.repository_id for each in hooks}
    here = f"{path}/vcs/{row.id}"
    return {
        "rows": [present.arrival(each, names.get(each.hook_id, "")) for each in found.items],
        "here": here,
        "pages": Pages(here, {}, wanted, found.total),
    }


@router.post(_ONE)
async def change(visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Change settings; a secret that is left empty stays as it is."""
    row = await _find(visit, vcs_id)
    here = f"{visit.path}/vcs/{row.id}"
    given = {"name": form.line("name"), "description": form.line("description")}
    for each in present.guide(row.kind, row.sign_in).every:
        if each.kind == "text" or form.line(each.name):
            given[each.name] = form.text(each.name)
    keyring = visit.process.platform.keyring
    with refusals_to(here):
        await connections.update_connection(
            visit.session, keyring, visit.actor, row, _settings(given)
        )
    return redirect(here, say="Saved.")


@router.post(f"{_ONE}/connect")
async def connect(request: Request, visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Send the visitor to the provider, to come back connected."""
    row = await _find(visit, vcs_id)
    with refusals_to(f"{visit.path}/vcs/{row.id}"):
        way = await callback.begin(
            visit.session, visit.process.reach, visit.actor, row, base=base_url(request)
        )
    return RedirectResponse(way.url, status_code=303, headers=SECURITY_HEADERS)


@router.post(f"{_ONE}/hook-secrets")
async def replace_hook_secrets(visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Have the hooks' secrets replaced."""
    row = await _find(visit, vcs_id)
    here = f"{visit.path}/vcs/{row.id}"
    keyring = visit.process.platform.keyring
    with refusals_to(here):
        count = await hook_secrets.replace_all(visit.session, keyring, visit.actor, row)
    said = f"New secrets of {count} service hooks are on their way to the provider."
    return redirect(f"{here}#hooks", say=said)


@router.post(f"{_ONE}/disconnect")
async def disconnect(visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Forget the token."""
    row = await _find(visit, vcs_id)
    await connections.disconnect(visit.session, visit.actor, row)
    return redirect(f"{visit.path}/vcs/{row.id}", say="The token was forgotten.")


@router.post(f"{_ONE}/deliveries/{{delivery_id}}/redeliver")
async def redeliver(
    visit: InOrganization, vcs_id: str, delivery_id: str, form: OwnForm
) -> Response:
    """Have a delivery looked at again."""
    row = await _find(visit, vcs_id)
    here = f"{visit.path}/vcs/{row.id}"
    _, hook, _ = await queries.get_delivery(visit.session, visit.actor, delivery_id)
    if hook.connection_id != row.id:
        raise NotFoundError(f"There is no delivery {delivery_id} of this connection.")
    with refusals_to(here):
        await deliveries.redeliver(visit.session, visit.actor, delivery_id)
    return redirect(f"{here}#deliveries", say="It will be looked at again.")


@router.post(f"{_ONE}/test")
async def test(
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    vcs_id: str,
) -> Response:
    """Ask the provider who we are there."""
    here = await _brief(process, visitor.actor, organization, vcs_id)
    try:
        found = await connections.test_connection(process.reach, visitor.actor, vcs_id)
    except LandformError as failure:
        raise SendBackError(here, str(failure)) from None
    known = f" The provider knows us as {found.identity}." if found.identity else ""
    return redirect(here, say=f"It works.{known}")


@router.post(f"{_ONE}/host-keys")
async def ask_host_keys(
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    vcs_id: str,
) -> Response:
    """Ask a git server which SSH keys it has, and show them on the connection's page to compare."""
    here = await _brief(process, visitor.actor, organization, vcs_id)
    try:
        keys = await connections.ask_host_keys(process.reach, visitor.actor, vcs_id)
    except LandformError as failure:
        raise SendBackError(here, str(failure)) from None
    return host_keys.to_compare(process, here, vcs_id, keys)


@router.post(f"{_ONE}/pin")
async def pin(visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Trust the server's keys that somebody has compared."""
    row = await _find(visit, vcs_id)
    here = f"{visit.path}/vcs/{row.id}"
    with refusals_to(here):
        await connections.update_connection(
            visit.session,
            visit.process.platform.keyring,
            visit.actor,
            row,
            ConnectionSettings(known_hosts=form.text("known_hosts")),
        )
    return redirect(here, say="The server's keys are pinned.")


@router.post(f"{_ONE}/delete")
async def delete(
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    vcs_id: str,
) -> Response:
    """Remove a connection whose name was typed, and its hooks at the provider."""
    here = await _brief(process, visitor.actor, organization, vcs_id, typed=form.line("name"))
    with refusals_to(here):
        await connections.delete_connection(process.reach, visitor.actor, vcs_id)
    return redirect(f"/organizations/{organization}/vcs", say="The connection was deleted.")


async def _create(
    visit: OrganizationVisit, given: dict[str, str], kind: Kind, sign_in: SignIn, *, base: str
) -> Connection:
    return await connections.create_connection(
        visit.session,
        visit.process.platform.keyring,
        visit.actor,
        visit.organization.id,
        _settings(given),
        kind=kind,
        sign_in=sign_in,
        base=base,
    )


def _values(row: Connection, guide: Guide) -> dict[str, str]:
    """Return what the form of a connection begins with; secrets are not among it."""
    shown = {"name": row.name, "description": row.description}
    for each in guide.every:
        value = getattr(row, each.name, "") or ""
        shown[each.name] = value.strftime("%Y-%m-%d") if isinstance(value, datetime) else value
    return shown


async def _find(visit: OrganizationVisit, vcs_id: str) -> Connection:
    return await queries.get_connection_of(
        visit.session, visit.actor, visit.organization.id, vcs_id
    )


async def _brief(
    process: Process, actor: Actor, organization: str, vcs_id: str, typed: str | None = None
) -> str:
    """Return the connection's page, having asked in a transaction that waits for nobody."""
    async with transaction(process.platform.sessions) as session:
        found = await organizations.by_name(session, actor, organization)
        row = await queries.get_connection_of(session, actor, found.id, vcs_id)
        here = f"/organizations/{found.name}/vcs/{row.id}"
        if typed is not None and typed != row.name:
            raise SendBackError(here, "Type the connection's name to delete it.", pointer="name")
    return here


def _chosen(kind: str, way: str) -> tuple[Kind, SignIn] | None:
    if kind not in KINDS or way not in WAYS[Kind(kind)]:
        return None
    return Kind(kind), SignIn(way)


def _settings(given: dict[str, str]) -> ConnectionSettings:
    values: dict[str, Any] = {name: value.strip() for name, value in given.items()}
    if "secret_expires_at" in values:
        values["secret_expires_at"] = _day(values["secret_expires_at"])
    return ConnectionSettings(**values)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidError(
            f"{text!r} is no date; one is 2027-05-31.", pointer="secret_expires_at"
        ) from None


def _federated(row: Connection) -> list[tuple[str, str]]:
    if row.sign_in is not SignIn.SERVICE_PRINCIPAL_FEDERATED:
        return []
    return [
        ("Issuer", row.callback_url.partition(connections.CALLBACK)[0]),
        ("Subject identifier", federated_subject(row.organization_id, row.id)),
        ("Audience", "api://AzureADTokenExchange"),
    ]
