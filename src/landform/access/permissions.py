"""Permissions as data, and the fixed roles as sets of them. Imports nothing of ours."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a permission is asked for: an organization, a project in it, or a workspace there."""

    organization_id: str
    project_id: str | None = None
    workspace_id: str | None = None


class Permission(StrEnum):
    """One thing an actor may do at a place."""

    READ_WORKSPACE = "read the workspace"
    QUEUE_PLAN = "queue plans"
    QUEUE_APPLY = "queue applies"
    READ_VARIABLES = "read variables"
    WRITE_VARIABLES = "change variables"
    READ_OUTPUTS = "read outputs"
    READ_STATE = "read state"
    WRITE_STATE = "write state"
    LOCK_WORKSPACE = "lock and unlock the workspace"
    UPDATE_WORKSPACE = "change the workspace's settings"
    DELETE_WORKSPACE = "delete the workspace"
    FORCE_UNLOCK = "break the workspace's lock"
    FORCE_CANCEL = "force a run to end"
    MANAGE_ACCESS = "give teams access to the workspace"
    READ_PROJECT = "read the project"
    UPDATE_PROJECT = "change the project"
    DELETE_PROJECT = "delete the project"
    CREATE_PROJECT = "create projects"
    CREATE_WORKSPACE = "create workspaces"
    READ_ORGANIZATION = "read the organization"
    UPDATE_ORGANIZATION = "change the organization"
    DELETE_ORGANIZATION = "delete the organization"
    MANAGE_TEAMS = "manage teams"
    MANAGE_MEMBERSHIP = "manage members"
    MANAGE_ORGANIZATION_TOKEN = "manage the organization's token"  # noqa: S105 - a phrase
