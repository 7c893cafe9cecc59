import json
import os
import time
from pathlib import Path

import pytest

from landform.kit.errors import InvalidError, UnavailableError
from landform.toolchain.catalog import FRESH_S
from landform.toolchain.releases import shipped
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import Tool, Version
from tests.toolchain.conftest import MakeToolchain
from tests.toolchain.published import Published, script
from tests.toolchain.test_places import put

TF, TOFU = Tool.TERRAFORM, Tool.TOFU


def test_the_shipped_list_works_without_anything(make_toolchain: MakeToolchain) -> None:
    tools = make_toolchain(offline=True)
    terraform = tools.known_versions(TF)
    assert {"1.0.0", "1.5.7", "1.11.4"} <= set(terraform)
    assert terraform.index("1.10.0") < terraform.index("1.9.8")  # newest first, as numbers
    assert len(terraform) == len(shipped(TF))
    assert {"1.6.0", "1.10.0"} <= set(tools.known_versions(TOFU))
    assert all(version >= Version((1, 0, 0)) for version in shipped(TF))


@pytest.mark.parametrize(
    ("requirement", "version"),
    [("1.11.4", "1.11.4"), ("~> 1.9.0", "1.9.8"), (">= 1.6, < 1.8", "1.7.5"), ("= 1.5.7", "1.5.7")],
)
async def test_a_requirement_is_resolved_without_a_network(
    requirement: str, version: str, make_toolchain: MakeToolchain, mirror: Published
) -> None:
    assert await make_toolchain(offline=True).resolve(TF, requirement) == version
    assert await make_toolchain().resolve(TF, requirement, network=False) == version
    assert mirror.requests == []


@pytest.mark.parametrize("requirement", ["~> 9.1", "> 1.9.8, < 1.10", "= 1.9.8, != 1.9.8"])
async def test_a_range_that_nothing_satisfies_is_refused_with_the_nearest(
    requirement: str, make_toolchain: MakeToolchain
) -> None:
    with pytest.raises(InvalidError, match=r"satisfies .* The nearest known are \d"):
        await make_toolchain(offline=True).resolve(TF, requirement)


