"""Pictures of the pages for the documents; `make screenshots` writes them into docs/images."""

import io
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import pytest
from fastapi import FastAPI
from PIL import Image
from playwright.async_api import Page, ViewportSize
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform import __version__
from landform.access import invitations
from landform.access.models import Team
from landform.access.tokens import issue_for_pool
from landform.agents.models import Agent, AgentPool
from landform.agents.service import PoolSettings, create_pool
from landform.contract import Artefact, Counts, Phase
from landform.federation.workloads import CredentialSettings, create_credential
from landform.identity.models import User
from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.ids import new_id
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.schedules import service as schedules
from landform.schedules.service import ScheduleSettings
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.service import SshKeySettings, create_key
from landform.states.models import StateVersion
from landform.variables import service as variables
from landform.variables import sets
from landform.variables.models import VariableSet
from landform.variables.service import VariableSettings
from landform.vcs.connections import callback_url
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.sealing import seal_secrets
from landform.workspaces.models import Workspace
from landform.workspaces.run_kinds import RunKind
from tests import factories
from tests.browser import furniture, neighbours
from tests.browser.conftest import Desk
from tests.browser.test_vcs import azure, desk, fill_in
from tests.browser.told import tell
from tests.federation.conftest import saml
from tests.files import make_state
from tests.standins.azure_devops import AzureDevOps
from tests.standins.saml_provider import SamlProvider
from tests.web.test_runs import PLAN
from tests.world import World

__all__ = ["azure", "desk", "saml"]  # fixtures

IMAGES = Path(__file__).parents[2] / "docs/images"
Pages: TypeAlias = dict[str, str]  # addresses by the names of their pictures
WIDE, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=800)
ROUTES = [
    {
        "address": f"module.net.aws_route.private[{number}]",
        "module_address": "module.net",
        "type": "aws_route",
        "change": {
            "actions": ["create"],
            "before": None,
            "after": {"destination": f"10.0.{number}.0/24"},
            "after_unknown": {"id": True},
        },
    }
    for number in range(4)
]
SERVER = {
    "address": "aws_instance.web",
    "type": "aws_instance",
    "change": {
        "actions": ["update"],
        "before": {"instance_type": "t3.small", "policy": json.dumps({"a": 1, "b": 2})},
        "after": {"instance_type": "t3.large", "policy": json.dumps({"a": 1, "b": 3})},
    },
}
LOG = (
    b"Terraform used the selected providers to generate the following execution plan.\n"
    b"  \x1b[32m+\x1b[0m create\n  \x1b[33m~\x1b[0m update in-place\n  \x1b[31m-\x1b[0m destroy\n"
    b"\x1b[1mPlan:\x1b[0m 5 to add, 1 to change, 2 to destroy.\n"
)

ONLY = os.environ.get("LANDFORM_SCREENSHOTS_OF", "").split()

pytestmark = pytest.mark.skipif(
    "LANDFORM_SCREENSHOTS" not in os.environ, reason="pictures are taken by `make screenshots`"
)


async def furnish(desk: Desk) -> str:
    """Give the world names and things that look like somebody's; return the run to show."""
    world = desk.world
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        workspace = await session.get_one(Workspace, world.workspace_id)
        user = await session.get_one(User, world.owner.id)
        organization.name, workspace.name, user.username = "acme", "network-prod", "ada"
        workspace.description = "VPC, subnets and routes of production"
        for name, tags in (
            ("billing-dev", {"env": "dev"}),
            ("billing-prod", {"env": "prod", "team": "billing"}),
            ("dns", {}),
            ("observability", {"team": "sre"}),
        ):
            await factories.make_workspace(session, organization, name, tags=tags)
        team = await factories.make_team(session, organization, "platform", members=[user])
        await people(world, session, team)
        await hire(world, session, organization)
        session.add(entra(world.platform.keyring, organization.id, user.id))
        await schedule(session, world, workspace)
        await furniture.set_variables(session, world, workspace)
        session.add(github(world.platform.keyring, organization.id, user.id))
        user.is_site_admin = True
    world.organization = "acme"
    world.configuration_id = await world.configure(furniture.configuration())
    await world.confirm(first := await plan(desk, "Build the network"))
    job = await world.must_begin(first, Phase.APPLY)
    await attempts.put_state(world.platform, job, make_state(1), final=False)
    await attempts.put_state(world.platform, job, furniture.state(2), final=True)
    await world.finish(job, counts=Counts(additions=3))
    return await plan(desk, "Widen the subnets of production")


