"""Checks of a plan, and the commit it is of, on a run's page."""

import msgspec

from landform.execution.plan_output import read_plan
from landform.kit.db import transaction
from tests import factories
from tests.web.pages import Site, text_of
from tests.web.test_runs import PLAN, planned

CHECKS = [
    {
        "address": {"kind": "check", "name": "health", "to_display": "check.health"},
        "status": "pass",
        "instances": [{"address": {"to_display": "check.health"}, "status": "pass"}],
    },
    {
        "address": {"kind": "output_value", "name": "url", "to_display": "output.url"},
        "status": "fail",
        "instances": [
            {
                "address": {"to_display": "output.url"},
                "status": "fail",
                "problems": [{"message": "The address is not <public>."}],
            }
        ],
    },
]


def test_checks_are_kept_of_a_plan() -> None:
    shown = msgspec.json.encode({"format_version": "1.2", "checks": CHECKS})
    assert read_plan(shown).redacted["checks"] == CHECKS


async def test_what_did_not_pass_comes_first_with_its_reason(site: Site) -> None:
    run_id = await planned(site, {**PLAN, "checks": CHECKS})
    text = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}"))
    assert "Checks (2)" in text
    failed = text.index("Failed output.url The address is not <public>.")
    assert failed < text.index("Passed check.health")


async def test_the_head_of_a_run_tells_its_commit(site: Site) -> None:
    run_id = await planned(site)
    async with transaction(site.world.platform.sessions) as session:
        await factories.make_ingress(
            session,
            site.world.configuration_id,
            branch="main",
            commit_sha="0123456789abcdef0123456789abcdef01234567",
            commit_url="https://git.example/acme/infra/commit/0123",
            pull_request_number=7,
            pull_request_url="javascript:alert(1)",
        )
    page = await site.owner.get(f"{await site.place()}/runs/{run_id}")
    assert "pull request 7, main at 01234567" in text_of(page)
    assert 'href="https://git.example/acme/infra/commit/0123"' in page
    assert "javascript:" not in page
