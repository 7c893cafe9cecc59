"""An Azure DevOps and a Microsoft Entra on loopback, and connections to them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from landform.identity import issuer
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.kit.egress import Allow, Outbound
from landform.vcs.provider import Services
from landform.vcs.reach import Reach
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.microsoft_identity import MicrosoftIdentity, microsoft_identity
from tests.vcs.scene import ISSUER, Scene


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
def entra() -> Iterator[MicrosoftIdentity]:
    with microsoft_identity() as service:
        yield service


@pytest.fixture
async def reach(
    sessions: Sessions, keyring: Keyring, entra: MicrosoftIdentity
) -> AsyncIterator[Reach]:
    """A way out that leads to loopback."""

    async def assertion(subject: str, audience: str) -> str:
        return await issuer.sign(
            sessions, keyring, issuer=ISSUER, subject=subject, audience=audience
        )

    allow = Allow.parse("127.0.0.1")
    services = Services(
        http=Outbound(allow),
        imds=Outbound(allow),
        entra_url=entra.url,
        imds_url=entra.imds_url,
        assertion=assertion,
    )
    made = Reach(sessions=sessions, keyring=keyring, services=services, public_url=ISSUER)
    yield made
    await made.close()


@pytest.fixture
async def scene(reach: Reach, azure: AzureDevOps, entra: MicrosoftIdentity) -> Scene:
    """An organization of ours with an owner, and one of Azure DevOps with a repository."""
    return await Scene.make(reach, azure, entra)
