import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from landform.checkout.service import CheckoutTimeoutError, changed_paths, check_out
from landform.kit.archive import unpack
from landform.kit.egress import Allow, BlockedAddressError
from landform.kit.errors import InvalidError, TooLargeError
from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError, SignInNeededError
from landform.vcs.git.program import GitFailedError, Limits
from landform.vcs.provider import CloneCredentials
from tests.checkout.conftest import LOOPBACK, Scene
from tests.standins.serving import Answer


def files_in(archive: bytes) -> Mapping[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {one.name: one for one in tar}
        return {
            name: f"-> {one.linkname}"
            if one.issym()
            else (tar.extractfile(one) or io.BytesIO()).read().decode()
            for name, one in members.items()
        }


async def test_a_commit_becomes_an_archive_with_its_author_and_message(
    scene: Scene, tmp_path: Path
) -> None:
    first = scene.push({"main.tf": "# one\n", "live/prod/a b.tf": "# ünicode\n"})
    scene.push({"main.tf": "# two\n"})
    got = await check_out(scene.credentials, first, allow=LOOPBACK)
    assert files_in(got.archive) == {"main.tf": "# one\n", "live/prod/a b.tf": "# ünicode\n"}
    assert (got.commit.sha, got.commit.author_name) == (first, "Ann")
    assert (got.commit.author_email, got.commit.message) == ("ann@example.com", "Change")
    (tmp_path / "out").mkdir()
    unpack(got.archive, tmp_path / "out")
    assert (tmp_path / "out/live/prod/a b.tf").read_text() == "# ünicode\n"


async def test_the_archive_of_a_commit_is_the_same_bytes_every_time(scene: Scene) -> None:
    sha = scene.push({"main.tf": "# one\n", "run.sh": "true"})
    one, other = [await check_out(scene.credentials, sha, allow=LOOPBACK) for _ in range(2)]
    assert one.archive == other.archive


async def test_the_credential_is_in_no_argument_configuration_or_file(
    scene: Scene, spied_git: Path
) -> None:
    sha = scene.push({"main.tf": ""})
    await check_out(scene.credentials, sha, allow=LOOPBACK)
    noted = spied_git.read_text()
    assert "fetch" in noted, "the spy saw nothing"
    assert "[core]" in noted, "the spy read no configuration"
    assert scene.pat not in noted
    assert scene.pat not in "".join(one.target for one in scene.azure.server.requests)
    sent = [one.headers.get("authorization", "") for one in scene.azure.server.requests]
    assert any(sent), "nothing was authenticated"


async def test_the_credential_is_not_sent_outside_its_scope(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})

    async def elsewhere() -> CloneCredentials:
        return replace(await scene.credentials(), scope=f"{scene.azure.url}/Other/")

    with pytest.raises(SignInNeededError, match="could not sign in"):
        await check_out(elsewhere, sha, allow=LOOPBACK)
    assert not any("authorization" in one.headers for one in scene.azure.server.requests)


async def test_a_dead_credential_is_named_without_being_shown(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})
    scene.azure.tokens.revoke(scene.pat)
    with pytest.raises(SignInNeededError) as refused:
        await check_out(scene.credentials, sha, allow=LOOPBACK)
    assert scene.pat not in str(refused.value)


async def test_settings_of_the_machine_and_hooks_have_no_say(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = scene.push({"main.tf": "", ".gitattributes": "* filter=evil export-ignore\n"})
    touched = tmp_path / "touched"
    (tmp_path / ".gitconfig").write_text(
        f'[filter "evil"]\n smudge = touch {touched}\n[core]\n fsmonitor = touch {touched}\n'
        f'[url "ext::touch {touched}"]\n insteadOf = {scene.azure.url}\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    got = await check_out(scene.credentials, sha, allow=LOOPBACK)
    assert "main.tf" in files_in(got.archive)
    assert not touched.exists()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "file:///etc",
        "/etc",
        "--upload-pack=touch /tmp/x",
        "git://example.com/x",
        "https://user:secret@example.com/x",
        "fd::17/foo",
    ],
)
async def test_other_transports_and_tricks_are_refused(scene: Scene, url: str) -> None:
    async def tricked() -> CloneCredentials:
        return CloneCredentials(url=url)

    with pytest.raises(InvalidError):
        await check_out(tricked, "a" * 40, allow=LOOPBACK)


