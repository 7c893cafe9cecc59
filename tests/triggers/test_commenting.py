"""Comments that are commands: who may, on what, and only once."""

from typing import Any

import pytest
from sqlalchemy import select

from landform.configurations.queries import ingress_of
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.vcs import groups, people
from landform.vcs.models import Connection, KnownGroup
from landform.workspaces.models import Workspace
from tests import factories
from tests.standins.azure_world import Identity, PullRequest
from tests.standins.serving import Answer
from tests.triggers.scene import Scene

COMMENTED = "ms.vss-code.git-pullrequest-comment-event"


@pytest.fixture
async def known(scene: Scene) -> Scene:
    """The scene, where Ann is the owner here."""
    scene.subscribe(COMMENTED, "2.0")
    await introduce(scene, scene.ann, scene.world.owner.id)
    return scene


async def introduce(scene: Scene, who: Identity, user_id: str, by: Actor | None = None) -> Any:
    async with transaction(scene.platform.sessions) as session:
        connection = await session.get_one(Connection, scene.connection_id)
        return await people.introduce(
            session,
            by or scene.world.owner,
            connection,
            person_id=who.id,
            name=who.name,
            user_id=user_id,
        )


async def member(scene: Scene, level: str) -> Actor:
    """Return a member whose team may do that on the workspace."""
    async with transaction(scene.platform.sessions) as session:
        workspace = await session.get_one(Workspace, scene.world.workspace_id)
        return await factories.make_actor(session, workspace, level)


async def comment(
    scene: Scene, pull: PullRequest, text: str, by: Identity | None = None
) -> list[dict[str, Any]]:
    await scene.take()
    scene.azure.people.comment(pull, by or scene.ann, text)
    return await scene.take()


