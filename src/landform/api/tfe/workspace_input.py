"""What clients give of a TFE workspace, as settings; what is not offered is refused by name."""

from typing import Any, Final

from msgspec import UNSET, UnsetType

from landform.api.jsonapi import Body, Input, Kebab, given
from landform.api.tfe.dialect import TFE, Context
from landform.api.tfe.workspace_repositories import VcsRepoInput
from landform.kit.errors import InvalidError
from landform.organizations.models import Organization
from landform.toolchain.versions import Tool
from landform.workspaces.models import ExecutionMode, Workspace
from landform.workspaces.settings import WorkspaceSettings

# What clients can ask for and would wait for in vain; null and the like pass.
_NOT_OFFERED: Final = {
    "auto_destroy_at": "Destruction at a set time is not offered yet; queue a destroy run.",
    "auto_destroy_activity_duration": (
        "Destruction after some time without runs is not offered yet; queue a destroy run."
    ),
}


class WorkspaceInput(Kebab):
    """What a client gives of a workspace."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    engine: Tool | UnsetType | None = UNSET
    terraform_version: str | UnsetType | None = UNSET
    working_directory: str | UnsetType | None = UNSET
    execution_mode: str | UnsetType | None = UNSET
    operations: bool | UnsetType | None = UNSET
    auto_apply: bool | UnsetType | None = UNSET
    auto_apply_run_trigger: bool | UnsetType | None = UNSET
    allow_destroy_plan: bool | UnsetType | None = UNSET
    assessments_enabled: bool | UnsetType | None = UNSET
    file_triggers_enabled: bool | UnsetType | None = UNSET
    global_remote_state: bool | UnsetType | None = UNSET
    project_remote_state: bool | UnsetType | None = UNSET
    queue_all_runs: bool | UnsetType | None = UNSET
    speculative_enabled: bool | UnsetType | None = UNSET
    structured_run_output_enabled: bool | UnsetType | None = UNSET
    trigger_prefixes: list[str] | UnsetType | None = UNSET
    trigger_patterns: list[str] | UnsetType | None = UNSET
    source_name: str | UnsetType | None = UNSET
    source_url: str | UnsetType | None = UNSET
    vcs_repo: VcsRepoInput | UnsetType | None = UNSET
    agent_pool_id: str | UnsetType | None = UNSET
    auto_destroy_at: str | UnsetType | None = UNSET
    auto_destroy_activity_duration: str | UnsetType | None = UNSET
    setting_overwrites: dict[str, bool | None] | UnsetType | None = UNSET


WORKSPACE = Input(
    TFE,
    "workspaces",
    WorkspaceInput,
    one={"project": "projects", "agent_pool": "agent-pools"},
    many={"tags": "tags", "tag_bindings": "tag-bindings"},
)


def settings_of(
    body: Body[WorkspaceInput], context: Context, *, of: Workspace | None = None
) -> WorkspaceSettings:
    """Translate TFE's names; null means "leave it"."""
    sent: dict[str, Any] = {k: v for k, v in given(body.attributes).items() if v is not None}
    for name in ("vcs_repo", "setting_overwrites"):
        sent.pop(name, None)
    for name, words in _NOT_OFFERED.items():
        if sent.pop(name, ""):
            raise InvalidError(words, pointer=name)
    pool = body.one("agent_pool")
    pool_id = pool.id if pool is not None else sent.get("agent_pool_id")
    sent.pop("agent_pool_id", None)
    if pool_id:  # clients send an empty one for none
        sent["agent_pool_id"] = pool_id
    engine = sent.pop("engine", None)
    operations = sent.pop("operations", None)
    if "execution_mode" not in sent and operations is not None:
        sent["execution_mode"] = ExecutionMode.REMOTE if operations else ExecutionMode.LOCAL
    version = sent.pop("terraform_version", None)
    if engine is None and of is None:
        is_tofu = context.client.user_agent.startswith("OpenTofu")
        engine = Tool.TOFU if is_tofu else context.process.default_tool
    source = "terraform" if context.client.terraform_version else "tfe-api"
    return WorkspaceSettings(
        tool=engine, tool_version=version, source=None if of else source, **sent
    )


def require_own(
    body: Body[WorkspaceInput], owner: Organization, settings: WorkspaceSettings, present: str
) -> None:
    """Refuse to have a setting follow the organization's default later; as it stands it may.

    Args:
        present: the execution mode of the workspace so far.
    """
    mode, default = settings.execution_mode or present, owner.default_execution_mode
    for name, is_own in (body.attributes.setting_overwrites or {}).items():
        follows = is_own is False and not (name == "agent-pool" and mode != ExecutionMode.AGENT)
        if follows and not (name == "execution-mode" and mode == default):
            raise InvalidError(
                f"A workspace follows no default of its organization here, so {name} cannot be"
                " false; give the value that the workspace is to have.",
                pointer="setting_overwrites",
            )