async def test_a_version_that_does_not_exist_is_refused_with_the_nearest(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    with pytest.raises(InvalidError, match=r"There is no Terraform 1\.9\.50 .*1\.9\.8, 1\.10\.0"):
        await make_toolchain().resolve(TF, "1.9.50", network=False)
    assert mirror.requests == []
    with pytest.raises(InvalidError, match=r"There is no Terraform 1\.9\.50 on http://127"):
        await make_toolchain().resolve(TF, "1.9.50")


async def test_a_version_newer_than_the_list_is_found_on_the_mirror(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    mirror.publish(TF, "1.99.0")
    assert await make_toolchain().resolve(TF, "1.99.0") == "1.99.0"


async def test_a_version_is_not_called_wrong_when_the_mirror_cannot_be_asked(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    tools = make_toolchain()
    mirror.stop()
    with pytest.raises(UnavailableError, match="could not be downloaded"):
        await tools.resolve(TF, "1.99.0")


@pytest.mark.parametrize("tool", Tool)
async def test_latest_is_the_newest_release_of_the_mirror(
    tool: Tool, make_toolchain: MakeToolchain, mirror: Published
) -> None:
    mirror.list_versions(tool, ["1.2.3", "1.98.0", "1.99.0-beta1", "nightly"])
    tools = make_toolchain()
    assert await tools.resolve(tool, "latest") == "1.98.0"
    assert await tools.resolve(tool, "~> 1.2.0") == "1.2.3"
    assert await tools.resolve(tool, "1.99.0-beta1") == "1.99.0-beta1"
    assert len(mirror.requests) == 1
    assert tools.known_versions(tool) == ["1.98.0", "1.2.3"]
    assert tools.known_versions(tool, prereleases=True)[0] == "1.99.0-beta1"


async def test_an_index_that_one_process_read_serves_the_others_without_a_network(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    mirror.list_versions(TF, ["1.98.0"])
    await make_toolchain().refresh(TF)
    mirror.requests.clear()
    assert await make_toolchain().resolve(TF, "latest", network=False) == "1.98.0"
    assert mirror.requests == []


async def test_latest_is_what_is_here_when_the_network_is_not_to_be_had(
    make_toolchain: MakeToolchain, mirror: Published, tmp_path: Path
) -> None:
    mirror.publish(TF, "1.9.8")
    tools = make_toolchain()
    await tools.ensure(TF, "1.9.8")
    mirror.stop()
    assert await tools.resolve(TF, "latest") == "1.9.8"
    assert await tools.resolve(TF, ">= 1.3") == "1.9.8"
    assert await tools.resolve(TF, "~> 1.10.0") == "1.10.5"  # known, though not here
    assert await make_toolchain(offline=True).resolve(TF, "latest") == "1.9.8"


async def test_an_index_that_is_old_no_longer_proves_a_network(
    make_toolchain: MakeToolchain, mirror: Published, tmp_path: Path
) -> None:
    mirror.list_versions(TF, ["1.98.0"])
    await make_toolchain().refresh(TF)
    operator = put(tmp_path / "operator/terraform_1.8.0", b"").parent
    tools = make_toolchain(operator_dir=operator)
    assert await tools.resolve(TF, "latest", network=False) == "1.98.0"
    path = tmp_path / "cache/.index/terraform.json"
    document = json.loads(path.read_text())
    document["read_at"] -= FRESH_S
    path.write_text(json.dumps(document))
    assert await tools.resolve(TF, "latest", network=False) == "1.8.0"


@pytest.mark.parametrize("content", [b"", b"junk", b"[]", b'{"versions": 3}'])
async def test_an_index_that_is_none_is_refused_and_does_not_stop_a_resolve(
    content: bytes, make_toolchain: MakeToolchain, mirror: Published, tmp_path: Path
) -> None:
    mirror.files["/terraform/index.json"] = content
    tools = make_toolchain()
    with pytest.raises(InvalidError, match="is not an index of Terraform releases"):
        await tools.refresh(TF)
    assert await tools.resolve(TF, "~> 1.9.0") == "1.9.8"
    path = tmp_path / "cache/.index/terraform.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert "1.9.8" in make_toolchain().known_versions(TF)


async def test_a_mirror_that_failed_is_not_asked_for_its_index_at_every_call(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    tools = make_toolchain()
    for _ in range(3):
        assert await tools.resolve(TF, "~> 1.9.0") == "1.9.8"
    assert mirror.requests == ["/terraform/index.json"]


async def test_an_operators_binary_wins_over_a_download(
    make_toolchain: MakeToolchain, mirror: Published, tmp_path: Path
) -> None:
    mirror.publish(TF, "1.9.8")
    await make_toolchain().ensure(TF, "1.9.8")
    mine = put(tmp_path / "operator/terraform/1.9.8/terraform", script(TF, "1.9.8"))
    custom = put(tmp_path / "operator/terraform_1.9.8-acme.1", script(TF, "1.9.8"))
    tools = make_toolchain(operator_dir=tmp_path / "operator", offline=True)
    assert await tools.ensure(TF, "1.9.8") == mine
    assert await tools.resolve(TF, "1.9.8-acme.1") == "1.9.8-acme.1"
    assert await tools.ensure(TF, "1.9.8-acme.1") == custom


async def test_the_real_terraform_on_path_is_used_without_a_download(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    tools = make_toolchain(use_path=True)
    path = await tools.ensure(TF, "1.11.4")
    found = await tools.on_path(TF)
    assert found
    assert path == found.path
    assert await make_toolchain(use_path=True, offline=True).resolve(TF, "latest") == "1.11.4"
    assert mirror.requests == []


async def test_ensure_is_quick_after_the_first_time(make_toolchain: MakeToolchain) -> None:
    tools = make_toolchain(use_path=True)
    await tools.ensure(TF, "1.11.4")
    took = []
    for _ in range(50):
        began = time.perf_counter()
        await tools.ensure(TF, "1.11.4")
        took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.0001  # seconds; asked anew it takes several times that


async def test_a_binary_on_path_that_was_upgraded_is_noticed(
    make_toolchain: MakeToolchain,
    mirror: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    binary = put(tmp_path / "bin/tofu", script(TOFU, "1.8.5"))
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.defpath}")
    tools = make_toolchain(use_path=True, offline=True)
    assert await tools.ensure(TOFU, "1.8.5") == binary
    put(binary, script(TOFU, "1.10.0"))
    assert await tools.ensure(TOFU, "1.10.0") == binary
    with pytest.raises(UnavailableError, match=r"OpenTofu 1\.8\.5 is not on this machine"):
        await tools.ensure(TOFU, "1.8.5")
    assert mirror.requests == []


async def test_offline_nothing_is_asked_of_a_mirror(
    make_toolchain: MakeToolchain, mirror: Published
) -> None:
    mirror.publish(TF, "1.9.8")
    tools = make_toolchain(offline=True)
    with pytest.raises(UnavailableError, match="downloads are switched off"):
        await tools.ensure(TF, "1.9.8")
    with pytest.raises(UnavailableError, match="downloads are switched off"):
        await tools.refresh(TF)
    assert mirror.requests == []


@pytest.mark.parametrize("version", ["latest", "~> 1.9", "../../etc/passwd", ""])
async def test_only_an_exact_version_can_be_ensured(
    version: str, make_toolchain: MakeToolchain
) -> None:
    with pytest.raises(InvalidError, match="is not a version"):
        await make_toolchain().ensure(TF, version)


@pytest.mark.parametrize("url", ["releases.example.org", "file:///tmp", "https://"])
def test_a_mirror_that_is_no_url_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="The tofu mirror must be an https:// URL"):
        Toolchain(tmp_path, mirrors={TOFU: url})


async def test_a_mirrors_password_is_not_in_messages(tmp_path: Path, mirror: Published) -> None:
    url = mirror.url.replace("http://", "http://user:secret@")
    tools = Toolchain(tmp_path, mirrors={TF: url}, use_path=False)
    with pytest.raises(InvalidError) as failure:
        await tools.ensure(TF, "1.9.8")
    assert "secret" not in str(failure.value)
    assert mirror.url in str(failure.value)
