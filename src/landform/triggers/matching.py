"""Whether a change concerns a workspace: pure, from change, paths and the workspace's rules."""

from collections.abc import Collection
from dataclasses import dataclass

from landform.workspaces.patterns import any_glob_matches, any_regex_matches, matches_regex


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a workspace says of what starts its runs.

    Attributes:
        branch: whose pushes it follows; empty: nobody knows the default branch yet.
        takes_pushes: pushes to the branch start runs.
        tags_regex: when there is one, tags that match start runs and pushes do not.
        path_regexes: of whole paths; when there are some, nothing else of files counts.
        prefixes: directories, from the repository's root.
        patterns: globs; when there are some, prefixes and working directory do not count.
    """

    branch: str
    takes_pushes: bool = True
    tags_regex: str = ""
    path_regexes: tuple[str, ...] = ()
    working_directory: str = ""
    filters_files: bool = True
    prefixes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    is_speculative: bool = True
    takes_forks: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a change starts a run, and why or why not, for a person."""

    starts: bool
    reason: str


def judge_push(rules: Rules, branch: str, *, is_deleted: bool = False) -> Verdict:
    """Judge a branch that moved, before anybody looked at its files."""
    if is_deleted:
        return Verdict(False, f"Branch {branch} was deleted.")
    if rules.tags_regex:
        return Verdict(False, f"The workspace runs for tags that match {rules.tags_regex} only.")
    if not rules.takes_pushes:
        return Verdict(False, "Pushes start no runs of the workspace.")
    if branch != rules.branch:
        followed = rules.branch or "none: its repository had no default branch"
        return Verdict(False, f"The push is to branch {branch}; the workspace follows {followed}.")
    return Verdict(True, f"Push to branch {branch}.")


def judge_tag(rules: Rules, tag: str, *, is_deleted: bool = False) -> Verdict:
    """Judge a tag that was made or moved."""
    if is_deleted:
        return Verdict(False, f"Tag {tag} was deleted.")
    if not rules.tags_regex:
        return Verdict(False, f"Tag {tag}: the workspace does not run for tags.")
    if not matches_regex(rules.tags_regex, tag):
        return Verdict(False, f"Tag {tag} does not match {rules.tags_regex}.")
    return Verdict(True, f"Tag {tag} matches {rules.tags_regex}.")


def judge_pull_request(rules: Rules, target: str, *, is_fork: bool) -> Verdict:
    """Judge an open pull request, before anybody looked at its files."""
    if not rules.is_speculative:
        return Verdict(False, "Speculative plans are off for the workspace.")
    if target != rules.branch:
        followed = rules.branch or "no branch"
        return Verdict(
            False, f"The pull request is into {target}; the workspace follows {followed}."
        )
    if is_fork and not rules.takes_forks:
        return Verdict(
            False,
            "The pull request is from a fork, whose code is a stranger's and would see the"
            " workspace's state. Allow forks for the workspace if you want that.",
        )
    return Verdict(True, f"Pull request into {target}.")


def needs_paths(rules: Rules) -> bool:
    """Tell whether the changed files have a say."""
    if rules.path_regexes:
        return True
    return rules.filters_files and bool(rules.patterns or rules.prefixes or rules.working_directory)


def judge_paths(rules: Rules, paths: Collection[str] | None) -> Verdict:
    """Judge the changed files; None: nobody could say which, so that the safe answer is to run."""
    if not needs_paths(rules):
        return Verdict(True, "Any file counts.")
    if paths is None:
        return Verdict(True, "Which files changed is not known, so they may concern the workspace.")
    if rules.path_regexes:
        if any_regex_matches(rules.path_regexes, paths):
            return Verdict(True, "A changed file matches a regular expression.")
        return Verdict(False, f"None of {len(paths)} changed files matches a regular expression.")
    if rules.patterns:
        if any_glob_matches(rules.patterns, paths):
            return Verdict(True, "A changed file matches a trigger pattern.")
        return Verdict(False, f"None of {len(paths)} changed files matches a trigger pattern.")
    directories = [_directory(each) for each in (rules.working_directory, *rules.prefixes) if each]
    if any(_is_below(path, directory) for directory in directories for path in paths):
        return Verdict(True, "A changed file is in a directory the workspace watches.")
    watched = ", ".join(directory or "/" for directory in directories)
    return Verdict(False, f"None of {len(paths)} changed files is in {watched}.")


def judge_change(rules: Rules, verdict: Verdict, paths: Collection[str] | None) -> Verdict:
    """Judge a push or pull request that `verdict` lets start by its files; else it stays so."""
    if not verdict.starts:
        return verdict
    by_paths = judge_paths(rules, paths)
    return Verdict(by_paths.starts, f"{verdict.reason} {by_paths.reason}")


def _directory(prefix: str) -> str:
    parts = [part for part in prefix.split("/") if part not in ("", ".")]
    return "/".join(parts)


def _is_below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(directory + "/")
