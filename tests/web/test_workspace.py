"""What is set on a workspace from its pages: variables, settings, states, access; and tokens."""

import re

from landform.access.models import Team
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import locks
from tests import factories
from tests.files import make_state, output, resource
from tests.web.pages import Site, text_of


async def test_variables_are_added_changed_and_deleted(site: Site) -> None:
    here = f"{await site.place()}/variables"
    fields = {"key": "region", "value": "eu-1", "category": "terraform"}
    page = await site.owner.post(here, fields)
    assert "region was added." in page
    variable = re.search(r'id="(var-\w+)"', page)
    assert variable is not None
    page = await site.owner.post(f"{here}/{variable[1]}", {"key": "zone", "value": "b"}, of=here)
    assert "zone" in page
    assert "region was changed." in page
    again = {"key": "zone", "value": "typed", "category": "terraform"}
    refused = await site.owner.post(here, again, status=422)
    assert "has already been taken" in refused
    assert "typed" in refused
    page = await site.owner.post(f"{here}/{variable[1]}", {"deed": "delete"}, of=here)
    assert variable[1] not in page


async def test_a_sensitive_value_is_never_shown_again_and_kept_when_the_field_is_left_empty(
    site: Site,
) -> None:
    here = f"{await site.place()}/variables"
    secret = {"key": "TOKEN", "value": "hush-hush-hush", "category": "env", "sensitive": "yes"}
    page = await site.owner.post(here, secret)
    assert "hush" not in page
    variable = re.search(r'id="(var-\w+)"', page)
    assert variable is not None
    page = await site.owner.post(f"{here}/{variable[1]}", {"description": "for the cloud"}, of=here)
    assert "for the cloud" in page
    assert "hush" not in page
    refused = await site.owner.post(here, {**secret, "value": "quiet-quiet"}, status=422)
    assert "quiet-quiet" not in refused


async def test_settings_are_changed_and_a_bad_one_explained(site: Site) -> None:
    here = f"{await site.place()}/settings"
    fields = {"name": "renamed", "tool_version": "~> 1.11", "working_directory": "live"}
    page = await site.owner.post(here, fields)
    assert "Saved." in page
    workspace = await site.world.workspace()
    assert (workspace.name, workspace.tool_version) == ("renamed", "~> 1.11")
    here = f"{await site.place()}/settings"
    page = await site.owner.post(
        here, {"name": "renamed", "working_directory": "../up"}, status=422
    )
    assert "must be inside the configuration" in text_of(page)


async def test_a_workspace_is_locked_unlocked_and_forced_open(site: Site) -> None:
    here = f"{await site.place()}/settings"
    await site.owner.post(f"{here}/lock", {"deed": "lock", "reason": "moving"}, of=here)
    assert (await site.world.workspace()).lock_reason == "moving"
    await site.owner.post(f"{here}/lock", {"deed": "unlock"}, of=here)
    assert not (await site.world.workspace()).is_locked
    await site.world.on_workspace(locks.lock, reason="")
    admin = await site.member("admin")
    await admin.post(f"{here}/lock", {"deed": "force"}, of=here)
    assert not (await site.world.workspace()).is_locked


async def test_a_workspace_is_deleted_or_destroyed_only_by_its_typed_name(site: Site) -> None:
    name, here = (await site.world.workspace()).name, f"{await site.place()}/settings"
    refused = await site.owner.post(
        f"{here}/destroy", {"of": "destroy", "name": "other"}, of=here, status=422
    )
    assert "Type the workspace" in text_of(refused)
    await site.owner.post(f"{here}/destroy", {"name": name}, of=here)
    run = (await site.world.runs())[-1]
    assert run.is_destroy
    await site.world.cancel(run.id)
    await site.owner.post(f"{here}/delete", {"name": name}, of=here)
    await site.owner.get(f"/app/{site.world.organization}/{name}", 404)


