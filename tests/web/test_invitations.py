"""Somebody without an account is invited, and comes in."""

import re

from tests.web.pages import BASE, Site

PASSWORD = "correct horse battery staple"
FORM = {"username": "newcomer", "password": PASSWORD, "again": PASSWORD}


async def invite(site: Site, invitee: str = "new@example.com") -> str:
    """Invite somebody on the page of members; return the link's path."""
    home = f"/organizations/{site.world.organization}"
    shown = await site.owner.post(f"{home}/invitations", {"invitee": invitee}, of=f"{home}/teams")
    found = re.search(r'id="link">([^<]+)<', shown)
    assert found is not None
    return found[1].removeprefix(BASE)


async def test_an_invited_person_makes_an_account_and_signs_in(site: Site) -> None:
    path = await invite(site)
    teams = f"/organizations/{site.world.organization}/teams"
    listed = await site.owner.get(teams)
    assert "new@example.com" in listed
    assert path not in listed
    browser = site.nobody()
    shown = await browser.get(path)
    assert f"Join {site.world.organization}" in shown.text
    assert shown.headers["referrer-policy"] == "no-referrer"
    wrong = await browser.post(path, data={**FORM, "again": "another"})
    assert (wrong.status_code, "not the same" in wrong.text) == (422, True)
    weak = await browser.post(path, data={**FORM, "password": "short", "again": "short"})
    assert weak.status_code == 422
    made = await browser.post(path, data=FORM)
    assert (made.status_code, made.headers["location"]) == (303, "/login")
    assert "landform_session" not in made.cookies
    signed_in = await browser.post("/login", data={"username": "newcomer", "password": PASSWORD})
    assert signed_in.headers["location"] == "/"
    members = await site.owner.get(teams)
    assert "newcomer" in members
    assert "new@example.com" not in members
    assert (await browser.get(path)).status_code == 404
    assert (await browser.post(path, data=FORM)).status_code == 404


async def test_an_invitation_is_withdrawn(site: Site) -> None:
    path = await invite(site)
    teams = f"/organizations/{site.world.organization}/teams"
    found = re.search(r'name="invitation" value="(inv-\w+)"', await site.owner.get(teams))
    assert found is not None
    home = f"/organizations/{site.world.organization}"
    await site.owner.post(
        f"{home}/invitations", {"deed": "withdraw", "invitation": found[1]}, of=teams
    )
    gone = await site.nobody().get(path)
    assert gone.status_code == 404
    assert "Ask for another" in gone.text
