import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.users import actor_of
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.workspaces import projects, service, tags
from landform.workspaces.models import Project, TagBinding
from landform.workspaces.projects import ProjectSettings
from landform.workspaces.settings import WorkspaceSettings
from landform.workspaces.tags import Tag
from tests.factories import (
    make_actor,
    make_organization,
    make_owner,
    make_project,
    make_team,
    make_user,
    make_workspace,
    organization_actor,
)


async def test_a_project_is_created_with_its_tags(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    project = await projects.create_project(
        session,
        owner,
        organization,
        ProjectSettings(name="My Shelf 1", description="Ours"),
        tags=[Tag("team", "net")],
    )
    assert await projects.get_project(session, owner, project.id) is project
    rows = await tags.bindings_of(session, owner, project)
    assert [(row.key, row.value) for row in rows] == [("team", "net")]


async def test_projects_are_created_by_owners_and_who_manages_projects(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    manager, worker = await make_user(session), await make_user(session)
    await make_team(
        session, organization, organization_access=["manage-projects"], members=[manager]
    )
    await make_team(
        session, organization, organization_access=["manage-workspaces"], members=[worker]
    )
    for number, actor in enumerate((actor_of(manager), organization_actor(organization))):
        await projects.create_project(
            session, actor, organization, ProjectSettings(name=f"shelf {number}")
        )
    with pytest.raises(ForbiddenError, match="create projects"):
        await projects.create_project(
            session, actor_of(worker), organization, ProjectSettings(name="shelf")
        )


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        (ProjectSettings(), "name"),
        (ProjectSettings(name="ab"), "name"),
        (ProjectSettings(name="x" * 41), "name"),
        (ProjectSettings(name=" abc"), "name"),
        (ProjectSettings(name="abc "), "name"),
        (ProjectSettings(name="a.b"), "name"),
        (ProjectSettings(name="default PROJECT"), "name"),
        (ProjectSettings(name="abc", description="x" * 257), "description"),
    ],
)
async def test_a_project_that_cannot_be_is_refused(
    session: AsyncSession, settings: ProjectSettings, pointer: str
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    with pytest.raises(InvalidError) as refused:
        await projects.create_project(session, owner, organization, settings)
    assert refused.value.pointer == pointer


async def test_projects_are_listed_by_name_and_filtered_in_any_case(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    for name in ("zeta", "Alpha"):
        await make_project(session, organization, name)
    listed = await projects.list_projects(session, owner, organization, page=Page())
    assert [row.name for row in listed.items] == ["Alpha", "Default Project", "zeta"]
    named = await projects.list_projects(
        session, owner, organization, names=["ALPHA", "ZETA", "none"], page=Page()
    )
    assert [row.name for row in named.items] == ["Alpha", "zeta"]
    found = await projects.list_projects(session, owner, organization, search="PROJ", page=Page())
    assert [row.name for row in found.items] == ["Default Project"]


async def test_a_project_one_may_not_read_is_not_there(session: AsyncSession) -> None:
    organization = await make_organization(session)
    mine, other = [await make_project(session, organization) for _ in range(2)]
    reader = await make_actor(session, mine, "read")
    listed = await projects.list_projects(session, reader, organization, page=Page())
    assert [row.id for row in listed.items] == [mine.id]
    with pytest.raises(NotFoundError):
        await projects.get_project(session, reader, other.id)
    with pytest.raises(NotFoundError):
        await projects.get_project(session, reader, "prj-none")


async def test_a_project_is_changed_by_its_admins(session: AsyncSession) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization, "shelf")
    admin = await make_actor(session, project, "admin")
    await projects.update_project(
        session, admin, project, ProjectSettings(name="Shelf", description="new")
    )
    assert (project.name, project.description) == ("Shelf", "new")
    with pytest.raises(InvalidError, match="taken"):
        await projects.update_project(
            session, admin, project, ProjectSettings(name="Default Project")
        )
    keeper = await make_actor(session, project, "maintain")
    with pytest.raises(ForbiddenError, match="change the project"):
        await projects.update_project(session, keeper, project, ProjectSettings(name="mine"))


async def test_a_project_is_deleted_when_empty_and_not_the_default(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    default = await session.get_one(Project, organization.default_project_id)
    with pytest.raises(ConflictError, match="default project"):
        await projects.delete_project(session, owner, default)
    project = await make_project(session, organization)
    workspace = await make_workspace(session, organization, project=project)
    counts = await projects.workspace_counts(session, [default, project])
    assert counts == {default.id: 0, project.id: 1}
    with pytest.raises(ConflictError, match="has workspaces"):
        await projects.delete_project(session, owner, project)
    await session.delete(workspace)
    session.add(TagBinding(project_id=project.id, key="a"))
    await session.flush()
    keeper = await make_actor(session, project, "maintain")
    with pytest.raises(ForbiddenError, match="delete the project"):
        await projects.delete_project(session, keeper, project)
    await projects.delete_project(session, owner, project)
    assert (await session.scalars(select(TagBinding))).all() == []


async def test_a_project_that_is_being_filled_is_not_deleted(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        project = await make_project(session, organization)
        owner = await make_owner(session, organization)
    async with transaction(sessions) as late:
        async with transaction(sessions) as early:
            await service.create_workspace(
                early, owner, organization, WorkspaceSettings(name="net"), project=project
            )
            waiting = asyncio.create_task(projects.delete_project(late, owner, project))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        with pytest.raises(ConflictError, match="has workspaces"):
            await waiting


async def test_a_project_that_is_being_deleted_is_not_filled(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        project = await make_project(session, organization)
        workspace = await make_workspace(session, organization)
        owner = await make_owner(session, organization)
    async with transaction(sessions) as first, transaction(sessions) as second:
        async with transaction(sessions) as early:
            await projects.delete_project(early, owner, project)
            waiting = [
                asyncio.create_task(
                    service.create_workspace(
                        first, owner, organization, WorkspaceSettings(name="net"), project=project
                    )
                ),
                asyncio.create_task(service.move_workspace(second, owner, workspace, project)),
            ]
            done, _ = await asyncio.wait(waiting, timeout=0.2)
            assert not done
        for task in waiting:
            with pytest.raises(NotFoundError, match="no project"):
                await task
