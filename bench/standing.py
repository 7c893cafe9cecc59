"""Row 7: how soon a platform is ready, and what its processes hold, idle and after many runs."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench import configurations, processes
from bench.figures import Figure
from bench.platform import Platform, Started, up

_READY_AIM_S: Final = 2.5
_IDLE_AIM_MB: Final = 350
_GROWTH_AIM_MB: Final = 20
"""What counts as none: PostgreSQL's buffers and Python's heaps fill up to their bounds."""

_ROUNDS: Final = 5
_SLOTS: Final = 4
_SETTLED_MB: Final = 1.0
_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 20.0


def standing(*, quick: bool) -> list[Figure]:
    """Measure all three, on a home that has been started before."""
    runs = 50 if quick else 500
    with tempfile.TemporaryDirectory(prefix="landform-bench-") as directory:
        home = Path(directory) / "home"
        times = []
        for number in range(_ROUNDS + 1):
            with up(home) as running:
                if number:  # the first makes the home
                    times.append(running.start_s)
        with up(home) as running:
            idle = sum(_settled_mb(running).values())
            _plan(running, runs // 10)  # what is loaded at the first runs is no growth
            before = _settled_mb(running)
            began = time.perf_counter()
            _plan(running, runs)
            taken = time.perf_counter() - began
            after = _settled_mb(running)
    ready = statistics.median(times)
    growth = {name: held - before.get(name, 0.0) for name, held in after.items()}
    return [
        Figure(
            row=7,
            measure="landform up → ready, warm home",
            landform=f"{ready:.2f} s",
            value=ready,
            aim=_READY_AIM_S,
            raw={"times_s": times},
        ),
        Figure(
            row=7,
            measure="memory of all processes, idle (MB)",
            landform=f"{idle:.0f} MB",
            value=idle,
            aim=_IDLE_AIM_MB,
        ),
        Figure(
            row=7,
            measure=f"  … growth over {runs} runs (MB)",
            floor=f"{sum(before.values()):.0f} MB",
            landform=f"{sum(after.values()):.0f} MB",
            value=sum(growth.values()),
            aim=_GROWTH_AIM_MB,
            raw={"runs": runs, "seconds": taken, "growth_mb": growth},
        ),
    ]


def _plan(running: Started, runs: int) -> None:
    """Make plans, a few at a time, each followed to its end."""
    platform = Platform(running)
    name = f"standing-{time.time_ns():x}"
    platform.post("/organizations", "organizations", {"name": name})
    document = {"name": "one"}
    path = f"/organizations/{name}/workspaces"
    workspace = str(platform.post(path, "workspaces", document)["id"])
    configuration = platform.upload(workspace, configurations.archive(configurations.sized(1)))

    def plan(_: int) -> None:
        run = platform.create_run(workspace, configuration)
        platform.follow(run, "plan")
        platform.ended(run)

    with ThreadPoolExecutor(_SLOTS) as pool:
        for _ in pool.map(plan, range(runs)):
            pass


def _settled_mb(running: Started) -> dict[str, float]:
    """Return what the programs hold once all of it together does not fall any more."""
    deadline = time.monotonic() + _PATIENCE_S
    held = processes.held_mb(running.pid)
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        now = processes.held_mb(running.pid)
        if sum(held.values()) - sum(now.values()) < _SETTLED_MB:
            return now
        held = now
    return held
