import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.workspaces import tags
from landform.workspaces.models import TagBinding, Workspace
from landform.workspaces.tags import EffectiveTag, Tag
from tests.factories import make_actor, make_organization, make_project, make_workspace


async def _pairs(session: AsyncSession, workspace: Workspace) -> dict[str, str]:
    rows = await tags.bindings_of(session, SYSTEM, workspace)
    return {row.key: row.value for row in rows}


async def test_an_update_adds_and_changes_and_removes_nothing(session: AsyncSession) -> None:
    workspace = await make_workspace(session, tags={"a": "1", "b": ""})
    planner = await make_actor(session, workspace, "plan")
    rows = await tags.update_bindings(
        session, planner, workspace, [Tag("b", "2"), Tag("c"), Tag("c", "3")]
    )
    assert {row.key: row.value for row in rows} == {"a": "1", "b": "2", "c": "3"}
    event = (await session.scalars(select(EventRow).where(EventRow.name == "TagsChanged"))).one()
    assert event.payload == {"tags": ["a=1", "b=2", "c=3"]}


async def test_a_replacement_leaves_only_what_is_given(session: AsyncSession) -> None:
    workspace = await make_workspace(session, tags={"a": "1", "b": "2"})
    await tags.replace_bindings(session, SYSTEM, workspace, [Tag("b", "3"), Tag("c")])
    assert await _pairs(session, workspace) == {"b": "3", "c": ""}
    await tags.replace_bindings(session, SYSTEM, workspace, [])
    assert await _pairs(session, workspace) == {}


async def test_flat_tags_are_keys_without_values(session: AsyncSession) -> None:
    workspace = await make_workspace(session, tags={"a": "1", "b": ""})
    other = await make_workspace(session, tags={"z": ""})
    await tags.add_tags(session, SYSTEM, workspace, ["a", "c"])
    assert await _pairs(session, workspace) == {"a": "1", "b": "", "c": ""}
    names = await tags.tag_names(session, [workspace, other])
    assert names == {workspace.id: ["b", "c"], other.id: ["z"]}
    await tags.remove_tags(session, SYSTEM, workspace, ["a", "c", "none"])
    assert await _pairs(session, workspace) == {"b": ""}


async def test_a_workspace_inherits_its_project_s_tags_and_may_say_otherwise(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    await tags.update_bindings(session, SYSTEM, project, [Tag("a", "p"), Tag("b", "p")])
    workspace = await make_workspace(
        session, organization, project=project, tags={"b": "w", "c": ""}
    )
    reader = await make_actor(session, workspace, "read")
    assert await tags.effective_bindings(session, reader, workspace) == [
        EffectiveTag("a", "p", inherited=True),
        EffectiveTag("b", "w", inherited=False),
        EffectiveTag("c", "", inherited=False),
    ]


@pytest.mark.parametrize(
    "tag",
    [
        Tag(""),
        Tag("a b"),
        Tag("a/b"),
        Tag("a,b"),
        Tag("x" * 256),
        Tag("a\n"),
        Tag("a\0"),
        Tag("hc:a"),
        Tag("HCP:a"),
        Tag("a", "b c"),
        Tag("a", "x" * 257),
        Tag("\udc80"),
    ],
)
async def test_a_tag_that_cannot_be_is_refused(session: AsyncSession, tag: Tag) -> None:
    workspace = await make_workspace(session)
    with pytest.raises(InvalidError) as refused:
        await tags.update_bindings(session, SYSTEM, workspace, [Tag("fine"), tag])
    assert refused.value.pointer == "tag_bindings"
    assert await _pairs(session, workspace) == {}


@pytest.mark.parametrize("key", ["a", "A1", "a_b.c=d+e-f@g:h", "größe", "x" * 255])
async def test_letters_digits_and_some_signs_make_a_key(session: AsyncSession, key: str) -> None:
    workspace = await make_workspace(session)
    await tags.update_bindings(session, SYSTEM, workspace, [Tag(key)])
    assert await _pairs(session, workspace) == {key: ""}


async def test_there_is_a_limit_to_tags(session: AsyncSession) -> None:
    workspace = await make_workspace(session)
    await tags.update_bindings(
        session, SYSTEM, workspace, [Tag(f"t{number}") for number in range(100)]
    )
    await tags.update_bindings(session, SYSTEM, workspace, [Tag("t1", "new")])
    with pytest.raises(InvalidError, match="At most 100"):
        await tags.update_bindings(session, SYSTEM, workspace, [Tag("one-more")])


@pytest.mark.parametrize("kind", ["workspace", "project"])
async def test_two_who_add_the_same_tag_at_once_both_succeed(sessions: Sessions, kind: str) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        workspace = await make_workspace(session, organization)
        project = await make_project(session, organization)
    owner = workspace if kind == "workspace" else project

    async def add(value: str) -> None:
        async with transaction(sessions) as session:
            await tags.update_bindings(session, SYSTEM, owner, [Tag("a", value)])

    await asyncio.gather(*(add(str(number)) for number in range(4)))
    async with transaction(sessions) as session:
        rows = await tags.bindings_of(session, SYSTEM, owner)
        assert [row.key for row in rows] == ["a"]


async def test_tags_are_changed_by_who_may_plan_or_has_the_settings(
    session: AsyncSession,
) -> None:
    workspace = await make_workspace(session)
    reader = await make_actor(session, workspace, "read")
    stranger = await make_actor(session, await make_workspace(session), "admin")
    with pytest.raises(ForbiddenError, match="queue plans"):
        await tags.add_tags(session, reader, workspace, ["a"])
    for change in (tags.bindings_of, tags.effective_bindings):
        with pytest.raises(NotFoundError):
            await change(session, stranger, workspace)
    with pytest.raises(NotFoundError):
        await tags.add_tags(session, stranger, workspace, ["a"])
    assert await _pairs(session, workspace) == {}


async def test_a_project_s_tags_are_changed_by_who_may_change_the_project(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    await tags.update_bindings(
        session, await make_actor(session, project, "admin"), project, [Tag("a")]
    )
    with pytest.raises(ForbiddenError, match="change the project"):
        await tags.replace_bindings(
            session, await make_actor(session, project, "maintain"), project, []
        )
    rows = await session.scalars(select(TagBinding.key))
    assert list(rows) == ["a"]
