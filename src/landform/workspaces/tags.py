"""Tags: keys, with or without a value, on workspaces and on projects, whose workspaces inherit."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import permissions, require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError
from landform.workspaces.events import TagsChanged
from landform.workspaces.models import Project, TagBinding, Workspace
from landform.workspaces.rows import locked, locked_project

_KEY: Final = re.compile(r"[\w.=+@:-]{1,255}")
_VALUE: Final = re.compile(r"[\w.=+@:-]{0,256}")
_RESERVED: Final = ("hc:", "hcp:")
_PER_OWNER: Final = 100


@dataclass(frozen=True)
class Tag:
    """A key and its value; without one it is what TFE once called a tag."""

    key: str
    value: str = ""


@dataclass(frozen=True)
class EffectiveTag:
    """A tag that holds for a workspace; `inherited` from its project, or its own."""

    key: str
    value: str
    inherited: bool


async def bindings_of(
    session: AsyncSession, actor: Actor, owner: Workspace | Project
) -> Sequence[TagBinding]:
    """Return the owner's own bindings by key."""
    await _require_reader(session, actor, owner)
    return await _bindings(session, owner)


async def effective_bindings(
    session: AsyncSession, actor: Actor, workspace: Workspace
) -> list[EffectiveTag]:
    """Return what holds for the workspace: its own tags, and its project's that they leave."""
    await _require_reader(session, actor, workspace)
    inherited = await session.scalars(
        select(TagBinding).where(TagBinding.project_id == workspace.project_id)
    )
    effective = {row.key: EffectiveTag(row.key, row.value, inherited=True) for row in inherited} | {
        row.key: EffectiveTag(row.key, row.value, inherited=False)
        for row in await _bindings(session, workspace)
    }
    return [effective[key] for key in sorted(effective)]


async def tag_names(
    session: AsyncSession, workspaces: Iterable[Workspace]
) -> Mapping[str, list[str]]:
    """Return, by id of each workspace, its own keys that have no value: TFE's `tag-names`."""
    names: dict[str, list[str]] = {workspace.id: [] for workspace in workspaces}
    query = (
        select(TagBinding.workspace_id, TagBinding.key)
        .where(TagBinding.workspace_id.in_(names), TagBinding.value == "")
        .order_by(TagBinding.key)
    )
    for workspace_id, key in (await session.execute(query)).all():
        names[str(workspace_id)].append(key)
    return names


async def texts_of(
    session: AsyncSession, workspaces: Iterable[Workspace]
) -> Mapping[str, list[str]]:
    """Return, by id of each workspace, its own tags as people write them: `key` or `key=value`."""
    texts: dict[str, list[str]] = {workspace.id: [] for workspace in workspaces}
    query = (
        select(TagBinding.workspace_id, TagBinding.key, TagBinding.value)
        .where(TagBinding.workspace_id.in_(texts))
        .order_by(TagBinding.key)
    )
    for workspace_id, key, value in (await session.execute(query)).all():
        texts[str(workspace_id)].append(f"{key}={value}" if value else key)
    return texts


async def update_bindings(
    session: AsyncSession, actor: Actor, owner: Workspace | Project, tags: Sequence[Tag]
) -> Sequence[TagBinding]:
    """Add the tags, or give those that are there the new values; return all there are now.

    Raises:
        ForbiddenError: `actor` may not change the owner's tags.
        InvalidError: a key or value is malformed, or there would be too many.
    """
    return await _write(session, actor, owner, add=tags)


async def replace_bindings(
    session: AsyncSession, actor: Actor, owner: Workspace | Project, tags: Sequence[Tag]
) -> Sequence[TagBinding]:
    """Make `tags` the owner's only ones; raises as `update_bindings`."""
    return await _write(session, actor, owner, add=tags, keep=frozenset(tag.key for tag in tags))


async def add_tags(
    session: AsyncSession, actor: Actor, workspace: Workspace, names: Sequence[str]
) -> None:
    """Add tags without values; one that is there keeps its value. Raises as `update_bindings`."""
    present = {row.key for row in await _bindings(session, workspace)}
    await _write(
        session, actor, workspace, add=[Tag(name) for name in names if name not in present]
    )


async def remove_tags(
    session: AsyncSession, actor: Actor, workspace: Workspace, names: Sequence[str]
) -> None:
    """Remove tags by key, whatever their values; those that are not there do not matter."""
    present = {row.key for row in await _bindings(session, workspace)}
    await _write(session, actor, workspace, add=(), keep=frozenset(present - set(names)))


