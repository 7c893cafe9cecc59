"""An organization with one of everything that a route can be about.

`Place.objects` is where a new kind of thing is added: an entry is what stands for a parameter of
a path (`segment.parameter`, `segment` or `parameter`), or for `$name` in a query or a body.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import select

from landform.access import invitations
from landform.contract import Artefact, Phase
from landform.directories.service import create_directory
from landform.federation.kinds import Kind as IdentityProviderKind
from landform.federation.models import Identity
from landform.federation.providers import create_provider
from landform.federation.settings import ProviderSettings
from landform.federation.workloads import CredentialSettings, create_credential
from landform.identity import login, tokens
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.kit.ids import new_id
from landform.organizations.models import Organization
from landform.runs import attempts, service
from landform.runs.attempts import Platform
from landform.runs.models import Run
from landform.schedules import service as schedules
from landform.schedules.service import ScheduleSettings
from landform.states import service as states
from landform.states.document import md5_of
from landform.states.models import StateOutput
from landform.states.service import Announcement
from landform.triggers import webhooks
from landform.triggers.models import WebhookEventKind
from landform.triggers.webhooks import EventSettings
from landform.variables import service as variables
from landform.variables import sets
from landform.variables.service import VariableSettings
from landform.web.oauth import CLIENT_ID
from landform.workspaces import locks
from landform.workspaces.models import LockHolder, Workspace, WorkspaceRepository
from landform.workspaces.run_kinds import RunKind
from landform.workspaces.tags import Tag, attach
from tests import factories
from tests.files import make_state, output, resource
from tests.matrix.agents import join
from tests.matrix.connected import SECRET, connect, keep_key
from tests.matrix.notified import notify
from tests.world import World

PASSWORD: Final = "correct horse battery staple"
METADATA: Final = Path(__file__).with_name("saml-metadata.xml")  # of a provider
STATE: Final = make_state(7)  # what is uploaded
VERIFIER: Final = "v" * 64
REDIRECT: Final = "http://localhost:10000/login"
# Workspaces that every level of access is given on.
OPEN: Final = ("hello", "busy", "ready", "stuck", "spare", "hooked", "linked")

Made: TypeAlias = "str | Callable[[Place, Actor], Awaitable[str]]"


@dataclass
class Place:
    """An organization, seen from its workspace `hello`."""

    world: World
    workspaces: dict[str, World] = field(default_factory=dict)
    objects: "dict[str, Made]" = field(default_factory=dict)


PLAN: Final = (
    b'{"resource_changes": [{"address": "null_resource.a",'
    b' "change": {"actions": ["create"], "after": {"id": "1"}}}]}'
)


async def make_place(platform: Platform, name: str) -> Place:
    """Make the organization `name`, its workspaces and what is in them."""
    async with transaction(platform.sessions) as session:
        organization = await factories.make_organization(session, name)
        owner = await factories.make_owner(session, organization)
        first = await factories.make_workspace(session, organization, f"{name}-hello")
        user = await session.get_one(User, owner.id)
        await factories.make_organization(session, f"{name}-void", owners=[user])
    world = World(platform, organization.id, name, first.id, owner, "")
    world.configuration_id = await world.configure()
    place = Place(world, {"hello": world})
    for each in OPEN[1:]:
        place.workspaces[each] = await world.beside(name=f"{name}-{each}")
    place.objects |= await furnish(world)
    place.objects |= await _runs(place)
    place.objects |= await _people(place)
    place.objects |= await connect(world, str(place.objects["teams"]))
    place.objects |= await _webhooks(place)
    place.objects |= await _variable_sets(place)
    place.objects |= await keep_key(world)
    place.objects |= await notify(world)
    place.objects |= await join(world)
    place.objects["void"] = f"{name}-void"
    place.objects |= _made_for_the_call()
    return place


async def make_site(platform: Platform) -> "dict[str, Made]":
    """Make what belongs to no organization and everybody may know of."""
    async with transaction(platform.sessions) as session:
        admin = actor_of(await factories.make_user(session, is_site_admin=True))
        provider = await create_provider(
            session,
            platform.keyring,
            SYSTEM,
            IdentityProviderKind.GITHUB,  # the one kind that is not asked for its addresses
            ProviderSettings(client_id="app", client_secret=SECRET, required_groups=["acme"]),
        )
        saml = await create_provider(
            session,
            platform.keyring,
            SYSTEM,
            IdentityProviderKind.SAML,
            ProviderSettings(metadata=METADATA.read_text(), signs_requests=True),
        )
        directory, directory_token = await create_directory(session, admin, name="people")
    return {
        "provider_id": provider.id,
        "saml_provider": saml.id,
        "identity_id": _own_identity,
        "directory_id": directory.id,
        "directory-token": directory_token,
        "schema_id": "urn:ietf:params:scim:schemas:core:2.0:User",
        "person_id": new_id("person"),
        "group_id": new_id("group"),
    }


async def furnish(world: World) -> dict[str, Made]:
    """Give a workspace a run that was applied, with its state, and all that can be set on it."""
    platform = world.platform
    async with transaction(platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        await attach(session, workspace, [Tag("plain"), Tag("stage", "test")])
        settings = VariableSettings(key="pass", value=SECRET, category="env", sensitive=True)
        shown = await variables.create_variable(
            session, platform.keyring, world.owner, workspace, settings
        )
        variable = shown.row.id
        nightly = ScheduleSettings(cron="30 3 * * *", run_kind=RunKind.PLAN)
        schedule = await schedules.create_schedule(session, world.owner, workspace, nightly)
    run_id = await world.create(message="first")
    job = await world.must_begin(run_id)
    await world.append(job, 0, b"Plan: 1 to add.\n")
    for artefact in (Artefact.PLAN_JSON, Artefact.PLAN_JSON_REDACTED):
        await attempts.put(platform, job, artefact, PLAN)
    await world.finish(job)
    async with transaction(platform.sessions) as session:
        comment = (await service.add_comment(session, world.owner, run_id, "Looks good.")).id
    await world.confirm(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await attempts.put_state(
        platform, job, make_state(2, resources=[resource("gone")]), final=False
    )
    older_id = (await world.current_state()).id
    state = make_state(
        3,
        outputs={"password": output(SECRET, sensitive=True)},
        resources=[resource(instances=1)],
    )
    await attempts.put_state(platform, job, state, final=True)
    await world.finish(job)
    state_id = (await world.current_state()).id
    await _add_json(world, state_id)
    async with transaction(platform.sessions) as session:
        await factories.make_ingress(session, world.configuration_id)
        wanted = select(StateOutput.id).where(StateOutput.state_version_id == state_id)
        state_output = (await session.scalars(wanted)).one()
    return {
        "workspaces.workspace_id": world.workspace_id,
        "workspaces.name": workspace.name,
        "workspace": workspace.name,
        "workspace.workspace_id": world.workspace_id,
        "template": "tpl-plan",
        "tag": "plain",
        "workspaceTag": "plain",
        "relationship": "organization",
        **{
            f"{name}-relationship": name
            for name in ("workspace", "project", "job", "webhook", "vcs")
        },
        "variable": variable,
        "job": run_id,
        "step": world.phase_id(run_id, Phase.PLAN),
        "history": state_id,
        "state.history_id": state_id,
        "configuration-versions": world.configuration_id,
        "vars": variable,
        "runs": run_id,
        "schedule_id": schedule.id,
        "plans": world.phase_id(run_id, Phase.PLAN),
        "applies": world.phase_id(run_id, Phase.APPLY),
        "comments": comment,
        "state-versions": state_id,
        "older-state": older_id,
        "state-version-outputs": state_output,
        "cv-down": world.configuration_id,
        "sv-down": state_id,
        "svj-down": state_id,
        "plan-json": world.phase_id(run_id, Phase.PLAN),
        "plan-redacted": world.phase_id(run_id, Phase.PLAN),
        "log-text": world.phase_id(run_id, Phase.PLAN),
        "log-json": world.phase_id(run_id, Phase.PLAN),
    }


async def _add_json(world: World, state_id: str) -> None:
    """Upload the JSON form of a state, as a client may after the state."""
    platform = world.platform
    await states.receive_json(
        platform.sessions, platform.store, state_version_id=state_id, data=b"{}"
    )


async def _runs(place: Place) -> dict[str, Made]:
    """Bring a run on each of the other workspaces as far as a route needs it to be."""
    busy, ready, stuck = (place.workspaces[name] for name in ("busy", "ready", "stuck"))
    planning, waiting = await busy.create(), await busy.create()
    await busy.must_begin(planning)
    planned = await ready.create()
    await ready.plan(planned)
    forcible = await stuck.create()
    await stuck.must_begin(forcible)
    await stuck.cancel(forcible)
    async with transaction(stuck.platform.sessions) as session:
        run = await session.get_one(Run, forcible)
        run.cancel_asked_at = now() - timedelta(hours=1)
    return {
        "planning": planning,
        "waiting": waiting,
        "planned": planned,
        "forcible": forcible,
        "ready-name": (await ready.workspace()).name,
        "spare": place.workspaces["spare"].workspace_id,
        "spare-name": (await place.workspaces["spare"].workspace()).name,
    }


async def _people(place: Place) -> dict[str, Made]:
    world = place.world
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        organization = await session.get_one(Organization, workspace.organization_id)
        leaver = await factories.make_user(
            session, f"{world.organization}-leaver", email=f"leaver@{world.organization}.example"
        )
        newcomer = await factories.make_user(
            session, f"{world.organization}-new", email=f"new@{world.organization}.example"
        )
        member = await factories.make_member(session, organization.id, leaver)
        crew = await factories.make_team(
            session, organization, "crew", members=[leaver], visibility="organization"
        )
        project = await factories.make_project(session, organization, "shelf")
        await attach(session, project, [Tag("team", "blue")])
        on_workspace = await factories.grant(session, crew, workspace, "read")
        on_project = await factories.grant(session, crew, project, "read")
        token, _ = await tokens.mint(
            session, world.owner, owner_kind=ActorKind.TEAM, owner_id=crew.id
        )
        await tokens.mint(
            session, world.owner, owner_kind=ActorKind.ORGANIZATION, owner_id=organization.id
        )
        loner = await factories.make_team(
            session, organization, "loners", visibility="organization"
        )
        machines = CredentialSettings(
            name="ci", issuer="https://ci.test", audience="here", claims={"sub": "job"}
        )
        credential = await create_credential(session, world.owner, crew, machines)
        invitation, link = await invitations.invite(
            session, world.owner, organization.id, invitee="somebody"
        )
    return {
        "organizations": world.organization,
        "organization": world.organization,
        "users": leaver.id,
        "newcomer": newcomer.email,
        "organization-memberships": member.id,
        "teams": crew.id,
        "loners": loner.id,
        "projects": project.id,
        "team-workspaces": on_workspace.id,
        "team-projects": on_project.id,
        "authentication-tokens": token.id,
        "project": project.id,
        "team": crew.id,
        "access": on_workspace.id,
        "projectAccess": on_project.id,
        "federated-credentials": credential.id,
        "organization-invitations": invitation.id,
        "invitation": link,
    }


def _made_for_the_call() -> dict[str, Made]:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "self": _self,
        "own-token": _own_token,
        "username": _username,
        "code": _code,
        "challenge": urlsafe_b64encode(digest).decode().rstrip("="),
        "verifier": VERIFIER,
        "redirect": REDIRECT,
        "password": PASSWORD,
        "static": "app.css",
        "plan.place": "0",
        "log.name": "plan",
        "locked": _locked,
        "held": _held,
        "md5": md5_of(STATE),
        "cv-up": _announced_configuration,
        "sv-up": _announced_state,
        "svj-up": _announced_state,
    }


async def _self(place: Place, actor: Actor) -> str:
    return actor.id


async def _own_token(place: Place, actor: Actor) -> str:
    return actor.token_id or str(place.objects["authentication-tokens"])


async def _own_identity(place: Place, actor: Actor) -> str:
    async with transaction(place.world.platform.sessions) as session:
        user_id = actor.id if actor.kind is ActorKind.USER else place.world.owner.id
        row = Identity(
            provider_id=str(place.objects["provider_id"]), subject=user_id, user_id=user_id
        )
        session.add(row)
        await session.flush()
        return row.id


async def _username(place: Place, actor: Actor) -> str:
    return actor.name if actor.kind is ActorKind.USER else place.world.owner.name


async def _webhooks(place: Place) -> dict[str, Made]:
    """Plan two workspaces from a repository, one of which has a webhook with an event."""
    hooked, linked = (place.workspaces[name] for name in ("hooked", "linked"))
    async with transaction(hooked.platform.sessions) as session:
        for world in (hooked, linked):
            row = WorkspaceRepository(
                workspace_id=world.workspace_id,
                connection_id=str(place.objects["token-vcs"]),
                repository_id="r",
                identifier="acme/infra",
                default_branch="main",
                linked_by=world.owner.id,
            )
            session.add(row)
        await session.flush()
        workspace = await session.get_one(Workspace, hooked.workspace_id)
        webhook = await webhooks.create_webhook(session, hooked.owner, workspace)
        push = EventSettings(event=WebhookEventKind.PUSH)
        event = await webhooks.add_event(session, hooked.owner, workspace, webhook, push)
    return {
        "hooked": hooked.workspace_id,
        "linked": linked.workspace_id,
        "webhook_id": webhook.id,
        "event_id": event.id,
    }


async def _variable_sets(place: Place) -> dict[str, Made]:
    """Make a set that applies to the workspace, and one that applies nowhere."""
    world = place.world
    keyring = world.platform.keyring
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        settings = sets.SetSettings(name="shared")
        row = await sets.create_set(session, world.owner, organization, settings)
        await sets.apply_to_workspaces(session, world.owner, row, [world.workspace_id])
        given = VariableSettings(key="inherited", value=SECRET, category="env", sensitive=True)
        shown = await variables.create_variable(session, keyring, world.owner, row, given)
        settings = sets.SetSettings(name="aside")
        plain = await sets.organizations_own(session, world.owner, organization)
        given = VariableSettings(key="everywhere", value="yes", category="env")
        everywhere = await variables.create_variable(session, keyring, world.owner, plain, given)
        aside = await sets.create_set(session, world.owner, organization, settings)
    return {
        "varsets": row.id,
        "set-variable": shown.row.id,
        "aside": aside.id,
        "globalvar": everywhere.row.id,
    }


async def _code(place: Place, actor: Actor) -> str:
    who = actor if actor.kind is ActorKind.USER else place.world.owner
    challenge = str(place.objects["challenge"])
    async with transaction(place.world.platform.sessions) as session:
        in_browser = replace(who, token_id=None)
        return await login.create_code(session, in_browser, CLIENT_ID, REDIRECT, challenge)


async def _locked(place: Place, actor: Actor) -> str:
    """Lock the workspace by whoever calls, as if they might."""
    kind = LockHolder.TEAM if actor.kind is ActorKind.TEAM else LockHolder.USER
    async with transaction(place.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, place.world.workspace_id)
        workspace.lock_holder_kind, workspace.lock_holder_id = kind, actor.id
    return place.world.workspace_id


async def _held(place: Place, actor: Actor) -> str:
    """Lock the workspace by its owner."""
    await place.world.on_workspace(locks.lock)
    return place.world.workspace_id


async def _announced_configuration(place: Place, actor: Actor) -> str:
    return await place.world.announce_configuration()


async def _announced_state(place: Place, actor: Actor) -> str:
    await place.world.on_workspace(locks.lock)
    announcement = Announcement(serial=7, md5=md5_of(STATE), lineage="lineage-1")
    state = await place.world.on_workspace(states.announce, announcement=announcement)
    return state.id
