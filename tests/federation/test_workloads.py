"""Jobs of pipelines get a team's token for their own: those that were meant, and nobody else."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select

from landform.access.models import Team
from landform.federation import workloads
from landform.federation.models import FederatedCredential
from landform.federation.workloads import CredentialSettings, matches
from landform.identity.models import ApiToken
from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from landform.settings import Settings
from landform.wiring import make_federation, make_reach
from landform.workspaces.models import Workspace
from tests import factories
from tests.standins.identity_provider import IdentityProvider
from tests.web.pages import BASE, Site

AUDIENCE = "landform.example.com"
SUBJECT = "repo:acme/infra:ref:refs/heads/main"
CLAIMS = {"sub": "repo:acme/infra:ref:refs/heads/*", "repository_owner_id": "4711"}
Make = Callable[..., str]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's service whose jobs a credential lets act for a team that may plan."""

    site: Site
    idp: IdentityProvider
    credential_id: str
    team_id: str

    def token(self, **changes: Any) -> str:
        """Make what a job has; a claim that is None is left out."""
        claims, header = self.parts(**changes)
        return self.idp.sign(claims, header)

    def parts(self, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        moment = int(time.time())
        claims = {"iss": self.idp.url, "aud": AUDIENCE, "sub": SUBJECT, "iat": moment}
        claims |= {"exp": moment + 300, "repository_owner_id": "4711"} | changes
        header = {"alg": "RS256", "kid": self.idp.key_id}
        return {name: value for name, value in claims.items() if value is not None}, header

    async def exchange(self, token: str, **fields: str) -> httpx2.Response:
        sent = {"client_id": self.credential_id, "subject_token": token} | fields
        async with self.client() as http:
            return await http.post("/oauth/exchange", data=sent)

    async def works(self, secret: str) -> int:
        """Return the status of a read with the token."""
        async with self.client() as http:
            path = f"/api/v2/workspaces/{self.site.world.workspace_id}"
            answer = await http.get(path, headers={"Authorization": f"Bearer {secret}"})
            return answer.status_code

    def client(self) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.site.app)
        return httpx2.AsyncClient(transport=transport, base_url=BASE)

    async def told(self, name: str) -> list[dict[str, Any]]:
        async with transaction(self.site.world.platform.sessions) as session:
            rows = await session.scalars(select(EventRow).where(EventRow.name == name))
            return [row.payload for row in rows]


@pytest.fixture
async def pipeline(site: Site, idp: IdentityProvider) -> Pipeline:
    world = site.world
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        team = await factories.make_team(session, organization, "ci")
        workspace = await session.get_one(Workspace, world.workspace_id)
        await factories.grant(session, team, workspace, "plan")
        row = await workloads.create_credential(
            session,
            world.owner,
            team,
            CredentialSettings(name="infra", issuer=idp.url, audience=AUDIENCE, claims=CLAIMS),
        )
    return Pipeline(site, idp, row.id, team.id)


async def test_a_job_gets_a_token_of_the_team_for_its_own(pipeline: Pipeline) -> None:
    answer = await pipeline.exchange(pipeline.token())
    assert answer.status_code == 200, answer.text
    given = answer.json()
    assert (given["token_type"], answer.headers["cache-control"]) == ("Bearer", "no-store")
    assert 300 <= given["expires_in"] <= 360
    assert await pipeline.works(given["access_token"]) == 200
    [event] = await pipeline.told("WorkloadSignedIn")
    assert (event["workload"], event["team_id"]) == (SUBJECT, pipeline.team_id)
    assert given["access_token"] not in str(event)


async def test_the_token_is_good_for_an_hour_at_most(pipeline: Pipeline) -> None:
    answer = await pipeline.exchange(pipeline.token(exp=int(time.time()) + 10**6))
    assert answer.json()["expires_in"] == 3600


