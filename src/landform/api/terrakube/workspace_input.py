"""What clients give of a Terrakube workspace, and the repository that it names.

Go clients send every attribute they know, set or not: an empty text leaves things as they are.
"""

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import Body, Camel, Input, given
from landform.api.terrakube.dialect import TERRAKUBE, Context, refuse_set
from landform.api.terrakube.templates import auto_apply_of
from landform.edge.brief import BriefActor
from landform.edge.deps import CurrentProcess, base_url
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.ssh_keys import connecting
from landform.ssh_keys.queries import get_key_of
from landform.toolchain.versions import Tool
from landform.triggers import linking
from landform.triggers.linking import Found
from landform.workspaces import organizations, queries, repositories
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.settings import WorkspaceSettings

NO_SOURCE: Final = "empty"
NO_BRANCH: Final = "remote-content"
_SHARED_MAX: Final = 1000

_NOT_OFFERED: Final = {
    "allow_remote_apply": (
        "Whoever may apply here may do so from the command line too; leave allowRemoteApply false."
    ),
    "agent": (
        "Agents of Terrakube's kind are not offered; set execution mode agent and an agent pool"
        " in the workspace's settings, and leave this out."
    ),
}


class WorkspaceInput(Camel):
    """What a client gives of a workspace; `deleted: true` deletes it."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    source: str | UnsetType | None = UNSET
    branch: str | UnsetType | None = UNSET
    folder: str | UnsetType | None = UNSET
    locked: bool | UnsetType | None = UNSET
    lock_description: str | UnsetType | None = UNSET
    deleted: bool | UnsetType | None = UNSET
    allow_remote_apply: bool | UnsetType | None = UNSET
    global_remote_state: bool | UnsetType | None = UNSET
    shared_ids: str | UnsetType | None = UNSET
    default_template: str | UnsetType | None = UNSET
    iac_type: str | UnsetType | None = UNSET
    module_ssh_key: str | UnsetType | None = UNSET
    terraform_version: str | UnsetType | None = UNSET
    execution_mode: str | UnsetType | None = UNSET


INPUT = Input(
    TERRAKUBE,
    "workspace",
    WorkspaceInput,
    one={"project": "project", "vcs": "vcs", "ssh": "ssh", "agent": "agent"},
)
Sent = Annotated[Body[WorkspaceInput], Depends(INPUT)]


def settings_of(body: Body[WorkspaceInput]) -> WorkspaceSettings:
    """Translate Terrakube's names.

    Raises:
        InvalidError: something is set that there is not here.
    """
    sent = {name: value for name, value in given(body.attributes).items() if value is not None}
    refuse_set(_NOT_OFFERED, sent | {"agent": body.one("agent")})
    template = sent.get("default_template")
    return WorkspaceSettings(
        name=sent.get("name") or None,
        description="" if body.attributes.description is None else sent.get("description"),
        tool=_tool(sent.get("iac_type")),
        tool_version=sent.get("terraform_version") or None,
        working_directory=_directory(sent.get("folder")),
        execution_mode=sent.get("execution_mode") or None,
        auto_apply=auto_apply_of(template) if template else None,
        global_remote_state=sent.get("global_remote_state"),
    )


def shared_ids(body: Body[WorkspaceInput]) -> list[str] | None:
    """Return the workspaces that the state is shared with; None when they are not mentioned.

    Raises:
        InvalidError: they are too many.
    """
    text = body.attributes.shared_ids
    if not isinstance(text, str):
        return None
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if len(ids) > _SHARED_MAX:
        raise InvalidError(f"At most {_SHARED_MAX} workspaces can be named.", pointer="shared_ids")
    return ids


async def _find(
    request: Request, process: CurrentProcess, actor: BriefActor, body: Sent
) -> Found | None:
    """Ask the provider for the repository that is named; in no transaction, as that takes a while.

    Raises:
        InvalidError: no such repository or connection, for the actor or for the connection.
    """
    sent = body.attributes
    if sent.deleted is True:
        return None
    if body.one("ssh") and _text(sent.source) == NO_SOURCE:
        raise InvalidError(
            "A key reaches a repository: name one in `source`. For modules it is moduleSshKey.",
            pointer="ssh",
        )
    if not _names_repository(body):
        return None
    linked, key = body.one("vcs"), body.one("ssh")
    if linked and key:
        raise InvalidError("A repository is reached by a `vcs` or by an `ssh`, not by both.")
    connection_id = linked.id if linked else ""
    async with transaction(process.platform.sessions) as session:
        named = request.path_params
        owner = await organizations.by_id_or_name(session, actor, named["organization_id"])
        current = None
        if "workspace_id" in named:
            workspace = await queries.get(session, actor, named["workspace_id"])
            rows = await repositories.repositories_of(session, [workspace])
            current = rows.get(workspace.id)
        if key and (_text(sent.source) or current is None):
            row = await get_key_of(session, actor, owner.id, key.id)
            keyring, url = process.platform.keyring, _text(sent.source)
            made = await connecting.connection_to(
                session, keyring, actor, row, url, base=base_url(request)
            )
            connection_id = made.id
    if current is not None and _is_as_it_was(body, current, connection_id):
        return None
    if current is None and not (connection_id and _text(sent.source)):
        raise InvalidError(
            "A repository is reached through a connection or by a key: name it in the relationship"
            " `vcs` or `ssh`, and the repository in `source`.",
            pointer="source",
        )
    try:
        return await linking.look_up(
            process.reach,
            actor,
            owner.id,
            current,
            connection_id=connection_id,
            reference=_text(sent.source),
            branch=_branch(body),
        )
    except InvalidError as failure:
        raise InvalidError(str(failure), pointer="source") from None


# Before the context in every signature: what is open by then must not wait for a provider.
FoundRepository = Annotated[Found | None, Depends(_find)]


async def keep_repository(
    context: Context, workspace: Workspace, body: Body[WorkspaceInput], found: Found | None
) -> None:
    """Connect, change or disconnect the workspace's repository, as the client said."""
    session, actor = context.session, context.actor
    if found is not None:
        settings = RepositorySettings(
            connection_id=found.connection_id,
            repository=found.repository,
            head=found.head,
            branch=_branch(body),
        )
        keyring = context.process.platform.keyring
        await linking.link(session, keyring, actor, workspace, settings)
    elif _text(body.attributes.source) == NO_SOURCE or _unlinks(body):
        await repositories.disconnect(session, actor, workspace)


