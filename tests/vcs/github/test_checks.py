"""Check runs of an app: one per run, with the plan; statuses where the app may not write them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from landform.vcs.errors import ProviderAwayError
from landform.vcs.facts import State, Status
from landform.vcs.kinds import SignIn
from landform.vcs.provider import VcsProvider
from tests.standins.github_apps import EVERYTHING
from tests.standins.serving import Answer
from tests.vcs.github.conftest import Place
from tests.vcs.github.test_provider import key_of

STATUS = Status(
    state=State.RUNNING, name="acme/net", description="Plans.", url="https://l.test/r", key="run-1"
)


async def app_with(place: Place, permissions: Mapping[str, str] = EVERYTHING) -> VcsProvider:
    app = place.hub.apps.register(place.repo.owner, permissions=permissions)
    place.hub.apps.install(app, place.repo.owner)
    return await place.provider(SignIn.GITHUB_APP, **key_of(app))


async def tell(place: Place, provider: VcsProvider, **changes: Any) -> None:
    repository = await place.repository(provider)
    sha = place.repo.git.resolve("refs/heads/main")
    await provider.set_commit_status(repository, sha, replace(STATUS, **changes))


async def test_a_run_has_one_check_that_changes_in_place_and_shows_the_plan(place: Place) -> None:
    async def plan() -> str:
        return "### A plan\n" + "x" * 100_000

    provider = await app_with(place)
    assert (await provider.capabilities()).checks is True
    await tell(place, provider)
    done = {"state": State.SUCCEEDED, "description": "Planned: 1 to add.", "details": plan}
    await tell(place, provider, **done)
    [check] = place.repo.check_runs
    assert (check["name"], check["external_id"]) == ("Landform/acme/net", "run-1")
    assert (check["status"], check["conclusion"]) == ("completed", "success")
    assert check["details_url"] == "https://l.test/r"
    assert check["output"]["title"] == "Planned: 1 to add."
    assert check["output"]["text"].startswith("### A plan")
    assert check["output"]["text"].endswith("the rest is in the run.")
    assert not place.repo.statuses


async def test_another_run_of_the_commit_has_a_check_of_its_own_by_the_same_name(
    place: Place,
) -> None:
    provider = await app_with(place)
    await tell(place, provider, state=State.FAILED)
    await tell(place, provider, key="run-2")
    await tell(place, provider, state=State.CANCELED)
    await tell(place, provider, key="run-2", state=State.SUCCEEDED)
    found = [(each["external_id"], each["conclusion"]) for each in place.repo.check_runs]
    assert found == [("run-1", "cancelled"), ("run-2", "success")]
    assert {each["name"] for each in place.repo.check_runs} == {"Landform/acme/net"}


@pytest.mark.parametrize("granted", [None, "read"])
async def test_an_app_that_may_not_write_checks_sets_statuses_and_says_what_it_lacks(
    place: Place, granted: str | None
) -> None:
    permissions = {**EVERYTHING, "checks": granted} if granted else dict(EVERYTHING)
    if granted is None:
        del permissions["checks"]
    provider = await app_with(place, permissions)
    await tell(place, provider, state=State.SUCCEEDED)
    [told] = place.repo.statuses[place.repo.git.resolve("refs/heads/main")]
    assert (told["context"], told["state"]) == ("Landform/acme/net", "success")
    assert not place.repo.check_runs
    found = await provider.capabilities()
    assert (found.statuses, found.checks) == (True, False)
    assert "Checks: read and write" in found.lacking["checks"]


async def test_a_token_of_a_person_sets_statuses(place: Place) -> None:
    provider = await place.provider()
    await tell(place, provider, state=State.SUCCEEDED)
    assert place.repo.statuses
    assert not place.repo.check_runs
    assert (await provider.capabilities()).checks is None


async def test_a_github_that_is_busy_gets_no_status_in_the_place_of_a_check(place: Place) -> None:
    provider = await app_with(place)
    repository = await place.repository(provider)
    limited = Answer(403, b"{}", {"Retry-After": "3000"})
    place.hub.server.plan("check-runs", answer=limited)
    with pytest.raises(ProviderAwayError, match="limits this connection"):
        await provider.set_commit_status(repository, "a" * 40, STATUS)
    assert not place.repo.statuses
