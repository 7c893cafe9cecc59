"""Archives, hostile and otherwise."""

import gzip
import io
import os
import resource
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landform.kit.archive import Bounds, unpack
from landform.kit.errors import InvalidError

from .conftest import tar_of


def archive(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 - tarfile's own name
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def file(name: str, data: bytes = b"x", *, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode = mode
    return info, data


def entry(name: str, kind: bytes, to: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = to
    return info, b""


def symlink(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.SYMTYPE, to)


HOSTILE = {
    "absolute": ([file("/etc/landform")], "/etc/landform"),
    "parent": ([file("../out")], "../out"),
    "parent inside": ([file("a/../../out")], "a/../../out"),
    "newline": ([file("a\nb")], "control character"),
    "long": ([file("a" * 300)], "too long"),
    "absolute symlink": ([symlink("l", "/etc/passwd")], "'l'"),
    "leaving symlink": ([symlink("d/l", "../../out")], "'d/l'"),
    "symlink that leaves over another": (
        [file("d/e/f"), symlink("d/up", ".."), symlink("l", "d/up/../../out")],
        "'l'",
    ),
    "symlink that leaves by an indirect way": (
        [symlink("a/b/deep", "../.."), symlink("l", "a/b/deep/..")],
        "'l'",
    ),
    "write through symlink": ([symlink("d", "e"), file("d/f")], "'d/f'"),
    "write through symlink to the root": ([symlink("d", "."), file("d/f")], "'d/f'"),
    "file below file": ([file("f"), file("f/g")], "'f/g'"),
    "hard link out": ([entry("h", tarfile.LNKTYPE, "/etc/passwd")], "/etc/passwd"),
    "hard link to nothing": ([entry("h", tarfile.LNKTYPE, "nothing")], "nothing"),
    "hard link to link": ([symlink("l", "f"), entry("h", tarfile.LNKTYPE, "l")], "'l'"),
    "hard link up": ([entry("h", tarfile.LNKTYPE, "../../f")], "../../f"),
    "fifo": ([entry("p", tarfile.FIFOTYPE)], "'p'"),
    "character device": ([entry("c", tarfile.CHRTYPE)], "'c'"),
    "block device": ([entry("b", tarfile.BLKTYPE)], "'b'"),
    "file then directory": ([file("a"), entry("a", tarfile.DIRTYPE)], "'a'"),
    "directory then link": ([entry("a", tarfile.DIRTYPE), symlink("a", "b")], "'a'"),
    "link then file": ([symlink("a", "b"), file("a")], "'a'"),
    "root as a link": ([symlink(".", "x")], "root"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_archive_that_tries_to_leave_is_refused_by_name(case: str, tmp_path: Path) -> None:
    members, named = HOSTILE[case]
    into = tmp_path / "a" / "b" / "into"
    into.mkdir(parents=True)
    with pytest.raises(InvalidError) as refusal:
        unpack(archive(*members), into)
    assert named in str(refusal.value)
    assert [path for path in tmp_path.rglob("*") if into not in (path, *path.parents)] == [
        tmp_path / "a",
        tmp_path / "a" / "b",
    ]


def test_a_name_with_nul_cannot_get_past_its_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo("evil")
    info.pax_headers = {"path": "e\0vil"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    with pytest.raises(InvalidError):
        unpack(buffer.getvalue(), tmp_path)


def test_links_within_the_configuration_work(tmp_path: Path) -> None:
    data = archive(
        file("m/main.tf", b"hello"),
        symlink("l/main.tf", "../m/main.tf"),
        symlink("dir", "m"),
        symlink("dangling", "m/none"),
        entry("hard.tf", tarfile.LNKTYPE, "m/main.tf"),
    )
    unpack(data, tmp_path)
    assert (tmp_path / "l/main.tf").read_bytes() == b"hello"
    assert (tmp_path / "dir/main.tf").read_bytes() == b"hello"
    assert (tmp_path / "hard.tf").read_bytes() == b"hello"


def test_the_last_of_two_files_of_a_name_wins_and_breaks_no_hard_link(tmp_path: Path) -> None:
    data = archive(file("a", b"1"), entry("b", tarfile.LNKTYPE, "a"), file("a", b"2"))
    unpack(data, tmp_path)
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"2", b"1")


def test_a_file_stays_executable_and_never_becomes_setuid(tmp_path: Path) -> None:
    unpack(archive(file("run.sh", mode=0o6755), file("plain", mode=0o600)), tmp_path)
    assert (tmp_path / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "plain").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut short"),
        (b"PK\x03\x04 a zip", "not a gzip"),
        (gzip.compress(b"hello, no tar" * 100), "not a tar"),
        (tar_of({"main.tf": "x" * 10_000})[:60], "cut short"),
        (gzip.compress(b"")[:-4], "cut short"),
    ],
    ids=["nothing", "zip", "no tar", "half", "no end"],  # not the bytes: they hold the time
)
def test_what_is_no_archive_is_called_so(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=said):
        unpack(data, tmp_path)


SMALL = Bounds(total_bytes=1000, file_bytes=600, entries=5, ratio=10, ratio_from_bytes=1 << 20)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([file("big", b"x" * 601)], "600"),
        ([file("a", b"x" * 500), file("b", b"x" * 501)], "1000"),
        ([file(str(number)) for number in range(6)], "5 files"),
        ([file("zeros", b"\0" * (2 << 20))], "larger"),
    ],
)
def test_an_archive_past_its_bounds_is_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError, match=said):
        unpack(archive(*members), tmp_path, bounds=SMALL)


class Zeros(io.RawIOBase):
    """A file of nothing."""

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 300 << 20
        tar.addfile(info, Zeros())
    return buffer.getvalue()


def test_a_bomb_is_stopped_early_in_little_memory(bomb: bytes, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidError, match="unpacks to more than"):
        unpack(bomb, tmp_path)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 50 << 10
    assert (tmp_path / "zeros").stat().st_size <= max(64 << 20, 200 * len(bomb)) + (1 << 20)


def test_a_header_that_claims_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 30
    with pytest.raises(InvalidError, match="header of 1073741824 bytes"):
        unpack(gzip.compress(info.tobuf()), tmp_path)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    header = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(InvalidError):
        unpack(gzip.compress(header + bytes(1024)), tmp_path)


def test_a_gzip_of_several_parts_is_one_archive(tmp_path: Path) -> None:
    plain = gzip.decompress(tar_of({"a": "1", "b": "2"}))
    unpack(gzip.compress(plain[:700]) + gzip.compress(plain[700:]), tmp_path)
    assert (tmp_path / "b").read_text() == "2"


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("into")


names = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c d", "é"]), min_size=1, max_size=4)
members = st.tuples(
    names.map("/".join),
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
    names.map("/".join),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(members, max_size=6))
def test_no_archive_reaches_outside(
    fresh: Callable[[], Path], made: list[tuple[str, bytes, str]]
) -> None:
    outer = fresh()
    into = outer / "x" / "into"
    into.mkdir(parents=True)
    try:
        unpack(archive(*(entry(name, kind, to) for name, kind, to in made)), into)
    except InvalidError:
        pass
    else:
        for path in into.rglob("*"):
            end = Path(os.path.realpath(path))
            assert end == into or into in end.parents
    assert sorted(outer.rglob("*"))[:2] == [outer / "x", into]
    assert all(path == outer / "x" or into in (path, *path.parents) for path in outer.rglob("*"))