def _unlinks(body: Body[WorkspaceInput]) -> bool:
    return body.mentions("vcs") and body.one("vcs") is None and body.one("ssh") is None


def _names_repository(body: Body[WorkspaceInput]) -> bool:
    source = _text(body.attributes.source)
    if source == NO_SOURCE or _unlinks(body):
        return False
    return bool(source) or body.one("vcs") is not None or body.one("ssh") is not None


def _is_as_it_was(body: Body[WorkspaceInput], row: WorkspaceRepository, connection_id: str) -> bool:
    """Tell whether a client says what it was shown, so that nobody need be asked for it."""
    branch = _text(body.attributes.branch)
    return (
        _text(body.attributes.source) in ("", row.web_url)
        and connection_id in ("", row.connection_id)
        and branch in ("", row.followed_branch)
    )


def _branch(body: Body[WorkspaceInput]) -> str | None:
    """Return the branch to follow; None: as it is."""
    branch = _text(body.attributes.branch)
    return None if branch in ("", NO_BRANCH) else branch


def _directory(folder: Any) -> str | None:
    """Return the folder as a relative path: clients write it from the repository's root."""
    return None if not folder else str(folder).lstrip("/")


def _tool(kind: Any) -> Tool | None:
    if not kind:
        return None
    try:
        return Tool(kind)
    except ValueError:
        raise InvalidError(
            f"{kind!r} is no iacType; it is one of {', '.join(Tool)}.", pointer="iac_type"
        ) from None


def _text(given: str | UnsetType | None) -> str:
    return given.strip() if isinstance(given, str) else ""
