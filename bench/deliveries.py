"""Row 9: 500 deliveries of Azure DevOps in 5 s, one fifth repeated, to 100 workspaces."""

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import httpx2

from bench.figures import Figure, percentile
from bench.platform import Platform, started
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_hooks import Delivery
from tests.standins.azure_world import EVERYTHING, Identity, Repository, Subscription

_SECONDS: Final = 5.0
_REPEATED: Final = 0.2
_AIM_MS: Final = 100.0
_PATIENCE_S: Final = 300.0
_TAIL: Final = 99


def deliveries(*, quick: bool) -> list[Figure]:
    """Send at a steady rate, as many come; then wait until each is seen to, and count."""
    workspaces, total = (20, 100) if quick else (100, 500)
    seconds = _SECONDS * total / 500
    with _connected(workspaces) as (platform, azure, repository, ann, client):
        azure.sender.holds = True
        pushed = _push(azure, repository, ann, workspaces, round(total * (1 - _REPEATED)))
        sent = azure.sender.deliveries
        floor = asyncio.run(_send([(f"{platform.started.url}/healthz", None)] * total, seconds))
        times = asyncio.run(_send([(one.url, one) for one in _repeating(sent)], seconds))
        wrong = _wrong(platform, client, len(sent), pushed)
    return [
        Figure(
            row=9,
            measure=f"{total} deliveries in {seconds:g} s, p{_TAIL} of the answer (ms)",
            floor=f"{percentile(floor, _TAIL):.1f} ms",
            landform=f"{percentile(times, _TAIL):.1f} ms",
            value=percentile(times, _TAIL),
            aim=_AIM_MS,
            raw={"answers_ms": times, "healthz_ms": floor},
        ),
        Figure(
            row=9,
            measure="  … commits planned twice, or not at all",
            landform=str(wrong),
            value=wrong,
            aim=0,
        ),
    ]


@contextlib.contextmanager
def _connected(
    workspaces: int,
) -> Iterator[tuple[Platform, AzureDevOps, Repository, Identity, str]]:
    """Yield a platform with locked workspaces on one repository, each on a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="landform-bench-") as directory,
        azure_devops(Path(directory)) as azure,
        started(settings={"LANDFORM_EGRESS_ALLOW": "127.0.0.1"}) as platform,
    ):
        theirs = azure.organization("Acme")
        ann = theirs.identity("Ann")
        repository = theirs.repository("Cloud Team", "infra")
        first = 'output "n" {\n  value = 0\n}\n'
        azure.people.push(
            repository, ann, {f"w{number}/main.tf": first for number in range(workspaces)}
        )
        client = _connect(platform, azure, theirs.name, azure.tokens.issue(ann, EVERYTHING))
        for number in range(workspaces):
            repo = {
                "identifier": repository.remote_url,
                "oauth-token-id": client.replace("oc-", "ot-", 1),
            }
            made = platform.workspace(
                f"repo-{number}",
                **{"vcs-repo": repo, "working-directory": f"w{number}", "queue-all-runs": False},
            )
            platform.post(f"/workspaces/{made}/actions/lock", "workspaces", {})
        _until(lambda: "git.push" in {one.document["eventType"] for one in _hooks(repository)})
        yield platform, azure, repository, ann, client


def _connect(platform: Platform, azure: AzureDevOps, account: str, pat: str) -> str:
    """Connect the organization and return the OAuth client's id."""
    made = platform.post(
        "/organizations/bench/oauth-clients",
        "oauth-clients",
        {
            "service-provider": "ado_services",
            "http-url": azure.vssps_url,
            "api-url": azure.url,
            "account": account,
            "oauth-token-string": pat,
        },
    )
    tested = httpx2.post(
        f"{platform.started.url}/api/v1/organization/bench/vcs/{made['id']}/test",
        headers=platform.headers,
        timeout=60,
    )
    tested.raise_for_status()
    return str(made["id"])


def _hooks(repository: Repository) -> list[Subscription]:
    return list(repository.project.organization.subscriptions.values())


def _push(
    azure: AzureDevOps, repository: Repository, ann: Identity, workspaces: int, commits: int
) -> dict[int, list[int]]:
    """Push commits, each to one directory; return their numbers by directory, in order."""
    pushed: dict[int, list[int]] = {}
    for number in range(commits):
        at = number % workspaces
        text = f'output "n" {{\n  value = {number + 1}\n}}\n'
        azure.people.push(repository, ann, {f"w{at}/main.tf": text}, message=f"commit {number}")
        pushed.setdefault(at, []).append(number)
    return pushed


def _repeating(sent: Sequence[Delivery]) -> list[Delivery]:
    """Return what is sent with each fourth of it sent again, a little later."""
    order: list[Delivery] = []
    for number, one in enumerate(sent):
        order.append(one)
        if number % 4 == 3:  # noqa: PLR2004 - the fourth
            order.append(sent[number - 3])
    return order


def _wrong(platform: Platform, client: str, sent: int, pushed: dict[int, list[int]]) -> int:
    """Return how many commits were planned twice, or not at all, once every delivery is seen to.

    A commit that a later one took the place of, before it was looked at, is planned with that.
    """
    _until(lambda: _done(platform, client) == sent)
    wrong = 0
    for at, numbers in pushed.items():
        shown = platform.get(f"/organizations/bench/workspaces/repo-{at}")
        runs = platform.get(f"/workspaces/{shown['id']}/runs?page[size]=100")
        planned = Counter(_number(run["attributes"]["message"]) for run in runs)
        wrong += sum(planned.values()) - len(planned) + (max(planned, default=-1) < numbers[-1])
    return wrong


def _number(message: str) -> int:
    return int(message.rpartition(" ")[2])


def _done(platform: Platform, client: str) -> int:
    """Return how many deliveries were seen to."""
    done = 0
    for page in count(1):
        rows = platform.get(
            f"/oauth-clients/{client}/deliveries?page[size]=100&page[number]={page}"
        )
        done += sum(str(row["attributes"]["status"]) == "done" for row in rows)
        if len(rows) < 100:  # noqa: PLR2004 - the last page
            return done
    raise AssertionError


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("It did not come to an end in time.")
        time.sleep(0.2)


async def _send(targets: Sequence[tuple[str, Delivery | None]], seconds: float) -> list[float]:
    """Send at a steady rate whether or not answers come; return what each took, in ms."""
    took: list[float] = []
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:

        async def one(number: int, url: str, delivery: Delivery | None) -> None:
            await asyncio.sleep(number * seconds / len(targets))
            began = time.perf_counter()
            if delivery is None:
                answer = await client.get(url)
            else:
                answer = await client.post(
                    url, content=delivery.body, headers=dict(delivery.headers)
                )
            answer.raise_for_status()
            took.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(one(n, *target) for n, target in enumerate(targets)))
    return took
