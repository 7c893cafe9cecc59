from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landform.runs.attempts import Platform
from tests.standins.azure_devops import azure_devops
from tests.triggers.scene import Scene


@pytest.fixture
async def scene(platform: Platform, tmp_path: Path) -> AsyncIterator[Scene]:
    with azure_devops(tmp_path / "azure") as azure:
        scene = await Scene.make(platform, azure)
        yield scene
        await scene.desk.reach.services.http.close()
        scene.close()
