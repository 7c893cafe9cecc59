from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.runs.status import FINAL, RunStatus
from landform.triggers.rendering import LIMIT, Report, comment_of, state_of
from landform.vcs.facts import State

REPORT = Report(
    name="acme/network",
    run_id="run-1",
    status=RunStatus.PLANNED_AND_FINISHED,
    commit="a" * 40,
    url="https://landform.example/app/acme/network/runs/run-1",
    counts=(2, 1, 0),
    output="Initializing...\n\nTerraform will perform the following actions:\n\n  + a = 1\n",
)


def test_the_summary_comes_first_and_the_plan_is_folded_from_where_it_begins() -> None:
    text = comment_of(REPORT)
    assert text.splitlines()[2] == (
        "**Planned: 2 to add, 1 to change, 0 to destroy.** Commit `aaaaaaaa`, run"
        " [run-1](https://landform.example/app/acme/network/runs/run-1)."
    )
    assert "<details>" in text
    assert "Initializing" not in text


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_of_a_run_has_a_state_and_a_sentence(status: RunStatus) -> None:
    state, words = state_of(replace(REPORT, status=status))
    assert words.endswith(".")
    assert (state in {State.PENDING, State.RUNNING}) is (
        status not in FINAL | {RunStatus.PLANNED_AND_SAVED}
    )


def test_an_error_is_told_in_one_line() -> None:
    _, words = state_of(replace(REPORT, status=RunStatus.ERRORED, error="No\nsuch @<guid> thing"))
    assert words == "Failed: No such @\u200b<guid> thing"


def test_mentions_and_links_in_a_plan_are_dead() -> None:
    text = comment_of(replace(REPORT, output="No changes. @ann #12 !7 @<0f-1> a@b"))
    for alive in ("@ann", "#12", "!7", "@<0f", "a@b"):
        assert alive not in text


@given(st.text("`ab\n~<>/", max_size=300))
def test_nothing_in_a_plan_ends_the_fence_around_it(output: str) -> None:
    text = comment_of(replace(REPORT, output="No changes." + output))
    lines = text.splitlines()
    fence = next(line for line in lines if line.startswith("```"))
    assert len([line for line in lines if line.strip() == fence]) == 2


@given(st.integers(min_value=0, max_value=3 * LIMIT))
def test_a_comment_is_never_past_the_limit_and_keeps_both_ends(size: int) -> None:
    output = "No changes." + "x" * size + "\nPlan: the end"
    text = comment_of(replace(REPORT, output=output))
    assert len(text) <= LIMIT
    assert "No changes." in text
    assert "Plan: the end" in text
