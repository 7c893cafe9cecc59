"""Row 5: from a line written to a line read, and how fast a large log comes through."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx2

from bench import configurations, floor
from bench.figures import Figure, percentile
from bench.platform import Platform

_LINES: Final = 100
_EVERY_S: Final = 0.03
_STAMP: Final = re.compile(rb"at=(\d+\.\d+)")
_SPEAK: Final = (
    f"i=0; while [ $i -lt {_LINES} ]; do date +at=%s.%N; i=$((i+1)); sleep {_EVERY_S}; done"
)
_LINE: Final = "x" * 99
_LATENCY_AIM_MS: Final = 100
_PATIENCE_S: Final = 120


def logs(platform: Platform, *, quick: bool) -> list[Figure]:
    """Measure both."""
    figures = [_latency(platform, readers) for readers in (1, 50)]
    return [*figures, _volume(platform, megabytes=5 if quick else 50)]


def _latency(platform: Platform, readers: int) -> Figure:
    run_id = _speaking(platform, f"speaks-{readers}", _SPEAK)
    platform.follow(run_id, "plan")
    url = platform.log_url(run_id, "apply")
    read = asyncio.run(_read_all(url, readers))
    bare = _tailed()
    return Figure(
        row=5,
        measure=f"line written → read, {readers} readers, p95 (ms)",
        floor=f"{percentile(bare, 95):.1f} ms",
        landform=f"{percentile(read, 95):.1f} ms",
        value=percentile(read, 95),
        aim=_LATENCY_AIM_MS,
        raw={"p50_ms": percentile(read, 50), "lines": len(read)},
    )


def _speaking(platform: Platform, name: str, command: str) -> str:
    workspace = platform.workspace(name)
    archive = configurations.archive(configurations.saying(command))
    configuration = platform.upload(workspace, archive, speculative=False)
    return platform.create_run(workspace, configuration, **{"auto-apply": True})


async def _read_all(url: str, readers: int) -> list[float]:
    limits = httpx2.Limits(max_connections=readers)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as client:
        found = await asyncio.gather(*(_read(client, url) for _ in range(readers)))
    return [delay for delays in found for delay in delays]


async def _read(client: httpx2.AsyncClient, url: str) -> list[float]:
    """Return the milliseconds after which each line was read."""
    offset, rest, delays = 0, b"", []
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        answer = await client.get(url, params={"offset": offset, "limit": 1 << 16})
        now = time.time()
        offset += len(answer.content)
        *lines, rest = (rest + answer.content).split(b"\n")
        stamps = (found for line in lines if (found := _STAMP.search(line)))
        delays += [(now - float(found[1])) * 1000 for found in stamps]
        if answer.content.endswith(b"\x03"):
            break
    return delays


def _tailed() -> list[float]:
    """Return the same of a file that `tail -f` reads."""
    with tempfile.NamedTemporaryFile() as file:
        tail = subprocess.Popen(["tail", "-f", file.name], stdout=subprocess.PIPE)
        speak = subprocess.Popen(["sh", "-c", _SPEAK], stdout=file)
        delays = list(_heard(tail))
        speak.wait()
        tail.terminate()
        tail.wait()
    return delays


def _heard(tail: "subprocess.Popen[bytes]") -> Iterator[float]:
    for _ in range(_LINES):
        line = tail.stdout.readline() if tail.stdout else b""
        if found := _STAMP.search(line):
            yield (time.time() - float(found[1])) * 1000


def _volume(platform: Platform, *, megabytes: int) -> Figure:
    command = f"yes {_LINE} | head -c {megabytes * 10**6}"
    bare = _piped(command)
    run_id = _speaking(platform, f"shouts-{megabytes}", command)
    platform.follow(run_id, "plan")
    began = time.perf_counter()
    size = platform.follow(run_id, "apply")
    ours = time.perf_counter() - began
    if size < megabytes * 10**6:
        raise RuntimeError(f"Only {size} bytes of {megabytes} MB came through.")
    return Figure(
        row=5,
        measure=f"{megabytes} MB of log, to its reader: of the pipe's speed",
        floor=f"{megabytes / bare:.1f} MB/s",
        landform=f"{megabytes / ours:.1f} MB/s",
        value=bare / ours,
        raw={"bytes": size, "seconds": ours, "bare_seconds": bare},
    )


def _piped(command: str) -> float:
    """Return the seconds of a bare apply that prints as much into a pipe."""
    read_end, write_end = os.pipe()
    apply = ("apply", "-auto-approve", "-json")
    with ThreadPoolExecutor(1) as pool:
        drained = pool.submit(_drain, read_end)
        taken = floor.chain(configurations.saying(command), floor.INIT, apply, out=write_end)
        os.close(write_end)
        drained.result()
    return taken


def _drain(pipe: int) -> None:
    while os.read(pipe, 1 << 16):
        pass
    os.close(pipe)
