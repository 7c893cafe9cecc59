"""The settings of a workspace, its lock, its tags, and its end."""

from typing import Final

from fastapi import APIRouter, Response

from landform.access.permissions import Permission, Place
from landform.access.service import may
from landform.agents import queries as agents
from landform.identity import users
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.runs import creation, deletion, locks
from landform.runs.creation import NewRun
from landform.ssh_keys import queries as ssh_keys
from landform.toolchain.versions import Tool
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import SendBackError, redirect
from landform.web.present import modes
from landform.web.visit import NAMED, Crumb, InWorkspace
from landform.workspaces import module_keys, named, projects, service, sharing, tags
from landform.workspaces.settings import WorkspaceSettings

router = APIRouter(include_in_schema=False)

_HERE: Final = "/app/{organization}/{workspace}/settings"
# What the form calls what the services call otherwise.
_NAMES: Final = {
    "terraform_version": "tool_version",
    "agent_pool_id": "execution_mode",
    "ssh_key_id": "ssh_key",
    "tag_bindings": "tags",
}
_PROJECTS: Final = Page(number=1, size=200)


@router.get(_HERE)
async def show(visit: InWorkspace) -> Response:
    """Show what can be set."""
    workspace = visit.workspace
    shelves = await projects.list_projects(
        visit.session, visit.actor, visit.organization, page=_PROJECTS
    )
    names = await users.names_of(visit.session, [workspace.lock_holder_id or ""])
    mode = modes.chosen(workspace.execution_mode, workspace.agent_pool_id)
    usable = await agents.pools_for(
        visit.session,
        organization_id=workspace.organization_id,
        project_id=workspace.project_id,
        workspace_id=workspace.id,
    )
    readers = await named.workspace_names(
        visit.session, visit.actor, visit.organization.id, await _readers(visit)
    )
    bound = await tags.bindings_of(visit.session, visit.actor, workspace)
    return await visit.page(
        "workspaces/settings.html",
        section="settings",
        follows=("ssh_keys", "agents", *NAMED),
        crumbs=[Crumb("Settings")],
        workspace=workspace,
        projects=[(each.id, each.name) for each in shelves.items],
        modes=modes.choices(usable if visit.may(Permission.UPDATE_WORKSPACE) else [], present=mode),
        mode=mode,
        tools=[(tool.value, {"tofu": "OpenTofu"}.get(tool, "Terraform")) for tool in Tool],
        tags=" ".join(f"{each.key}={each.value}" if each.value else each.key for each in bound),
        readers=sorted(readers.values(), key=str.lower),
        ssh_keys=await _ssh_keys(visit),
        lock_holder=names.get(workspace.lock_holder_id or "", workspace.lock_holder_id),
        is_own_lock=workspace.lock_holder_id == visit.actor.id,
        may={
            "update": visit.may(Permission.UPDATE_WORKSPACE),
            "lock": visit.may(Permission.LOCK_WORKSPACE),
            "force": visit.may(Permission.FORCE_UNLOCK),
            "destroy": visit.may(Permission.QUEUE_APPLY) and workspace.allow_destroy_plan,
            "delete": visit.may(Permission.DELETE_WORKSPACE),
            "tag": visit.may(Permission.UPDATE_WORKSPACE) or visit.may(Permission.QUEUE_PLAN),
        },
    )


@router.post(_HERE)
async def update(visit: InWorkspace, form: OwnForm) -> Response:
    """Change what is given."""
    mode, pool_id = modes.read(form.line("execution_mode"))
    settings = WorkspaceSettings(
        name=form.line("name"),
        description=form.line("description"),
        tool=Tool(form.line("tool")) if form.line("tool") in set(Tool) else None,
        tool_version=form.line("tool_version"),
        working_directory=form.line("working_directory"),
        execution_mode=mode,
        agent_pool_id=pool_id,
        auto_apply=form.flag("auto_apply"),
        allow_destroy_plan=form.flag("allow_destroy_plan"),
    )
    with refusals_to(f"{visit.path}/settings", names=_NAMES):
        project = None
        if form.line("project"):
            project = await projects.get_project(visit.session, visit.actor, form.line("project"))
        changed = await service.update_workspace(
            visit.session, visit.actor, visit.workspace, settings, project=project
        )
        if form.flag("ssh_key"):  # which is there for those who may choose
            key_id = form.line("ssh_key") or None
            await module_keys.assign_key(visit.session, visit.actor, changed, key_id)
    return redirect(f"/app/{visit.organization.name}/{changed.name}/settings", say="Saved.")


