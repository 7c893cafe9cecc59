import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.triggers.matching import (
    Rules,
    judge_paths,
    judge_pull_request,
    judge_push,
    judge_tag,
    needs_paths,
)
from landform.workspaces.patterns import any_glob_matches

_NAMES = st.text("abc.-_", min_size=1, max_size=4).filter(lambda name: name.strip("."))
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_MANY = st.frozensets(_PATHS, max_size=6)
_GLOBS = st.lists(
    st.sampled_from(["*", "**", "?", "a", "b.c", "a*", "*.b"]), min_size=1, max_size=4
)


def test_a_push_to_the_followed_branch_starts_and_one_to_another_does_not() -> None:
    rules = Rules(branch="main")
    assert judge_push(rules, "main").starts
    refused = judge_push(rules, "main2")
    assert not refused.starts
    assert refused.reason == "The push is to branch main2; the workspace follows main."


def test_a_deleted_branch_starts_nothing() -> None:
    assert not judge_push(Rules(branch="main"), "main", is_deleted=True).starts


def test_with_a_tags_regex_only_tags_start_runs() -> None:
    rules = Rules(branch="main", tags_regex=r"^v\d+\.\d+$")
    assert not judge_push(rules, "main").starts
    assert judge_tag(rules, "v1.2").starts
    assert not judge_tag(rules, "v1.2-rc").starts
    assert not judge_tag(rules, "v1.2", is_deleted=True).starts
    assert not judge_tag(Rules(branch="main"), "v1.2").starts


def test_a_fork_is_planned_only_where_that_was_allowed() -> None:
    assert not judge_pull_request(Rules(branch="main"), "main", is_fork=True).starts
    assert judge_pull_request(Rules(branch="main", takes_forks=True), "main", is_fork=True).starts
    assert judge_pull_request(Rules(branch="main"), "main", is_fork=False).starts


def test_a_pull_request_into_another_branch_or_without_speculation_is_not_planned() -> None:
    assert not judge_pull_request(Rules(branch="main"), "release", is_fork=False).starts
    off = Rules(branch="main", is_speculative=False)
    assert not judge_pull_request(off, "main", is_fork=False).starts


@pytest.mark.parametrize(
    ("rules", "path", "starts"),
    [
        (Rules(branch="m", working_directory="live/prod"), "live/prod/a.tf", True),
        (Rules(branch="m", working_directory="live/prod"), "live/production/a.tf", False),
        (Rules(branch="m", working_directory="live/prod"), "modules/a.tf", False),
        (Rules(branch="m", working_directory="x", prefixes=("/modules/",)), "modules/a.tf", True),
        (Rules(branch="m", working_directory="x", prefixes=("modules",)), "x/y/z.tf", True),
        (Rules(branch="m", prefixes=("",), working_directory="x"), "y/a.tf", False),
        (Rules(branch="m", patterns=("/modules/**/*.tf",)), "modules/a.tf", True),
        (Rules(branch="m", patterns=("/modules/**/*.tf",)), "modules/a/b/c.tf", True),
        (Rules(branch="m", patterns=("/modules/*.tf",)), "modules/a/c.tf", False),
        (Rules(branch="m", patterns=("*.tf",), working_directory="x"), "x/a.tf", False),
        (Rules(branch="m", patterns=("a.tf",)), "abtf", False),
        (Rules(branch="m", working_directory="x", filters_files=False), "y", True),
        (Rules(branch="m"), "anything", True),
    ],
)
def test_changed_files_are_judged_by_directory_or_by_pattern(
    rules: Rules, path: str, starts: bool
) -> None:
    assert judge_paths(rules, {path}).starts is starts


def test_among_2001_files_the_last_one_counts() -> None:
    paths = {f"docs/{n}.md" for n in range(2000)} | {"zz/a.tf"}
    assert judge_paths(Rules(branch="m", prefixes=("zz",)), paths).starts
    assert not judge_paths(Rules(branch="m", prefixes=("live",)), paths).starts


def test_files_nobody_could_name_start_a_run() -> None:
    assert judge_paths(Rules(branch="m", prefixes=("zz",)), None).starts


@given(_MANY, _MANY, _PATHS)
def test_more_changed_files_never_stop_a_run(
    some: frozenset[str], more: frozenset[str], prefix: str
) -> None:
    for rules in (Rules(branch="m", prefixes=(prefix,)), Rules(branch="m", patterns=(prefix,))):
        if judge_paths(rules, some).starts:
            assert judge_paths(rules, some | more).starts


@given(_MANY, _PATHS)
def test_a_prefix_is_the_pattern_of_all_that_is_below_it(
    paths: frozenset[str], prefix: str
) -> None:
    by_prefix = judge_paths(Rules(branch="m", prefixes=(prefix,)), paths).starts
    by_pattern = judge_paths(Rules(branch="m", patterns=(prefix, f"{prefix}/**")), paths).starts
    assert by_prefix is by_pattern


@given(_GLOBS.map("/".join), _PATHS)
def test_a_glob_without_stars_over_directories_is_what_fnmatch_says_part_by_part(
    glob: str, path: str
) -> None:
    parts = glob.split("/")
    if "**" in parts:
        return
    names = path.split("/")
    wanted = len(parts) == len(names) and all(
        re.fullmatch(fnmatch.translate(part), name)
        for part, name in zip(parts, names, strict=False)
    )
    assert any_glob_matches([glob], [path]) is bool(wanted)


@given(_PATHS)
def test_only_rules_about_files_need_files(path: str) -> None:
    assert needs_paths(Rules(branch="m", working_directory=path))
    assert not needs_paths(Rules(branch="m", working_directory=path, filters_files=False))
    assert not needs_paths(Rules(branch="m"))


def test_a_glob_that_would_take_a_backtracker_for_ever_is_matched_at_once() -> None:
    glob = "**/" * 200 + "*a" * 100 + "b"
    assert not any_glob_matches([glob], ["a" * 4000])
