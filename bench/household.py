"""Row 7: how soon a platform is ready, what it holds in memory, and whether that grows."""

import tempfile
from pathlib import Path
from typing import Final

from bench import configurations, processes
from bench.figures import Figure
from bench.platform import Platform, up

_READY_AIM_S: Final = 2.5
_RESIDENT_AIM_MB: Final = 350
_GROWTH_MB: Final = 20  # of noise: what allocators keep is not the same twice


def household(*, quick: bool) -> list[Figure]:
    """Measure a home that has been used before."""
    warming, runs, starts = (5, 10, 2) if quick else (20, 500, 5)
    with tempfile.TemporaryDirectory(prefix="landform-bench-") as directory:
        home = Path(directory) / "home"
        with up(home):
            pass
        start_s = []
        for _ in range(starts):
            with up(home) as running:
                start_s.append(running.start_s)
                idle = processes.steady_mb(running.pid)
        with up(home) as running:
            platform = Platform(running)
            platform.post("/organizations", "organizations", {"name": "bench"})
            _plan(platform, "warm", warming)
            before = processes.steady_mb(running.pid)
            _plan(platform, "busy", runs)
            after = processes.steady_mb(running.pid)
    return [
        Figure(
            row=7,
            measure="`landform up` to ready, warm home (s)",
            landform=f"{min(start_s):.2f} s",
            value=min(start_s),
            aim=_READY_AIM_S,
            raw={"starts_s": start_s},
        ),
        Figure(
            row=7,
            measure="resident memory of all processes, idle (MB)",
            landform=f"{idle:.0f} MB",
            value=idle,
            aim=_RESIDENT_AIM_MB,
        ),
        Figure(
            row=7,
            measure=f"  … growth over {runs} runs (MB)",
            landform=f"{after - before:+.0f} MB",
            value=after - before,
            aim=_GROWTH_MB,
            raw={"before_mb": before, "after_mb": after},
        ),
    ]


def _plan(platform: Platform, name: str, runs: int) -> None:
    workspace = platform.workspace(name)
    archive = configurations.archive(configurations.sized(1))
    for _ in range(runs):
        platform.run(workspace, platform.upload(workspace, archive))