def check(given: Sequence[Tag]) -> None:
    """Raise InvalidError when a key or value is malformed."""
    for tag in given:
        checked(tag)


def read(text: str) -> list[Tag]:
    """Return the tags that people write as `env=prod team`, unchecked."""
    words = [word.partition("=") for word in re.split(r"[\s,]+", text) if word]
    return [Tag(key, value) for key, _, value in words]


async def attach(session: AsyncSession, owner: Workspace | Project, tags: Sequence[Tag]) -> None:
    """Give a new owner its first tags, for its maker, which has asked who may.

    Raises:
        InvalidError: a key or value is malformed, or there are too many.
    """
    rows = {tag.key: tag for tag in map(checked, tags)}
    _check_count(len(rows))
    session.add_all(_new(owner, tag) for tag in rows.values())
    await session.flush()


async def _write(
    session: AsyncSession,
    actor: Actor,
    owner: Workspace | Project,
    *,
    add: Sequence[Tag],
    keep: frozenset[str] | None = None,
) -> Sequence[TagBinding]:
    """Add or change `add`, and drop what is not in `keep` unless that is None."""
    await _require_writer(session, actor, owner)
    wanted = {tag.key: tag for tag in map(checked, add)}
    await _hold(session, owner)
    present = {row.key: row for row in await _bindings(session, owner)}
    for key, row in list(present.items()):
        if keep is not None and key not in keep:
            await session.delete(row)
            del present[key]
    for key, tag in wanted.items():
        if key in present:
            present[key].value = tag.value
        else:
            session.add(_new(owner, tag))
    _check_count(len(present.keys() | wanted.keys()))
    await session.flush()
    rows = await _bindings(session, owner)
    events.publish(
        session,
        TagsChanged(
            actor_id=actor.id,
            organization_id=owner.organization_id,
            subject_id=owner.id,
            tags=tuple(f"{row.key}={row.value}" if row.value else row.key for row in rows),
        ),
    )
    return rows


async def _hold(session: AsyncSession, owner: Workspace | Project) -> None:
    if isinstance(owner, Workspace):
        await locked(session, owner.id)
    else:
        await locked_project(session, owner.id)


async def _bindings(session: AsyncSession, owner: Workspace | Project) -> Sequence[TagBinding]:
    query = select(TagBinding).where(_of(owner)).order_by(TagBinding.key)
    return (await session.scalars(query)).all()


def _of(owner: Workspace | Project) -> ColumnElement[bool]:
    if isinstance(owner, Workspace):
        return TagBinding.workspace_id == owner.id
    return TagBinding.project_id == owner.id


def _new(owner: Workspace | Project, tag: Tag) -> TagBinding:
    if isinstance(owner, Workspace):
        return TagBinding(workspace_id=owner.id, key=tag.key, value=tag.value)
    return TagBinding(project_id=owner.id, key=tag.key, value=tag.value)


def checked(tag: Tag, *, pointer: str = "tag_bindings") -> Tag:
    """Return the tag if there can be such a one.

    Raises:
        InvalidError: its key or value is malformed, or the key reserved.
    """
    if _KEY.fullmatch(tag.key) is None or _VALUE.fullmatch(tag.value) is None:
        raise InvalidError(
            f"The tag {tag.key[:300]!r} cannot be: a key has 1 to 255 and a value at most 256"
            " letters, digits or any of _ . = + - @ :",
            pointer=pointer,
        )
    if tag.key.lower().startswith(_RESERVED):
        raise InvalidError(
            f"Keys that start with {' or '.join(_RESERVED)} are reserved.", pointer=pointer
        )
    return tag


def _check_count(count: int) -> None:
    if count > _PER_OWNER:
        raise InvalidError(f"At most {_PER_OWNER} tags are accepted.", pointer="tag_bindings")


async def _require_reader(session: AsyncSession, actor: Actor, owner: Workspace | Project) -> None:
    needed = Permission.READ_WORKSPACE if isinstance(owner, Workspace) else Permission.READ_PROJECT
    await require(session, actor, needed, owner.place)


async def _require_writer(session: AsyncSession, actor: Actor, owner: Workspace | Project) -> None:
    """Ask for what HCP Terraform does: plans on a workspace, settings of a project."""
    if isinstance(owner, Project):
        await require(session, actor, Permission.UPDATE_PROJECT, owner.place)
        return
    held = await permissions(session, actor, owner.place)
    if Permission.UPDATE_WORKSPACE not in held:
        await require(session, actor, Permission.QUEUE_PLAN, owner.place)
