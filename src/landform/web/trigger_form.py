"""What starts runs: the form of a workspace that has a repository, or is to have one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from landform.kit.errors import InvalidError, LandformError
from landform.triggers.foreseeing import Foreseen, foresee
from landform.triggers.matching import Rules
from landform.vcs.reach import Reach
from landform.web.forms import Form
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.settings import WorkspaceSettings

_ANY, _BELOW, _GLOBS, _TAGS = "any", "below", "globs", "tags"
_SWITCHES: Final = (
    *("speculative_enabled", "forks_enabled", "applies_by_comment"),
    *("ingress_submodules", "large_files"),
)


@dataclass(frozen=True, kw_only=True)
class TriggerForm:
    """What its fields hold.

    Attributes:
        starts: which pushes start runs: `any`, `below`, `globs` or `tags`.
        prefixes: directories, each on a line of its own; `patterns` likewise.
    """

    starts: str = _ANY
    working_directory: str = ""
    prefixes: str = ""
    patterns: str = ""
    tags_regex: str = ""
    speculative_enabled: bool = True
    forks_enabled: bool = False
    applies_by_comment: bool = False
    ingress_submodules: bool = False
    large_files: bool = False

    @classmethod
    def of(cls, workspace: Workspace, row: WorkspaceRepository) -> "TriggerForm":
        """Return what is saved of a workspace."""
        return cls(
            starts=_starts(workspace, row),
            working_directory=workspace.working_directory,
            prefixes="\n".join(workspace.trigger_prefixes),
            patterns="\n".join(workspace.trigger_patterns),
            tags_regex=row.tags_regex,
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
            tags_regex=form.line("tags_regex"),
            **{name: form.flag(name) for name in _SWITCHES},
        )

    def settings(self) -> tuple[WorkspaceSettings, RepositorySettings]:
        """Return it as what can be set; nothing is checked but that there is what was chosen.

        Raises:
            InvalidError: tags are to start runs, and it is not said which.
        """
        starts = self.starts
        if starts == _TAGS and not self.tags_regex:
            raise InvalidError("Say which tags: a regular expression, such as ^v[0-9].")
        workspace = WorkspaceSettings(
            working_directory=self.working_directory,
            speculative_enabled=self.speculative_enabled,
            file_triggers_enabled=starts in (_BELOW, _GLOBS),
            trigger_prefixes=self.prefixes.splitlines() if starts == _BELOW else [],
            trigger_patterns=self.patterns.splitlines() if starts == _GLOBS else [],
        )
        repository = RepositorySettings(
            tags_regex=self.tags_regex if starts == _TAGS else "",
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
    if not workspace.file_triggers_enabled:
        return _ANY
    if workspace.trigger_patterns:
        return _GLOBS
    return _BELOW