async def test_a_commit_is_a_whole_id_and_no_option(scene: Scene) -> None:
    for name in ("--all", "main", "abc123"):
        with pytest.raises(InvalidError, match="whole id"):
            await check_out(scene.credentials, name, allow=LOOPBACK)


async def test_addresses_that_are_not_public_are_not_fetched_from(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})
    with pytest.raises(BlockedAddressError):
        await check_out(scene.credentials, sha, allow=Allow())
    assert not scene.azure.server.requests


async def test_a_redirect_is_not_followed(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})
    there = {"Location": f"{scene.azure.vssps_url}/x/info/refs?service=git-upload-pack"}
    scene.azure.server.plan("info/refs", answer=Answer(302, b"", there))
    with pytest.raises(GitFailedError):
        await check_out(scene.credentials, sha, allow=LOOPBACK)
    assert not scene.azure.vssps.requests


async def test_a_server_that_gives_no_single_commits_is_asked_for_the_branch(scene: Scene) -> None:
    first = scene.push({"main.tf": "# one\n"})
    scene.push({"main.tf": "# two\n"})
    refused = Answer(
        200,
        b"0045ERR upload-pack: not our ref 0123456789012345678901234567890123456789",
        {"Content-Type": "application/x-git-upload-pack-result"},
    )
    body = f"ERR upload-pack: not our ref {first}\n".encode()
    refused = replace(refused, body=f"{len(body) + 4:04x}".encode() + body)
    scene.azure.server.plan("git-upload-pack$", method="POST", answer=refused, times=1)
    got = await check_out(scene.credentials, first, ref="refs/heads/main", allow=LOOPBACK)
    assert files_in(got.archive) == {"main.tf": "# one\n"}


async def test_a_commit_that_is_not_there_is_said_so(scene: Scene) -> None:
    scene.push({"main.tf": ""})
    with pytest.raises(NoSuchRepositoryError, match="no commit"):
        await check_out(scene.credentials, "1" * 40, ref="refs/heads/main", allow=LOOPBACK)


async def test_a_repository_that_may_not_be_seen_is_not_found(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})
    scene.repository.readers = set()
    with pytest.raises(NoSuchRepositoryError):
        await check_out(scene.credentials, sha, allow=LOOPBACK)
    scene.repository.readers, scene.repository.is_disabled = None, True
    with pytest.raises(NotAllowedError):
        await check_out(scene.credentials, sha, allow=LOOPBACK)


async def test_files_past_a_bound_are_refused_before_they_are_packed(scene: Scene) -> None:
    sha = scene.push({"big.txt": "x" * 5000, "main.tf": ""})
    with pytest.raises(TooLargeError, match="5000 bytes"):
        await check_out(scene.credentials, sha, allow=LOOPBACK, limits=Limits(unpacked_bytes=4000))
    with pytest.raises(TooLargeError, match="2 files"):
        await check_out(scene.credentials, sha, allow=LOOPBACK, limits=Limits(entries=1))


async def test_a_fetch_past_its_bound_is_stopped(scene: Scene) -> None:
    sha = scene.push({"noise.bin": os.urandom(200_000)})
    with pytest.raises(TooLargeError, match="100000 bytes as fetched"):
        await check_out(
            scene.credentials, sha, allow=LOOPBACK, limits=Limits(fetched_bytes=100_000)
        )


