"""Row 6: a large state up and down, and what the server holds meanwhile."""

import base64
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx2

from bench import processes
from bench.figures import Figure
from bench.platform import Platform

_MB: Final = 10**6
_CHUNK: Final = 1 << 20
_RATIO_AIM: Final = 3
_RISE_AIM_MB: Final = 64


def states(platform: Platform, *, quick: bool) -> list[Figure]:
    """Measure both."""
    server = processes.named(platform.started.pid, "landform server")
    workspace = platform.workspace("large-state")
    with tempfile.TemporaryDirectory(prefix="landform-floor-") as directory:
        file = Path(directory) / "state"
        size = _write_state(file, megabytes=20 if quick else 100)
        _up_and_down(platform, workspace, file, serial=1)
        processes.reset_peak(server)
        before = processes.now_mb(server)
        bare, ours = _copied(file), _up_and_down(platform, workspace, file, serial=2)
        rise = processes.peak_mb(server) - before
    return [
        Figure(
            row=6,
            measure=f"{size / _MB:.0f} MB of state up and down",
            floor=f"{bare:.2f} s",
            landform=f"{ours:.2f} s",
            value=ours / bare,
            aim=_RATIO_AIM,
        ),
        Figure(
            row=6,
            measure="  … server memory rise (MB)",
            landform=f"{rise:.0f} MB",
            value=rise,
            aim=_RISE_AIM_MB,
        ),
    ]


def _write_state(file: Path, *, megabytes: int) -> int:
    attributes = {"id": "i-0", "input": "y" * 900}
    resources = [
        {
            "mode": "managed",
            "type": "terraform_data",
            "name": f"one_{number}",
            "provider": 'provider["terraform.io/builtin/terraform"]',
            "instances": [{"schema_version": 0, "attributes": attributes} for _ in range(100)],
        }
        for number in range(megabytes * 10)
    ]
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 0, "lineage": "bench"}
    file.write_text(json.dumps({**state, "outputs": {}, "resources": resources}))
    return file.stat().st_size


def _copied(file: Path) -> float:
    began = time.perf_counter()
    for _ in ("up", "down"):
        copy = file.with_suffix(".copy")
        subprocess.run(["cp", str(file), str(copy)], check=True)
        subprocess.run(["sha256sum", str(copy)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _up_and_down(platform: Platform, workspace: str, file: Path, *, serial: int) -> float:
    """Return the seconds of an upload and a download, as terraform does them."""
    raw = file.read_bytes().replace(b'"serial": 0', b'"serial": %d' % serial, 1)
    digest = hashlib.md5(raw, usedforsecurity=False)
    with httpx2.Client(headers=platform.headers, timeout=600) as client:
        base = f"{platform.started.url}/api/v2/workspaces/{workspace}/actions"
        client.post(f"{base}/lock", content=b"{}").raise_for_status()
        made = platform.post(
            f"/workspaces/{workspace}/state-versions",
            "state-versions",
            {"serial": serial, "md5": digest.hexdigest(), "lineage": "bench"},
        )
        began = time.perf_counter()
        url = made["attributes"]["hosted-state-upload-url"]
        httpx2.put(url, content=raw, timeout=600).raise_for_status()
        shown = platform.get(f"/state-versions/{made['id']}")["attributes"]
        back = hashlib.md5(usedforsecurity=False)
        with httpx2.stream("GET", shown["hosted-state-download-url"], timeout=600) as answer:
            for block in answer.iter_bytes(_CHUNK):
                back.update(block)
        taken = time.perf_counter() - began
        client.post(f"{base}/unlock", content=b"{}").raise_for_status()
    if back.digest() != digest.digest():
        raise RuntimeError(f"It came back as another: {base64.b64encode(back.digest())!r}.")
    return taken
