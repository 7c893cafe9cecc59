import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.users import actor_of
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.toolchain.versions import Tool
from landform.workspaces import service, tags
from landform.workspaces.models import ExecutionMode, TagBinding, Workspace
from landform.workspaces.settings import WorkspaceSettings
from landform.workspaces.tags import Tag
from tests.factories import (
    make_actor,
    make_organization,
    make_owner,
    make_project,
    make_user,
    make_workspace,
    organization_actor,
)


async def test_a_workspace_starts_in_the_default_project_with_tfe_s_defaults(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    workspace = await service.create_workspace(
        session, owner, organization, WorkspaceSettings(name="net")
    )
    await session.refresh(workspace)
    assert workspace.project_id == organization.default_project_id
    assert (workspace.tool, workspace.tool_version) == (Tool.TERRAFORM, "latest")
    assert workspace.execution_mode is ExecutionMode.REMOTE
    assert (workspace.auto_apply, workspace.speculative_enabled) == (False, True)
    assert not workspace.is_locked
    event = (
        await session.scalars(select(EventRow).where(EventRow.subject_id == workspace.id))
    ).one()
    assert (event.name, event.actor_id) == ("WorkspaceCreated", owner.id)


async def test_every_setting_a_client_gives_is_kept(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    given: dict[str, Any] = {
        "name": "net_1-A",
        "description": "Networks ✓",
        "tool": Tool.TOFU,
        "tool_version": "~> 1.9.0",
        "working_directory": "live/prod",
        "execution_mode": ExecutionMode.LOCAL,
        "auto_apply": True,
        "auto_apply_run_trigger": True,
        "allow_destroy_plan": False,
        "assessments_enabled": False,
        "file_triggers_enabled": False,
        "global_remote_state": True,
        "project_remote_state": True,
        "queue_all_runs": True,
        "speculative_enabled": False,
        "structured_run_output_enabled": False,
        "trigger_prefixes": ["modules/"],
        "trigger_patterns": ["**/*.tf"],
        "source": "tfe-ui",
        "source_name": "portal",
        "source_url": "https://portal.example",
    }
    workspace = await service.create_workspace(
        session,
        owner,
        organization,
        WorkspaceSettings(**given),
        tags=[Tag("prod"), Tag("team", "net")],
    )
    await session.refresh(workspace)
    assert {name: getattr(workspace, name) for name in given} == given
    rows = await tags.bindings_of(session, owner, workspace)
    assert [(row.key, row.value) for row in rows] == [("prod", ""), ("team", "net")]


async def test_a_new_workspace_takes_the_organization_s_execution_mode(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    organization.default_execution_mode = "local"
    owner = await make_owner(session, organization)
    workspace = await service.create_workspace(
        session, owner, organization, WorkspaceSettings(name="net")
    )
    assert workspace.execution_mode is ExecutionMode.LOCAL


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 91}, "name"),
        ({"name": "net\n"}, "name"),
        ({"name": "ünet"}, "name"),
        ({"name": "TAKEN"}, "name"),
        ({"tool_version": "one"}, "terraform_version"),
        ({"tool_version": "~> x"}, "terraform_version"),
        ({"tool_version": "9" * 300}, "terraform_version"),
        ({"working_directory": "/etc"}, "working_directory"),
        ({"working_directory": "a/../../b"}, "working_directory"),
        ({"working_directory": ".."}, "working_directory"),
        ({"working_directory": "~/x"}, "working_directory"),
        ({"working_directory": "a\\b"}, "working_directory"),
        ({"working_directory": "a\0b"}, "working_directory"),
        ({"execution_mode": "moon"}, "execution_mode"),
        ({"description": "x" * 5000}, "description"),
        ({"description": "\udc80"}, "description"),
        ({"trigger_patterns": ["x"] * 101}, "trigger_patterns"),
        ({"trigger_prefixes": ["\0"]}, "trigger_prefixes"),
        ({"source_url": "x" * 3000}, "source_url"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused(
    session: AsyncSession, wrong: dict[str, Any], pointer: str
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    await make_workspace(session, organization, "taken")
    with pytest.raises(InvalidError) as refused:
        await service.create_workspace(
            session, owner, organization, WorkspaceSettings(**({"name": "net"} | wrong))
        )
    assert refused.value.pointer == pointer
    count = select(func.count()).select_from(Workspace)
    assert await session.scalar(count.where(Workspace.organization_id == organization.id)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", ""), (".", ""), ("./a/", "a"), ("a//b/./c", "a/b/c"), (" a ", "a"), ("a b/ü", "a b/ü")],
)
async def test_a_working_directory_is_kept_in_one_form(
    session: AsyncSession, given: str, kept: str
) -> None:
    workspace = await make_workspace(session, working_directory="before")
    owner = actor_of(await make_user(session, is_site_admin=True))
    settings = WorkspaceSettings(working_directory=given)
    changed = await service.update_workspace(session, owner, workspace, settings)
    assert changed.working_directory == kept


@pytest.mark.parametrize(
    "version", ["1.11.4", "~> 1.9", ">= 1.6, < 2.0", "latest", " 1.2.3 ", "1.10.0-beta1"]
)
async def test_a_version_is_exact_a_constraint_or_latest(
    session: AsyncSession, version: str
) -> None:
    workspace = await make_workspace(session)
    owner = actor_of(await make_user(session, is_site_admin=True))
    settings = WorkspaceSettings(tool_version=version)
    changed = await service.update_workspace(session, owner, workspace, settings)
    assert changed.tool_version == version.strip()


async def test_of_two_workspaces_of_one_name_made_at_once_one_is_made(
    sessions: Sessions,
) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        owner = await make_owner(session, organization)

    async def create(name: str) -> None:
        async with transaction(sessions) as session:
            await service.create_workspace(
                session, owner, organization, WorkspaceSettings(name=name), tags=[Tag("a")]
            )

    outcomes = await asyncio.gather(create("net"), create("NET"), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvalidError) for outcome in outcomes) == 1
    async with transaction(sessions) as session:
        assert await session.scalar(select(func.count()).select_from(Workspace)) == 1
        assert await session.scalar(select(func.count()).select_from(TagBinding)) == 1


@pytest.mark.parametrize(
    ("level", "custom", "allowed"),
    [
        ("read", {}, False),
        ("write", {}, False),
        ("maintain", {}, True),
        ("admin", {}, True),
        ("custom", {"workspace-access": {"create": True}}, True),
        ("custom", {"workspace-access": {"runs": "apply"}}, False),
    ],
)
async def test_workspaces_are_created_by_who_may_in_that_project(
    session: AsyncSession, level: str, custom: dict[str, Any], allowed: bool
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    actor = await make_actor(session, project, level, custom)
    settings = WorkspaceSettings(name="net")
    with pytest.raises(ForbiddenError, match="name a project in which you have it"):
        await service.create_workspace(session, actor, organization, settings)
    if allowed:
        workspace = await service.create_workspace(
            session, actor, organization, settings, project=project
        )
        assert workspace.project_id == project.id
    else:
        with pytest.raises(ForbiddenError, match="create workspaces"):
            await service.create_workspace(session, actor, organization, settings, project=project)


async def test_a_project_of_another_organization_is_no_place_for_a_workspace(
    session: AsyncSession,
) -> None:
    organization, other = await make_organization(session), await make_organization(session)
    admin = actor_of(await make_user(session, is_site_admin=True))
    foreign = await make_project(session, other)
    with pytest.raises(InvalidError, match="another organization"):
        await service.create_workspace(
            session, admin, organization, WorkspaceSettings(name="net"), project=foreign
        )
    workspace = await make_workspace(session, organization)
    with pytest.raises(InvalidError, match="another organization"):
        await service.update_workspace(
            session, admin, workspace, WorkspaceSettings(), project=foreign
        )


async def test_only_what_is_given_changes(session: AsyncSession) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization, "net", description="old")
    admin = await make_actor(session, workspace, "admin")
    changed = await service.update_workspace(
        session, admin, workspace, WorkspaceSettings(tool_version="1.11.4", name="net")
    )
    await session.refresh(changed)
    assert (changed.name, changed.description, changed.tool_version) == ("net", "old", "1.11.4")
    event = (
        await session.scalars(select(EventRow).where(EventRow.name == "WorkspaceUpdated"))
    ).one()
    changes = {"tool_version": ["latest", "1.11.4"]}
    assert event.payload == {"changed": ["tool_version"], "changes": changes}


async def test_a_name_that_is_taken_is_refused_and_the_rest_is_left_as_it_was(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    await make_workspace(session, organization, "taken")
    workspace = await make_workspace(session, organization, "net")
    admin = await make_actor(session, workspace, "admin")
    with pytest.raises(InvalidError, match="has already been taken"):
        await service.update_workspace(
            session, admin, workspace, WorkspaceSettings(name="Taken", auto_apply=True)
        )
    await session.refresh(workspace)
    assert (workspace.name, workspace.auto_apply) == ("net", False)


@pytest.mark.parametrize("level", ["read", "plan", "write"])
async def test_settings_are_for_admins(session: AsyncSession, level: str) -> None:
    workspace = await make_workspace(session)
    actor = await make_actor(session, workspace, level)
    for settings in (WorkspaceSettings(auto_apply=True), WorkspaceSettings()):
        with pytest.raises(ForbiddenError, match="change the workspace's settings"):
            await service.update_workspace(session, actor, workspace, settings)
    with pytest.raises(ForbiddenError, match="delete the workspace"):
        await service.delete_workspace(session, actor, workspace)


async def test_a_workspace_moves_for_who_may_move_out_of_and_into(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    here, there = [await make_project(session, organization) for _ in range(2)]
    workspace = await make_workspace(session, organization, project=here)
    actor = await make_actor(session, here, "admin")
    with pytest.raises(NotFoundError, match="no project"):
        await service.update_workspace(
            session, actor, workspace, WorkspaceSettings(), project=there
        )
    mover = organization_actor(organization)
    moved = await service.update_workspace(
        session, mover, workspace, WorkspaceSettings(), project=there
    )
    assert moved.project_id == there.id
    event = (await session.scalars(select(EventRow).where(EventRow.name == "WorkspaceMoved"))).one()
    assert event.payload == {"from_project_id": here.id, "to_project_id": there.id}


async def test_settings_and_a_move_in_one_change_need_both_permissions(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    here, there = [await make_project(session, organization) for _ in range(2)]
    workspace = await make_workspace(session, organization, project=here)
    custom = {"workspace-access": {"move": True}}
    user = await make_actor(session, here, "custom", custom)
    with pytest.raises(ForbiddenError, match="settings"):
        await service.update_workspace(
            session, user, workspace, WorkspaceSettings(auto_apply=True), project=there
        )


async def test_an_admin_deletes_a_workspace_with_what_hangs_on_it(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization, tags={"a": ""})
    admin = await make_actor(session, workspace, "admin")
    await service.delete_workspace(session, admin, workspace)
    assert await session.get(Workspace, workspace.id) is None
    assert (await session.scalars(select(TagBinding))).all() == []
    event = (
        await session.scalars(select(EventRow).where(EventRow.name == "WorkspaceDeleted"))
    ).one()
    assert (event.subject_id, event.payload) == (workspace.id, {"name": workspace.name})