async def test_git_connects_to_the_address_that_was_judged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that only our resolver knows is reached: git asked nobody again."""
    sha = scene.push({"main.tf": ""})

    async def known(host: str, port: int) -> list[str]:
        assert host == "git.landform.invalid"
        return ["127.0.0.1"]

    monkeypatch.setattr("landform.vcs.git.remotes.resolve", known)

    async def by_name() -> CloneCredentials:
        given = await scene.credentials()
        url, scope = (
            text.replace("127.0.0.1", "git.landform.invalid") for text in (given.url, given.scope)
        )
        return replace(given, url=url, scope=scope)

    got = await check_out(by_name, sha, allow=Allow.parse("127.0.0.1/32"))
    assert set(files_in(got.archive)) == {"main.tf"}


async def test_a_server_that_says_nothing_is_not_waited_for(scene: Scene) -> None:
    sha = scene.push({"main.tf": ""})
    scene.azure.server.plan("info/refs", delay_s=30.0)
    with pytest.raises(CheckoutTimeoutError, match=r"longer than 0\.5 s"):
        await check_out(scene.credentials, sha, allow=LOOPBACK, limits=Limits(total_s=0.5))


async def test_submodules_come_along_only_when_asked_for(scene: Scene) -> None:
    modules = scene.organization.repository("Cloud Team", "modules")
    shared = scene.organization.repository("Cloud Team", "shared")
    inner = scene.push({"shared.tf": "# shared\n"}, shared)
    nested = add_submodules(scene, modules.git.directory, {"deep": ("../shared", inner)})
    sha = add_submodules(
        scene,
        scene.repository.git.directory,
        {
            "vendor/modules": ("git@ssh.dev.azure.com:v3/Acme/Cloud%20Team/modules", nested),
            "other": ("../shared", inner),
        },
    )
    without = await check_out(scene.credentials, sha, allow=LOOPBACK)
    assert set(files_in(without.archive)) == {".gitmodules", "main.tf"}
    got = await check_out(scene.credentials, sha, with_submodules=True, allow=LOOPBACK)
    files = files_in(got.archive)
    assert files["other/shared.tf"] == files["vendor/modules/deep/shared.tf"] == "# shared\n"
    assert scene.asked >= 4, "a token may die between two fetches, so each asks"


async def test_a_submodule_by_a_forbidden_transport_is_refused(scene: Scene) -> None:
    inner = scene.push({"x.tf": ""})
    for url in ("ext::sh -c true", "file:///etc", "../../../../../../x"):
        sha = add_submodules(scene, scene.repository.git.directory, {"m": (url, inner)})
        with pytest.raises(InvalidError):
            await check_out(scene.credentials, sha, with_submodules=True, allow=LOOPBACK)


async def test_changed_paths_name_both_ends_of_a_move_and_what_was_deleted(scene: Scene) -> None:
    before = scene.push({"a/one.tf": "x" * 99, "b/two.tf": "y", "c.tf": "z"})
    after = scene.push({"a/one.tf": None, "d/one.tf": "x" * 99, "b/two.tf": None})
    assert await changed_paths(scene.credentials, before, after, allow=LOOPBACK) == {
        "a/one.tf",
        "d/one.tf",
        "b/two.tf",
    }


async def test_2001_changed_paths_are_all_found(scene: Scene) -> None:
    before = scene.push({"main.tf": ""})
    after = scene.push({f"m/{n}.tf": str(n) for n in range(2001)})
    assert len(await changed_paths(scene.credentials, before, after, allow=LOOPBACK)) == 2001


def add_submodules(scene: Scene, directory: Path, modules: dict[str, tuple[str, str]]) -> str:
    """Commit gitlinks and a `.gitmodules` that describes them; return the commit."""
    repository = next(
        one for one in scene.organization.repositories if one.git.directory == directory
    )
    git = repository.git
    text = "".join(
        f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
        for path, (url, _) in modules.items()
    )
    stream = (
        "reset refs/heads/main\ncommit refs/heads/main\n"
        "committer Ann <ann@example.com> 1793527200 +0000\ndata 1\ns\n"
        f"M 100644 inline .gitmodules\ndata {len(text)}\n{text}\n"
        "M 100644 inline main.tf\ndata 0\n\n"
    )
    stream += "".join(f"M 160000 {commit} {path}\n" for path, (_, commit) in modules.items())
    git.git("fast-import", "--quiet", "--force", data=stream.encode())
    return git.resolve("refs/heads/main")