@router.post(f"{_HERE}/tags")
async def set_tags(visit: InWorkspace, form: OwnForm) -> Response:
    """Replace the workspace's own tags."""
    wanted = tags.read(form.line("tags"))
    with refusals_to(f"{visit.path}/settings", at="tags", names=_NAMES):
        await tags.replace_bindings(visit.session, visit.actor, visit.workspace, wanted)
    return redirect(f"{visit.path}/settings", say="Saved.")


@router.post(f"{_HERE}/sharing")
async def share(visit: InWorkspace, form: OwnForm) -> Response:
    """Say whose runs may read the outputs; what the visitor may not know of stays named."""
    session, actor, workspace = visit.session, visit.actor, visit.workspace
    settings = WorkspaceSettings(
        global_remote_state=form.flag("global_remote_state"),
        project_remote_state=form.flag("project_remote_state"),
    )
    with refusals_to(f"{visit.path}/settings", at="consumers"):
        await service.update_workspace(session, actor, workspace, settings)
        wanted = await named.workspace_ids(
            session, actor, visit.organization.id, form.lines("consumers")
        )
        shown = await _readers(visit)
        await sharing.remove_consumers(session, actor, workspace, set(shown) - set(wanted))
        await sharing.add_consumers(session, actor, workspace, wanted)
    return redirect(f"{visit.path}/settings", say="Saved.")


@router.post(f"{_HERE}/lock")
async def lock(visit: InWorkspace, form: OwnForm) -> Response:
    """Lock the workspace, unlock it, or break somebody else's lock."""
    deed = form.line("deed")
    session, actor, workspace = visit.session, visit.actor, visit.workspace
    with refusals_to(f"{visit.path}/settings"):
        if deed == "lock":
            await locks.lock(session, actor, workspace, reason=form.line("reason"))
        elif deed == "unlock":
            await locks.unlock(session, actor, workspace)
        elif deed == "force":
            await locks.force_unlock(session, actor, workspace)
        else:
            raise InvalidError("A workspace can be locked, unlocked or forced open.")
    return redirect(
        f"{visit.path}/settings", say="Locked." if deed == "lock" else "The lock is open."
    )


@router.post(f"{_HERE}/destroy")
async def destroy(visit: InWorkspace, form: OwnForm) -> Response:
    """Plan to destroy everything; nothing happens before that plan is confirmed."""
    _require_name(visit, form)
    new = NewRun(message="Destroy everything", source=creation.OUR_PAGES, is_destroy=True)
    with refusals_to(f"{visit.path}/settings"):
        run = await creation.create_run(
            visit.session, visit.process.platform.keyring, visit.actor, visit.workspace, new
        )
    return redirect(f"{visit.path}/runs/{run.id}")


@router.post(f"{_HERE}/delete")
async def delete(visit: InWorkspace, form: OwnForm) -> Response:
    """Delete the workspace; by force also one that still manages resources."""
    _require_name(visit, form)
    with refusals_to(f"{visit.path}/settings"):
        await deletion.delete_workspace(
            visit.session, visit.actor, visit.workspace, force=form.flag("force")
        )
    return redirect(
        f"/app/{visit.organization.name}", say=f"Workspace {visit.workspace.name} was deleted."
    )


async def _readers(visit: InWorkspace) -> list[str]:
    """Return the ids of those who are named to read the outputs, and whom the visitor may know."""
    workspace = visit.workspace
    found = await sharing.named_consumers(visit.session, visit.actor, [workspace])
    return found.get(workspace.id, [])


async def _ssh_keys(visit: InWorkspace) -> list[tuple[str, str]]:
    """Return the keys to choose from; without the permission to use them, to keep or give up."""
    place, chosen = Place(organization_id=visit.organization.id), visit.workspace.ssh_key_id
    if await may(visit.session, visit.actor, Permission.USE_VCS, place):
        found = await ssh_keys.list_keys(
            visit.session, visit.actor, visit.organization.id, _PROJECTS
        )
        choices = [(each.id, each.name) for each in found.items]
    elif chosen:
        choices = [(chosen, "One of the organization's")]
    else:
        choices = []
    return [("", "None"), *choices] if choices else []


def _require_name(visit: InWorkspace, form: OwnForm) -> None:
    if form.line("name") != visit.workspace.name:
        raise SendBackError(
            f"{visit.path}/settings", "Type the workspace's name to do that.", pointer="name"
        )
