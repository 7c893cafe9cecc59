"""What is GitLab's own; what it has in common with others is in `tests/vcs/contract`."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.vcs import callback, connections
from landform.vcs.credentials import get_token
from landform.vcs.errors import NotAllowedError, ProviderRefusedError, SignInNeededError
from landform.vcs.facts import State, Status
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.provider import Setup
from landform.vcs.providers.gitlab.urls import api_of, project_of, web_of
from tests.standins.gitlab_world import DEVELOPER
from tests.standins.serving import Answer, json_answer
from tests.vcs.contract.gitlab import PATH, GitLabHost
from tests.vcs.contract.host import BASE

URL = "http://127.0.0.1:1/hooks/vcs/hook-1"
PLANNING = Status(state=State.PENDING, name="acme/net", description="Planning", url="")


@pytest.mark.parametrize(
    ("given", "web", "api"),
    [
        ({}, "https://gitlab.com", "https://gitlab.com/api/v4"),
        ({"endpoint": "https://git.acme.com/"}, "https://git.acme.com", ""),
        ({"endpoint": "https://acme.com/gitlab"}, "https://acme.com/gitlab", ""),
        ({"api_url": "https://git.acme.com/api/v4"}, "https://git.acme.com", ""),
        (
            {"endpoint": "https://git.acme.com", "api_url": "https://api.acme.com/api/v4"},
            "https://git.acme.com",
            "https://api.acme.com/api/v4",
        ),
    ],
)
def test_pages_and_api_are_found_from_either_address(
    given: dict[str, str], web: str, api: str
) -> None:
    setup = Setup(
        connection_id="", organization_id="", kind=Kind.GITLAB, sign_in=SignIn.TOKEN, **given
    )
    assert (web_of(setup), api_of(setup)) == (web, api or f"{web}/api/v4")


def test_gitlab_com_has_another_name_for_ssh_over_the_port_of_https() -> None:
    reference = "ssh://git@altssh.gitlab.com:443/acme/infra.git"
    assert project_of(reference, web="https://gitlab.com") == "acme/infra"


@pytest.mark.parametrize("name", ["a/" * 30 + "b", "x" * 2000, "a/ b", "a/b?c", "https://[::1/a/b"])
def test_what_cannot_be_a_path_is_not_asked_for(name: str) -> None:
    with pytest.raises(InvalidError):
        project_of(name, web="https://gitlab.com")


async def test_a_project_that_moved_is_the_same_one(host: GitLabHost) -> None:
    provider, before = await host.opened()
    host.lab.move(host.project, "acme/platform/network")
    found = await provider.repository(before.id)
    assert (found.id, found.identifier) == (before.id, "acme/platform/network")
    assert (await provider.repository(PATH)).id == before.id
    assert await provider.branch(before, "main") is not None


async def test_a_project_of_others_is_as_if_it_were_not(host: GitLabHost) -> None:
    theirs = host.lab.project("others/secret", host.lab.user("eve"))
    provider, _ = await host.opened()
    with pytest.raises(InvalidError, match="name"):
        await provider.repository("secret")
    assert {each.id for each in (await provider.repositories()).items} == {host.repository_id}
    assert str(theirs.id) not in {each.id for each in (await provider.repositories()).items}


async def test_projects_are_listed_by_key_and_those_of_a_group_with_its_groups(
    host: GitLabHost,
) -> None:
    host.lab.project("other/infra", host.ann)
    provider, _ = await host.opened()
    assert len((await provider.repositories()).items) == 2
    [asked] = host.api.asked("GET", r"/projects$")
    assert (asked.query["pagination"], asked.query["order_by"]) == ("keyset", "id")
    groups = await provider.organizations(search="ACME")
    assert [each.id for each in groups.items] == ["acme/cloud"]
    found = await provider.repositories("acme")
    assert [each.identifier for each in found.items] == [PATH]
    limited = await host.provider(account="other")
    assert [each.identifier for each in (await limited.repositories()).items] == ["other/infra"]


async def test_where_a_list_goes_on_says_nothing_else_to_gitlab(host: GitLabHost) -> None:
    provider, _ = await host.opened()
    await provider.repositories(page="id_after=1&membership=false&owned=true&private_token=x")
    asked = host.api.asked("GET", r"/projects$")[-1]
    assert (asked.query["id_after"], asked.query["membership"]) == ("1", "true")
    assert not {"owned", "private_token"} & asked.query.keys()


async def test_a_merge_request_that_gitlab_has_not_looked_at_yet_is_left_for_the_next_time(
    host: GitLabHost,
) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    numbers = host.open_pulls("topic", 2)
    host.project.merge_requests[1].sha = ""
    found = await provider.open_pull_requests(repository)
    assert {each.number for each in found} == numbers - {1}


# ── signing in ──────────────────────────────────────────────────────────────────────────────────


async def test_a_person_is_sent_with_pkce_for_the_one_scope_that_is_enough(
    host: GitLabHost,
) -> None:
    row = await host.connect_for_people()
    async with transaction(host.ours.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        way = await callback.begin(session, host.ours.reach, host.ours.owner, found, base=BASE)
    query = parse_qs(urlsplit(way.url).query)
    assert query["scope"] == ["api"]
    assert query["code_challenge_method"] == ["S256"]
    assert way.url.startswith(f"{host.lab.url}/oauth/authorize?")


async def test_a_token_of_two_hours_is_renewed_and_the_newest_refresh_token_kept(
    host: GitLabHost,
) -> None:
    row = await host.connect_for_people()
    await host.come_back(await host.walk(row))
    provider = await host.provider(row)
    shown = []
    for _ in range(3):
        await provider.repository(PATH)
        shown.append((await get_token(host.ours.reach, row.id)).value)
        await _age(host, row)
    assert len(set(shown)) == 3
    assert host.lab.oauth.refreshes == 2
    assert [host.lab.tokens.all[each].is_revoked for each in shown] == [True, True, False]
    for asked in host.api.asked("POST", r"/oauth/token$"):
        form = parse_qs(asked.body.decode())
        assert form["redirect_uri"] == [f"{BASE}/callback/v1/vcs/contract"]


async def test_a_secret_that_is_wrong_says_so_and_asks_for_nobody(host: GitLabHost) -> None:
    row = await host.connect_for_people()
    await host.come_back(await host.walk(row))
    await _age(host, row)
    for each in host.lab.oauth.applications.values():
        each.secret = "another"
    provider = await host.provider(row)
    with pytest.raises(ProviderRefusedError, match="ID or secret is wrong"):
        await provider.repository(PATH)
    assert (await host.row(row)).status is ConnectionStatus.FAILED


async def test_the_token_of_a_project_is_a_bots_and_gitlab_says_when_it_ends(
    host: GitLabHost,
) -> None:
    token = host.lab.project_token(host.project)
    row = await host.connect(client_secret=f" {token}\n")
    found = await connections.test_connection(host.ours.reach, host.ours.owner, row.id)
    assert found.identity.startswith(f"project_{host.project.id}_bot")
    assert (found.hooks, found.statuses, found.comments) == (True, True, True)
    ends_at = (await host.row(row)).secret_expires_at
    day = (host.lab.clock.now() + timedelta(days=365)).date()
    assert ends_at == datetime(day.year, day.month, day.day, tzinfo=UTC)


async def test_what_scope_or_role_is_lacking_is_said(host: GitLabHost) -> None:
    bob = host.lab.user("bob")
    host.project.members[bob.id] = DEVELOPER
    reads = await host.provider(client_secret=host.lab.tokens.issue(host.ann, ("read_api",)))
    found = await reads.capabilities()
    assert (found.hooks, found.statuses, found.comments) == (False, False, False)
    assert "scope api" in found.lacking["hooks"]
    develops = await host.provider(client_secret=host.lab.tokens.issue(bob))
    found = await develops.capabilities()
    assert (found.hooks, found.statuses, found.comments) == (False, True, True)
    assert "Maintainer" in found.lacking["hooks"]
    git_only = await host.provider(
        client_secret=host.lab.tokens.issue(host.ann, ("read_repository",))
    )
    with pytest.raises(NotAllowedError, match="scope"):
        await git_only.capabilities()


async def test_a_person_who_connected_is_asked_for_their_scopes_too(host: GitLabHost) -> None:
    row = await host.connect_for_people()
    await host.come_back(await host.walk(row))
    found = await (await host.provider(row)).capabilities()
    assert (found.identity, found.hooks, found.ends_at) == ("ann", True, None)


async def test_a_revoked_token_asks_for_another(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    for each in host.lab.tokens.all.values():
        each.is_revoked = True
    with pytest.raises(SignInNeededError):
        await provider.branch(repository, "main")


# ── telling ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_gitlab_shows_already_is_no_failure(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    running = Status(state=State.RUNNING, name="acme/net", description="Applying", url="")
    for status in (PLANNING, PLANNING, running, running, PLANNING):
        await provider.set_commit_status(repository, host.first, status)
    assert host.statuses(host.first) == [("running", "Landform/acme/net")]
    host.api.plan("statuses", answer=json_answer({"message": {"name": ["is too long"]}}, 400))
    with pytest.raises(ProviderRefusedError, match="name is too long"):
        await provider.set_commit_status(repository, host.first, PLANNING)


async def test_two_who_write_at_once_are_sorted_out(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    host.api.plan("statuses", answer=json_answer({"message": "409 Conflict"}, 409))
    await provider.set_commit_status(repository, host.first, PLANNING)
    assert host.statuses(host.first) == [("pending", "Landform/acme/net")]


async def test_the_pipeline_of_a_merge_request_shows_the_status_too(host: GitLabHost) -> None:
    host.project.has_merge_request_pipelines = True
    provider, repository = await host.opened()
    sha = host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    await provider.set_pull_request_status(repository, number, sha, PLANNING)
    [status] = host.project.statuses
    [pipeline] = host.project.pipelines
    assert pipeline["source"] == "merge_request_event"
    assert (status["pipeline_id"], status["sha"]) == (pipeline["id"], sha)
    host.push({"a.tf": "2"}, branch="topic")
    await provider.set_pull_request_status(repository, number, sha, PLANNING)
    assert len(host.project.statuses) == 1, "nobody asks about a commit that was pushed over"


async def test_the_commit_of_a_fork_is_on_no_branch_and_shows_its_status_still(
    host: GitLabHost,
) -> None:
    provider, repository = await host.opened()
    number = host.open_fork({"a.tf": "theirs"})
    sha = host.project.merge_requests[number].sha
    await provider.set_commit_status(repository, sha, PLANNING)
    assert host.statuses(sha) == []
    await provider.set_pull_request_status(repository, number, sha, PLANNING)
    assert host.statuses(sha) == [("pending", "Landform/acme/net")]


# ── hooks ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_hook_tells_of_four_things_of_every_branch(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    [made] = await provider.ensure_hooks(repository, url=URL, secret="s")
    [hook] = host.project.hooks.values()
    on = {name for name, value in hook.said.items() if value is True}
    assert on == {
        "push_events",
        "tag_push_events",
        "merge_requests_events",
        "note_events",
        "enable_ssl_verification",
    }
    for change in ({"note_events": False}, {"push_events_branch_filter": "main"}):
        hook.said |= change
        assert not (await provider.hooks(repository, url=URL))[0].is_enabled
        [same] = await provider.ensure_hooks(repository, url=URL, secret="s")
        assert (same.id, same.is_enabled) == (made.id, True)


async def test_a_hook_that_is_off_for_a_while_is_replaced_and_doubles_go(host: GitLabHost) -> None:
    provider, repository = await host.opened()
    [made] = await provider.ensure_hooks(repository, url=URL, secret="s")
    first = host.project.hooks[int(made.id)]
    first.off_until = host.lab.clock.now() + timedelta(hours=1)
    [off] = await provider.hooks(repository, url=URL)
    assert (off.is_enabled, "for a while" in off.detail) == (False, True)
    [new] = await provider.ensure_hooks(repository, url=URL, secret="s")
    assert host.hooks() == [new.id]
    assert new.id != made.id
    first.off_until = None
    host.project.hooks[first.id] = first
    await provider.ensure_hooks(repository, url=URL, secret="s")
    assert len(host.hooks()) == 1


async def test_an_address_gitlab_does_not_call_is_explained(host: GitLabHost) -> None:
    host.lab.hooks.allows_local = False
    provider, repository = await host.opened()
    with pytest.raises(NotAllowedError, match="Outbound requests"):
        await provider.ensure_hooks(repository, url=URL, secret="s")


async def test_requests_are_spread_when_gitlab_says_that_they_are_too_many(
    host: GitLabHost,
) -> None:
    provider, repository = await host.opened()
    host.api.plan("branches", answer=Answer(429, b"Retry later\n", {"Retry-After": "0"}))
    assert await provider.branch(repository, "main") is not None


async def _age(host: GitLabHost, row: Connection) -> None:
    """Let two hours pass, for GitLab and for us."""
    host.lab.clock.advance(hours=2)
    async with transaction(host.ours.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        found.token_fetched_at = clock.now() - timedelta(hours=2)