async def test_states_are_compared_without_secrets_downloaded_and_gone_back_to(site: Site) -> None:
    old = make_state(1, outputs={"password": output("first-secret", sensitive=True)})
    new = make_state(2, resources=[resource(instances=2)])
    await site.world.on_workspace(locks.lock, reason="")
    ids = [await site.world.save_state(raw, serial=n) for n, raw in ((1, old), (2, new))]
    await site.world.on_workspace(locks.unlock)
    here = f"{await site.place()}/states"
    page = await site.owner.get(f"{here}/diff?old={ids[0]}&new={ids[1]}")
    assert "output.password" in page
    assert "first-secret" not in page
    answer = await site.owner.http.get(f"{here}/{ids[0]}/download")
    assert answer.content == old
    back = f"{here}/{ids[0]}/rollback"
    page = await site.owner.post(back, {"newest": ids[1]}, of=back)
    assert "Serial 1 is the newest state again." in page
    assert (await site.world.current_state()).serial == 3
    assert not (await site.world.workspace()).is_locked


async def test_a_team_is_made_filled_and_given_access(site: Site) -> None:
    home = f"/organizations/{site.world.organization}"
    async with transaction(site.world.platform.sessions) as session:
        user = await factories.make_user(session)
    page = await site.owner.post(f"{home}/members", {"username": user.username}, of=f"{home}/teams")
    assert f"{user.username} is a member now." in page
    page = await site.owner.post(f"{home}/teams", {"name": "crew"})
    assert "Team crew was created." in page
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        owners = await factories.owners_of(session, organization)
    listed = await site.owner.get(f"{home}/teams")
    team_id = next(each for each in re.findall(r"/teams/(team-\w+)", listed) if each != owners.id)
    here = f"{home}/teams/{team_id}"
    assert user.username in await site.owner.post(here, {"deed": "add", "username": user.username})
    fields = {"name": "crew", "visibility": "secret", "switches": "yes", "switch": "manage-teams"}
    await site.owner.post(here, fields)
    async with transaction(site.world.platform.sessions) as session:
        row = await session.get_one(Team, team_id)
        assert row.organization_access == ["manage-teams"]
    access = f"{await site.place()}/access"
    page = await site.owner.post(access, {"deed": "give", "team": team_id, "level": "plan"})
    assert "crew has access now." in page
    grant = re.search(r'name="grant" value="(tws-\w+)"', page)
    assert grant is not None
    page = await site.owner.post(access, {"deed": "withdraw", "grant": grant[1]})
    assert grant[1] not in page


async def test_a_token_is_shown_once_and_works_until_it_is_withdrawn(site: Site) -> None:
    here = "/account/tokens"
    page = await site.owner.post(here, {"description": "pipeline", "days": "30"})
    secret = re.search(r'id="secret">([^<]+)<', page)
    assert secret is not None
    bearer = {"Authorization": f"Bearer {secret[1]}"}
    async with site.nobody() as client:
        assert (await client.get("/api/v2/account/details", headers=bearer)).status_code == 200
        page = await site.owner.get(here)
        assert secret[1] not in page
        token = re.search(r"/account/tokens/(at-\w+)/delete", page)
        assert token is not None
        await site.owner.post(f"{here}/{token[1]}/delete", of=here)
        assert (await client.get("/api/v2/account/details", headers=bearer)).status_code == 401


async def test_a_browser_is_signed_out_from_another_one(site: Site) -> None:
    here = "/account/sessions"
    other = await site.browser(site.world.owner)
    page = await site.owner.get(here)
    assert page.count("This browser") == 1
    own, theirs = (
        {m[1] for m in re.finditer(r"/account/sessions/(session-\w+)/delete", each)}
        for each in (page.partition("this browser")[2], page)
    )
    assert own < theirs
    await site.owner.post(f"{here}/others/delete", of=here)
    assert "Sign in" in await other.get(here)
    page = await site.owner.get(here)
    assert "Sign out everywhere else" not in page
    (last,) = re.findall(r"/account/sessions/(session-\w+)/delete", page)
    await site.owner.post(f"{here}/{last}/delete", of=here)
    assert "Sign in" in await site.owner.get(here)