async def test_a_plan_is_made_again_for_who_asks_for_it(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    [row] = await comment(known, pull, "landform plan")
    first, second = await known.runs()
    assert row["run_id"] == second.id
    assert (second.plan_only, second.created_by) == (True, known.world.owner.id)
    await known.run_jobs()
    assert await known.world.status(second.id) == "plan_queued"
    assert first.created_by != second.created_by


async def test_whoever_is_nobody_here_gets_nothing_and_the_list_says_who_it_was(
    known: Scene,
) -> None:
    pull = known.open_pull({"a.tf": "1"})
    bob = known.repository.project.organization.identity("Bob")
    [row] = await comment(known, pull, "landform plan", bob)
    assert row["run_id"] is None
    assert bob.id in row["reason"]
    assert len(await known.runs()) == 1


async def test_the_commenter_is_asked_for_permission_and_not_who_opened_it(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    bob = known.repository.project.organization.identity("Bob")
    await introduce(known, bob, (await member(known, "read")).id)
    [row] = await comment(known, pull, "landform plan", bob)
    assert row["run_id"] is None
    assert "queue plans" in row["reason"]
    [row] = await comment(known, pull, "landform cancel", bob)
    assert row["reason"].startswith("Not canceled: ")
    [run] = await known.runs()
    assert run.status.value == "pending"


async def test_cancel_ends_what_is_under_way(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    [row] = await comment(known, pull, "landform cancel")
    [run] = await known.runs()
    assert (row["run_id"], run.status.value) == (run.id, "canceled")
    [row] = await comment(known, pull, "landform cancel")
    assert row["reason"] == "Nothing of it is under way."


async def test_an_apply_is_made_only_where_the_workspace_says_so(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    [row] = await comment(known, pull, "landform apply")
    assert (row["run_id"], "comment-applies-enabled" in row["reason"]) == (None, True)
    await known.link(applies_by_comment=True)
    [row] = await comment(known, pull, "landform apply")
    run = (await known.runs())[-1]
    assert row["run_id"] == run.id
    assert (run.plan_only, run.auto_apply) == (False, True)


async def test_who_may_only_plan_applies_nothing(known: Scene) -> None:
    await known.link(applies_by_comment=True)
    pull = known.open_pull({"a.tf": "1"})
    bob = known.repository.project.organization.identity("Bob")
    await introduce(known, bob, (await member(known, "plan")).id)
    [row] = await comment(known, pull, "landform apply", bob)
    assert row["run_id"] is None
    assert "queue applies" in row["reason"]
    [row] = await comment(known, pull, "landform plan", bob)
    assert row["run_id"]


async def test_what_is_to_be_applied_is_not_canceled_by_a_push_or_the_end(known: Scene) -> None:
    await known.link(applies_by_comment=True)
    pull = known.open_pull({"a.tf": "1"})
    await comment(known, pull, "landform apply")
    known.push({"a.tf": "2"}, branch="topic")
    await known.take()
    known.azure.people.abandon(pull, known.ann)
    await known.take()
    statuses = [(run.plan_only, run.status.value) for run in await known.runs()]
    assert statuses == [(True, "canceled"), (False, "pending"), (True, "canceled")]


async def test_a_workspace_is_named_among_several(known: Scene) -> None:
    other = await known.world.beside()
    await known.link(other, applies_by_comment=True)
    await known.link(applies_by_comment=True)
    name = (await other.workspace()).name
    pull = known.open_pull({"a.tf": "1"})
    [row] = await comment(known, pull, "landform apply")
    assert name in row["reason"]
    [row] = await comment(known, pull, f"landform apply -w {name}")
    assert row["workspace_id"] == other.workspace_id
    [row] = await comment(known, pull, "landform plan -w nowhere")
    assert row["reason"] == "No workspace nowhere is planned from this repository."
    assert len(await known.runs()) == 1


async def test_an_edited_or_deleted_command_asks_for_nothing_again(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    await known.take()
    made = known.azure.people.comment(pull, known.ann, "landform plan")
    known.azure.people.edit_comment(pull, known.ann, made, "landform plan ")
    known.azure.people.delete_comment(pull, known.ann, made)
    rows = await known.take()
    assert [bool(row["run_id"]) for row in rows] == [True, False]
    assert rows[1]["reason"] == "This comment was acted on before."


async def test_a_fork_is_not_planned_for_who_asks_either(known: Scene) -> None:
    pull = known.open_fork({"evil.tf": "1"})
    [row] = await comment(known, pull, "landform plan")
    assert row["run_id"] is None
    assert "fork" in row["reason"]


@pytest.mark.parametrize("deed", ["plan", "apply"])
async def test_a_fork_gets_the_workspaces_secrets_only_where_it_is_applied(
    known: Scene, deed: str
) -> None:
    pull = known.open_fork({"evil.tf": "1"})
    await known.take()
    await known.link(forks_enabled=True, applies_by_comment=True)
    [row] = await comment(known, pull, f"landform {deed}")
    async with transaction(known.world.platform.sessions) as session:
        run = await session.get_one(Run, row["run_id"])
        found = await ingress_of(session, [run.configuration_version_id])
    assert [one.from_stranger for one in found.values()] == [deed == "plan"]


async def test_a_closed_pull_request_takes_no_command(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    known.azure.people.abandon(pull, known.ann)
    [row] = await comment(known, pull, "landform plan")
    assert row["reason"] == "The pull request is not open any more."


async def test_only_an_owner_says_who_is_who_and_only_of_members(known: Scene) -> None:
    bob = known.repository.project.organization.identity("Bob")
    someone = await member(known, "admin")
    with pytest.raises(ForbiddenError):
        await introduce(known, bob, someone.id, by=someone)
    with pytest.raises(InvalidError, match="no member"):
        await introduce(known, bob, "user-NobodyHasThisId0")
    with pytest.raises(InvalidError, match="known already"):
        await introduce(known, known.ann, someone.id)


async def test_who_was_forgotten_or_left_is_nobody(known: Scene) -> None:
    pull = known.open_pull({"a.tf": "1"})
    async with transaction(known.platform.sessions) as session:
        connection = await session.get_one(Connection, known.connection_id)
        owner = known.world.owner
        found = await people.list_people(session, owner, connection, Page(number=1, size=10))
        [row] = found.items
        stranger = await factories.make_owner(session, await factories.make_organization(session))
        with pytest.raises(NotFoundError):
            await people.forget(session, stranger, row.id)
        await people.forget(session, owner, row.id)
    [outcome] = await comment(known, pull, "landform plan")
    assert "nobody here" in outcome["reason"]


# ── groups of the provider that count as teams ──────────────────────────────────────────────────


GROUP = "team:Cloud Team/Operators"


@pytest.fixture
async def grouped(scene: Scene) -> Scene:
    """The scene, where the members of a group count as a team that may write to the workspace."""
    scene.subscribe(COMMENTED, "2.0")
    scene.repository.project.teams["Operators"] = [scene.ann]
    token = scene.azure.tokens.find(scene.pat)
    assert token is not None
    token.scopes |= {"vso.project"}
    async with transaction(scene.platform.sessions) as session:
        workspace = await session.get_one(Workspace, scene.world.workspace_id)
        organization = await session.get_one(Organization, workspace.organization_id)
        team = await factories.make_team(session, organization)
        await factories.grant(session, team, workspace, "write")
        connection = await session.get_one(Connection, scene.connection_id)
        await groups.admit(
            session,
            scene.desk.reach,
            scene.world.owner,
            connection,
            name=GROUP,
            team_id=team.id,
        )
    return scene


async def test_who_is_in_a_group_has_its_teams_permissions(grouped: Scene) -> None:
    pull = grouped.open_pull({"a.tf": "1"})
    [row] = await comment(grouped, pull, "landform plan")
    run = (await grouped.runs())[-1]
    assert row["run_id"] == run.id
    assert run.created_by.startswith("team-")


async def test_who_left_the_group_before_the_comment_is_nobody(grouped: Scene) -> None:
    grouped.repository.project.teams["Operators"].clear()
    pull = grouped.open_pull({"a.tf": "1"})
    [row] = await comment(grouped, pull, "landform plan")
    assert row["run_id"] is None
    assert "is nobody here" in row["reason"]


async def test_a_person_whom_an_owner_named_is_that_user_whatever_groups_they_are_in(
    grouped: Scene,
) -> None:
    await introduce(grouped, grouped.ann, (await member(grouped, "read")).id)
    pull = grouped.open_pull({"a.tf": "1"})
    [row] = await comment(grouped, pull, "landform plan")
    assert row["run_id"] is None
    assert "queue plans" in row["reason"]


async def test_a_group_that_was_dismissed_or_cannot_be_asked_about_lets_nobody_in(
    grouped: Scene,
) -> None:
    pull = grouped.open_pull({"a.tf": "1"})
    grouped.azure.server.plan("/teams/", answer=Answer(403, b"{}"), times=9)
    [row] = await comment(grouped, pull, "landform plan")
    assert row["run_id"] is None
    assert f"Who is in {GROUP} could not be asked" in row["reason"]
    grouped.azure.server.forgive()
    async with transaction(grouped.platform.sessions) as session:
        group = (await session.scalars(select(KnownGroup))).one()
        await groups.dismiss(session, grouped.world.owner, group.id)
    [row] = await comment(grouped, pull, "landform plan")
    assert (row["run_id"], "is nobody here" in row["reason"]) == (None, True)


async def test_only_an_owner_says_which_group_is_a_team(grouped: Scene) -> None:
    async with transaction(grouped.platform.sessions) as session:
        connection = await session.get_one(Connection, grouped.connection_id)
        group = (await session.scalars(select(KnownGroup))).one()
        reach, owner = grouped.desk.reach, grouped.world.owner
        outsider = await member(grouped, "admin")
        given = {"name": "team:a/b", "team_id": group.team_id}
        with pytest.raises(ForbiddenError):
            await groups.admit(session, reach, outsider, connection, **given)
        with pytest.raises(NotFoundError):
            await groups.dismiss(session, outsider, group.id)
        for wrong, words in (
            ({"name": GROUP}, "is a team already"),
            ({"team_id": "team-none"}, "no team of the organization"),
            ({"name": "Operators"}, "is written"),
        ):
            with pytest.raises(InvalidError, match=words):
                await groups.admit(session, reach, owner, connection, **{**given, **wrong})
