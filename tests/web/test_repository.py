"""The page of a workspace's repository, against a provider on loopback."""

from html import unescape

import pytest
from sqlalchemy import select

from landform.configurations.models import Ingress
from landform.kit.db import transaction
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.reach import Reach
from landform.workspaces.models import Workspace, WorkspaceRepository
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING
from tests.vcs.scene import Scene
from tests.web.pages import Site, text_of


@pytest.fixture
async def connection(site: Site, outbound: Reach, azure: AzureDevOps) -> Connection:
    """A connection that sees one repository with two branches."""
    acme = azure.organization("Acme")
    ann = acme.identity("Ann")
    infra = acme.repository("Cloud Team", "infra")
    azure.people.push(infra, ann, {"main.tf": ""})
    azure.people.push(infra, ann, {"main.tf": "# next"}, branch="next")
    acme.repository("Cloud Team", "website")
    scene = Scene(
        outbound,
        azure,
        None,  # type: ignore[arg-type] # no Entra here
        site.world.organization_id,
        site.world.owner,
        acme,
        ann,
        infra,
        "",
    )
    return await scene.connect(
        SignIn.TOKEN, Kind.AZURE_DEVOPS, client_secret=azure.tokens.issue(ann, EVERYTHING)
    )


def address_of(azure: AzureDevOps) -> str:
    return f"{azure.url}/Acme/Cloud%20Team/_git/infra"


async def followed(site: Site) -> WorkspaceRepository | None:
    async with transaction(site.world.platform.sessions) as session:
        return await session.get(WorkspaceRepository, site.world.workspace_id)


async def test_a_workspace_without_a_connection_is_led_to_one(site: Site) -> None:
    here = f"{await site.place()}/repository"
    assert "Connect a provider first" in await site.owner.get(here)
    reader = await site.member("read")
    assert "Connect a provider first" not in await reader.get(here)


async def test_a_repository_is_found_and_followed_and_its_commit_asked_for(
    site: Site, connection: Connection
) -> None:
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    assert choice in unescape(await site.owner.get(here))
    page = text_of(await site.owner.get(f"{choice}&q=inf"))
    assert "infra" in page
    assert "website" not in page
    found = await site.owner.get(choice)
    repository = found.partition('name="repository" value="')[2].partition('"')[0]
    given = {"connection": connection.id, "repository": repository}
    page = text_of(await site.owner.post(here, given, of=choice))
    row = await followed(site)
    assert row is not None
    assert row.identifier in page
    async with transaction(site.world.platform.sessions) as session:
        assert (await session.scalars(select(Ingress.commit_sha))).one() == row.linked_commit


async def test_it_is_followed_by_its_address_and_by_another_branch(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    given = {"connection": connection.id, "repository": address_of(azure)}
    await site.owner.post(here, given, of=choice)
    page = unescape(await site.owner.post(here, {"branch": "gone"}))
    assert "has no branch gone" in page
    await site.owner.post(here, {"branch": "next"})
    row = await followed(site)
    assert row is not None
    assert row.followed_branch == "next"
    page = await site.owner.post(f"{here}/disconnect", of=here)
    assert "follows no repository now" in page
    assert await followed(site) is None


async def test_what_starts_runs_is_one_of_four(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    given = {"connection": connection.id, "repository": address_of(azure)}
    await site.owner.post(here, given, of=choice)
    every = {"working_directory": "live", "trigger_prefixes": "modules\nlib"}
    every |= {"trigger_patterns": "**/*.tf", "tags_regex": "^v[0-9]"}

    async def starts(way: str, **more: str) -> tuple[Workspace, WorkspaceRepository]:
        await site.owner.post(f"{here}/triggers", {"starts": way, **every, **more}, of=here)
        row = await followed(site)
        assert row is not None
        return await site.world.workspace(), row

    workspace, row = await starts("any")
    assert not workspace.file_triggers_enabled
    workspace, row = await starts("below", speculative_enabled="yes")
    assert workspace.trigger_prefixes == ["modules", "lib"]
    assert (workspace.working_directory, workspace.speculative_enabled) == ("live", True)
    workspace, row = await starts("globs", forks_enabled="yes")
    assert (workspace.trigger_prefixes, workspace.trigger_patterns) == ([], ["**/*.tf"])
    assert (row.forks_enabled, workspace.speculative_enabled) == (True, False)
    workspace, row = await starts("tags")
    assert (row.tags_regex, workspace.trigger_patterns) == ("^v[0-9]", [])
    assert 'value="tags" checked' in await site.owner.get(here)
    page = await site.owner.post(
        f"{here}/triggers", {"starts": "tags", **every, "tags_regex": "("}, of=here
    )
    assert "is not a regular expression" in page


async def test_a_provider_that_is_away_is_said_and_the_address_may_be_typed(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    azure.server.close()
    here = f"{await site.place()}/repository"
    page = await site.owner.get(f"{here}/choose?connection={connection.id}", status=422)
    assert "The provider did not say." in page
    assert "Or by its address" in page


async def test_who_may_not_change_the_workspace_chooses_nothing(
    site: Site, connection: Connection
) -> None:
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    reader = await site.member("read")
    await reader.get(choice, status=403)
    assert choice not in unescape(await reader.get(here))
    stranger = await site.stranger()
    await stranger.get(choice, status=404)


async def test_a_new_workspace_leads_to_its_repository_when_that_is_wanted(site: Site) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new"
    given = {"name": "fresh", "description": "", "project": "", "tool": "terraform", "version": ""}
    page = await site.owner.post(new, {**given, "then": "repository"})
    assert "fresh was created." in page
    assert "<title>Repository of fresh" in page


async def test_what_the_last_commits_would_have_started_is_shown_before_it_is_saved(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    acme = azure.organizations["acme"]
    (ann,) = acme.identities.values()
    infra = acme.find_repository("Cloud Team", "infra")
    assert infra is not None
    azure.people.push(infra, ann, {"live/a.tf": "#"})
    azure.people.push(infra, ann, {"docs/a.md": "#"})
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    given = {"connection": connection.id, "repository": address_of(azure)}
    await site.owner.post(here, given, of=choice)
    fields = {"starts": "below", "working_directory": "live", "trigger_prefixes": ""}
    page = await site.owner.post(f"{here}/preview", fields, of=here)
    said = text_of(page)
    assert "1 of the last 3 commits of main would have started a run." in said
    assert "None of 1 changed files is in live." in said
    assert 'name="working_directory" type="text" value="live"' in page
    assert (await site.world.workspace()).working_directory == ""
    said = text_of(await site.owner.post(f"{here}/preview", {"starts": "any"}, of=here))
    assert "3 of the last 3 commits" in said
    globs = {"starts": "globs", "trigger_patterns": "**/*.md"}
    assert "1 of the last 3" in text_of(await site.owner.post(f"{here}/preview", globs, of=here))
    tags = {"starts": "tags", "tags_regex": "^v"}
    said = text_of(await site.owner.post(f"{here}/preview", tags, of=here))
    assert "0 of the last 3" in said
    refused = {"starts": "tags", "tags_regex": "("}
    said = text_of(await site.owner.post(f"{here}/preview", refused, of=here))
    assert "is not a regular expression" in said
