"""What one change at a repository means for each workspace, before any of it is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from landform.triggers.commands import Command
from landform.triggers.matching import Rules
from landform.triggers.models import SeenPullRequest, SeenRef
from landform.triggers.starting import Origin
from landform.vcs.changes import Person, PullRequest
from landform.vcs.models import Connection
from landform.workspaces.models import Workspace, WorkspaceRepository

Linked = Sequence[tuple[Workspace, WorkspaceRepository]]


@dataclass(frozen=True)
class SeenMark:
    """What is to be remembered of a ref or pull request, if `expected` still is.

    Attributes:
        key: the ref's whole name, or the number.
        expected: the commit remembered when the decision was made; None for nothing.
    """

    key: str | int
    expected: str | None
    commit: str
    was_open: bool | None = None
    is_open: bool = True


@dataclass(frozen=True)
class Known:
    """What a decision rests on."""

    connection: Connection
    linked: Linked
    seen: SeenRef | SeenPullRequest | None

    @property
    def commit(self) -> str | None:
        """The commit that was last acted on."""
        if isinstance(self.seen, SeenPullRequest):
            return self.seen.source_commit
        return self.seen.commit if self.seen else None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asked for by a comment.

    Attributes:
        groups: of the provider that they are in just now, of those that count as teams.
        unasked: why the provider did not say of some.
    """

    command: Command
    comment_id: str
    by: Person
    groups: Sequence[str] = ()
    unasked: str = ""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is to be done about a change.

    Attributes:
        change: the change in a few words, for the list of deliveries.
        starts: workspaces whose runs start, by id, with the reason.
        refuses: the others, with theirs.
        cancels: why what still runs for the pull request is to be canceled; empty: it is not.
        order: what is to be done, when a comment asked for it.
        nothing: why nothing at all is done; no workspace was asked.
    """

    change: str
    origin: Origin | None = None
    mark: SeenMark | None = None
    starts: Sequence[tuple[str, str]] = ()
    refuses: Sequence[tuple[str, str]] = ()
    cancels: str = ""
    order: Order | None = None
    nothing: str = ""


@dataclass
class Outcomes:
    """What came of changes, as the list of deliveries shows it."""

    rows: list[dict[str, str | None]] = field(default_factory=list)

    def add(
        self,
        change: str,
        reason: str,
        *,
        workspace_id: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """Note what came of a change for one workspace, or for none."""
        self.rows.append(
            {"change": change, "workspace_id": workspace_id, "run_id": run_id, "reason": reason}
        )


def origin_of(connection_id: str, known: Known, pull: PullRequest, *, sender: str = "") -> Origin:
    """Return what is planned of a pull request.

    Args:
        sender: who asked for it, unless that is its author.
    """
    author = pull.author.name or pull.author.login
    return Origin(
        connection_id=connection_id,
        kind=known.connection.kind,
        repository_id=pull.repository_id,
        ref=f"refs/heads/{pull.source_branch}",
        commit=pull.source_commit,
        base_commit=pull.target_commit,
        sender=sender or author or pull.by.name or pull.by.login,
        pull_request=pull.number,
        is_fork=pull.is_fork,
        pull_request_title=pull.title,
        pull_request_url=pull.url,
    )


def rules_of(
    workspace: Workspace, repository: WorkspaceRepository, *, of_pulls: bool = False
) -> Rules:
    """Return what the workspace says of what starts its runs.

    Args:
        of_pulls: of pull requests, whose files may have expressions of their own.
    """
    regexes = repository.pull_path_regexes if of_pulls else repository.path_regexes
    return Rules(
        branch=repository.followed_branch,
        takes_pushes=repository.pushes_enabled,
        tags_regex=repository.tags_regex,
        path_regexes=tuple(regexes),
        working_directory=workspace.working_directory,
        filters_files=workspace.file_triggers_enabled,
        prefixes=tuple(workspace.trigger_prefixes),
        patterns=tuple(workspace.trigger_patterns),
        is_speculative=workspace.speculative_enabled,
        takes_forks=repository.forks_enabled,
    )
