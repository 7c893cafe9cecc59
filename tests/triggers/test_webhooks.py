"""Events of Terrakube's webhooks, and what pushes, tags and pull requests then start."""

import asyncio
from typing import Any

import pytest

from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError
from landform.triggers import webhooks
from landform.triggers.models import PathType, Webhook, WebhookEvent, WebhookEventKind
from landform.triggers.webhooks import EventSettings
from landform.workspaces import repositories
from landform.workspaces.models import Workspace
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.run_kinds import RunKind
from tests import factories
from tests.triggers.scene import Scene

PUSH, PULL, TAG = WebhookEventKind.PUSH, WebhookEventKind.PULL_REQUEST, WebhookEventKind.TAG


async def hooked(scene: Scene, *events: EventSettings) -> Webhook:
    webhook = await scene.world.on_workspace(webhooks.create_webhook)
    for event in events:
        await add(scene, webhook, event)
    return webhook


async def add(scene: Scene, webhook: Webhook, event: EventSettings) -> WebhookEvent:
    return await scene.world.on_workspace(webhooks.add_event, webhook=webhook, given=event)


def on(event: WebhookEventKind, **given: Any) -> EventSettings:
    return EventSettings(event=event, **given)


async def test_a_webhook_without_events_starts_nothing(scene: Scene) -> None:
    await hooked(scene)
    scene.push({"main.tf": "# a\n"})
    scene.open_pull({"main.tf": "# b\n"})
    rows = await scene.take()
    assert {row["run_id"] for row in rows} == {None}
    assert await scene.runs() == []


@pytest.mark.parametrize("kind", [RunKind.PLAN, RunKind.APPLY, RunKind.CONFIRMED_APPLY, None])
async def test_a_push_on_the_branch_with_such_a_file_runs_the_events_template(
    scene: Scene, kind: RunKind | None
) -> None:
    event = on(PUSH, branch="main", path="live/.*,.*[.]tfvars", run_kind=kind or "")
    await hooked(scene, event)
    scene.push({"modules/a.tf": ""})
    [row] = await scene.take()
    assert "None of 1 changed files matches a regular expression." in row["reason"]
    scene.push({"live/a.tf": ""})
    [row] = await scene.take()
    assert "A changed file matches a regular expression." in row["reason"]
    [run] = await scene.runs()
    said = (kind is RunKind.PLAN, kind is RunKind.APPLY)
    assert (run.plan_only, run.auto_apply) == said
    scene.open_pull({"live/b.tf": ""})
    [*_, row] = await scene.take()
    assert row["reason"] == "Speculative plans are off for the workspace."


async def test_pull_requests_and_pushes_have_files_of_their_own(scene: Scene) -> None:
    await hooked(
        scene, on(PUSH, branch="main", path="live/.*"), on(PULL, branch=".*", path="modules/.*")
    )
    scene.open_pull({"modules/a.tf": ""})
    [*_, planned] = await scene.take()
    assert planned["run_id"]
    scene.push({"modules/b.tf": ""})
    [pushed] = await scene.take()
    assert pushed["run_id"] is None


async def test_only_pull_requests_start_runs_where_they_alone_are_an_event(scene: Scene) -> None:
    await hooked(scene, on(PULL, run_kind=RunKind.PLAN))
    scene.push({"main.tf": "# a\n"})
    [row] = await scene.take()
    assert row["reason"] == "Pushes start no runs of the workspace."
    scene.open_pull({"main.tf": "# b\n"})
    [*_, row] = await scene.take()
    assert row["run_id"]


async def test_a_release_is_a_tag_that_matches_as_a_whole(scene: Scene) -> None:
    await hooked(scene, on(TAG, branch="v[0-9]+,rc", run_kind=RunKind.PLAN))
    scene.push({"main.tf": "# a\n"})
    [row] = await scene.take()
    assert row["run_id"] is None
    async with transaction(scene.platform.sessions) as session:
        row_of = await repositories.repositories_of(
            session, [await session.get_one(Workspace, scene.world.workspace_id)]
        )
    [repository] = row_of.values()
    assert repository.tags_regex == "^(?:v[0-9]+|rc)$"
    assert repository.push_run_kind is RunKind.PLAN


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("live/*", "live/a/b.tf", True),
        ("live/?.tf", "live/a.tf", True),
        ("live/?.tf", "live/ab.tf", False),
        ("a.tf", "axtf", False),
        ("my dir/*", "my dir/a.tf", True),
    ],
)
async def test_a_pattern_is_read_as_terrakube_does(
    scene: Scene, pattern: str, path: str, matches: bool
) -> None:
    await hooked(scene, on(PUSH, path=pattern, path_type=PathType.PATTERN))
    scene.push({path: "# x\n"})
    [row] = await scene.take()
    assert bool(row["run_id"]) is matches


