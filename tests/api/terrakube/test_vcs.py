"""VCS connections in Terrakube's API."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.settings import Settings
from landform.wiring import make_reach
from tests import factories
from tests.api.terrakube.founding import Founding


async def test_a_connection_is_listed_read_changed_and_deleted(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    one = f"{founding.path}/{vcs_id}"
    assert [each["id"] for each in (await founding.ask("GET", founding.path, 200))["data"]] == [
        vcs_id
    ]
    changed = await founding.ask("PATCH", one, 200, description="new")
    assert changed["data"]["attributes"]["description"] == "new"
    await founding.ask("DELETE", one, 204)
    await founding.ask("GET", one, 404)


async def test_an_organization_is_found_by_its_name_too(founding: Founding) -> None:
    await founding.create()
    path = f"/api/v1/organization/{founding.server.world.organization}/vcs"
    assert len((await founding.ask("GET", path, 200))["data"]) == 1


async def test_no_answer_holds_a_secret(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    await founding.browser.get(
        await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    )
    one = f"{founding.path}/{vcs_id}"
    for said in (
        await founding.ask("GET", one, 200),
        await founding.ask("GET", founding.path, 200),
        await founding.ask("PATCH", one, 200, clientSecret="another-secret"),
    ):
        for secret in (founding.application.secret, "another-secret", 'Secret":'):
            assert secret not in str(said)


async def test_another_application_needs_another_sign_in(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    await founding.browser.get(
        await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    )
    await founding.ask("PATCH", f"{founding.path}/{vcs_id}", 200, clientSecret="a-new-one")
    assert await founding.status(vcs_id) == "COMPLETED"
    await founding.ask("PATCH", f"{founding.path}/{vcs_id}", 200, clientId="another")
    assert await founding.status(vcs_id) == "PENDING"


@pytest.mark.parametrize(
    ("attributes", "pointer", "words"),
    [
        ({"vcsType": "SUBVERSION"}, "vcsType", "is no VCS type"),
        ({"clientSecret": None}, "clientSecret", "give a client_secret"),
        ({"name": " "}, "name", "needs a name"),
        ({"signIn": "github-app"}, "signIn", "is not signed in to by"),
        ({"signIn": "magic"}, "signIn", "no way to sign in"),
        ({"endpoint": "ftp://x"}, "endpoint", "is not an address"),
        ({"endpoint": "https://u:p@x"}, "endpoint", "is not an address"),
        ({"redirectUrl": "javascript:alert(1)"}, "redirectUrl", "is not an address"),
        ({"callback": "a/b"}, "callback", "one segment"),
        ({"signIn": "token"}, "account", "Name the Azure DevOps organization"),
        ({"description": "x" * 2000}, "description", "at most 1024"),
        (
            {
                "signIn": "service-principal-certificate",
                "account": "a",
                "tenant": "t",
                "certificate": "x",
                "privateKey": "y",
            },
            "certificate",
            "not PEM",
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_what_would_be_right(
    founding: Founding, attributes: dict[str, Any], pointer: str, words: str
) -> None:
    given = {
        "name": "ado",
        "vcsType": "AZURE_DEVOPS",
        "clientId": "id",
        "clientSecret": "secret",
        **attributes,
    }
    said = await founding.ask("POST", founding.path, 422, **given)
    (error,) = said["errors"]
    assert words in error["detail"]
    assert error["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_two_connections_cannot_have_one_callback(founding: Founding) -> None:
    await founding.create(callback="ado")
    said = await founding.ask(
        "POST",
        founding.path,
        422,
        name="b",
        vcsType="AZURE_DEVOPS",
        clientId="a",
        clientSecret="b",
        callback="ado",
    )
    assert "another connection's" in said["errors"][0]["detail"]


async def test_a_private_address_is_not_called_unless_the_operator_allows_it(
    founding: Founding,
) -> None:
    settings = Settings(database_url=SecretStr("postgresql://x"))
    platform = founding.server.world.platform
    shut = make_reach(settings, platform.sessions, platform.keyring)
    state = founding.server.app.state
    state.process = replace(state.process, reach=shut)
    made = await founding.create(signIn="token", account="Acme", endpoint=None)
    said = await founding.ask("POST", f"{founding.path}/{made['id']}/test", 422)
    assert "LANDFORM_EGRESS_ALLOW" in said["errors"][0]["detail"]
    assert founding.azure.server.requests == []


# ── who may ─────────────────────────────────────────────────────────────────────────────────────


async def test_only_who_manages_vcs_settings_may_change_and_use_connections(
    founding: Founding,
) -> None:
    vcs_id = (await founding.create())["id"]
    server = founding.server
    one = f"{founding.path}/{vcs_id}"
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        people = {}
        for switch in ("manage-vcs-settings", "manage-workspaces", "manage-teams"):
            user = await factories.make_user(session)
            await factories.make_member(session, organization.id, user)
            await factories.make_team(
                session, organization, organization_access=[switch], members=[user]
            )
            people[switch] = user
    token = {
        switch: (await server.caller_of(actor_of(user))).token for switch, user in people.items()
    }
    stranger = (await server.stranger()).token
    manager, worker, other = token.values()
    await founding.ask("PATCH", one, 200, token=manager, description="x")
    await founding.ask("GET", one, 200, token=worker)
    await founding.ask("PATCH", one, 403, token=worker, description="x")
    await founding.ask("POST", f"{one}/connect", 403, token=worker)
    await founding.ask("POST", f"{one}/test", 403, token=worker)
    await founding.ask("DELETE", one, 403, token=worker)
    for who in (other, stranger):
        for method, path in (("GET", one), ("DELETE", one), ("POST", f"{one}/test")):
            await founding.ask(method, path, 404, token=who)
        await founding.ask("PATCH", one, 404, token=who, description="x")
    await founding.ask("GET", founding.path, 403, token=other)
    await founding.ask("GET", founding.path, 404, token=stranger)
    await founding.ask("GET", founding.path, 401, token="nobody")


@pytest.mark.parametrize(
    ("endpoint", "provider"),
    [
        (None, "gitlab_hosted"),
        ("https://gitlab.com", "gitlab_hosted"),
        ("https://git.acme.com/gitlab", "gitlab_enterprise_edition"),
    ],
)
async def test_gitlab_is_one_type_wherever_it_is(
    founding: Founding, endpoint: str | None, provider: str
) -> None:
    made = await founding.create(vcsType="GITLAB", endpoint=endpoint, apiUrl=None)
    assert (made["attributes"]["vcsType"], made["attributes"]["signIn"]) == ("GITLAB", "oauth")
    shown = await founding.server.owner.get(f"oauth-clients/{made['id']}")
    assert shown["data"]["attributes"]["service-provider"] == provider


@pytest.mark.parametrize(
    ("vcs_type", "endpoint", "provider", "sign_in"),
    [
        ("BITBUCKET", None, "bitbucket_hosted", "oauth"),
        ("BITBUCKET", "https://bitbucket.org", "bitbucket_hosted", "oauth"),
        ("BITBUCKET", "https://git.acme.com/ctx", "bitbucket_data_center", "token"),
        ("BITBUCKET_DATA_CENTER", "https://git.acme.com", "bitbucket_data_center", "token"),
        ("GITEA", "https://codeberg.org", "gitea", "oauth"),
    ],
)
async def test_bitbucket_and_gitea_are_signed_in_to_as_each_can_be(
    founding: Founding, vcs_type: str, endpoint: str | None, provider: str, sign_in: str
) -> None:
    made = await founding.create(vcsType=vcs_type, endpoint=endpoint, apiUrl=None)
    assert made["attributes"]["signIn"] == sign_in
    shown = await founding.server.owner.get(f"oauth-clients/{made['id']}")
    assert shown["data"]["attributes"]["service-provider"] == provider
