"""Plans that need people's approval: by no road is one applied without it."""

from dataclasses import dataclass

import pytest

from landform.access import approval_rules
from landform.access.models import Team, TeamMember
from landform.identity.actor import SYSTEM, Actor
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.runs import approvals, queries, service
from landform.runs.models import Run
from landform.workspaces.models import Workspace
from tests import factories
from tests.world import World


@dataclass(frozen=True)
class Reviewed:
    """A workspace that needs approvals, and those who may give them."""

    world: World
    team_id: str
    ann: Actor
    bob: Actor

    async def require(self, needed: int, by: Actor | None = None) -> None:
        async with transaction(self.world.platform.sessions) as session:
            workspace = await session.get_one(Workspace, self.world.workspace_id)
            await approval_rules.set_rule(
                session,
                by or self.world.owner,
                workspace.place,
                needed=needed,
                team_ids=[self.team_id],
            )

    async def approve(self, run_id: str, actor: Actor) -> None:
        async with transaction(self.world.platform.sessions) as session:
            await approvals.approve(session, actor, run_id)

    async def reason(self, run_id: str) -> str:
        async with transaction(self.world.platform.sessions) as session:
            run = await queries.get(session, self.world.owner, run_id)
            return (await queries.wait_reasons(session, [run]))[run_id]

    async def planned(self, **options: bool) -> str:
        run_id = await self.world.create(None, **options)
        await self.world.plan(run_id)
        return run_id


@pytest.fixture
async def reviewed(world: World) -> Reviewed:
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        ann, bob = await factories.make_user(session), await factories.make_user(session)
        team = await factories.make_team(session, organization, "security", members=[ann, bob])
        workspace = await session.get_one(Workspace, world.workspace_id)
        await factories.grant(session, team, workspace, "read")
    return Reviewed(world, team.id, actor_of(ann), actor_of(bob))


async def test_a_plan_is_applied_only_after_as_many_approvals_as_are_needed(
    reviewed: Reviewed,
) -> None:
    await reviewed.require(2)
    run_id = await reviewed.planned()
    assert await reviewed.reason(run_id) == "Waiting for 2 approvals of security."
    with pytest.raises(ConflictError, match="needs 2 approvals of security"):
        await reviewed.world.confirm(run_id)
    await reviewed.approve(run_id, reviewed.ann)
    await reviewed.approve(run_id, reviewed.ann)
    assert await reviewed.reason(run_id) == "Waiting for 1 more approval of security."
    with pytest.raises(ConflictError, match="needs 1 more"):
        await reviewed.world.confirm(run_id)
    await reviewed.approve(run_id, reviewed.bob)
    await reviewed.world.confirm(run_id)
    assert await reviewed.world.status(run_id) == "apply_queued"
    events = await reviewed.world.events(run_id)
    assert [e.payload["given"] for e in events if e.name == "RunApproved"] == [1, 2]