async def schedule(session: AsyncSession, world: World, workspace: Workspace) -> None:
    """Have two kinds of runs start by themselves, one of which stopped."""
    drift = ScheduleSettings(
        cron="30 3 * * MON-FRI",
        time_zone="Europe/Berlin",
        run_kind=RunKind.PLAN,
        description="Looks for drift",
    )
    await schedules.create_schedule(session, world.owner, workspace, drift)
    images = ScheduleSettings(cron="0 6 1 * *", run_kind=RunKind.APPLY, description="New images")
    row = await schedules.create_schedule(session, world.owner, workspace, images)
    row.enabled, row.next_at = False, None
    row.stopped_reason = "ada, who set the schedule, lacks the permission to queue applies now."


def entra(keyring: Keyring, organization_id: str, user_id: str) -> Connection:
    """Return a connection that somebody made a while ago."""
    connection_id = new_id("oc")
    return Connection(
        id=connection_id,
        organization_id=organization_id,
        name="Azure DevOps",
        account="acme",
        kind=Kind.AZURE_DEVOPS,
        sign_in=SignIn.ENTRA_OAUTH,
        client_id="00000000-0000-4000-8000-000000000000",
        sealed_secrets=seal_secrets(keyring, connection_id, {}),
        callback_url=callback_url("https://landform.example.com", connection_id),
        status=ConnectionStatus.CONNECTED,
        connected_at=clock.now(),
        capabilities={"identity": "Ada", "listing": True, "hooks": True, "statuses": True},
        created_by=user_id,
    )


def github(keyring: Keyring, organization_id: str, user_id: str) -> Connection:
    """Return a connection whose app is still to be registered."""
    connection_id = new_id("oc")
    return Connection(
        id=connection_id,
        organization_id=organization_id,
        name="GitHub",
        account="acme",
        kind=Kind.GITHUB,
        sign_in=SignIn.GITHUB_APP,
        sealed_secrets=seal_secrets(keyring, connection_id, {}),
        callback_url=callback_url("https://landform.example.com", connection_id),
        created_by=user_id,
    )


async def people(world: World, session: AsyncSession, team: Team) -> None:
    """Let others in: by an invitation, and a pipeline; and share variables."""
    keyring, owner, of_it = world.platform.keyring, world.owner, team.organization_id
    organization = await session.get_one(Organization, of_it)
    for name in ("grace", "linus"):
        colleague = await factories.make_user(session, name, email=f"{name}@example.com")
        await factories.put_in(session, team, colleague)
    await invitations.invite(session, owner, of_it, invitee="tim@example.com", into=[team])
    job = CredentialSettings(
        name="Azure Pipelines",
        issuer="https://vstoken.dev.azure.com/00000000-0000-4000-8000-000000000000",
        audience="api://AzureADTokenExchange",
        claims={"sub": "p://acme/Cloud Team/deploy"},
    )
    await create_credential(session, owner, team, job)
    await create_key(session, keyring, owner, of_it, SshKeySettings(name="Private modules"))
    shared = await sets.create_set(
        session, owner, organization, sets.SetSettings(name="Azure, production")
    )
    for key, value, sensitive in (
        ("ARM_SUBSCRIPTION_ID", "00000000-0000-4000-8000-000000000000", False),
        ("ARM_CLIENT_SECRET", "kept", True),
    ):
        given = VariableSettings(key=key, value=value, category="env", sensitive=sensitive)
        await variables.create_variable(session, keyring, owner, shared, given)


async def hire(world: World, session: AsyncSession, organization: Organization) -> None:
    """Have agents in a pool, one of which is silent."""
    pool = await create_pool(session, world.owner, organization, PoolSettings(name="data-centre"))
    await issue_for_pool(session, world.owner, pool.id, description="machines in Frankfurt")
    for number, address, age_s in ((1, "10.20.0.11", 4), (2, "10.20.0.12", 11), (3, "", 9000)):
        agent = Agent(
            id=new_id("agent"),
            pool_id=pool.id,
            name=f"fra-runner-{number}",
            version=__version__,
            address=address or "10.20.0.13",
            sandbox="bubblewrap",
            slots=4,
            seen_at=clock.now() - timedelta(seconds=age_s),
        )
        session.add(agent)
    await session.flush()


async def plan(desk: Desk, message: str) -> str:
    world = desk.world
    run_id = await world.create(message=message)
    job = await world.must_begin(run_id)
    changes = [*PLAN["resource_changes"], SERVER, *ROUTES]
    document = msgspec.json.encode(
        {**PLAN, "resource_changes": changes, "checks": furniture.CHECKS}
    )
    await attempts.put(world.platform, job, Artefact.PLAN_JSON_REDACTED, document)
    await world.append(job, 0, LOG)
    await world.finish(job, counts=Counts(additions=5, changes=1, destructions=2, drifted=2))
    return run_id


