"""What starts runs: the form of a workspace that has a repository, or is to have one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from landform.kit.errors import InvalidError, LandformError
from landform.triggers.foreseeing import Foreseen, foresee
from landform.triggers.matching import Rules
from landform.vcs.reach import Reach
from landform.web.forms import Form
from landform.web.present.schedules import KINDS
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.run_kinds import RunKind
from landform.workspaces.settings import WorkspaceSettings

_ANY, _BELOW, _GLOBS, _REGEXES, _TAGS, _NEVER = "any", "below", "globs", "regex", "tags", "never"
_PUSH_KINDS: Final = (RunKind.PLAN, RunKind.CONFIRMED_APPLY, RunKind.APPLY)
_SWITCHES: Final = (
    *("speculative_enabled", "forks_enabled", "applies_by_comment"),
    *("ingress_submodules", "large_files"),
)


@dataclass(frozen=True, kw_only=True)
class TriggerForm:
    """What its fields hold.

    Attributes:
        starts: which pushes start runs: `any`, `below`, `globs`, `regex`, `tags` or `never`.
        prefixes: directories, each on a line of its own; `patterns` and expressions likewise.
        push_run_kind: what a push or tag runs; empty: as the workspace says.
    """

    starts: str = _ANY
    working_directory: str = ""
    prefixes: str = ""
    patterns: str = ""
    path_regexes: str = ""
    tags_regex: str = ""
    push_run_kind: str = ""
    speculative_enabled: bool = True
    pull_path_regexes: str = ""
    forks_enabled: bool = False
    applies_by_comment: bool = False
    ingress_submodules: bool = False
    large_files: bool = False

    @property
    def kinds(self) -> Sequence[tuple[str, str]]:
        """What a push or tag may run, in words."""
        return [("", "As the workspace says"), *((kind, KINDS[kind]) for kind in _PUSH_KINDS)]

    @classmethod
    def of(cls, workspace: Workspace, row: WorkspaceRepository) -> "TriggerForm":
        """Return what is saved of a workspace."""
        return cls(
            starts=_starts(workspace, row),
            working_directory=workspace.working_directory,
            prefixes="\n".join(workspace.trigger_prefixes),
            patterns="\n".join(workspace.trigger_patterns),
            path_regexes="\n".join(row.path_regexes),
            tags_regex=row.tags_regex,
            push_run_kind=row.push_run_kind or "",
            pull_path_regexes="\n".join(row.pull_path_regexes),
            speculative_enabled=workspace.speculative_enabled,
            forks_enabled=row.forks_enabled,
            applies_by_comment=row.applies_by_comment,
            ingress_submodules=row.ingress_submodules,
            large_files=row.large_files,
        )

    @classmethod
    def filled(cls, form: Form) -> "TriggerForm":
        """Return what somebody filled in."""
        return cls(
            starts=form.line("starts", _ANY),
            working_directory=form.line("working_directory"),
            prefixes="\n".join(form.lines("trigger_prefixes")),
            patterns="\n".join(form.lines("trigger_patterns")),
            path_regexes="\n".join(form.lines("path_regexes")),
            tags_regex=form.line("tags_regex"),
            push_run_kind=form.line("push_run_kind"),
            pull_path_regexes="\n".join(form.lines("pull_path_regexes")),
            **{name: form.flag(name) for name in _SWITCHES},
        )

    def settings(self) -> tuple[WorkspaceSettings, RepositorySettings]:
        """Return it as what can be set; nothing is checked but that there is what was chosen.

        Raises:
            InvalidError: tags are to start runs, and it is not said which.
        """
        starts = self.starts
        if starts == _TAGS and not self.tags_regex:
            message = "Say which tags: a regular expression, such as ^v[0-9]."
            raise InvalidError(message, pointer="tags_regex")
        workspace = WorkspaceSettings(
            working_directory=self.working_directory,
            speculative_enabled=self.speculative_enabled,
            file_triggers_enabled=starts in (_BELOW, _GLOBS),
            trigger_prefixes=self.prefixes.splitlines() if starts == _BELOW else [],
            trigger_patterns=self.patterns.splitlines() if starts == _GLOBS else [],
        )
        repository = RepositorySettings(
            tags_regex=self.tags_regex if starts == _TAGS else "",
            pushes_enabled=starts != _NEVER,
            path_regexes=self.path_regexes.splitlines() if starts == _REGEXES else [],
            pull_path_regexes=self.pull_path_regexes.splitlines(),
            push_run_kind=next((each for each in _PUSH_KINDS if each == self.push_run_kind), ""),
            ingress_submodules=self.ingress_submodules,
            large_files=self.large_files,
            forks_enabled=self.forks_enabled,
            applies_by_comment=self.applies_by_comment,
        )
        return workspace, repository


@dataclass(frozen=True)
class Foreseeing:
    """What the last commits would have started; not asked for, unless found or failed."""

    found: Sequence[Foreseen] | None = None
    branch: str = ""
    failure: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """Return it as the template has it."""
        return {
            "foreseen": self.found,
            "foreseen_branch": self.branch,
            "foreseen_failure": self.failure,
        }


async def look(reach: Reach, connection_id: str, repository_id: str, rules: Rules) -> Foreseeing:
    """Return what the last commits would have started, or why that cannot be told.

    The caller has checked that whoever asks may use the connection, or change what follows it.
    """
    try:
        found = await foresee(reach, connection_id, repository_id, rules)
    except LandformError as refused:
        return Foreseeing(branch=rules.branch, failure=str(refused))
    return Foreseeing(found, rules.branch)


def _starts(workspace: Workspace, row: WorkspaceRepository) -> str:
    if row.tags_regex:
        return _TAGS
    if not row.pushes_enabled:
        return _NEVER
    if row.path_regexes:
        return _REGEXES
    if not workspace.file_triggers_enabled:
        return _ANY
    if workspace.trigger_patterns:
        return _GLOBS
    return _BELOW