async def test_auto_apply_waits_for_the_last_approval_and_then_goes_on(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned(auto_apply=True)
    assert await reviewed.world.status(run_id) == "planned"
    await reviewed.approve(run_id, reviewed.ann)
    assert await reviewed.world.status(run_id) == "apply_queued"


async def test_auto_apply_that_is_stale_by_then_does_not_go_on(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned(auto_apply=True)
    async with transaction(reviewed.world.platform.sessions) as session:
        run = await session.get_one(Run, run_id)
        run.state_version_id = "sv-another"
    await reviewed.approve(run_id, reviewed.ann)
    assert await reviewed.world.status(run_id) == "planned"


async def test_a_saved_plan_needs_approvals_too(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned(save_plan=True)
    assert await reviewed.world.status(run_id) == "planned_and_saved"
    with pytest.raises(ConflictError, match="approval"):
        await reviewed.world.confirm(run_id)
    await reviewed.approve(run_id, reviewed.ann)
    await reviewed.world.confirm(run_id)


async def test_the_platform_itself_confirms_nothing_without_them(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned()
    async with transaction(reviewed.world.platform.sessions) as session:
        run = await session.get_one(Run, run_id)
        workspace = await session.get_one(Workspace, run.workspace_id)
        with pytest.raises(ConflictError, match="approval"):
            await service.confirm_locked(session, SYSTEM, workspace, run)


async def test_nobody_approves_a_run_of_their_own(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    async with transaction(reviewed.world.platform.sessions) as session:
        session.add(TeamMember(team_id=reviewed.team_id, user_id=reviewed.world.owner.id))
    run_id = await reviewed.planned()
    with pytest.raises(ForbiddenError, match="ask somebody else"):
        await reviewed.approve(run_id, reviewed.world.owner)


async def test_only_members_of_the_teams_approve(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned()
    async with transaction(reviewed.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, reviewed.world.workspace_id)
        admin = await factories.make_actor(session, workspace, "admin")
        team = await session.get_one(Team, reviewed.team_id)
        elsewhere = await factories.make_workspace(session)
        stranger = await factories.make_actor(session, elsewhere, "admin")
    for one in (admin, factories.team_actor(team)):
        with pytest.raises(ForbiddenError, match="members of security"):
            await reviewed.approve(run_id, one)
    with pytest.raises(NotFoundError):
        await reviewed.approve(run_id, stranger)


async def test_who_left_the_team_has_approved_nothing(reviewed: Reviewed) -> None:
    await reviewed.require(1)
    run_id = await reviewed.planned()
    await reviewed.approve(run_id, reviewed.ann)
    async with transaction(reviewed.world.platform.sessions) as session:
        key = (reviewed.team_id, reviewed.ann.id)
        await session.delete(await session.get_one(TeamMember, key))
    with pytest.raises(ConflictError, match="needs 1 approval"):
        await reviewed.world.confirm(run_id)


async def test_what_waits_for_nothing_takes_no_approval(reviewed: Reviewed) -> None:
    run_id = await reviewed.planned()
    with pytest.raises(ConflictError, match="its workspace asks for none"):
        await reviewed.approve(run_id, reviewed.ann)
    await reviewed.require(1)
    await reviewed.world.discard(run_id)
    with pytest.raises(ConflictError, match="it is discarded"):
        await reviewed.approve(run_id, reviewed.ann)


async def test_a_rule_holds_for_runs_that_wait_already_and_ends_for_them_too(
    reviewed: Reviewed,
) -> None:
    run_id = await reviewed.planned()
    await reviewed.require(1)
    with pytest.raises(ConflictError, match="approval"):
        await reviewed.world.confirm(run_id)
    await reviewed.require(0)
    await reviewed.world.confirm(run_id)


async def test_the_log_of_the_plan_says_first_whose_approval_it_will_need(
    reviewed: Reviewed,
) -> None:
    await reviewed.require(2)
    job = await reviewed.world.must_begin(await reviewed.world.create())
    assert job.notice == "Before it is applied, this needs 2 approvals of security."
    speculative = await reviewed.world.must_begin(await reviewed.world.create(plan_only=True))
    assert speculative.notice == ""


async def test_only_who_gives_access_there_changes_the_rule(reviewed: Reviewed) -> None:
    async with transaction(reviewed.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, reviewed.world.workspace_id)
        writer = await factories.make_actor(session, workspace, "write")
    await reviewed.require(1)
    with pytest.raises(ForbiddenError):
        await reviewed.require(0, by=writer)


@pytest.mark.parametrize(
    ("needed", "teams", "words"),
    [
        (11, None, "0 to 10"),
        (-1, None, "0 to 10"),
        (1, [], "1 to 20 teams"),
        (1, ["team-x"], "team-x"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused(
    reviewed: Reviewed, needed: int, teams: list[str] | None, words: str
) -> None:
    async with transaction(reviewed.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, reviewed.world.workspace_id)
        with pytest.raises(InvalidError, match=words):
            await approval_rules.set_rule(
                session,
                reviewed.world.owner,
                workspace.place,
                needed=needed,
                team_ids=[reviewed.team_id] if teams is None else teams,
            )
