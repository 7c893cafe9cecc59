"""`terrakube_workspace_vcs` with an `ssh_id`: a repository that is reached by a key alone."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.settings import Settings
from landform.vcs.git.public_hosts import PUBLIC_HOSTS
from landform.vcs.models import Connection
from landform.vcs.sealing import open_secrets
from landform.wiring import make_reach
from tests import factories
from tests.api.terrakube.client import GoClient, client_of, fault, workspace_cli
from tests.api.tfe.server import Server
from tests.ssh_keys import samples
from tests.standins.git_server import GitServer, git_server

ELSEWHERE = PUBLIC_HOSTS.splitlines()[0].replace("github.com", "git.example")


@dataclass
class Place:
    """An organization with a key, which a git server lets in to a repository."""

    server: Server
    owner: GoClient
    path: str
    git: GitServer
    ssh_id: str

    @property
    def source(self) -> str:
        return f"ssh://{self.git.user}@127.0.0.1:{self.git.port}{self.git.root}/team/infra.git"

    def sent(self, **changed: Any) -> dict[str, Any]:
        given = {
            "source": self.source,
            "branch": "main",
            "defaultTemplate": "tpl-plan-apply-cli",
            "relationships": {"ssh": self.ssh_id},
        }
        return workspace_cli("planned", **{**given, **changed})

    async def connections(self) -> list[Connection]:
        async with transaction(self.server.world.platform.sessions) as session:
            return list(await session.scalars(select(Connection).order_by(Connection.id)))


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "git") as service:
        service.repository("team/infra.git").commit("main", {"main.tf": ""}, message="Begin")
        yield service


@pytest.fixture
async def place(
    server: Server, owner: GoClient, path: str, database_url: str, git: GitServer
) -> AsyncIterator[Place]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = server.world.platform
    reach = make_reach(settings, platform.sessions, platform.keyring)
    server.app.state.process = replace(server.process, reach=reach)
    made = await owner.create(f"{path}/ssh", "ssh", name="deploy", knownHosts=git.host_key())
    git.authorize(made["attributes"]["publicKey"])
    yield Place(server, owner, path, git, made["id"])
    await reach.close()


async def test_a_workspace_is_made_on_a_repository_by_a_key_alone(place: Place) -> None:
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    linked = {name: each["data"] for name, each in made["relationships"].items()}
    assert linked["ssh"] == {"type": "ssh", "id": place.ssh_id}
    assert linked["vcs"] is None
    assert made["attributes"]["branch"] == "main"
    assert made["attributes"]["source"] == place.source
    [row] = await place.connections()
    assert (row.ssh_key_id, row.endpoint) == (place.ssh_id, f"ssh://127.0.0.1:{place.git.port}")
    one = f"{place.path}/workspace/{made['id']}"
    await place.owner.update(one, "workspace", **place.sent(description="again"))
    other = {**place.sent(), "name": "other"}
    await place.owner.create(f"{place.path}/workspace", "workspace", **other)
    assert len(await place.connections()) == 1
    await place.owner.update(one, "workspace", relationships={"vcs": None})
    assert (await place.owner.get(one))["data"]["attributes"]["source"] == "empty"


async def test_its_connection_follows_the_key_and_goes_with_it(place: Place) -> None:
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    fresh = samples.make_key(*samples.RSA)
    key = f"{place.path}/ssh/{place.ssh_id}"
    await place.owner.update(key, "ssh", privateKey=fresh)
    [row] = await place.connections()
    kept = open_secrets(place.server.world.platform.keyring, row)["private_key"]
    assert samples.public_half_of(kept) == samples.public_half_of(fresh)
    await place.owner.update(key, "ssh", knownHosts=ELSEWHERE)
    assert [each.known_hosts for each in await place.connections()] == [""]
    refused = await place.owner.delete(key, 409)
    assert "Disconnect them first" in fault(refused)
    one = f"{place.path}/workspace/{made['id']}"
    await place.owner.update(one, "workspace", **workspace_cli("planned"))
    await place.owner.delete(key)
    assert await place.connections() == []


async def test_a_server_that_the_key_pins_not_and_what_is_not_ssh_are_refused(
    place: Place,
) -> None:
    for source, said in (
        ("git@git.example.com:team/infra.git", "pins no host key of git.example.com"),
        ("https://127.0.0.1/team/infra.git", "only addresses of SSH"),
        (f"{place.source}-nothing", "no such repository"),
    ):
        answer = await place.owner.create(
            f"{place.path}/workspace", "workspace", 422, **place.sent(source=source)
        )
        assert said in str(answer), answer
    both = {"ssh": place.ssh_id, "vcs": "oc-0000000000000000"}
    answer = await place.owner.create(
        f"{place.path}/workspace", "workspace", 422, **place.sent(relationships=both)
    )
    assert "not by both" in str(answer)


async def test_who_may_not_manage_connections_makes_none_by_naming_a_key_but_uses_what_is_there(
    place: Place,
) -> None:
    server = place.server
    stranger = client_of(server, await server.stranger())
    await stranger.create(f"{place.path}/workspace", "workspace", 404, **place.sent())
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        user = await factories.make_user(session)
        switches = ["manage-workspaces"]
        await factories.make_team(
            session, organization, organization_access=switches, members=[user]
        )
    maker = client_of(server, await server.caller_of(actor_of(user)))
    await maker.create(f"{place.path}/workspace", "workspace", 403, **place.sent())
    assert await place.connections() == []
    await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    await maker.create(f"{place.path}/workspace", "workspace", **place.sent() | {"name": "second"})
    assert len(await place.connections()) == 1
