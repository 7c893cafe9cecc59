from pathlib import Path

import pytest

from landform.kit.errors import InvalidError, UnavailableError
from landform.toolchain.places import SearchPath, ask_version, find_provided, platform
from landform.toolchain.versions import Tool, parse_version
from tests.toolchain.published import script


def put(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_real_terraform_on_path_is_found() -> None:
    found = SearchPath().find(Tool.TERRAFORM)
    assert found
    assert found.version == parse_version("1.11.4")
    assert found.path.is_absolute()


def test_the_platform_is_named_as_the_publishers_name_it() -> None:
    system, architecture = platform().split("_")
    assert system in {"linux", "darwin", "freebsd", "openbsd"}
    assert architecture in {"amd64", "arm64", "386", "arm"}


def test_a_binary_is_asked_once_and_again_when_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    asked = f'echo asked >> "{calls}"\n'.encode()
    binary = put(tmp_path / "bin/tofu", script(Tool.TOFU, "1.8.5") + asked)
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/bin:/bin")
    search = SearchPath()
    versions = [search.find(Tool.TOFU) for _ in range(3)]
    assert [str(found.version) for found in versions if found] == ["1.8.5"] * 3
    assert calls.read_text().count("asked") == 1
    put(binary, script(Tool.TOFU, "1.10.0") + asked)
    again = search.find(Tool.TOFU)
    assert again
    assert str(again.version) == "1.10.0"
    assert calls.read_text().count("asked") == 2


def test_an_opentofu_that_is_called_terraform_is_not_taken_for_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = put(tmp_path / "terraform", script(Tool.TOFU, "1.8.5"))
    with pytest.raises(InvalidError, match=r"is OpenTofu 1\.8\.5, not Terraform"):
        ask_version(Tool.TERRAFORM, binary)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert SearchPath().find(Tool.TERRAFORM) is None


@pytest.mark.parametrize("content", [b"#!/bin/sh\necho broken >&2\nexit 3\n", b"\x7fELF junk"])
def test_a_binary_that_does_not_run_is_named_with_the_reason(
    tmp_path: Path, content: bytes
) -> None:
    binary = put(tmp_path / "terraform", content)
    with pytest.raises(UnavailableError, match=f"{binary}.*(broken|format)"):
        ask_version(Tool.TERRAFORM, binary)


def test_both_layouts_of_an_operators_directory_are_read(tmp_path: Path) -> None:
    nested = put(tmp_path / "terraform/1.9.8/terraform", b"")
    flat = put(tmp_path / "terraform_1.10.5", b"")
    folder = put(tmp_path / "terraform_1.11.4/terraform", b"")
    put(tmp_path / "terraform_1.7.0", b"", 0o644)  # not executable
    put(tmp_path / "terraform/notes.txt", b"")
    put(tmp_path / "tofu_1.8.5", b"")
    assert find_provided(tmp_path, Tool.TERRAFORM) == {
        parse_version("1.9.8"): nested,
        parse_version("1.10.5"): flat,
        parse_version("1.11.4"): folder,
    }
    assert list(find_provided(tmp_path, Tool.TOFU)) == [parse_version("1.8.5")]
    assert find_provided(tmp_path / "none", Tool.TOFU) == {}
