"""Rows 1 to 4: what runs cost, how long they wait, and how many a worker gets done."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

from bench import configurations, floor
from bench.doubled import doubled_in
from bench.figures import Figure, paired, percentile
from bench.platform import Platform, started

_PLANNED: Final = {1: (15, 1.5), 100: (7, 1.3), 1000: (5, 1.1)}  # resources: rounds, aim
_APPLIED: Final = {1: (8, 1.5), 1000: (3, 1.2)}
_APPLIED_LOCAL_AIM: Final = 0.5
_WAITS: Final = 40
_WAIT_AIM_MS: Final = 50
_TAIL: Final = 95  # per cent
_SLOTS: Final = 2


def planned(platform: Platform, *, quick: bool) -> list[Figure]:
    """Row 1: from creation to planned, against init, plan and show -json."""
    figures = []
    for resources, (rounds, aim) in _PLANNED.items():
        files = configurations.sized(resources)
        workspace = platform.workspace(f"planned-{resources}")
        pairs = []
        for number in range((rounds + 2) // 3 + 1 if quick else rounds + 1):
            configuration = platform.upload(workspace, configurations.archive(files))
            bare = floor.chain(files, floor.INIT, floor.PLAN, floor.SHOW)
            ours = platform.run(workspace, configuration)
            if number:  # the first of each warms caches
                pairs.append((bare, ours))
        figures.append(paired(1, f"create → planned, {resources:,} resources", pairs, aim=aim))
    return figures


def applied(platform: Platform, *, quick: bool) -> list[Figure]:
    """Row 2: from creation to applied, against the chain on an HTTP and on the local back end."""
    figures = []
    commands = (floor.INIT, floor.PLAN, floor.SHOW, floor.APPLY)
    for resources, (rounds, aim) in _APPLIED.items():
        if quick and resources > 1:
            continue  # its floor alone takes minutes on a busy machine
        files = configurations.sized(resources)
        pairs, local = [], []
        for number in range((rounds + 1) // 2 + 1 if quick else rounds + 1):
            workspace = platform.workspace(f"applied-{resources}-{number}")
            configuration = platform.upload(
                workspace, configurations.archive(files), speculative=False
            )
            bare = floor.chain(files, *commands, http=True)
            beside = floor.chain(files, *commands)
            ours = platform.run(workspace, configuration, **{"auto-apply": True})
            if number:
                pairs.append((bare, ours))
                local.append((beside, ours))
        name = f"create → applied, {resources:,} resources"
        figures.append(paired(2, name, pairs, aim=aim))
        small = resources == 1
        figures.append(
            paired(2, "  … local back end", local, aim=None if small else _APPLIED_LOCAL_AIM)
        )
    return figures


def waits(platform: Platform, *, quick: bool) -> list[Figure]:
    """Row 3: from queued to started, with an idle worker."""
    workspace = platform.workspace("waits")
    archive = configurations.archive(configurations.sized(1))
    measured = []
    for number in range(_WAITS // 4 if quick else _WAITS):
        run_id = platform.create_run(workspace, platform.upload(workspace, archive))
        platform.follow(run_id, "plan")
        if number:
            measured.append(_wait_ms(platform.ended(run_id)["status-timestamps"]))
    return [
        Figure(
            row=3,
            measure=f"queued → started, p{percent} (ms)",
            landform=f"{percentile(measured, percent):.1f} ms",
            value=percentile(measured, percent),
            aim=_WAIT_AIM_MS if percent == _TAIL else None,
            raw={"waits_ms": measured},
        )
        for percent in (50, _TAIL)
    ]


def throughput(*, quick: bool) -> list[Figure]:
    """Row 4: runs on half as many workspaces with two slots, against `xargs -P2`."""
    workspaces = 10 if quick else 100
    with started("--worker-slots", str(_SLOTS)) as platform:
        ids = [platform.workspace(f"busy-{number}") for number in range(workspaces)]
        made = [[_numbered(platform, workspace, number) for number in (1, 2)] for workspace in ids]
        _all_applied(platform, ids[0], made[0])
        bare = _xargs(workspaces)
        began = time.perf_counter()
        with ThreadPoolExecutor(_SLOTS) as pool:
            queued = pool.map(
                lambda pair: _queue(platform, *pair), zip(ids[1:], made[1:], strict=True)
            )
            runs = [run for both in queued for run in both]
            for run in pool.map(lambda run_id: _await(platform, run_id), runs):
                platform.ended(run)  # raises for one that was lost
        ours = time.perf_counter() - began
        doubled = doubled_in(platform.started.home, runs)
    done = len(runs)
    per_s, bare_per_s = done / ours, 2 * workspaces / bare
    raw = {"runs": done, "seconds": ours, "bare_seconds": bare, "doubled": doubled}
    return [
        Figure(
            row=4,
            measure=f"{done} runs, {_SLOTS} slots: of the bare throughput",
            floor=f"{bare_per_s:.2f} /s",
            landform=f"{per_s:.2f} /s",
            value=per_s / bare_per_s,
            aim=0.7,
            at_least=True,
            raw=raw,
        ),
        Figure(
            row=4,
            measure="  … applies done twice (a lost run stops it)",
            landform=str(len(doubled)),
            value=float(len(doubled)),
            aim=0,
        ),
    ]


def _wait_ms(stamps: dict[str, str]) -> float:
    queued, began = (
        datetime.fromisoformat(stamps[name]) for name in ("plan-queued-at", "planning-at")
    )
    return (began - queued).total_seconds() * 1000


def _numbered(platform: Platform, workspace: str, number: int) -> str:
    archive = configurations.archive(configurations.numbered(number))
    return platform.upload(workspace, archive, speculative=False)


def _queue(platform: Platform, workspace: str, made: Sequence[str]) -> list[str]:
    return [platform.create_run(workspace, one, **{"auto-apply": True}) for one in made]


def _await(platform: Platform, run_id: str) -> str:
    platform.follow(run_id, "plan")
    platform.follow(run_id, "apply")
    return run_id


def _all_applied(platform: Platform, workspace: str, made: Sequence[str]) -> None:
    """Warm what is warm in the floor as well."""
    for run_id in _queue(platform, workspace, made):
        platform.ended(_await(platform, run_id))


def _xargs(workspaces: int) -> float:
    """Return the seconds of the bare chain, twice in each of so many directories."""
    with tempfile.TemporaryDirectory(prefix="landform-floor-") as parent:
        script = Path(parent) / "chain.sh"
        words = [" ".join(each) for each in (floor.INIT, floor.PLAN, floor.SHOW, floor.APPLY)]
        steps = " && ".join(f"{floor.engine()} {each} >/dev/null" for each in words)
        lines = ["set -e", 'cd "$1"', *(f"cp main.{n} main.tf; {steps}" for n in (1, 2))]
        script.write_text("\n".join(lines))
        for number in range(workspaces):
            directory = Path(parent) / str(number)
            for version in (1, 2):
                text = configurations.numbered(version)["main.tf"]
                floor.write(directory, {f"main.{version}": text})
        names = "\n".join(str(number) for number in range(workspaces))
        began = time.perf_counter()
        subprocess.run(
            ["xargs", "-n1", f"-P{_SLOTS}", "sh", str(script)],
            input=names.encode(),
            cwd=parent,
            check=True,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        )
        return time.perf_counter() - began
