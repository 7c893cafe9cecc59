"""Identity providers and the policy of sign-in by API, and teams that stand for groups."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from landform.identity.passwords import hash_password
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from tests.api.tfe.people import Caller, Site, names, open_site

NEW = {
    "kind": "okta",
    "name": "Acme",
    "issuer": "https://acme.okta.com",
    "client_id": "0oa1",
    "client_secret": "hunter2-of-okta",
}
PATH, POLICY = "admin/identity-providers", "admin/sign-in-policy"


async def ask(who: Caller, method: str, path: str, status: int, **attributes: Any) -> Any:
    """Return the document; TFE's description has nothing like it, so nothing judges it."""
    kind = "sign-in-policies" if path == POLICY else "identity-providers"
    sent = {name.replace("_", "-"): value for name, value in attributes.items()}
    answer = await who.http.request(
        method,
        f"/api/v2/{path}",
        json={"data": {"type": kind, "attributes": sent}} if sent else None,
        headers={"Authorization": f"Bearer {who.token}"},
    )
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def test_a_site_admin_makes_changes_and_removes_providers(site: Site) -> None:
    root = await site.user("root", is_site_admin=True)
    made = await ask(root, "POST", PATH, 201, **NEW)
    shown = made["data"]["attributes"]
    where = f"{PATH}/{made['data']['id']}"
    assert shown["scopes"] == "openid profile email groups"
    assert shown["groups-claim"] == "groups"
    assert shown["callback-url"].endswith(f"/login/callback/{made['data']['id']}")
    assert shown["enabled"] is True
    change = {"name": "Acme Corp", "allowed_domains": ["@ACME.example"], "client_secret": "new"}
    changed = (await ask(root, "PATCH", where, 200, **change))["data"]["attributes"]
    assert changed["allowed-domains"] == ["acme.example"]
    assert changed["issuer"] == NEW["issuer"]
    assert names(await ask(root, "GET", PATH, 200)) == ["Acme Corp"]
    assert "hunter2" not in str([made, changed, await ask(root, "GET", where, 200)])
    await ask(root, "DELETE", where, 204)
    await ask(root, "GET", where, 404)


async def test_what_cannot_be_of_a_provider_is_refused_by_name(site: Site) -> None:
    root = await site.user("root", is_site_admin=True)
    await ask(root, "POST", PATH, 201, **NEW)
    for change, pointer in (
        ({"kind": "ldap"}, "kind"),
        ({"kind": "saml"}, "metadata"),
        ({"metadata_url": "https://acme.example/m"}, "metadata"),
        ({"name": "ACME"}, "name"),
        ({"name": ""}, "name"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": "https://user:pass@acme.example"}, "issuer"),
        ({"issuer": "file:///etc/passwd"}, "issuer"),
        ({"client_id": ""}, "client-id"),
        ({"client_secret": " "}, "client-secret"),
        ({"scopes": "email"}, "scopes"),
        ({"scopes": 'openid "x"'}, "scopes"),
        ({"allowed_domains": ["no domain"]}, "allowed-domains"),
        ({"required_groups": ["a"], "groups_claim": ""}, "groups-claim"),
        ({"kind": "google"}, "creates-users"),
    ):
        refused = await ask(root, "POST", PATH, 422, **({**NEW, "name": "b"} | change))
        assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}", change


async def test_passwords_are_switched_off_only_where_somebody_can_still_come_in(
    site: Site,
) -> None:
    root = await site.user("root", is_site_admin=True, password_hash=await hash_password("x" * 12))
    assert (await ask(root, "GET", POLICY, 200))["data"]["attributes"]["local-sign-in"] is True
    await ask(root, "PATCH", POLICY, 409, local_sign_in=False, break_glass="root")
    made = await ask(root, "POST", PATH, 201, **NEW)
    await ask(root, "PATCH", POLICY, 422, local_sign_in=False)
    await ask(root, "PATCH", POLICY, 422, local_sign_in=False, break_glass="nobody")
    off = await ask(root, "PATCH", POLICY, 200, local_sign_in=False, break_glass="root")
    assert off["data"]["attributes"] == {"local-sign-in": False, "break-glass-user-id": root.id}
    where = f"{PATH}/{made['data']['id']}"
    await ask(root, "PATCH", where, 409, enabled=False)
    await ask(root, "DELETE", where, 409)
    await ask(root, "PATCH", POLICY, 200, local_sign_in=True)
    await ask(root, "DELETE", where, 204)


async def test_a_team_stands_for_a_group_where_somebody_who_may_fill_it_says_so(
    site: Site,
) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    organization = await site.organization("acme", ann)
    await site.team(organization, "leads", bob, organization_access=["manage-teams"])
    made = await ann.post("organizations/acme/teams", "teams", name="dev", sso_team_id="eng")
    where = f"teams/{made['data']['id']}"
    assert made["data"]["attributes"]["sso-team-id"] == "eng"
    assert made["data"]["attributes"]["permissions"]["can-update-sso-team-id"] is True
    await ann.patch(where, "teams", name="devs")
    assert (await ann.get(where))["data"]["attributes"]["sso-team-id"] == "eng"
    cleared = await ann.patch(where, "teams", sso_team_id="")
    assert cleared["data"]["attributes"]["sso-team-id"] is None
    await bob.post("organizations/acme/teams", "teams", name="x", sso_team_id="everyone")
    owners = next(
        each
        for each in (await ann.get("organizations/acme/teams"))["data"]
        if each["attributes"]["name"] == "owners"
    )
    await bob.patch(f"teams/{owners['id']}", "teams", 404, sso_team_id="everyone")
    changed = await ann.patch(f"teams/{owners['id']}", "teams", sso_team_id="bosses")
    assert changed["data"]["attributes"]["sso-team-id"] == "bosses"
