"""The settings of a workspace that a client can give, and what each of them may be."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Final

from landform.kit.errors import InvalidError
from landform.kit.text import check_text
from landform.toolchain.versions import LATEST, Tool, parse_requirement
from landform.workspaces.models import ExecutionMode
from landform.workspaces.patterns import check_glob

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,90}")
_TEXT_LIMITS: Final = {"description": 4096, "source": 64, "source_name": 255, "source_url": 2048}
_PATH_LIMIT: Final = 1024
_PATTERNS: Final = 100


@dataclass(frozen=True, kw_only=True)
class WorkspaceSettings:
    """What a client gives of a workspace; None means as it is, or the default for a new one."""

    name: str | None = None
    description: str | None = None
    tool: Tool | None = None
    tool_version: str | None = None
    working_directory: str | None = None
    execution_mode: ExecutionMode | str | None = None
    agent_pool_id: str | None = None
    auto_apply: bool | None = None
    auto_apply_run_trigger: bool | None = None
    allow_destroy_plan: bool | None = None
    assessments_enabled: bool | None = None
    file_triggers_enabled: bool | None = None
    global_remote_state: bool | None = None
    project_remote_state: bool | None = None
    queue_all_runs: bool | None = None
    speculative_enabled: bool | None = None
    structured_run_output_enabled: bool | None = None
    trigger_prefixes: Sequence[str] | None = None
    trigger_patterns: Sequence[str] | None = None
    source: str | None = None
    source_name: str | None = None
    source_url: str | None = None


def checked(settings: WorkspaceSettings) -> dict[str, Any]:
    """Return the settings that are given, by the names of the table's columns, as it keeps them.

    Raises:
        InvalidError: one of them cannot be; its pointer is the setting's name.
    """
    given = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if getattr(settings, each.name) is not None
    }
    return {
        name: _CHECKS[name](value) if name in _CHECKS else value for name, value in given.items()
    }


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidError(
            "A workspace's name has at most 90 letters, digits, dashes and underscores.",
            pointer="name",
        )
    return name


def _tool_version(requirement: str) -> str:
    text = requirement.strip() or LATEST
    try:
        parse_requirement(text)
    except InvalidError as failure:
        raise InvalidError(str(failure), pointer="terraform_version") from None
    return text


def _working_directory(path: str) -> str:
    """Return the path without what means nothing, as `a/b`; empty for the root itself."""
    check_text(path, what="The working directory", limit=_PATH_LIMIT, pointer="working_directory")
    parts = PurePosixPath(path.strip()).parts
    if path.strip().startswith(("/", "~")) or ".." in parts or "\\" in path or "\n" in path:
        raise InvalidError(
            f"The working directory {path!r} must be inside the configuration: a relative path"
            " with slashes and without `..`, such as `live/prod`.",
            pointer="working_directory",
        )
    return "/".join(part for part in parts if part != ".")


def _execution_mode(mode: str) -> ExecutionMode:
    try:
        return ExecutionMode(mode)
    except ValueError:
        raise InvalidError(
            "The execution mode is one of remote, local, agent.", pointer="execution_mode"
        ) from None


def _patterns(name: str) -> Callable[[Sequence[str]], list[str]]:
    def check(patterns: Sequence[str]) -> list[str]:
        if len(patterns) > _PATTERNS:
            raise InvalidError(f"At most {_PATTERNS} patterns are accepted.", pointer=name)
        for pattern in patterns:
            check_text(pattern, what="A pattern", limit=_PATH_LIMIT, pointer=name)
            if name == "trigger_patterns":
                check_glob(pattern, pointer=name)
        return list(patterns)

    return check


def _text(name: str, limit: int) -> Callable[[str], str]:
    what = f"The {name.replace('_', ' ')}"
    return lambda text: check_text(text, what=what, limit=limit, pointer=name)


def _assessments(enabled: bool) -> bool:
    if enabled:
        raise InvalidError("Health assessments are not offered yet.", pointer="assessments_enabled")
    return enabled


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _name,
    "tool_version": _tool_version,
    "working_directory": _working_directory,
    "execution_mode": _execution_mode,
    "assessments_enabled": _assessments,
    "trigger_prefixes": _patterns("trigger_prefixes"),
    "trigger_patterns": _patterns("trigger_patterns"),
    **{name: _text(name, limit) for name, limit in _TEXT_LIMITS.items()},
}
