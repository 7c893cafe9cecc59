import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landform.kit.errors import InvalidError, LandformError, UnavailableError
from landform.toolchain.mirror import Limits
from landform.toolchain.places import ask_version, find_cached, platform
from landform.toolchain.signatures import UntrustedError
from landform.toolchain.versions import Tool
from tests.toolchain.conftest import QUICK, MakeToolchain
from tests.toolchain.published import Published, Signer, script, zipped

TF = Tool.TERRAFORM
V = "1.9.8"

INSTALLER = """
import asyncio, sys
from pathlib import Path
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import Tool
cache, url, keys = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes()
tools = Toolchain(cache, mirrors={Tool.TERRAFORM: url}, keys={Tool.TERRAFORM: keys}, use_path=False)
print("ready", flush=True)
sys.stdin.readline()
print(asyncio.run(tools.ensure(Tool.TERRAFORM, "1.9.8")), flush=True)
"""


def kept(cache_dir: Path) -> list[str]:
    """Every file in the cache but the locks."""
    return sorted(
        str(path.relative_to(cache_dir))
        for path in cache_dir.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


async def refused(tools: MakeToolchain, cache: Path, kind: type[LandformError]) -> str:
    with pytest.raises(kind) as failure:
        await tools(cache).ensure(TF, V)
    assert kept(cache) == []
    return str(failure.value)


@pytest.mark.parametrize("tool", Tool)
async def test_a_release_is_downloaded_verified_and_ready_to_run(
    tool: Tool, mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(tool, V)
    path = await make_toolchain().ensure(tool, V)
    assert path.name == tool.value
    assert str(await asyncio.to_thread(ask_version, tool, path)) == V
    assert kept(tmp_path / "cache") == [f"{tool}/{V}/{platform()}/{tool}"]
    assert mirror.requests == [
        mirror.sums(tool, V),
        mirror.signature(tool, V),
        mirror.archive(tool, V),
    ]


async def test_an_installed_release_is_not_asked_for_again(
    mirror: Published, make_toolchain: MakeToolchain
) -> None:
    mirror.publish(TF, V)
    path = await make_toolchain().ensure(TF, V)
    mirror.requests.clear()
    again = make_toolchain()  # as a second process would
    assert await again.ensure(TF, V) == path
    path.unlink()
    assert await again.ensure(TF, V) == path
    assert len(mirror.requests) == 3
    assert os.access(path, os.X_OK)


async def test_an_altered_archive_is_refused_naming_both_checksums(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    path = mirror.archive(TF, V)
    right = hashlib.sha256(mirror.files[path]).hexdigest()
    mirror.files[path] = zipped({"terraform": b"#!/bin/sh\necho evil\n"})
    wrong = hashlib.sha256(mirror.files[path]).hexdigest()
    message = await refused(make_toolchain, tmp_path / "cache", UntrustedError)
    assert right in message
    assert wrong in message


async def test_altered_sums_are_refused_naming_the_keys(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    evil = zipped({"terraform": b"#!/bin/sh\necho evil\n"})
    mirror.files[mirror.archive(TF, V)] = evil
    name = mirror.archive(TF, V).rpartition("/")[2]
    sums = f"{hashlib.sha256(evil).hexdigest()}  {name}\n"
    mirror.files[mirror.sums(TF, V)] = sums.encode()
    message = await refused(make_toolchain, tmp_path / "cache", UntrustedError)
    assert "is not signed by a trusted key" in message
    assert mirror.signer.fingerprint in message
    assert mirror.archive(TF, V) not in mirror.requests


async def test_a_signature_by_another_key_is_refused_naming_both_keys(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    other = Signer()
    mirror.files[mirror.signature(TF, V)] = other.sign(mirror.files[mirror.sums(TF, V)])
    message = await refused(make_toolchain, tmp_path / "cache", UntrustedError)
    assert f"({mirror.signer.fingerprint})" in message
    assert f"{TF}_{V}_SHA256SUMS.sig is by " in message


async def test_a_missing_signature_is_refused(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    del mirror.files[mirror.signature(TF, V)]
    message = await refused(make_toolchain, tmp_path / "cache", UntrustedError)
    assert "there is no signature beside it" in message


async def test_the_publishers_key_is_asked_for_when_no_other_is_configured(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    keys = Path(__file__).parents[2] / "src/landform/toolchain/keys/hashicorp.asc"
    mirror.publish(TF, V)
    with pytest.raises(UntrustedError, match="c874011f0ab405110d02105534365d9472d7468f"):
        await make_toolchain(keys=keys.read_bytes()).ensure(TF, V)
    assert kept(tmp_path / "cache") == []


async def test_a_second_signature_that_is_trusted_will_do(
    mirror: Published, make_toolchain: MakeToolchain
) -> None:
    mirror.publish(TF, V)
    name = mirror.signature(TF, V)
    mirror.files[name.replace(".sig", ".72D7468F.sig")] = mirror.files[name]
    mirror.files[name] = Signer().sign(mirror.files[mirror.sums(TF, V)])
    assert (await make_toolchain().ensure(TF, V)).exists()


async def test_a_version_the_mirror_lacks_is_named_with_the_nearest(
    make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError) as failure:
        await make_toolchain().ensure(TF, "1.9.99")
    assert "Terraform 1.9.99 is not on http://127.0.0.1:" in str(failure.value)
    assert "1.9.7, 1.9.8, 1.10.0, 1.10.1" in str(failure.value)
    assert kept(tmp_path / "cache") == []


async def test_a_release_without_this_platform_says_which_it_has(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    sums = f"{'0' * 64}  terraform_{V}_plan9_mips.zip\n".encode()
    mirror.files[mirror.sums(TF, V)] = sums
    mirror.files[mirror.signature(TF, V)] = mirror.signer.sign(sums)
    message = await refused(make_toolchain, tmp_path / "cache", InvalidError)
    assert f"it has terraform_{V}_plan9_mips.zip" in message


async def test_a_download_that_is_cut_is_begun_anew_and_then_given_up(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    path = mirror.archive(TF, V)
    mirror.answers[path] = mirror.cut
    message = await refused(make_toolchain, tmp_path / "cache", UnavailableError)
    assert f"{mirror.url}{path} could not be downloaded" in message
    assert mirror.requests.count(path) == QUICK.attempts


async def test_a_download_that_is_cut_once_succeeds(
    mirror: Published, make_toolchain: MakeToolchain
) -> None:
    mirror.publish(TF, V)
    path = mirror.archive(TF, V)

    def once(handler: object, content: bytes) -> None:
        del mirror.answers[path]
        mirror.cut(handler, content)  # type: ignore[arg-type]  # the handler of http.server

    mirror.answers[path] = once
    assert (await make_toolchain().ensure(TF, V)).exists()


async def test_a_mirror_that_is_broken_is_unavailable(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    mirror.answers[mirror.sums(TF, V)] = mirror.break_down
    message = await refused(make_toolchain, tmp_path / "cache", UnavailableError)
    assert "503" in message


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(total_s=0.3, idle_s=5.0), "took longer than 0.3 s"),
        (Limits(total_s=5.0, idle_s=0.1, attempts=1), "could not be downloaded"),
    ],
)
async def test_a_download_that_stalls_is_given_up(
    limits: Limits,
    words: str,
    mirror: Published,
    make_toolchain: MakeToolchain,
    tmp_path: Path,
) -> None:
    mirror.publish(TF, V)
    mirror.answers[mirror.archive(TF, V)] = mirror.stall
    with pytest.raises(UnavailableError, match=words):
        await make_toolchain(limits=limits).ensure(TF, V)
    assert kept(tmp_path / "cache") == []


async def test_a_mirror_that_cannot_be_reached_is_unavailable(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    tools = make_toolchain()
    mirror.stop()
    with pytest.raises(UnavailableError, match="could not be downloaded"):
        await tools.ensure(TF, V)
    assert kept(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"PK no zip", "cannot be unpacked"),
        (zipped({"README": b"no program"}), "has no file named terraform"),
        (zipped({"bin/terraform": b"elsewhere"}), "has no file named terraform"),
        (zipped({"terraform": b"/bin/sh"}, link="terraform"), "is a link"),
        (zipped({"terraform": bytes(3_000_000)}), "larger than 2,000,000 bytes"),
        (zipped({"terraform": script(TF, "1.9.7")}), "holds 1.9.7, not 1.9.8"),
        (zipped({"terraform": b"#!/nowhere\n"}), "does not run"),
    ],
)
async def test_an_archive_of_no_use_is_refused_and_not_kept(
    archive: bytes,
    words: str,
    mirror: Published,
    make_toolchain: MakeToolchain,
    tmp_path: Path,
) -> None:
    mirror.publish(TF, V, archive=archive)
    with pytest.raises(LandformError, match=words):
        await make_toolchain(limits=Limits(binary_bytes=2_000_000)).ensure(TF, V)
    assert kept(tmp_path / "cache") == []


async def test_an_archive_that_is_too_large_is_not_read_to_its_end(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V, archive=os.urandom(300_000))
    with pytest.raises(InvalidError, match="larger than 100,000 bytes"):
        await make_toolchain(limits=Limits(archive_bytes=100_000)).ensure(TF, V)
    assert kept(tmp_path / "cache") == []


async def test_only_the_program_is_unpacked(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    members = {"../../escaped": b"!", "LICENSE": b"", "terraform": script(TF, V)}
    mirror.publish(TF, V, archive=zipped(members))
    await make_toolchain().ensure(TF, V)
    assert kept(tmp_path) == [f"cache/terraform/{V}/{platform()}/terraform"]


async def test_a_cache_that_cannot_be_written_is_unavailable(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(UnavailableError, match="could not be written to"):
        await make_toolchain().ensure(TF, V)


async def test_tasks_of_one_process_download_once(
    mirror: Published, make_toolchain: MakeToolchain
) -> None:
    mirror.publish(TF, V)
    tools = make_toolchain()
    paths = await asyncio.gather(*(tools.ensure(TF, V) for _ in range(5)))
    assert len(set(paths)) == 1
    assert mirror.requests.count(mirror.archive(TF, V)) == 1


def installer(mirror: Published, tmp_path: Path) -> subprocess.Popen[str]:
    keys = tmp_path / "keys.asc"
    keys.write_bytes(mirror.signer.public)
    return subprocess.Popen(
        [sys.executable, "-c", INSTALLER, tmp_path / "cache", mirror.url, keys],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_eight_processes_at_once_download_once(mirror: Published, tmp_path: Path) -> None:
    mirror.publish(TF, V)
    processes = [installer(mirror, tmp_path) for _ in range(8)]
    assert [read_line(process) for process in processes] == ["ready"] * 8
    paths = []
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        paths.append(out.strip())
        assert process.returncode == 0
    assert set(paths) == {str(path) for path in find_cached(tmp_path / "cache", TF).values()}
    assert mirror.requests.count(mirror.archive(TF, V)) == 1
    assert len(kept(tmp_path / "cache")) == 1


async def test_what_a_killed_process_left_is_neither_used_nor_in_the_way(
    mirror: Published, make_toolchain: MakeToolchain, tmp_path: Path
) -> None:
    mirror.publish(TF, V)
    path = mirror.archive(TF, V)
    mirror.answers[path] = mirror.stall
    process = installer(mirror, tmp_path)
    process_in = process.stdin
    assert process_in
    process_in.write("go\n")
    process_in.flush()
    deadline = time.monotonic() + 60
    while not any(name.endswith("archive.zip") for name in kept(tmp_path / "cache")):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert find_cached(tmp_path / "cache", TF) == {}
    del mirror.answers[path]
    assert (await make_toolchain().ensure(TF, V)).exists()
    assert kept(tmp_path / "cache") == [f"terraform/{V}/{platform()}/terraform"]
