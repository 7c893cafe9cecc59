"""The page of a workspace's repository, against a provider on loopback."""

from html import unescape
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from landform.configurations.models import Ingress
from landform.kit.db import transaction
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.reach import Reach
from landform.workspaces.models import Workspace, WorkspaceRepository
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING, Repository
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


async def test_what_starts_runs_is_one_of_six(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    here = f"{await site.place()}/repository"
    choice = f"{here}/choose?connection={connection.id}"
    given = {"connection": connection.id, "repository": address_of(azure)}
    await site.owner.post(here, given, of=choice)
    every = {"working_directory": "live", "trigger_prefixes": "modules\nlib"}
    every |= {"trigger_patterns": "**/*.tf", "tags_regex": "^v[0-9]", "path_regexes": "live/.*"}

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
    workspace, row = await starts("regex", push_run_kind="plan", pull_path_regexes="a/.*\nb/.*")
    assert (row.tags_regex, row.path_regexes, row.push_run_kind) == ("", ["live/.*"], "plan")
    assert row.pull_path_regexes == ["a/.*", "b/.*"]
    shown = await site.owner.get(here)
    for said in ('value="regex" checked', ">live/.*</textarea>", '<option value="plan" selected>'):
        assert said in shown
    workspace, row = await starts("never")
    assert (row.pushes_enabled, row.path_regexes, row.push_run_kind) == (False, [], None)
    assert 'value="never" checked' in await site.owner.get(here)


WRONG = [
    ("tags", {"tags_regex": "("}, "tags_regex", "is not a regular expression"),
    ("tags", {"tags_regex": ""}, "tags_regex", "Say which tags"),
    ("regex", {"path_regexes": "live/.*\n("}, "path_regexes", "is not a regular expression"),
    ("any", {"pull_path_regexes": "("}, "pull_path_regexes", "is not a regular expression"),
]


def said_beside(page: str, field: str) -> str:
    """Return what is said of a field that is wrong; it has the focus, and nothing else has."""
    assert page.count("autofocus") == 1
    tag = page[: page.index("autofocus")].rpartition("<")[2]
    assert f'name="{field}"' in tag
    assert f'aria-describedby="e-{field} ' in page[page.index(tag) :]
    beside = page[page.index(f'id="e-{field}"') :]
    return text_of(beside[beside.index(">") + 1 : beside.index("</p>")])


@pytest.mark.parametrize(("starts", "wrong", "field", "why"), WRONG)
async def test_what_is_wrong_with_what_starts_runs_is_said_beside_its_field(
    site: Site,
    connection: Connection,
    azure: AzureDevOps,
    starts: str,
    wrong: dict[str, str],
    field: str,
    why: str,
) -> None:
    here = f"{await site.place()}/repository"
    given = {"connection": connection.id, "repository": address_of(azure)}
    await site.owner.post(here, given, of=f"{here}/choose?connection={connection.id}")
    sent = {"starts": starts, **wrong}
    page = await site.owner.post(f"{here}/triggers", sent, of=here, status=422)
    assert why in said_beside(page, field)
    new = f"/organizations/{site.world.organization}/workspaces/new/repository"
    place = f"{new}?connection={connection.id}&repository={address_of(azure)}"
    chosen = {**given, "identifier": "infra", "default_branch": "main", "name": "made"}
    page = await site.owner.post(new, {**chosen, **sent}, of=place, status=422)
    assert why in said_beside(page, field)


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


def pushed(azure: AzureDevOps) -> Repository:
    """Push another commit to the repository; return it."""
    acme = azure.organizations["acme"]
    (ann,) = acme.identities.values()
    infra = acme.find_repository("Cloud Team", "infra")
    assert infra is not None
    azure.people.push(infra, ann, {"live/a.tf": "#"})
    return infra


def chosen_of(azure: AzureDevOps, connection: Connection) -> dict[str, str]:
    """Return what the form of a new workspace holds of its repository, and some triggers."""
    return {
        "connection": connection.id,
        "repository": pushed(azure).id,
        "identifier": "Acme/Cloud Team/_git/infra",
        "default_branch": "main",
        "name": "live",
        "starts": "below",
        "working_directory": "live",
    }


async def test_a_repository_is_found_for_a_new_workspace(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    infra = pushed(azure)
    home = f"/organizations/{site.world.organization}/workspaces/new"
    new = f"{home}/repository"
    assert f'href="{new}"' in await site.owner.get(home)
    choice = f"{new}?connection={connection.id}"
    assert choice in unescape(await site.owner.get(new))
    page = unescape(await site.owner.get(f"{choice}&q=inf"))
    form = f"{choice}&repository={infra.id}"
    assert form in page
    assert "website" not in page
    assert "has no repository" not in page
    page = await site.owner.get(form)
    assert 'name="name" type="text" value="infra"' in page
    by_address = await site.owner.get(f"{choice}&repository={address_of(azure)}")
    assert "New workspace from Acme/Cloud Team/_git/infra" in text_of(by_address)


async def test_what_a_new_workspace_would_have_started_is_shown_before_it_is_made(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new/repository"
    chosen = chosen_of(azure, connection)
    form = f"{new}?connection={connection.id}&repository={chosen['repository']}"
    page = await site.owner.post(f"{new}/preview", chosen, of=form)
    assert "1 of the last 2 commits of main would have started a run." in text_of(page)
    assert 'name="working_directory" type="text" value="live"' in page
    assert "<title>New workspace from" in page
    other = {**chosen, "branch": "next"}
    page = await site.owner.post(f"{new}/preview", other, of=form)
    assert "of next would have started" in text_of(page)
    for wrong, said in (
        ({"starts": "tags", "tags_regex": "("}, "is not a regular expression"),
        ({"working_directory": "../up"}, "must be inside the configuration"),
        ({"connection": "oc-none"}, "There is no VCS connection oc-none"),
    ):
        page = await site.owner.post(f"{new}/preview", {**chosen, **wrong}, of=form)
        assert said in text_of(page)


async def test_a_new_workspace_is_made_with_its_repository_or_says_why_not(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new/repository"
    chosen = chosen_of(azure, connection)
    form = f"{new}?connection={connection.id}&repository={chosen['repository']}"
    taken = {**chosen, "name": (await site.world.workspace()).name}
    page = await site.owner.post(new, taken, of=form, status=422)
    assert 'name="working_directory" type="text" value="live"' in page
    wrong = {**chosen, "branch": "gone"}
    page = await site.owner.post(new, wrong, of=form, status=422)
    assert "has no branch gone." in said_beside(page, "branch")
    wrong = {**chosen, "version": "newest"}
    page = await site.owner.post(new, wrong, of=form, status=422)
    assert "newest" in said_beside(page, "version")
    page = await site.owner.post(new, chosen, of=form)
    assert "live was created, and follows Acme/Cloud Team/_git/infra." in text_of(page)
    async with transaction(site.world.platform.sessions) as session:
        made = (await session.scalars(select(Workspace).where(Workspace.name == "live"))).one()
        row = await session.get_one(WorkspaceRepository, made.id)
    assert (made.working_directory, made.file_triggers_enabled) == ("live", True)
    assert (row.repository_id, row.followed_branch) == (chosen["repository"], "main")


async def test_what_a_new_workspace_is_to_be_is_kept_while_its_provider_is_away(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new/repository"
    chosen = chosen_of(azure, connection) | {"description": "typed"}
    azure.server.close()
    page = await site.owner.post(new, chosen, of=f"{new[:-11]}", status=422)
    assert 'role="alert"' in page
    assert "<title>New workspace from Acme/Cloud Team/_git/infra" in page
    for kept in ("live", "typed", chosen["repository"]):
        assert f'value="{kept}"' in page


async def test_a_new_workspace_from_a_repository_says_how_its_first_run_starts(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    here = f"/organizations/{site.world.organization}/workspaces/new/repository"
    chosen = chosen_of(azure, connection)
    of = f"{here}?{urlencode({'connection': connection.id, 'repository': chosen['repository']})}"
    made = await site.owner.post(here, chosen | {"name": "fresh", "tool": "terraform"}, of=of)
    page = text_of(made)
    assert "A push to main of Acme/Cloud Team/_git/infra starts one." in page
    assert f"/app/{site.world.organization}/fresh/runs/new" in made
    assert "terraform init" not in page
    assert "Repository Acme/Cloud Team/_git/infra" in page
    fresh = f"/app/{site.world.organization}/fresh/runs/new"
    page = await site.owner.post(fresh, {"message": "First", "kind": "plan"}, status=422)
    assert "is being fetched from the repository. Try again in a moment." in page
    assert 'value="First"' in page


async def test_an_address_that_is_refused_is_kept_and_said_beside_its_field(
    site: Site, connection: Connection
) -> None:
    here = f"/organizations/{site.world.organization}/workspaces/new/repository"
    wrong = "https://dev.azure.com/Acme/_git/gone"
    asked = urlencode({"connection": connection.id, "repository": wrong})
    page = await site.owner.get(f"{here}?{asked}", status=422)
    assert f'value="{wrong}"' in page
    assert "is not where" in page.partition('id="e-repository">')[2][:200]


async def test_a_connection_to_choose_says_whether_it_works(
    site: Site, connection: Connection
) -> None:
    async with transaction(site.world.platform.sessions) as session:
        row = await session.get_one(Connection, connection.id)
        row.status, row.status_reason = ConnectionStatus.FAILED, "It is wrong."
    here = f"/organizations/{site.world.organization}/workspaces/new/repository"
    assert "Does not work" in await site.owner.get(here)


async def test_who_may_not_make_workspaces_asks_nothing_of_a_provider(
    site: Site, connection: Connection
) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new/repository"
    reader = await site.member("read")
    for road in (new, f"{new}?connection={connection.id}"):
        told = await reader.get(road, status=403)
        assert "You lack the permission to create workspaces" in told
    given = {"connection": connection.id, "repository": "1", "name": "x"}
    for path in (new, f"{new}/preview"):
        await reader.post(path, given, of="/account/tokens", status=403)


async def test_branches_are_offered_while_one_is_typed(
    site: Site, connection: Connection, azure: AzureDevOps
) -> None:
    here = f"/organizations/{site.world.organization}/workspaces/new/repository/branches"
    where = urlencode({"connection": connection.id, "repository": address_of(azure)})
    assert await site.owner.get(f"{here}?{where}") == offer("main", "next")
    assert await site.owner.get(f"{here}?{where}&branch=ne") == offer("next")
    assert await site.owner.get(f"{here}?{where}&branch=no-such") == offer()
    reader = await site.member("read")
    assert await reader.get(f"{here}?{where}") == offer()
    form = await site.owner.get(f"{here.removesuffix('/branches')}?{where}")
    assert f'hx-get="{here}?connection={connection.id}&amp;repository=' in form


def offer(*names: str) -> str:
    options = "".join(f'<option value="{name}"></option>' for name in names)
    return f'<datalist id="branches">{options}</datalist>'