WRONG: dict[str, Callable[[Pipeline], str]] = {
    "another audience": lambda one: one.token(aud="elsewhere"),
    "no audience": lambda one: one.token(aud=None),
    "another issuer": lambda one: one.token(iss="https://evil.example.com"),
    "no subject": lambda one: one.token(sub=None),
    "no end": lambda one: one.token(exp=None),
    "an end that is past": lambda one: one.token(exp=int(time.time()) - 120),
    "a start to come": lambda one: one.token(nbf=int(time.time()) + 600),
    "another repository": lambda one: one.token(sub="repo:evil/infra:ref:refs/heads/main"),
    "a repository that begins alike": lambda one: one.token(
        sub="repo:acme/infra2:ref:refs/heads/x"
    ),
    "another claim": lambda one: one.token(repository_owner_id="4712"),
    "a claim that is missing": lambda one: one.token(repository_owner_id=None),
    "a claim of another kind": lambda one: one.token(repository_owner_id={"a": "4711"}),
    "algorithm none": lambda one: one.idp.unsigned(*one.parts()),
    "the public key as a secret": lambda one: one.idp.signed_with_the_public_key(*one.parts()),
    "a stranger's key": lambda one: jwt.encode(
        {"alg": "RS256", "kid": one.idp.key_id}, one.parts()[0], RSAKey.generate_key(2048)
    ),
    "nonsense": lambda _: "a.b.c",
    "far too long": lambda _: "a" * 65_000,
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
async def test_what_was_not_meant_gets_nothing(pipeline: Pipeline, make: Make) -> None:
    token = make(pipeline)
    answer = await pipeline.exchange(token)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert token not in answer.text
    assert not await pipeline.told("WorkloadSignedIn")
    [refused] = await pipeline.told("WorkloadRefused")
    assert token not in str(refused)


async def test_an_unknown_credential_is_not_told_from_a_wrong_token(pipeline: Pipeline) -> None:
    answer = await pipeline.exchange(pipeline.token(), client_id="fc-aaaaaaaaaaaaaaaa")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_an_issuer_that_is_away_is_said_to_be(pipeline: Pipeline) -> None:
    token = pipeline.token()
    pipeline.idp.close()
    answer = await pipeline.exchange(token)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


async def test_a_credential_s_issuer_on_this_network_is_not_called(pipeline: Pipeline) -> None:
    platform = pipeline.site.world.platform
    reach = make_reach(Settings(), platform.sessions, platform.keyring)
    process = pipeline.site.app.state.process
    pipeline.site.app.state.process = replace(process, federation=make_federation(reach))
    answer = await pipeline.exchange(pipeline.token())
    assert not answer.is_success
    assert "access_token" not in answer.text
    assert not pipeline.idp.server.requests
    await reach.close()


async def test_who_is_refused_too_often_has_to_wait(pipeline: Pipeline) -> None:
    statuses = {(await pipeline.exchange("a.b.c")).status_code for _ in range(35)}
    assert statuses == {400, 429}


async def test_without_the_credential_its_tokens_are_gone(pipeline: Pipeline) -> None:
    secret = (await pipeline.exchange(pipeline.token())).json()["access_token"]
    world = pipeline.site.world
    async with transaction(world.platform.sessions) as session:
        await workloads.delete_credential(session, world.owner, pipeline.credential_id)
    assert await pipeline.works(secret) == 401


async def test_tokens_that_ended_are_cleared_away(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pipeline.exchange(pipeline.token())
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    await pipeline.exchange(pipeline.token(exp=int(later.timestamp()) + 300))
    async with transaction(pipeline.site.world.platform.sessions) as session:
        rows = (await session.scalars(select(ApiToken))).all()
    assert len([row for row in rows if row.federated_credential_id]) == 1


async def test_only_who_makes_the_teams_tokens_makes_credentials(pipeline: Pipeline) -> None:
    world = pipeline.site.world
    new = CredentialSettings(name="x", issuer="https://x.test", audience="a", claims={"sub": "s"})
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        admin = await factories.make_actor(session, workspace, "admin")
        team = await session.get_one(Team, pipeline.team_id)
        with pytest.raises((ForbiddenError, NotFoundError)):
            await workloads.create_credential(session, admin, team, new)
        with pytest.raises((ForbiddenError, NotFoundError)):
            await workloads.get_credential(session, admin, pipeline.credential_id)
        with pytest.raises(ForbiddenError):
            await workloads.list_credentials(session, admin, world.organization_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "infra"},
        {"issuer": "token.actions.githubusercontent.com"},
        {"issuer": "file:///etc"},
        {"audience": " "},
        {"claims": {}},
        {"claims": {"sub": "*"}},
        {"claims": {"sub": ""}},
        {"claims": {"s u b": "x"}},
        {"claims": {f"c{n}": "x" for n in range(21)}},
    ],
)
async def test_a_credential_that_would_let_anybody_in_is_refused(
    pipeline: Pipeline, changes: dict[str, Any]
) -> None:
    world = pipeline.site.world
    fine = {"name": secrets.token_hex(4), "issuer": "https://x.test", "audience": "a"}
    new = CredentialSettings(**({**fine, "claims": {"sub": "s"}} | changes))
    async with transaction(world.platform.sessions) as session:
        team = await session.get_one(Team, pipeline.team_id)
        with pytest.raises(InvalidError):
            await workloads.create_credential(session, world.owner, team, new)
        assert len((await session.scalars(select(FederatedCredential))).all()) == 1


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "ab", True),
        ("*b", "ab", True),
        ("a*b", "ab", True),
        ("a*b", "aXb", True),
        ("ab*ab", "ab", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c", False),
        ("a**c", "ac", True),
        ("a.c", "abc", False),
        ("a*", "A", False),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_does(
    wanted: str, value: str, fits: bool
) -> None:
    assert matches(wanted, value) is fits


def test_a_pattern_that_would_take_a_backtracker_for_ever_is_judged_at_once() -> None:
    assert not matches("a*" * 250 + "b", "a" * 512)