async def test_removing_the_last_event_or_the_webhook_starts_nothing_any_more(
    scene: Scene,
) -> None:
    webhook = await hooked(scene)
    event = await add(scene, webhook, on(PUSH))
    await scene.world.on_workspace(webhooks.remove_event, webhook=webhook, event=event)
    scene.push({"main.tf": "# a\n"})
    assert [row["run_id"] for row in await scene.take()] == [None]
    await add(scene, webhook, on(PUSH))
    scene.push({"main.tf": "# b\n"})
    assert [bool(row["run_id"]) for row in await scene.take()] == [True]
    await scene.world.on_workspace(webhooks.delete_webhook, webhook=webhook)
    scene.push({"main.tf": "# c\n"})
    assert [row["run_id"] for row in await scene.take()] == [None]


async def test_events_that_are_added_at_once_all_count(scene: Scene) -> None:
    webhook = await hooked(scene)
    await asyncio.gather(
        add(scene, webhook, on(PUSH, path="live/.*")), add(scene, webhook, on(PULL))
    )
    workspace = await scene.world.workspace()
    async with transaction(scene.platform.sessions) as session:
        found = await repositories.repositories_of(session, [workspace])
    [repository] = found.values()
    assert (repository.pushes_enabled, repository.path_regexes) == (True, ["live/.*"])
    assert workspace.speculative_enabled


@pytest.mark.parametrize(
    ("event", "pointer", "words"),
    [
        (on(PUSH, branch="feat,fix"), "branch", "follows branch main"),
        (on(PUSH, branch=".*"), "branch", "follows branch main"),
        (on(PUSH, path="(?=x)"), "path", "not a regular expression"),
        (on(PUSH, path="x" * 5000), "path", "at most 4096"),
        (on(PUSH, run_kind=RunKind.DESTROY), "template_id", "destroys nothing"),
        (on(PUSH, plans_by_comment=True), "plans_by_comment", "PULL_REQUEST"),
        (on(PUSH, priority=-1), "priority", "from 0 on"),
        (on(PULL, branch="main"), "branch", "whatever branch"),
        (on(PULL, run_kind=RunKind.APPLY), "template_id", "planned and no more"),
        (on(PULL, applies_by_comment=True), "applies_by_comment", "prWorkflowEnabled"),
        (on(TAG, branch="(v"), "branch", "not a regular expression"),
        (on(TAG, path="live/.*"), "path", "whatever files"),
    ],
)
async def test_what_a_workspace_has_no_setting_for_is_refused_where_it_is(
    scene: Scene, event: EventSettings, pointer: str, words: str
) -> None:
    webhook = await hooked(scene)
    with pytest.raises(InvalidError, match=words) as failure:
        await add(scene, webhook, event)
    assert failure.value.pointer == pointer


@pytest.mark.parametrize("branch", ["main", "^main$", "main,main", ""])
async def test_the_followed_branch_is_named_as_an_expression_may(scene: Scene, branch: str) -> None:
    await hooked(scene, on(PUSH, branch=branch))
    scene.push({"main.tf": "# a\n"})
    assert [bool(row["run_id"]) for row in await scene.take()] == [True]


async def test_there_is_one_webhook_and_one_event_of_a_kind_and_not_pushes_with_tags(
    scene: Scene,
) -> None:
    webhook = await hooked(scene, on(PUSH))
    with pytest.raises(ConflictError, match="has a webhook"):
        await hooked(scene)
    with pytest.raises(ConflictError, match="change that one"):
        await add(scene, webhook, on(PUSH))
    with pytest.raises(InvalidError, match="by pushes or by tags"):
        await add(scene, webhook, on(TAG))


async def test_what_is_set_on_the_page_is_what_an_event_then_says(scene: Scene) -> None:
    webhook = await hooked(scene)
    event = await add(scene, webhook, on(PUSH, path="live/.*", run_kind=RunKind.PLAN))
    given = RepositorySettings(path_regexes=["net/.*"], push_run_kind=RunKind.APPLY)
    row = await scene.world.on_workspace(repositories.connect, given=given)
    assert webhooks.path_in_force(event, row) == ("net/.*", PathType.REGEX)
    assert webhooks.run_kind_in_force(event, row) is RunKind.APPLY
    off = RepositorySettings(pushes_enabled=False)
    await scene.world.on_workspace(repositories.connect, given=off)
    async with transaction(scene.platform.sessions) as session:
        workspace = await session.get_one(Workspace, scene.world.workspace_id)
        assert await webhooks.events_of(session, webhook, workspace) == []
    again = await add(scene, webhook, on(PUSH))
    assert again.id != event.id


async def test_a_workspace_without_a_repository_or_permission_gets_no_webhook(
    scene: Scene,
) -> None:
    bare = await scene.world.beside()
    with pytest.raises(ConflictError, match="planned from no repository"):
        await bare.on_workspace(webhooks.create_webhook)
    async with transaction(scene.platform.sessions) as session:
        workspace = await session.get_one(Workspace, scene.world.workspace_id)
        writer = await factories.make_actor(session, workspace, "write")
    with pytest.raises(ForbiddenError):
        await scene.world.on_workspace(webhooks.create_webhook, writer)


async def test_a_webhook_ends_with_the_repositorys_connection(scene: Scene) -> None:
    webhook = await hooked(scene, on(PUSH))
    await scene.world.on_workspace(repositories.disconnect)
    async with transaction(scene.platform.sessions) as session:
        assert await session.get(Webhook, webhook.id) is None
