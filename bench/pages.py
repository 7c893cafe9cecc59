"""Row 10: every main page at 10,000 workspaces and 100,000 runs, and what a browser shows.

One of the runs is really planned, by a worker: it is of thousands of changes.
"""

import asyncio
import gzip
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
from playwright.async_api import async_playwright
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bench import configurations
from bench.figures import Figure, percentile
from bench.lists import Statements, in_process
from bench.platform import Platform
from bench.seed import Seeded, seed, write
from landform.cli.database import embedded
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.contract import Phase
from landform.identity import sessions as browsers
from landform.identity.models import User
from landform.kit.db import make_engine, make_sessions, transaction
from landform.runs.models import Run, RunPhase
from landform.runs.status import PhaseStatus, RunStatus
from landform.toolchain.versions import Tool
from landform.web import static_files
from landform.web.pages import COOKIE

SMALL: Final = 100
LARGE: Final = 10_000
RUNS_EACH: Final = 10
_REQUESTS: Final = 60
_WARMING: Final = 5
_AIM_MS: Final = 100
_PAINT_AIM_MS: Final = 500
_SIZE_AIM_KB: Final = 150
_PAINTS: Final = 15
# What the runs of the workspaces ended with, in turn.
_ENDS: Final = (
    *(RunStatus.APPLIED, RunStatus.APPLIED, RunStatus.PLANNED, RunStatus.ERRORED),
    *(RunStatus.PLANNED_AND_FINISHED, RunStatus.DISCARDED),
)
# The main pages; `{o}` is the organization, `{w}` a workspace that both see, `{r}` its run.
PAGES: Final[Mapping[str, str]] = {
    "workspaces": "/app/{o}",
    "workspaces, last page": "/app/{o}?sort=-changed&page={last}",
    "workspaces that need somebody": "/app/{o}?status=attention&sort=-changed",
    "workspaces by name and tag": "/app/{o}?q=00&tag=stage%3Dlive",
    "runs of the organization": "/organizations/{o}/runs",
    "runs by text": "/organizations/{o}/runs?q=subnet",
    "projects": "/organizations/{o}/projects",
    "teams": "/organizations/{o}/teams",
    "workspace": "/app/{o}/{w}",
    "runs of a workspace": "/app/{o}/{w}/runs",
    "run": "/app/{o}/{w}/runs/{r}",
    "states": "/app/{o}/{w}/states",
    "variables": "/app/{o}/{w}/variables",
    "settings of a workspace": "/app/{o}/{w}/settings",
    "new workspace": "/organizations/{o}/workspaces/new",
    "palette": "/search/found?q=app-00&in={o}",
    "organizations": "/organizations",
    "first steps": "/welcome",
}
# `{c}` is a run whose plan has so many changes; what it made is where the platform keeps it.
CHANGES: Final = 5_000
_CHANGING: Final = f"run of {CHANGES:,} changes"
# Which a member of that team may not see.
_OF_ADMINS: Final = frozenset({"new workspace"})
_TIMED: Final[Mapping[str, str]] = {**PAGES, _CHANGING: "/app/{o}/{w}/runs/{c}"}


@dataclass(frozen=True)
class Reader:
    """Somebody with a browser, and what the names in the pages' addresses are for them."""

    who: str
    cookie: str
    names: Mapping[str, str]

    def pages(self, named: Iterable[str]) -> list[str]:
        """Return which of the pages the reader may see."""
        return [page for page in named if self.who == "admin" or page not in _OF_ADMINS]

    def address(self, page: str) -> str:
        return _TIMED[page].format(**self.names)


