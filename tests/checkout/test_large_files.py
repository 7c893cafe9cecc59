"""Files in Git LFS come along when asked for, from where they may be fetched, and no more."""

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from landform.checkout.service import check_out
from landform.kit.egress import Allow, BlockedAddressError, Outbound
from landform.kit.errors import InvalidError, LandformError, TooLargeError
from landform.vcs.errors import NotAllowedError, ProviderAwayError
from landform.vcs.git.program import Limits
from landform.vcs.provider import CloneCredentials
from tests.standins.gitlab import GitLab, gitlab
from tests.standins.gitlab_world import Project
from tests.standins.large_objects import pointer_to
from tests.standins.serving import Answer

LOOPBACK = Allow.parse("127.0.0.1")
LARGE = b"\x00PK large and not text\xff" * 5000


class Place:
    """A private project with large files."""

    def __init__(self, lab: GitLab, http: Outbound) -> None:
        self.lab, self.http = lab, http
        self.ann = lab.user("ann")
        self.project: Project = lab.project("acme/infra", self.ann)
        self.token = lab.tokens.issue(self.ann)

    def push(self, files: dict[str, str | bytes | None]) -> str:
        return self.lab.people.push(self.project, self.ann, files)

    async def credentials(self) -> CloneCredentials:
        return CloneCredentials(
            url=f"{self.lab.url}/acme/infra.git",
            scope=f"{self.lab.url}/",
            username="oauth2",
            password=self.token,
        )

    async def files(
        self, sha: str, *, limits: Limits | None = None, with_submodules: bool = False
    ) -> dict[str, bytes]:
        got = await check_out(
            self.credentials,
            sha,
            large_files=self.http,
            with_submodules=with_submodules,
            allow=LOOPBACK,
            limits=limits,
        )
        return unpacked(got.archive)


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            one.name: found.read() for one in tar if (found := tar.extractfile(one)) is not None
        }


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GitLab]:
    with gitlab(tmp_path) as service:
        yield service


@pytest.fixture
async def place(lab: GitLab) -> AsyncIterator[Place]:
    async with Outbound(LOOPBACK) as http:
        yield Place(lab, http)


async def test_large_files_stay_pointers_unless_they_are_asked_for(place: Place) -> None:
    pointer = place.project.large.add(LARGE)
    sha = place.push({"lambda.zip": pointer, "main.tf": "# one\n"})
    plain = await check_out(place.credentials, sha, allow=LOOPBACK)
    assert unpacked(plain.archive)["lambda.zip"] == pointer.encode()
    assert not place.lab.server.asked("POST", "batch")
    assert await place.files(sha) == {"lambda.zip": LARGE, "main.tf": b"# one\n"}


async def test_a_file_that_is_there_twice_is_fetched_once_and_many_in_few_requests(
    place: Place,
) -> None:
    pointers = {f"f{n:03}.bin": place.project.large.add(b"%d" % n * 60) for n in range(120)}
    sha = place.push({**pointers, "again/f000.bin": pointers["f000.bin"]})
    found = await place.files(sha)
    assert found["again/f000.bin"] == found["f000.bin"] == b"0" * 60
    assert found["f119.bin"] == b"119" * 60
    assert len(place.lab.server.asked("POST", "batch")) == 2
    assert len(place.lab.server.asked("GET", "lfs/objects/")) == 120


async def test_what_only_looks_like_a_pointer_stays_as_it_is(place: Place) -> None:
    pointer = pointer_to(LARGE)
    given = {
        "README.md": f"It looks like this:\n{pointer}",
        "extended": pointer.replace("oid sha256", "ext-0-x sha256:00\noid sha256"),
        "longer": f"{pointer}{'x' * 50}\n",
    }
    sha = place.push(dict(given))
    assert await place.files(sha) == {name: text.encode() for name, text in given.items()}


async def test_the_credential_goes_to_the_repositorys_server_and_not_to_its_store(
    place: Place,
) -> None:
    store = place.project.large.keep_elsewhere()
    sha = place.push({"a.zip": place.project.large.add(LARGE)})
    assert (await place.files(sha))["a.zip"] == LARGE
    [asked] = place.lab.server.asked("POST", "batch")
    assert asked.headers["authorization"].startswith("Basic ")
    [fetched] = store.requests
    assert "authorization" not in fetched.headers
    store.close()


