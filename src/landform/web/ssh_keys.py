"""SSH keys by which runs fetch modules: kept or made, and the servers they are shown to."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.edge.deps import CurrentProcess
from landform.identity import users
from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.kit.pagination import Page
from landform.ssh_keys import queries, service
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.service import SshKeySettings
from landform.vcs.host_keys import read_host_keys
from landform.web import host_keys
from landform.web.forms import FormAlone, OwnForm, refusals_to, sent_back
from landform.web.pages import CurrentSession, SendBackError, redirect
from landform.web.present.pages import Pages
from landform.web.visit import NAMED, Crumb, InOrganization, OrganizationVisit
from landform.workspaces import module_keys, organizations

router = APIRouter(include_in_schema=False)

_LIST: Final = "/organizations/{organization}/ssh-keys"
_ONE: Final = _LIST + "/{ssh_key_id}"
_SIZE: Final = 50
_USERS: Final = 50
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get(_LIST)
async def show_all(visit: InOrganization, page: Number = 1) -> Response:
    """List the keys, and take another."""
    wanted = Page(number=page, size=_SIZE)
    session, organization_id = visit.session, visit.organization.id
    found = await queries.list_keys(session, visit.actor, organization_id, wanted)
    return await visit.page(
        "vcs/ssh_keys.html",
        section="vcs",
        follows=("ssh_keys",),
        crumbs=[Crumb("VCS providers", f"{visit.path}/vcs"), Crumb("SSH keys")],
        keys=found.items,
        may_manage=visit.may(Permission.MANAGE_VCS),
        pages=Pages(f"{visit.path}/ssh-keys", {}, wanted, found.total),
    )


@router.post(_LIST)
async def create(visit: InOrganization, form: OwnForm) -> Response:
    """Keep a key, or make one."""
    place = Place(organization_id=visit.organization.id)
    await require(visit.session, visit.actor, Permission.MANAGE_VCS, place)
    with refusals_to(f"{visit.path}/ssh-keys"):
        row = await service.create_key(
            visit.session,
            visit.process.platform.keyring,
            visit.actor,
            visit.organization.id,
            _settings(form),
        )
    here = f"{visit.path}/ssh-keys/{row.id}"
    return redirect(here, say=f"{row.name} was saved. Let its public half in at the server.")


@router.get(_ONE)
async def show_one(
    visit: InOrganization, ssh_key_id: str, key: host_keys.Lines = (), proof: host_keys.Proof = ""
) -> Response:
    """Show a key's public half, its servers and its workspaces.

    `key` are the lines of host keys that a server just showed us, to be compared.
    """
    row = await _find(visit, ssh_key_id)
    used_by = await module_keys.workspaces_with(visit.session, visit.actor, row, limit=_USERS)
    people = await users.names_of(visit.session, {row.created_by})
    return await visit.page(
        "vcs/ssh_key.html",
        section="vcs",
        follows=("ssh_keys", *NAMED),
        crumbs=[
            Crumb("VCS providers", f"{visit.path}/vcs"),
            Crumb("SSH keys", f"{visit.path}/ssh-keys"),
            Crumb(row.name),
        ],
        key=row,
        pinned=read_host_keys(row.known_hosts),
        asked=host_keys.shown(visit.process, row.id, key, proof),
        used_by=[each.name for each in used_by],
        made_by=people.get(row.created_by, row.created_by),
        may_manage=visit.may(Permission.MANAGE_VCS),
    )


@router.post(_ONE)
async def change(visit: InOrganization, ssh_key_id: str, form: OwnForm) -> Response:
    """Change settings; a private key that is left empty stays as it is."""
    row = await _find(visit, ssh_key_id)
    here = f"{visit.path}/ssh-keys/{row.id}"
    keyring = visit.process.platform.keyring
    with refusals_to(here):
        await service.update_key(visit.session, keyring, visit.actor, row, _settings(form))
    return redirect(here, say="Saved.")


@router.post(f"{_ONE}/host-keys")
async def ask_host_keys(
    process: CurrentProcess,
    visitor: CurrentSession,
    form: FormAlone,
    organization: str,
    ssh_key_id: str,
) -> Response:
    """Ask a server which SSH keys it has, and show them on the key's page to compare."""
    async with transaction(process.platform.sessions) as session:
        found = await organizations.by_name(session, visitor.actor, organization)
        row = await queries.get_key_of(session, visitor.actor, found.id, ssh_key_id)
        here = f"/organizations/{found.name}/ssh-keys/{row.id}"
    try:
        keys = await service.ask_host_keys(
            process.reach, visitor.actor, ssh_key_id, form.line("server")
        )
    except LandformError as failure:
        raise sent_back(here, failure, at="server") from None
    return host_keys.to_compare(process, here, ssh_key_id, keys)


@router.post(f"{_ONE}/pin")
async def pin(visit: InOrganization, ssh_key_id: str, form: OwnForm) -> Response:
    """Trust a server's keys that somebody has compared, or a server no more."""
    row = await _find(visit, ssh_key_id)
    here = f"{visit.path}/ssh-keys/{row.id}"
    lines, unpinned = form.text("known_hosts"), form.line("unpin")
    with refusals_to(here):
        await service.pin(
            visit.session,
            visit.process.platform.keyring,
            visit.actor,
            row,
            lines,
            without=[unpinned] if unpinned else [],
        )
    said = f"The key is not shown to {unpinned} any more." if unpinned else "Pinned."
    return redirect(f"{here}#host-keys", say=said)


@router.post(f"{_ONE}/delete")
async def delete(visit: InOrganization, ssh_key_id: str, form: OwnForm) -> Response:
    """Forget a key whose name was typed."""
    row = await _find(visit, ssh_key_id)
    if form.line("name") != row.name:
        raise SendBackError(
            f"{visit.path}/ssh-keys/{row.id}", "Type the key's name to delete it.", pointer="name"
        )
    with refusals_to(f"{visit.path}/ssh-keys/{row.id}"):
        await service.delete_key(visit.session, visit.actor, row)
    return redirect(f"{visit.path}/ssh-keys", say="The key was deleted.")


async def _find(visit: OrganizationVisit, ssh_key_id: str) -> SshKey:
    return await queries.get_key_of(visit.session, visit.actor, visit.organization.id, ssh_key_id)


def _settings(form: OwnForm) -> SshKeySettings:
    return SshKeySettings(
        name=form.line("name"),
        description=form.line("description"),
        private_key=form.line("private_key") or None,
    )