async def beside(desk: Desk, app: FastAPI, azure: AzureDevOps, saml: SamlProvider) -> Pages:
    """Have others around; return the pages that are about them."""
    connection, repository = await neighbours.follow(desk.world, azure, app.state.process.reach)
    async with transaction(desk.world.platform.sessions) as session:
        door = await neighbours.have_a_door(desk.world, session, saml)
        await neighbours.be_careful(desk.world, session)
    new = f"/organizations/acme/workspaces/new/repository?connection={connection}"
    window = await desk.sit()
    azure.browser = azure.organization("acme-platform").identity("Ada")
    await window.goto("/organizations/acme/vcs/new")
    await fill_in(window, azure, "acme-platform")
    return {
        "connected": window.url,
        "new-choose-repository": new,
        "new-triggers": f"{new}&repository={repository}",
        "repository-choose": f"{await desk.place()}/repository/choose?connection={connection}",
        "site-provider-new": "/site/sign-in/new?kind=saml",
        "site-provider": f"/site/sign-in/{door}",
    }


async def told(desk: Desk, run_id: str) -> Pages:
    """Have others told of runs; return the pages that say so."""
    world = desk.world
    workspace = await world.workspace()
    async with transaction(world.platform.sessions) as session:
        row_id = await tell(
            session, world.platform.keyring, workspace, user_id=world.owner.id, run_id=run_id
        )
    here = f"{await desk.place()}/settings/notifications"
    return {"notifications": here, "notification": f"{here}/{row_id}"}


async def pages_of(desk: Desk, run_id: str) -> Pages:
    """Return the addresses of the pages by the names of their pictures."""
    async with transaction(desk.world.platform.sessions) as session:
        connected = {each.name: each.id for each in await session.scalars(select(Connection))}
        older, newest = await session.scalars(select(StateVersion.id).order_by(StateVersion.serial))
        team_id = (await session.scalars(select(Team.id).where(Team.name == "platform"))).one()
        set_id = (await session.scalars(select(VariableSet.id))).one()
        pool_id = (await session.scalars(select(AgentPool.id))).one()
        key_id = (await session.scalars(select(SshKey.id))).one()
    place, home = await desk.place(), "/organizations/acme"
    state = f"{place}/states/{newest}"
    return {
        "organizations": "/organizations",
        "organization-new": "/organizations/new",
        "organization-settings": f"{home}/settings",
        "workspaces": "/app/acme",
        "bulk": "/app/acme",
        "workspace": place,
        "run": f"{place}/runs/{run_id}",
        "confirm": f"{place}/runs/{run_id}?ask=confirm",
        "change": f"{place}/runs/{run_id}/plan/1",
        "run-new": f"{place}/runs/new",
        "log": f"{place}/runs/{run_id}/log/plan",
        "runs": f"{place}/runs",
        "organization-runs": f"{home}/runs",
        "variables": f"{place}/variables",
        "states": f"{place}/states",
        "state": state,
        "state-diff": f"{place}/states/diff?old={older}&new={newest}",
        "rollback": f"{place}/states/{older}/rollback",
        "graph": f"{state}/graph",
        "settings": f"{place}/settings",
        "agent-pools": f"{home}/agent-pools",
        "agent-pool": f"{home}/agent-pools/{pool_id}",
        "schedules": f"{place}/settings/schedules",
        "access": f"{place}/access",
        "projects": f"{home}/projects",
        "teams": f"{home}/teams",
        "team": f"{home}/teams/{team_id}",
        "invited": f"{home}/teams",
        "pipelines": f"{home}/pipelines",
        "variable-sets": f"{home}/variable-sets",
        "variable-set": f"{home}/variable-sets/{set_id}",
        "new-workspace": f"{home}/workspaces/new",
        "new-from-repository": f"{home}/workspaces/new/repository",
        "vcs": f"{home}/vcs",
        "vcs-connection": f"{home}/vcs/{connected['Azure DevOps']}",
        "vcs-kinds": f"{home}/vcs/new",
        "vcs-ways": f"{home}/vcs/new?kind=ado_services",
        "vcs-new": f"{home}/vcs/new?kind=ado_services&way=entra-oauth",
        "register": f"{home}/vcs/{connected['GitHub']}",
        "vcs-people": f"{home}/vcs/{connected['Azure DevOps']}/people",
        "ssh-keys": f"{home}/ssh-keys",
        "ssh-key": f"{home}/ssh-keys/{key_id}",
        "audit": f"{home}/audit",
        "repository": f"{place}/repository",
        "password": "/password",
        "consent": "/oauth/authorize?redirect_uri=http://localhost:10000/login&code_challenge="
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "tokens": "/account/tokens",
        "sessions": "/account/sessions",
        "two-factor": "/account/two-factor",
        "identities": "/account/identities",
        "site-users": "/site/users",
        "site-sign-in": "/site/sign-in",
        "search": "/search?q=network",
        "first-steps": "/welcome",
        "not-found": "/app/nowhere",
    }


