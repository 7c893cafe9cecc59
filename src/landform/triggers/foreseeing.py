"""What the last commits of a followed branch would have started, by rules that are not saved yet.

Judged by the functions that judge deliveries; asks git, so never inside a transaction.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from landform.checkout.history import Past, recent_commits
from landform.kit.errors import InvalidError
from landform.triggers.matching import Rules, judge_change, judge_push, judge_tag
from landform.vcs.credentials import open_provider
from landform.vcs.reach import Reach
from landform.workspaces import repositories
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.settings import WorkspaceSettings, checked

COMMITS: Final = 20
_KEPT_S: Final = 60.0  # somebody types, and the branch is not fetched for each letter
_KEPT: Final = 64


@dataclass(frozen=True)
class Foreseen:
    """One commit and what it would have done, with the reason as deliveries give it."""

    commit: Past
    starts: bool
    reason: str


def rules_to_be(
    settings: WorkspaceSettings, given: RepositorySettings, default_branch: str
) -> Rules:
    """Return what would start runs of a workspace that is not there yet.

    Raises:
        InvalidError: a setting cannot be.
    """
    columns = checked(settings)
    branch, tags_regex = repositories.checked(given)
    return Rules(
        branch=branch or default_branch,
        takes_pushes=given.pushes_enabled is not False,
        path_regexes=tuple(repositories.checked_paths(given.path_regexes or (), "path_regexes")),
        tags_regex=tags_regex or "",
        working_directory=columns.get("working_directory", ""),
        filters_files=columns.get("file_triggers_enabled", True),
        prefixes=tuple(columns.get("trigger_prefixes", ())),
        patterns=tuple(columns.get("trigger_patterns", ())),
    )


async def foresee(
    reach: Reach, connection_id: str, repository_id: str, rules: Rules
) -> Sequence[Foreseen]:
    """Return the last commits of the branch that `rules` follow, newest first.

    The caller has checked that the workspace is planned from the repository, and may be changed; or
    that whoever asks may use the connection.

    Raises:
        InvalidError: no branch is followed.
        SignInNeededError, NotAllowedError, NoSuchRepositoryError, ProviderAwayError,
        TooLargeError, CheckoutTimeoutError: git or the provider does not say.
    """
    if not rules.branch:
        raise InvalidError(
            "The repository has no branch yet: push a commit to it, or name the branch to follow."
        )
    commits = await _RECENT.read(reach, connection_id, repository_id, rules.branch)
    return [_judged(rules, commit) for commit in commits]


def _judged(rules: Rules, commit: Past) -> Foreseen:
    if rules.tags_regex and commit.tags:
        tagged = [judge_tag(rules, tag) for tag in commit.tags]
        verdict = next((each for each in tagged if each.starts), tagged[0])
        return Foreseen(commit, verdict.starts, verdict.reason)
    verdict = judge_change(rules, judge_push(rules, rules.branch), commit.paths)
    return Foreseen(commit, verdict.starts, verdict.reason)


class _Recent:
    """The commits of the branches that were just looked at, by this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, Sequence[Past]]] = OrderedDict()

    async def read(
        self, reach: Reach, connection_id: str, repository_id: str, branch: str
    ) -> Sequence[Past]:
        key = (connection_id, repository_id, branch)
        known = self._kept.get(key)
        if known is not None and monotonic() - known[0] < _KEPT_S:
            return known[1]
        provider = await open_provider(reach, connection_id)
        repository = await provider.repository(repository_id)
        commits = await recent_commits(
            lambda: provider.clone_credentials(repository),
            branch,
            count=COMMITS,
            allow=reach.services.http.allow,
        )
        self._kept[key] = (monotonic(), commits)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return commits


_RECENT: Final = _Recent()
