"""Who is around in the pictures: Azure DevOps, a provider of identities, somebody careful."""

from dataclasses import replace

import pyotp
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation import providers
from landform.federation.kinds import Kind as DoorKind
from landform.federation.settings import ProviderSettings
from landform.identity import second_factor
from landform.identity.models import User
from landform.identity.passwords import hash_password
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.triggers import linking
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.reach import Reach
from landform.workspaces.repositories import RepositorySettings
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING
from tests.standins.saml_provider import SamlProvider
from tests.vcs.scene import Scene
from tests.world import World

PASSWORD = "a password of Grace's"
COMMITS = (
    ("live/prod/main.tf", "The network of production"),
    ("docs/naming.md", "How we name things"),
    ("modules/subnet/main.tf", "Subnets are a module"),
    ("live/prod/dns.tf", "A zone for production"),
    (".github/labels.yml", "Labels"),
    ("live/prod/routes.tf", "Routes to the new VPN"),
)


async def follow(world: World, azure: AzureDevOps, reach: Reach) -> tuple[str, str]:
    """Have the workspace follow a repository; return the connection and the repository, by id."""
    acme = azure.organization("acme")
    grace = acme.identity("Grace Hopper")
    for name in ("infra", "landing-zone", "dns", "modules", "clusters"):
        made = acme.repository("Cloud Team", name)
        azure.people.push(made, grace, {"README.md": f"# {name}\n"}, message="First")
    infra = next(each for each in acme.repositories if each.name == "infra")
    for path, message in COMMITS:
        azure.people.push(infra, grace, {path: "# \n"}, message=message)
    scene = Scene(reach, azure, None, world.organization_id, world.owner, acme, grace, infra, "")  # type: ignore[arg-type] # no Entra here
    connection = await scene.connect(
        SignIn.TOKEN,
        Kind.AZURE_DEVOPS,
        name="Cloud Team",
        account="acme",
        client_secret=azure.tokens.issue(grace, EVERYTHING),
    )
    await link(scene, world, connection)
    return connection.id, infra.id


async def link(scene: Scene, world: World, connection: Connection) -> None:
    """Have the world's workspace follow the scene's repository."""
    found = await linking.look_up(
        scene.reach,
        world.owner,
        world.organization_id,
        None,
        connection_id=connection.id,
        reference=scene.repository.id,
    )
    given = RepositorySettings(
        connection_id=connection.id, repository=found.repository, head=found.head, branch=""
    )
    async with transaction(world.platform.sessions) as session:
        workspace = await session.merge(await world.workspace(), load=True)
        await linking.link(session, world.platform.keyring, world.owner, workspace, given)


async def have_a_door(world: World, session: AsyncSession, saml: SamlProvider) -> str:
    """Let people in through a provider that speaks SAML; return its id."""
    admin = replace(world.owner, is_site_admin=True)
    given = ProviderSettings(name="Okta", metadata=saml.metadata(), groups_claim="groups")
    row = await providers.create_provider(
        session, world.platform.keyring, admin, DoorKind.SAML, given
    )
    return row.id


async def be_careful(world: World, session: AsyncSession) -> None:
    """Let Grace sign in by a password and a code."""
    user = (await session.scalars(select(User).where(User.username == "grace"))).one()
    user.password_hash = await hash_password(PASSWORD)
    keyring, grace = world.platform.keyring, actor_of(user)
    made = await second_factor.begin(session, keyring, grace, "Landform")
    await second_factor.confirm(session, keyring, grace, pyotp.TOTP(made.secret).now())