async def test_nothing_in_the_repository_says_where_its_files_are(place: Place) -> None:
    store = place.project.large.keep_elsewhere()
    elsewhere = f"[lfs]\n url = {store.url}\n"
    sha = place.push({"a.zip": place.project.large.add(LARGE), ".lfsconfig": elsewhere})
    await place.files(sha)
    assert {request.method for request in store.requests} == {"GET"}
    store.close()


async def test_a_store_at_an_address_that_is_not_allowed_is_not_called(place: Place) -> None:
    store = place.project.large.keep_elsewhere()
    sha = place.push({"a.zip": place.project.large.add(LARGE)})
    port = place.lab.server.url.rpartition(":")[2]
    place.http = Outbound(Allow.parse(f"127.0.0.1:{port}"))
    with pytest.raises((BlockedAddressError, InvalidError)) as refused:
        await place.files(sha)
    assert store.requests == []
    assert "deadbeef" not in str(refused.value)
    store.close()
    await place.http.close()


async def test_what_is_not_the_file_is_refused(place: Place) -> None:
    sha = place.push({"a.zip": place.project.large.add(LARGE)})
    oid = hashlib.sha256(LARGE).hexdigest()
    place.project.large.objects[oid] = LARGE[:-1] + b"!"
    with pytest.raises(InvalidError, match="is not it"):
        await place.files(sha)
    place.project.large.objects[oid] = LARGE + b"more than was said"
    place.lab.server.plan("batch", answer=_said(oid, place.lab.url))
    with pytest.raises(TooLargeError):
        await place.files(sha)
    del place.project.large.objects[oid]
    with pytest.raises(InvalidError, match="does not have"):
        await place.files(sha)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(large_files=1), "more than 1 files"),
        (Limits(large_file_bytes=1000), "at most 1000"),
        (Limits(unpacked_bytes=len(LARGE)), "larger than a configuration"),
    ],
)
async def test_too_much_is_refused_before_any_of_it_is_fetched(
    place: Place, limits: Limits, words: str
) -> None:
    add = place.project.large.add
    sha = place.push({"a.zip": add(LARGE), "b.zip": add(b"y" * len(LARGE))})
    with pytest.raises(TooLargeError, match=words):
        await place.files(sha, limits=limits)
    assert not place.lab.server.asked("POST", "batch")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401), NotAllowedError),
        (Answer(403), NotAllowedError),
        (Answer(404), InvalidError),
        (Answer(429), ProviderAwayError),
        (Answer(503), ProviderAwayError),
        (Answer(200, b"[]"), InvalidError),
        (Answer(200, b'{"objects": [{"oid": 3, "actions": []}]}'), InvalidError),
        (Answer(200, b"nonsense"), LandformError),
    ],
)
async def test_a_server_that_does_not_give_them_ends_in_words(
    place: Place, answer: Answer, kind: type[LandformError]
) -> None:
    sha = place.push({"a.zip": place.project.large.add(LARGE)})
    place.lab.server.plan("batch", answer=answer, times=2)
    with pytest.raises(kind) as failed:
        await place.files(sha)
    assert place.token not in str(failed.value)


async def test_a_repository_without_a_suffix_is_asked_in_both_ways(place: Place) -> None:
    sha = place.push({"a.zip": place.project.large.add(LARGE)})
    whole = await place.credentials()

    async def bare() -> CloneCredentials:
        return replace(whole, url=whole.url.removesuffix(".git"))

    place.lab.server.plan(r"\.git/info/lfs", answer=Answer(404))
    got = await check_out(bare, sha, large_files=place.http, allow=LOOPBACK)
    assert unpacked(got.archive)["a.zip"] == LARGE


async def test_submodules_have_large_files_of_their_own(place: Place) -> None:
    modules = place.lab.project("acme/modules", place.ann)
    inner = place.lab.people.push(modules, place.ann, {"m.zip": modules.large.add(LARGE)})
    place.push({".gitmodules": '[submodule "m"]\n path = m\n url = ../modules.git\n'})
    git = place.project.git
    git.git("read-tree", "refs/heads/main")
    git.git("update-index", "--add", "--cacheinfo", f"160000,{inner},m")
    tree = git.git("write-tree")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    sha = git.git(*identity, "commit-tree", tree, "-m", "With a submodule")
    git.set_ref("refs/heads/main", sha)
    assert (await place.files(sha, with_submodules=True))["m/m.zip"] == LARGE


def _said(oid: str, base: str) -> Answer:
    href = f"{base}/acme/infra.git/info/lfs/objects/{oid}"
    body = f'{{"objects": [{{"oid": "{oid}", "actions": {{"download": {{"href": "{href}"}}}}}}]}}'
    return Answer(200, body.encode())
