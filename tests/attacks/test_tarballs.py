"""A8: archives that try to leave, to fill, or to confuse; at the real upload address."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from operator import sub
from pathlib import Path

import httpx2
import pytest

from tests.attacks.client import Client
from tests.faults.configurations import pack
from tests.faults.platform import Platform


def entry(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def bomb(size: int = 1 << 30) -> bytes:
    """Return a gzip of one file of so many zeros."""
    info = tarfile.TarInfo("zeros.tf")
    info.size = size
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        file.write(info.tobuf())
        block = b"\0" * (1 << 20)
        for _ in range(size >> 20):
            file.write(block)
    return buffer.getvalue()


def many(count: int) -> bytes:
    """Return a gzip of so many empty files."""
    header = tarfile.TarInfo("0000000").tobuf()
    digits = sum(b"0000000")
    checksum = int(header[148:154], 8) - digits
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        for number in range(count):
            name = f"{number:07}".encode()
            file.write(name + header[7:148] + b"%06o" % (checksum + sum(name)) + header[154:])
    return buffer.getvalue()


LINK = {"type": tarfile.SYMTYPE}
HARD = {"type": tarfile.LNKTYPE}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: archive(entry("../x.tf", b"x")), "../x.tf"),
    "parent within": (lambda: archive(entry("a/../../x.tf", b"x")), "a/../../x.tf"),
    "absolute": (lambda: archive(entry("/tmp/landform-escape", b"x")), "/tmp/landform-escape"),
    "link out": (lambda: archive(entry("l", linkname="/etc", **LINK)), "'l'"),
    "link up": (lambda: archive(entry("l", linkname="../../..", **LINK)), "'l'"),
    "through a link": (
        lambda: archive(entry("l", linkname="/tmp", **LINK), entry("l/landform-escape", b"x")),
        "'l'",
    ),
    "hard link out": (lambda: archive(entry("h", linkname="/etc/passwd", **HARD)), "/etc/passwd"),
    "device": (lambda: archive(entry("d", type=tarfile.CHRTYPE, devmajor=1, devminor=5)), "'d'"),
    "pipe": (lambda: archive(entry("p", type=tarfile.FIFOTYPE)), "'p'"),
    "newline in its name": (lambda: archive(entry("a\nb.tf", b"x")), r"a\\nb.tf"),
    "escape in its name": (lambda: archive(entry("a\x1b[2Jb.tf", b"x")), "control character"),
    "long name": (lambda: archive(entry("n" * 300, b"x")), "too long"),
    "two things of one name": (
        lambda: archive(entry("a", b"x"), entry("a/b", b"x")),
        "a/b",
    ),
    "bomb": (bomb, "unpacks to more than"),
    "too many files": (lambda: many(200_001), "more than 200000 files"),
    "no archive": (lambda: b"#!/bin/sh\n", "not a gzip"),
    "cut short": (lambda: pack({"main.tf": "x" * 100_000})[:-40], "cut short"),
}


def announce(client: Client, workspace: str) -> tuple[str, str]:
    path = f"/workspaces/{workspace}/configuration-versions"
    made = client.post(path, {"data": {"type": "configuration-versions", "attributes": {}}})
    data = made.json()["data"]
    return data["id"], data["attributes"]["upload-url"]


def most_memory_mb(pid: int) -> int:
    """Return the most memory the process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise AssertionError(pid)


@pytest.fixture
def outside() -> Iterator[None]:
    """Nothing may appear where the archives of this module point to."""
    before = set(Path("/tmp").iterdir())
    yield
    new = {path.name for path in set(Path("/tmp").iterdir()) - before}
    assert not {
        name for name in new if name.startswith(("landform-escape", "landform-scratch", "x.tf"))
    }


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_entry_and_starts_no_run(
    platform: Platform, client: Client, workspace: str, case: str
) -> None:
    make, said = REFUSED[case]
    data = make()
    before = [most_memory_mb(server.pid) for server in platform.servers]
    made, address = announce(client, workspace)
    answer = httpx2.put(address, content=data, trust_env=False, timeout=280.0)
    assert answer.status_code == 422, answer.text
    assert said in answer.text
    version = client.get(f"/configuration-versions/{made}")["attributes"]
    assert version["status"] == "errored"
    assert client.get(f"/workspaces/{workspace}/runs") == []
    after = [most_memory_mb(server.pid) for server in platform.servers]
    assert max(map(sub, after, before)) < 150 + 3 * len(data) // 2**20


def test_an_upload_past_the_limit_is_cut_off_while_it_comes(client: Client, workspace: str) -> None:
    _, address = announce(client, workspace)

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"\0" * (1 << 20)

    try:
        answer = httpx2.put(address, content=endless(), trust_env=False, timeout=60.0)
    except httpx2.HTTPError:
        return  # it was cut off before all was sent
    assert answer.status_code == 413


def test_the_server_answers_all_the_while(platform: Platform, client: Client) -> None:
    assert all(server.is_alive for server in platform.servers)
    assert client.get("/account/details")["id"]