async def give_password(window: Page) -> None:
    await window.get_by_label("User name").fill("grace")
    await window.get_by_label("Password").fill(neighbours.PASSWORD)
    await window.get_by_label("Password").press("Enter")
    await window.wait_for_url("**/login/code*")


async def choose_many(window: Page) -> None:
    await window.get_by_label("Choose every workspace of this page").check()


async def invite(window: Page) -> None:
    await window.get_by_label("For whom").fill("ken@example.com")
    await window.get_by_label("For whom").press("Enter")
    await window.get_by_role("heading", name="The link").wait_for()


async def register(window: Page) -> None:
    await window.get_by_role("button", name=re.compile("^Register")).click()
    await window.get_by_role("heading", name="Register the app").wait_for()


async def connect(window: Page) -> None:
    await window.get_by_role("button", name=re.compile("^Connect")).click()
    await window.get_by_text(re.compile("^Connected[.]")).wait_for()


async def draw(window: Page) -> None:
    await window.locator("#graph canvas").first.wait_for()


async def look(window: Page) -> None:
    await window.get_by_role("button", name="Preview").click()
    await window.locator("#preview").get_by_text("would have started").wait_for()


async def open_hcl(window: Page) -> None:
    await window.locator("summary", has_text="subnets").click()
    await window.locator(".prism-code-editor").first.wait_for()


async def narrow(window: Page) -> None:
    await window.get_by_label("Working directory", exact=True).fill("live/prod")
    await window.get_by_label("When it changes the working directory").check()
    await window.locator("#preview").get_by_text("No run").first.wait_for()
    await window.evaluate("scrollTo(0, 0)")


# What is done on a page before its picture is taken.
DEEDS = {
    "bulk": choose_many,
    "invited": invite,
    "register": register,
    "graph": draw,
    "connected": connect,
}
DEEDS |= {
    "sign-in-code": give_password,
    "variables": open_hcl,
    "new-triggers": narrow,
    "repository": look,
}


async def take(window: Page, name: str, path: str, **how: Any) -> bytes:
    """Return the picture of a page."""
    await window.goto(path)
    if name in DEEDS:
        await DEEDS[name](window)
    return await window.screenshot(animations="disabled", **how)


LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize, str], ...] = (
    ("light", WIDE, ""),
    ("dark", WIDE, "-dark"),
    ("light", PHONE, "-phone"),
)


@pytest.mark.timeout(1800)
async def test_pictures_of_every_page(
    desk: Desk, app: FastAPI, azure: AzureDevOps, saml: SamlProvider
) -> None:
    run_id = await furnish(desk)
    pages = await pages_of(desk, run_id)
    pages |= await told(desk, run_id)
    pages |= await beside(desk, app, azure, saml)
    if ONLY:
        pages = {name: path for name, path in pages.items() if name in ONLY}
    async with transaction(desk.world.platform.sessions) as session:
        _, secret = await invitations.invite(
            session, desk.world.owner, desk.world.organization_id, invitee="ada@example.com"
        )
    IMAGES.mkdir(parents=True, exist_ok=True)
    for scheme, size, suffix in LOOKS:
        window = await desk.sit(color_scheme=scheme, viewport=size)
        stranger = await desk.stranger(color_scheme=scheme, viewport=size)
        strangers = {
            "sign-in": "/login",
            "invitation": f"/invitation/{secret}",
            "sign-in-code": "/login",
        }
        for name, path in strangers.items():
            picture = await take(await stranger.new_page(), name, path)
            write(picture, IMAGES / f"{name}{suffix}.png")
        for name, path in pages.items():
            write(await take(window, name, path), IMAGES / f"{name}{suffix}.png")


def write(picture: bytes, path: Path) -> None:
    """Write a picture in few enough colours to be small, none of them far from what it was."""
    with Image.open(io.BytesIO(picture)) as image:
        how, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
        image.convert("RGB").quantize(256, how, dither=dither).save(path, optimize=True)
