import os
from pathlib import Path

import pytest

from landform.kit.errors import UnavailableError
from landform.toolchain.engine import Engine, choose_engine
from landform.toolchain.versions import Tool
from tests.toolchain.conftest import MakeToolchain
from tests.toolchain.published import Published, script
from tests.toolchain.test_places import put


async def test_terraform_on_path_is_chosen(make_toolchain: MakeToolchain) -> None:
    engine = await choose_engine(make_toolchain(use_path=True))
    assert (engine.tool, engine.version) == (Tool.TERRAFORM, "1.11.4")


async def test_tofu_on_path_is_chosen_when_there_is_no_terraform(
    make_toolchain: MakeToolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = put(tmp_path / "bin/tofu", script(Tool.TOFU, "1.8.5"))
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.defpath}")
    engine = await choose_engine(make_toolchain(use_path=True))
    assert engine == Engine(Tool.TOFU, "1.8.5", binary)


async def test_opentofu_is_downloaded_and_verified_when_nothing_is_on_path(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    mirror.list_versions(Tool.TOFU, ["1.13.0", "1.13.1"])
    mirror.publish(Tool.TOFU, "1.13.1")
    engine = await choose_engine(make_toolchain())
    assert (engine.tool, engine.version) == (Tool.TOFU, "1.13.1")
    assert mirror.signature(Tool.TOFU, "1.13.1") in mirror.requests
    mirror.stop()
    assert await choose_engine(make_toolchain()) == engine  # from the cache


async def test_without_any_engine_the_message_says_why_and_what_to_install(
    make_toolchain: MakeToolchain,
    mirror: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    binary = put(tmp_path / "bin/terraform", script(Tool.TERRAFORM, "0.12.31"))
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.defpath}")
    tools = make_toolchain(use_path=True)
    mirror.stop()
    with pytest.raises(UnavailableError) as failure:
        await choose_engine(tools)
    message = str(failure.value)
    assert f"{binary} is 0.12.31, older than 1.1.0" in message
    assert "could not be downloaded" in message
    assert "https://opentofu.org/docs/intro/install/" in message
    assert "LANDFORM_TOFU_MIRROR" in message
