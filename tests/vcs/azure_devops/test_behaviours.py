"""The twenty behaviours of Azure DevOps (vcs_providers.md §9), and the tests that pin each."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

BEHAVIOURS: Final[Mapping[str, Sequence[str]]] = {
    "1 the legacy exchange": ("test_the_legacy_exchange_sends_its_five_fields",),
    "2 authorize, denial, redirect": (
        "test_a_person_signs_in_and_the_connection_works",
        "test_a_person_who_declines_connects_nothing_and_is_told_so",
    ),
    "3 forms of an expiry": ("test_an_expiry_is_read_as_a_number_or_as_text",),
    "4 one refresh of two": (
        "test_two_processes_that_need_a_token_at_once_refresh_it_once",
        "test_whoever_fetched_and_died_is_followed_by_the_next",
        "test_a_caller_that_gives_up_loses_no_refresh_token",
    ),
    "5 a late refresh, a dead token": (
        "test_a_token_is_refreshed_on_use_after_days_of_nobody_looking",
        "test_a_dead_refresh_token_asks_for_a_person_and_is_not_tried_again",
    ),
    "6 every form of a refusal": (
        "test_every_form_of_being_signed_out_breaks_the_connection",
        "test_what_is_not_there_and_what_may_not_be_seen_are_the_same",
        "test_a_token_goes_to_no_other_place",
    ),
    "7 state and callback": (
        "test_a_code_is_good_once",
        "test_a_code_that_was_used_connects_nothing_again",
        "test_a_state_is_of_one_connection_and_of_nobody_elses_making",
        "test_only_the_one_who_set_out_may_come_back",
        "test_a_callback_of_ones_own_name_and_a_redirect_are_kept",
    ),
    "8 Entra": (
        "test_entra_is_asked_for_all_that_is_configured_and_for_a_refresh_token",
        "test_the_life_of_a_token_is_what_entra_says",
        "test_a_service_principal_signs_in_by_its_certificate",
        "test_an_expired_client_secret_says_what_to_do",
    ),
    "9 the metadata service": (
        "test_a_managed_identity_signs_in_by_the_machines_metadata",
        "test_a_metadata_service_that_restarts_is_asked_again",
        "test_a_metadata_service_that_fails_is_away",
    ),
    "10 any form of an address": (
        "test_any_form_of_a_url_is_the_same_repository",
        "test_segments_are_encoded_one_by_one",
    ),
    "11 refs": (
        "test_more_than_a_thousand_refs_are_read",
        "test_an_annotated_tag_is_peeled_to_its_commit",
        "test_branches_are_listed_by_page_and_found_by_exact_name",
    ),
    "12 changed files": (
        "test_every_changed_path_is_found_by_the_provider_or_else_by_git",
        "test_a_pull_request_of_2001_files_is_judged_by_all_of_them",
        "test_files_decide_where_a_workspace_says_so_among_2001_of_them",
    ),
    "13 pushes of every shape": (
        "test_several_refs_in_one_push_are_each_acted_on",
        "test_a_deleted_branch_starts_nothing_and_made_again_it_does",
        "test_a_forced_push_is_planned_and_one_back_to_an_older_commit_too",
        "test_a_push_without_commits_in_it_is_planned_all_the_same",
        "test_a_payload_without_its_resource_has_the_repository_looked_at",
    ),
    "14 pull requests": (
        "test_votes_titles_and_drafts_start_nothing_and_a_new_commit_one_run",
        "test_a_merge_attempt_is_not_a_merge",
        "test_an_abandoned_pull_request_cancels_and_a_reactivated_one_plans",
    ),
    "15 comments": (
        "test_a_comment_in_the_older_form_is_read_by_its_links",
        "test_an_edited_or_deleted_command_asks_for_nothing_again",
        "test_the_commenter_is_asked_for_permission_and_not_who_opened_it",
        "test_a_fork_that_is_planned_gets_no_secret_and_its_log_says_so",
    ),
    "16 secrets of hooks": (
        "test_whoever_knows_no_secret_is_refused_and_nothing_stored",
        "test_either_secret_proves_a_delivery_during_a_rotation",
        "test_a_hook_that_was_switched_off_is_seen_and_switched_on",
    ),
    "17 answers to deliveries": (
        "test_whatever_a_proved_delivery_says_it_is_accepted",
        "test_what_cannot_be_stored_may_be_sent_again",
        "test_an_event_nobody_knows_is_nothing",
        "test_the_button_that_tests_a_hook_is_recognised",
        "test_a_delivery_that_comes_twice_starts_one_run",
    ),
    "18 an outage": (
        "test_after_an_outage_hooks_come_back_and_each_missed_commit_is_planned_once",
    ),
    "19 making and removing hooks": (
        "test_who_may_not_make_hooks_is_told_the_command_that_allows_it",
        "test_seeing_to_it_again_makes_no_second_one",
        "test_the_hook_goes_with_the_last_workspace",
        "test_hooks_are_removed_and_those_already_gone_do_not_matter",
    ),
    "20 statuses and comments": (
        "test_a_pull_request_has_a_status_of_its_iteration_and_one_comment",
        "test_a_status_of_a_commit_that_was_pushed_over_is_left_out",
        "test_a_comment_is_edited_in_place_and_written_anew_when_it_is_gone",
        "test_a_slowing_answer_of_200_slows_the_client",
        "test_a_busy_service_is_waited_for_and_writes_are_not_doubled",
    ),
}


def _names(directory: Path) -> Iterator[str]:
    for path in directory.rglob("test_*.py"):
        for each in ast.walk(ast.parse(path.read_text())):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield each.name


@pytest.fixture(scope="module")
def names() -> set[str]:
    return set(_names(Path(__file__).parents[2]))


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_each_behaviour_is_pinned_by_tests_that_are_there(names: set[str], behaviour: str) -> None:
    assert not set(BEHAVIOURS[behaviour]) - names
