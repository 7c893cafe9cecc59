"""Writes of variable sets: what they are called, and where they apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.organizations.models import Organization
from landform.variables.events import (
    VariableSetApplied,
    VariableSetCreated,
    VariableSetDeleted,
    VariableSetUpdated,
    VariableSetWithdrawn,
)
from landform.variables.models import VariableSet, VariableSetProject, VariableSetWorkspace
from landform.workspaces import projects, queries
from landform.workspaces.models import Project

NAME_LIMIT: Final = 90  # characters
DESCRIPTION_LIMIT: Final = 512  # characters
PER_ORGANIZATION: Final = 500
_AT_ONCE: Final = 1000  # workspaces or projects named in one call
_WEIGHT_MAX: Final = 2**31 - 1
_UNIQUE: Final = "uq_variable_sets_organization_id_name"
# The set that holds what Terrakube calls the variables of an organization.
ORGANIZATIONS_OWN: Final = "Organization variables"


@dataclass(frozen=True, kw_only=True)
class SetSettings:
    """What a client gives of a set; None means as it is, or the default for a new one.

    Attributes:
        is_global: to make a set global withdraws it from where it was applied before.
    """

    name: str | None = None
    description: str | None = None
    is_global: bool | None = None
    is_priority: bool | None = None
    weight: int | None = None


async def create_set(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    settings: SetSettings,
    *,
    project: Project | None = None,
) -> VariableSet:
    """Make a set without variables that applies nowhere yet, unless it is global.

    Args:
        project: owns the set; None: the organization does.

    Raises:
        ForbiddenError: `actor` may not manage variable sets there.
        InvalidError: the name is malformed or taken, or a project's set would be global.
    """
    place = Place(organization_id=organization.id) if project is None else project.place
    await require(session, actor, Permission.WRITE_VARIABLE_SETS, place)
    if project is not None and project.organization_id != organization.id:
        raise InvalidError(f"Project {project.id} is of another organization.", pointer="parent")
    if settings.name is None:
        raise InvalidError("A variable set needs a name.", pointer="name")
    _check(settings)
    await _require_room(session, organization)
    row = VariableSet(
        organization_id=organization.id,
        project_id=None if project is None else project.id,
        name=settings.name,
        description=settings.description or "",
        is_global=bool(settings.is_global),
        is_priority=bool(settings.is_priority),
        weight=settings.weight or 0,
    )
    _check_global(row, is_global=row.is_global)
    async with unique(session, _UNIQUE, _taken(settings.name)):
        session.add(row)
    events.publish(
        session,
        VariableSetCreated(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=row.id,
            name=row.name,
            is_global=row.is_global,
            is_priority=row.is_priority,
        ),
    )
    return row


async def update_set(
    session: AsyncSession, actor: Actor, row: VariableSet, settings: SetSettings
) -> VariableSet:
    """Apply the settings that are given.

    Raises:
        ForbiddenError: `actor` may not manage the set.
        InvalidError: the name is malformed or taken, or a project's set would be global.
    """
    await require_writer(session, actor, row)
    _check(settings)
    row = await locked_set(session, row.id)
    given = {name: value for name, value in vars(settings).items() if value is not None}
    changed = {name: value for name, value in given.items() if value != getattr(row, name)}
    if not changed:
        return row
    _check_global(row, is_global=bool(changed.get("is_global")))
    if changed.get("is_global"):
        for table in (VariableSetWorkspace, VariableSetProject):
            await session.execute(delete(table).where(table.variable_set_id == row.id))
    changes = events.changes_of(row, changed)
    async with unique(session, _UNIQUE, _taken(settings.name or row.name)):
        for name, value in changed.items():
            setattr(row, name, value)
    events.publish(
        session,
        VariableSetUpdated(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            changed=tuple(changed),
            changes=changes,
        ),
    )
    return row


async def delete_set(session: AsyncSession, actor: Actor, row: VariableSet) -> None:
    """Delete the set with its variables; runs that began keep what they were given.

    Raises:
        ForbiddenError: `actor` may not manage the set.
    """
    await require_writer(session, actor, row)
    row = await locked_set(session, row.id)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        VariableSetDeleted(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )


async def apply_to_workspaces(
    session: AsyncSession, actor: Actor, row: VariableSet, workspace_ids: Sequence[str]
) -> None:
    """Apply the set to workspaces, beside those it applies to; again is no harm.

    Raises:
        ForbiddenError: `actor` may not manage the set, or not change variables of a workspace.
        NotFoundError: there is no such workspace, for `actor` or within the set's reach.
        ConflictError: the set is global.
    """
    await _require_appliable(session, actor, row, workspace_ids)
    row = await locked_set(session, row.id)
    present = set(await _workspace_ids(session, row))
    added = [each for each in dict.fromkeys(workspace_ids) if each not in present]
    for each in added:
        workspace = await queries.get(session, actor, each)
        _require_within(row, workspace.organization_id, workspace.project_id, each)
        await require(session, actor, Permission.WRITE_VARIABLES, workspace.place)
        session.add(VariableSetWorkspace(variable_set_id=row.id, workspace_id=each))
    await session.flush()
    _tell(session, actor, row, VariableSetApplied, workspace_ids=added)


async def apply_to_projects(
    session: AsyncSession, actor: Actor, row: VariableSet, project_ids: Sequence[str]
) -> None:
    """Apply the set to the workspaces of projects; again is no harm.

    Raises:
        ForbiddenError: `actor` may not manage the set, or not variable sets of a project.
        NotFoundError: there is no such project, for `actor` or within the set's reach.
        ConflictError: the set is global.
    """
    await _require_appliable(session, actor, row, project_ids)
    row = await locked_set(session, row.id)
    present = set(await _project_ids(session, row))
    added = [each for each in dict.fromkeys(project_ids) if each not in present]
    for each in added:
        project = await projects.get_project(session, actor, each)
        _require_within(row, project.organization_id, project.id, each)
        await require(session, actor, Permission.WRITE_VARIABLE_SETS, project.place)
        session.add(VariableSetProject(variable_set_id=row.id, project_id=each))
    await session.flush()
    _tell(session, actor, row, VariableSetApplied, project_ids=added)


async def withdraw_from_workspaces(
    session: AsyncSession, actor: Actor, row: VariableSet, workspace_ids: Sequence[str]
) -> None:
    """Apply the set no more to these workspaces; those it does not apply to do not matter.

    Raises:
        ForbiddenError: `actor` may not manage the set.
    """
    await require_writer(session, actor, row)
    row = await locked_set(session, row.id)
    wanted = set(workspace_ids)
    gone = [each for each in await _workspace_ids(session, row) if each in wanted]
    await session.execute(
        delete(VariableSetWorkspace).where(
            VariableSetWorkspace.variable_set_id == row.id,
            VariableSetWorkspace.workspace_id.in_(gone),
        )
    )
    _tell(session, actor, row, VariableSetWithdrawn, workspace_ids=gone)


async def withdraw_from_projects(
    session: AsyncSession, actor: Actor, row: VariableSet, project_ids: Sequence[str]
) -> None:
    """Apply the set no more to these projects; those it does not apply to do not matter.

    Raises:
        ForbiddenError: `actor` may not manage the set.
    """
    await require_writer(session, actor, row)
    row = await locked_set(session, row.id)
    wanted = set(project_ids)
    gone = [each for each in await _project_ids(session, row) if each in wanted]
    await session.execute(
        delete(VariableSetProject).where(
            VariableSetProject.variable_set_id == row.id,
            VariableSetProject.project_id.in_(gone),
        )
    )
    _tell(session, actor, row, VariableSetWithdrawn, project_ids=gone)


async def replace_workspaces(
    session: AsyncSession, actor: Actor, row: VariableSet, workspace_ids: Sequence[str]
) -> None:
    """Apply the set to these workspaces only; raises as `apply_to_workspaces`."""
    present = await _workspace_ids(session, row)
    gone = [each for each in present if each not in set(workspace_ids)]
    await apply_to_workspaces(session, actor, row, workspace_ids)
    await withdraw_from_workspaces(session, actor, row, gone)


async def replace_projects(
    session: AsyncSession, actor: Actor, row: VariableSet, project_ids: Sequence[str]
) -> None:
    """Apply the set to these projects only; raises as `apply_to_projects`."""
    present = await _project_ids(session, row)
    gone = [each for each in present if each not in set(project_ids)]
    await apply_to_projects(session, actor, row, project_ids)
    await withdraw_from_projects(session, actor, row, gone)


async def organizations_own(
    session: AsyncSession, actor: Actor, organization: Organization
) -> VariableSet:
    """Return the global set that is called `Organization variables`, made if there is none.

    Raises:
        ForbiddenError: `actor` may not manage variable sets of the organization.
        ConflictError: there is one, and it is not global.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.WRITE_VARIABLE_SETS, place)
    query = select(VariableSet).where(
        VariableSet.organization_id == organization.id, VariableSet.name == ORGANIZATIONS_OWN
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        settings = SetSettings(name=ORGANIZATIONS_OWN, is_global=True)
        return await create_set(session, actor, organization, settings)
    if not row.is_global:
        raise ConflictError(
            f"The variable set {ORGANIZATIONS_OWN!r} is not global; make it so, or rename it."
        )
    return row


async def locked_set(session: AsyncSession, set_id: str) -> VariableSet:
    """Return the set as it is now, held against others until the transaction ends.

    Raises:
        NotFoundError: it was deleted.
    """
    query = (
        select(VariableSet)
        .where(VariableSet.id == set_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no variable set {set_id}.")
    return row


async def require_writer(session: AsyncSession, actor: Actor, row: VariableSet) -> None:
    """Let `actor` pass who may manage the set.

    Raises:
        ForbiddenError: it may not.
        NotFoundError: it may not know of the project that owns the set.
    """
    await require(session, actor, Permission.WRITE_VARIABLE_SETS, row.place)


async def _require_appliable(
    session: AsyncSession, actor: Actor, row: VariableSet, ids: Sequence[str]
) -> None:
    await require_writer(session, actor, row)
    if ids and row.is_global:
        raise ConflictError(
            f"Variable set {row.name} is global: it applies to every workspace already."
        )
    if len(ids) > _AT_ONCE:
        raise InvalidError(f"At most {_AT_ONCE} can be named at once.")


def _require_within(row: VariableSet, organization_id: str, project_id: str, named: str) -> None:
    if row.organization_id != organization_id:
        raise NotFoundError(f"There is no {named} in the organization of the variable set.")
    if row.project_id not in (None, project_id):
        raise NotFoundError(
            f"There is no {named} in project {row.project_id}, which owns variable set {row.name}."
        )


def _tell(
    session: AsyncSession,
    actor: Actor,
    row: VariableSet,
    kind: type[VariableSetApplied | VariableSetWithdrawn],
    *,
    workspace_ids: Sequence[str] = (),
    project_ids: Sequence[str] = (),
) -> None:
    if not workspace_ids and not project_ids:
        return
    row.updated_at = now()
    events.publish(
        session,
        kind(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            workspace_ids=tuple(workspace_ids),
            project_ids=tuple(project_ids),
        ),
    )


async def _workspace_ids(session: AsyncSession, row: VariableSet) -> Sequence[str]:
    query = select(VariableSetWorkspace.workspace_id).where(
        VariableSetWorkspace.variable_set_id == row.id
    )
    return (await session.scalars(query)).all()


async def _project_ids(session: AsyncSession, row: VariableSet) -> Sequence[str]:
    query = select(VariableSetProject.project_id).where(
        VariableSetProject.variable_set_id == row.id
    )
    return (await session.scalars(query)).all()


async def _require_room(session: AsyncSession, organization: Organization) -> None:
    query = (
        select(func.count())
        .select_from(VariableSet)
        .where(VariableSet.organization_id == organization.id)
    )
    if (await session.scalar(query) or 0) >= PER_ORGANIZATION:
        raise InvalidError(f"An organization has at most {PER_ORGANIZATION} variable sets.")


def _check(settings: SetSettings) -> None:
    name: Any = settings.name
    if name is not None:
        check_text(name, what="The name", limit=NAME_LIMIT, pointer="name")
        if not name.strip() or name != name.strip() or not name.isprintable():
            raise InvalidError(
                f"A variable set's name has 1 to {NAME_LIMIT} printable characters, and no space"
                " at either end.",
                pointer="name",
            )
    if settings.description is not None:
        check_text(
            settings.description,
            what="The description",
            limit=DESCRIPTION_LIMIT,
            pointer="description",
        )
    if settings.weight is not None and abs(settings.weight) > _WEIGHT_MAX:
        raise InvalidError("The priority is a whole number of at most 32 bits.", pointer="priority")


def _check_global(row: VariableSet, *, is_global: bool) -> None:
    if is_global and row.project_id is not None:
        raise InvalidError(
            "A variable set that a project owns cannot be global; the organization's can.",
            pointer="global",
        )


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The variable set name {name} has already been taken.", pointer="name")
