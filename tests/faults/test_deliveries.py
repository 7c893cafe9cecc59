"""kill -9 of whoever deals with a webhook's delivery: each workspace gets its run, and one only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from landform.kit.failpoints import FailPoint
from landform.kit.tasks import ALIVE
from tests.cli.command import eventually
from tests.faults.client import Client, insist
from tests.faults.conftest import ORGANIZATION
from tests.faults.platform import Platform
from tests.standins.github import GitHub, github
from tests.standins.github_world import Account, Repo

DELIVERED = (
    FailPoint.DELIVERY_STORED,
    FailPoint.DELIVERY_TAKEN,
    FailPoint.DELIVERY_SETTLING,
    FailPoint.DELIVERY_SETTLED,
)
_WITHIN_S = 75.0

pytestmark = pytest.mark.timeout(240)


@dataclass
class Place:
    """Two workspaces that are planned from one repository, which a webhook tells of."""

    platform: Platform
    client: Client
    hub: GitHub
    repo: Repo
    ann: Account
    connection: str
    workspaces: list[str]

    def runs(self) -> list[int]:
        """Return how many runs each workspace has had."""
        count = "SELECT count(*) AS runs FROM runs WHERE workspace_id = %s"
        return [self.platform.rows(count, each)[0]["runs"] for each in self.workspaces]

    def has_planned(self) -> bool:
        """Tell whether every run had its plan, in which there is nothing to do."""
        open_ones = (
            "SELECT id FROM runs WHERE workspace_id = ANY(%s) AND status <> 'planned_and_finished'"
        )
        return not self.platform.rows(open_ones, self.workspaces)

    def rests(self) -> bool:
        """Tell whether all we were told is dealt with, and nobody is about to deal with it."""
        ours = (
            "SELECT delivery.id FROM vcs_deliveries AS delivery"
            " JOIN vcs_hooks AS hook ON hook.id = delivery.hook_id WHERE hook.connection_id = %s"
        )
        open_ones = f"{ours} AND delivery.status <> 'done'"
        jobs = (
            "SELECT id FROM procrastinate_jobs AS job WHERE task_name = 'process_vcs_delivery'"
            f" AND job.args ->> 'delivery_id' IN ({ours}) AND {ALIVE}"
        )
        return not any(self.platform.rows(each, self.connection) for each in (open_ones, jobs))


@pytest.fixture
def place(
    platform: Platform, client: Client, make_workspace: Callable[..., str], tmp_path: Path
) -> Iterator[Place]:
    settings = {
        "LANDFORM_EGRESS_ALLOW": "127.0.0.1",
        "LANDFORM_PUBLIC_URL": platform.url,
        "LANDFORM_VCS_POLL_S": "86400",  # what happens, happens by the webhook
    }
    with github(tmp_path / "github") as hub, platform.everything_with(**settings):
        ann = hub.account("ann")
        repo = hub.repository("acme", "infra")
        hub.push(repo, ann, {"main.tf": ""})
        connection = _connect(platform, client, hub, hub.token(ann))
        token = connection.replace("oc-", "ot-", 1)
        linked = {"identifier": "acme/infra", "oauth-token-id": token}
        workspaces = [make_workspace(**{"vcs-repo": linked}) for _ in range(2)]
        made = Place(platform, client, hub, repo, ann, connection, workspaces)
        # A webhook is greeted a moment after it is made.
        eventually(lambda: bool(hub.deliveries), within_s=_WITHIN_S, say=platform.everything)
        yield made
        hub.settle()
        # Commits are fetched while there is somebody to fetch them from.
        eventually(made.has_planned, within_s=_WITHIN_S, say=platform.everything)


@pytest.mark.parametrize("point", DELIVERED)
def test_a_delivery_starts_one_run_per_workspace_whoever_dies_over_it(
    place: Place, point: FailPoint
) -> None:
    place.hub.settle()
    # A greeting of the new webhook must not be what somebody dies over.
    eventually(place.rests, within_s=_WITHIN_S)
    before = place.runs()
    place.platform.arm(point)
    place.hub.push(place.repo, place.ann, {"main.tf": f"# {point}\n"})
    eventually(
        lambda: place.platform.was_reached(point),
        within_s=_WITHIN_S,
        say=lambda: f"nothing came to {point}",
    )
    place.platform.replace_dead()
    if point is FailPoint.DELIVERY_STORED:
        place.hub.settle()
        place.hub.redeliver()  # as nobody answered
    wanted = [count + 1 for count in before]
    eventually(
        lambda: place.rests() and place.runs() == wanted,
        within_s=_WITHIN_S,
        say=lambda: f"{place.runs()} instead of {wanted}; {place.platform.everything()}",
    )
    place.hub.settle()
    place.hub.redeliver()
    place.hub.settle()
    eventually(place.rests, within_s=_WITHIN_S)
    assert place.runs() == wanted


def _connect(platform: Platform, client: Client, hub: GitHub, secret: str) -> str:
    """Connect to the stand-in; return the id of the connection."""
    given: dict[str, Any] = {
        "service-provider": "github_enterprise",
        "name": "hub",
        "http-url": hub.url,
        "api-url": f"{hub.url}/api/v3",
        "oauth-token-string": secret,
    }
    body = {"data": {"type": "oauth-clients", "attributes": given}}
    path = f"/organizations/{ORGANIZATION}/oauth-clients"
    made = insist(lambda: client.post(path, body))
    assert made.status_code == 201, made.text
    client_id: str = made.json()["data"]["id"]
    tested = httpx2.post(
        f"{platform.url}/api/v1/organization/{ORGANIZATION}/vcs/{client_id}/test",
        headers={"Authorization": f"Bearer {platform.token}"},
        trust_env=False,
        timeout=30.0,
    )
    assert tested.status_code == 200, tested.text
    return client_id
