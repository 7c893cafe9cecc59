"""A15: branches, tags and files of a repository whose names would be options or commands."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from landform.checkout.service import check_out
from landform.configurations.models import ConfigurationVersion
from landform.kit.db import transaction
from landform.kit.egress_allow import Allow
from landform.kit.errors import InvalidError
from landform.vcs.credentials import open_provider
from tests.standins.repositories import ZEROS, RefUpdate
from tests.standins.serving import Answer
from tests.triggers.scene import Scene

_PWNED = Path("/tmp/landform-pwned")
# Git takes them as names of refs, below refs/heads/ or refs/tags/.
REFS = (
    f"$(id>{_PWNED})",
    f"`id>{_PWNED}`",
    f";id>{_PWNED}",
    f"x|id>{_PWNED}",
    "'--upload-pack=x'",
    "x&&--upload-pack=x",
    "%2e%2e%2fx",
    "+main",
    "{{7+7}}",
)
NO_BRANCHES = (
    f"--upload-pack=touch {_PWNED}",
    "--upload-pack=x",
    "-chdir=/",
    "a\nb",
    "a\x00b",
    "../main",
    "main:refs/heads/evil",
    "*",
    "\x1b[2J",
)
FILES = ("--help", "-chdir=x.tf", "-rf", f"$(id>{_PWNED}).tf", ";x.tf", "--upload-pack=x/main.tf")


@pytest.fixture(autouse=True)
def unharmed() -> Iterator[None]:
    yield
    assert not _PWNED.exists()


@pytest.mark.parametrize("branch", REFS)
async def test_a_branch_of_any_name_that_git_takes_is_fetched_and_is_but_a_name(
    scene: Scene, branch: str
) -> None:
    await scene.link(branch=branch)
    sha = scene.push({"main.tf": "# theirs\n"}, branch=branch, message=branch)
    # A server that gives no single commits has the branch asked for by its name.
    refused = b"ERR upload-pack: not our ref " + sha.encode() + b"\n"
    scene.azure.server.plan(
        "git-upload-pack$",
        method="POST",
        answer=Answer(
            200,
            f"{len(refused) + 4:04x}".encode() + refused,
            {"Content-Type": "application/x-git-upload-pack-result"},
        ),
        times=1,
    )
    await scene.take()
    await scene.run_jobs()
    [run] = await scene.runs()
    assert await scene.world.status(run.id) == "plan_queued"
    assert run.message == branch


@pytest.mark.parametrize("branch", NO_BRANCHES)
async def test_what_is_no_name_of_a_branch_is_refused_with_words(scene: Scene, branch: str) -> None:
    asked = len(scene.azure.server.requests)
    with pytest.raises(InvalidError, match="is not the name of a branch"):
        await scene.link(branch=branch)
    paths = [request.path for request in scene.azure.server.requests[asked:]]
    assert not [path for path in paths if "upload-pack" in path]


@pytest.mark.parametrize("tag", [*REFS, "--upload-pack=x", "-chdir=x"])
async def test_a_tag_of_any_name_is_but_a_name(scene: Scene, tag: str) -> None:
    await scene.link(tags_regex=".")
    sha = scene.push({"main.tf": "# tagged\n"})
    scene.repository.git.set_ref(f"refs/tags/{tag}", sha)
    scene.azure.people.pushed(
        scene.repository, scene.ann, [RefUpdate(f"refs/tags/{tag}", ZEROS, sha)]
    )
    (reason,) = [row["reason"] for row in await scene.take() if row["run_id"]]
    assert reason.startswith(f"Tag {tag} matches")
    await scene.run_jobs()
    [run] = await scene.runs()
    assert await scene.world.status(run.id) == "plan_queued"


async def test_files_of_any_name_are_but_files(scene: Scene) -> None:
    scene.push(dict.fromkeys(FILES, "# nothing\n"))
    await scene.take()
    await scene.run_jobs()
    [run] = await scene.runs()
    assert await scene.world.status(run.id) == "plan_queued"
    async with transaction(scene.platform.sessions) as session:
        version = await session.get_one(ConfigurationVersion, run.configuration_version_id)
    archive = await scene.platform.store.get(version.path)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert set(FILES) <= names


async def test_a_file_whose_name_has_a_line_break_ends_the_run_with_its_name(scene: Scene) -> None:
    scene.push({r"a\nb.tf": "# nothing\n"})
    await scene.take()
    await scene.run_jobs()
    [run] = await scene.runs()
    assert await scene.world.status(run.id) == "errored"
    assert r"a\nb.tf" in run.error


@pytest.mark.parametrize(
    "commit", ["--upload-pack=x", "-chdir=/", "HEAD", f"$(id>{_PWNED})", "a\nb"]
)
async def test_what_is_no_commit_reaches_no_program(scene: Scene, commit: str) -> None:
    provider = await open_provider(scene.desk.reach, scene.connection_id)
    repository = await provider.repository(scene.repository.id)
    with pytest.raises(InvalidError, match="not the whole id of a commit"):
        await check_out(
            lambda: provider.clone_credentials(repository), commit, allow=Allow.parse("127.0.0.1")
        )