def pages(platform: Platform, *, quick: bool) -> list[Figure]:
    """Measure as a site admin and as a member of one team in two hundred."""
    large, requests = (1_000, _REQUESTS // 4) if quick else (LARGE, _REQUESTS)
    return asyncio.run(_pages(platform, large, requests))


async def _pages(platform: Platform, large: int, requests: int) -> list[Figure]:
    database_url = await embedded(platform.started.home).start()
    engine = make_engine(database_url)
    statements = Statements(engine)
    sessions = make_sessions(engine)
    readers: list[list[Reader]] = []
    for size in (SMALL, large):
        async with transaction(sessions) as session:
            seeded = await seed(session, f"pages-{size}", workspaces=size)
            await seed_runs(session, seeded.name)
            readers.append(await _readers(session, seeded, size))
    changing = _plan_many(platform, f"ws-pages-{large}-{0:06}")
    readers[-1] = [replace(each, names={**each.names, "c": changing}) for each in readers[-1]]
    # As the database does by itself within a minute of so many rows; an hour later nobody sees it.
    async with engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.exec_driver_sql("VACUUM (ANALYZE)")
    figures = []
    async with (
        httpx2.AsyncClient(base_url=platform.started.url, timeout=60) as client,
        in_process(engine, database_url) as inner,
    ):
        for few, many in zip(*readers, strict=True):
            times = await _timed(client, many, requests)
            counts = {
                page: [await _counted(inner, statements, each, page) for each in (few, many)]
                for page in many.pages(PAGES)
            }
            figures += _figures(many.who, times, counts)
    figures += await _painted(platform.started.url, readers[-1])
    await engine.dispose()
    return [*figures, _sizes()]


def _plan_many(platform: Platform, workspace_id: str) -> str:
    """Plan `CHANGES` resources, speculatively; return the run's id."""
    archive = configurations.archive(configurations.sized(CHANGES))
    run_id = platform.create_run(workspace_id, platform.upload(workspace_id, archive))
    platform.follow(run_id, "plan")
    platform.ended(run_id)
    return run_id


async def seed_runs(session: AsyncSession, organization: str) -> None:
    """Give every workspace of a seeded organization its runs; it stands at the last of them."""
    found = await session.execute(
        text(
            "SELECT w.id, w.organization_id FROM workspaces w"
            " JOIN organizations o ON o.id = w.organization_id WHERE o.name = :name ORDER BY w.id"
        ),
        {"name": organization},
    )
    places = [(row[0], row[1]) for row in found]
    await write(session, ConfigurationVersion, [_configuration(each) for each, _ in places])
    runs = list(_runs(places))
    await write(session, Run, runs)
    await write(session, RunPhase, [phase for run in runs for phase in _phases(run)])
    await session.execute(
        text(
            "UPDATE workspaces SET current_run_id = newest.id FROM (SELECT DISTINCT ON"
            " (workspace_id) id, workspace_id FROM runs ORDER BY workspace_id, number DESC)"
            " AS newest WHERE newest.workspace_id = workspaces.id AND current_run_id IS NULL"
        )
    )


def _configuration(workspace_id: str) -> dict[str, Any]:
    return {
        "id": workspace_id.replace("ws-", "cv-", 1),
        "workspace_id": workspace_id,
        "status": ConfigurationStatus.UPLOADED,
        "created_by": "bench",
    }


def _runs(places: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for turn in range(RUNS_EACH):
        for number, (workspace_id, organization_id) in zip(count(), places):
            is_last = turn == RUNS_EACH - 1
            yield {
                "id": f"{workspace_id.replace('ws-', 'run-', 1)}-{turn}",
                "workspace_id": workspace_id,
                "organization_id": organization_id,
                "configuration_version_id": workspace_id.replace("ws-", "cv-", 1),
                "status": _ENDS[number % len(_ENDS)] if is_last else RunStatus.APPLIED,
                "message": f"Widen subnet {number % 97} of area {turn}",
                "tool": Tool.TERRAFORM,
                "tool_version": "1.11.4",
                "created_by": "bench",
            }


def _phases(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for phase in (Phase.PLAN, Phase.APPLY):
        yield {
            "id": run["id"].replace("run-", f"{phase.value}-", 1),
            "run_id": run["id"],
            "phase": phase,
            "status": PhaseStatus.FINISHED,
        }


async def _readers(session: AsyncSession, seeded: Seeded, size: int) -> list[Reader]:
    name = seeded.name
    workspace_id = f"ws-{name}-{0:06}"
    names = {
        "o": name,
        "w": f"app-{0:06}",
        "r": f"{workspace_id.replace('ws-', 'run-', 1)}-{RUNS_EACH - 1}",
    }
    admin = User(username=f"admin-{name}", is_site_admin=True)
    session.add(admin)
    await session.flush()
    member = await session.get_one(User, f"user-{name}-{0:03}")
    readers = []
    for who, user, seen in (("admin", admin, size), ("member", member, max(100, size // 10))):
        cookie = await browsers.open_session(session, user)
        readers.append(Reader(who, cookie, {**names, "last": str(max(1, seen // 50))}))
    return readers


async def _timed(
    client: httpx2.AsyncClient, reader: Reader, requests: int
) -> dict[str, list[float]]:
    """Return the milliseconds of each request by page; the pages take turns."""
    times: dict[str, list[float]] = {page: [] for page in reader.pages(_TIMED)}
    for number in range(requests + _WARMING):
        for page, measured in times.items():
            began = time.perf_counter()
            await _read(client, reader, page)
            if number >= _WARMING:
                measured.append((time.perf_counter() - began) * 1000)
    return times


async def _counted(
    client: httpx2.AsyncClient, statements: Statements, reader: Reader, page: str
) -> int:
    await _read(client, reader, page)  # what is noted once in a while is noted now
    before = statements.count
    await _read(client, reader, page)
    return statements.count - before


async def _read(client: httpx2.AsyncClient, reader: Reader, page: str) -> None:
    answer = await client.get(reader.address(page), headers={"Cookie": f"{COOKIE}={reader.cookie}"})
    if answer.status_code != httpx2.codes.OK:
        raise RuntimeError(f"{reader.address(page)}: {answer.status_code} {answer.text[:300]}")


def _figures(
    who: str, times: Mapping[str, Sequence[float]], counts: Mapping[str, Sequence[int]]
) -> list[Figure]:
    found = [
        Figure(
            row=10,
            measure=f"{page}, {who}: p50, p95",
            landform=f"{percentile(each, 50):.0f}, {percentile(each, 95):.0f} ms",
            value=percentile(each, 95),
            aim=_AIM_MS,
            raw={"ms": list(each), "sql": counts.get(page)},
        )
        for page, each in times.items()
    ]
    more = {page: many - few for page, (few, many) in counts.items()}
    return [
        *found,
        Figure(
            row=10,
            measure=f"SQL statements of a page, most, {who}; more at many",
            landform=str(max(many for _, many in counts.values())),
            value=float(max(more.values())),
            aim=0,
            raw={"more": more},
        ),
    ]


async def _painted(url: str, readers: Sequence[Reader]) -> list[Figure]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("there is no chromium, so that nothing is painted", end=" ")
        return []
    found = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for page in ("workspaces", "run", _CHANGING):
            context = await browser.new_context(base_url=url)
            cookie = readers[0].cookie
            await context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
            window = await context.new_page()
            paints = []
            for _ in range(_PAINTS):
                await window.goto(readers[0].address(page))
                paints.append(await window.evaluate(_FIRST_PAINT))
            await context.close()
            found.append(
                Figure(
                    row=10,
                    measure=f"{page}, admin: first content in Chromium, p95",
                    landform=f"{percentile(paints, 95):.0f} ms",
                    value=percentile(paints, 95),
                    aim=_PAINT_AIM_MS,
                    raw={"ms": paints},
                )
            )
        await browser.close()
    return found


_FIRST_PAINT: Final = """() => new Promise(done => new PerformanceObserver(list =>
  list.getEntriesByName("first-contentful-paint").forEach(one => done(one.startTime))
).observe({type: "paint", buffered: true}))"""


def _sizes() -> Figure:
    """Return what CSS and JavaScript of the pages without a graph take, as they are sent."""
    folder = Path(static_files.__file__).with_name("static")
    sizes = {
        name: len(gzip.compress((folder / name).read_bytes(), 6)) for name in ("app.css", "app.js")
    }
    total_kb = sum(sizes.values()) / 1000
    return Figure(
        row=10,
        measure="CSS and JavaScript, gzipped",
        landform=f"{total_kb:.0f} KB",
        value=total_kb,
        aim=_SIZE_AIM_KB,
        raw=sizes,
    )
