"""`make bench`: ratios to the bare engine, interleaved with it, printed and written as JSON."""

import json
import os
import platform as machine
import shutil
import statistics
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import configurations
from bench.platform import Platform, started

ROUNDS = {1: 15, 1000: 5}
AIMS = {1: 1.5, 1000: 1.1}
QUEUED_AIM_MS = 50
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print a table, keep the figures."""
    with started() as platform:
        platform.post("/organizations", "organizations", {"name": "bench"})
        rows = [measure(platform, resources) for resources in ROUNDS]
    waits = [wait for row in rows for wait in row.pop("waits_ms")]
    queued = statistics.quantiles(waits, n=20)[-1]
    print(f"\n{'measure':<34}{'floor':>10}{'landform':>10}{'ratio':>8}{'aim':>8}")
    for row in rows:
        name = f"create → planned, {row['resources']:,} resources"
        print(
            f"{name:<34}{row['floor_s']:>8.3f} s{row['landform_s']:>8.3f} s"
            f"{row['ratio']:>8.2f}{AIMS[row['resources']]:>8.2f}"
        )
    print(f"{'queued → started, p95':<34}{'':>10}{queued:>7.1f} ms{'':>8}{QUEUED_AIM_MS:>5} ms")
    keep({"rows": rows, "queued_to_started_p95_ms": queued, "waits_ms": waits})


def measure(platform: Platform, resources: int) -> dict[str, Any]:
    """Time bare terraform and a run of ours in turn; ratios are of each pair, the median counts."""
    workspace = platform.post(
        "/organizations/bench/workspaces", "workspaces", {"name": f"size-{resources}"}
    )
    archive = configurations.archive(resources)
    pairs, waits = [], []
    for number in range(ROUNDS[resources] + 1):
        configuration_id = platform.upload(workspace["id"], archive)
        floor = bare(resources)
        ours, stamps = platform.plan(workspace["id"], configuration_id)
        if number:  # the first of each warms caches
            pairs.append((floor, ours))
            waits.append(wait_ms(stamps))
    return {
        "resources": resources,
        "floor_s": statistics.median(floor for floor, _ in pairs),
        "landform_s": statistics.median(ours for _, ours in pairs),
        "ratio": statistics.median(ours / floor for floor, ours in pairs),
        "pairs": pairs,
        "waits_ms": waits,
    }


def bare(resources: int) -> float:
    """Return the seconds of `init`, `plan -out` and `show -json` with nothing around them."""
    engine = shutil.which("terraform") or shutil.which("tofu")
    if engine is None:
        raise RuntimeError("The floor needs terraform or tofu on PATH.")
    with tempfile.TemporaryDirectory(prefix="landform-floor-") as directory:
        for name, text in configurations.files(resources).items():
            path = Path(directory) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        began = time.perf_counter()
        for arguments in (["init"], ["plan", "-out=p", "-input=false"], ["show", "-json", "p"]):
            subprocess.run(
                [engine, *arguments],
                cwd=directory,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "CHECKPOINT_DISABLE": "1"},
            )
        return time.perf_counter() - began


def wait_ms(stamps: dict[str, str]) -> float:
    """Return the milliseconds between queued and started."""
    queued, began = (
        datetime.fromisoformat(stamps[name]) for name in ("plan-queued-at", "planning-at")
    )
    return (began - queued).total_seconds() * 1000


def keep(figures: dict[str, Any]) -> None:
    """Write the figures, with what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    on = {"cores": os.cpu_count(), "python": machine.python_version(), "os": machine.platform()}
    path = RESULTS / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps({"machine": on, **figures}, indent=2))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
