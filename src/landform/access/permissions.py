"""Permissions as data, and the fixed roles as sets of them. Imports nothing of ours.

What each level, setting and switch allows is as HCP Terraform documents it (its pages
"Workspace permissions", "Project permissions", "Organization permissions" and "API tokens");
the names are those of its API (tfe_openapi.json: team-workspaces, team-projects, teams).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

Permissions: TypeAlias = "frozenset[Permission]"
Settings: TypeAlias = Mapping[str, str | bool]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a permission is asked for: an organization, a project in it, or a workspace there."""

    organization_id: str
    project_id: str | None = None
    workspace_id: str | None = None


class Permission(StrEnum):
    """One thing an actor may do at a place."""

    READ_WORKSPACE = "read the workspace"
    READ_RUNS = "read runs"
    QUEUE_PLAN = "queue plans"
    QUEUE_APPLY = "queue applies"
    READ_VARIABLES = "read variables"
    WRITE_VARIABLES = "change variables"
    READ_VARIABLE_SETS = "read variable sets"
    WRITE_VARIABLE_SETS = "manage variable sets"
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
    MOVE_WORKSPACE = "move workspaces into and out of the project"
    READ_PROJECT_ACCESS = "see which teams have access to the project"
    MANAGE_PROJECT_ACCESS = "give teams access to the project"
    READ_ORGANIZATION = "read the organization"
    UPDATE_ORGANIZATION = "change the organization"
    DELETE_ORGANIZATION = "delete the organization"
    MANAGE_TEAMS = "manage teams"
    MANAGE_MEMBERSHIP = "manage members"
    MANAGE_ORGANIZATION_ACCESS = "give teams access to the organization"
    MANAGE_OWNERS = "manage the owners team"
    SEE_SECRET_TEAMS = "see secret teams"  # noqa: S105 - a phrase
    READ_AUDIT_TRAIL = "read the audit trail"
    MANAGE_ORGANIZATION_TOKEN = "manage the organization's token"  # noqa: S105 - a phrase
    MANAGE_VCS = "manage VCS connections"
    USE_VCS = "see and use VCS connections"
    MANAGE_AGENT_POOLS = "manage agent pools"
    USE_AGENT_POOLS = "see agent pools"


EVERYTHING: Final[Permissions] = frozenset(Permission)
NOTHING: Final[Permissions] = frozenset()

# ── Settings of a workspace: each value allows itself and what comes before it ──────────────────

_SEE: Final[Permissions] = frozenset({Permission.READ_WORKSPACE, Permission.READ_RUNS})

RUNS: Final[Mapping[str, Permissions]] = {
    "read": _SEE,
    "plan": _SEE | {Permission.QUEUE_PLAN},
    "apply": _SEE | {Permission.QUEUE_PLAN, Permission.QUEUE_APPLY},
}
VARIABLES: Final[Mapping[str, Permissions]] = {
    "none": NOTHING,
    "read": frozenset({Permission.READ_VARIABLES}),
    "write": frozenset({Permission.READ_VARIABLES, Permission.WRITE_VARIABLES}),
}
STATE_VERSIONS: Final[Mapping[str, Permissions]] = {
    "none": NOTHING,
    "read-outputs": frozenset({Permission.READ_OUTPUTS}),
    "read": frozenset({Permission.READ_OUTPUTS, Permission.READ_STATE}),
    "write": frozenset({Permission.READ_OUTPUTS, Permission.READ_STATE, Permission.WRITE_STATE}),
}
PROJECT_SETTINGS: Final[Mapping[str, Permissions]] = {
    "read": frozenset({Permission.READ_PROJECT}),
    "update": frozenset({Permission.READ_PROJECT, Permission.UPDATE_PROJECT}),
    "delete": frozenset(
        {Permission.READ_PROJECT, Permission.UPDATE_PROJECT, Permission.DELETE_PROJECT}
    ),
}
PROJECT_TEAMS: Final[Mapping[str, Permissions]] = {
    "none": NOTHING,
    "read": frozenset({Permission.READ_PROJECT_ACCESS}),
    "manage": frozenset({Permission.READ_PROJECT_ACCESS, Permission.MANAGE_PROJECT_ACCESS}),
}
VARIABLE_SETS: Final[Mapping[str, Permissions]] = {
    "none": NOTHING,
    "read": frozenset({Permission.READ_VARIABLE_SETS}),
    "write": frozenset({Permission.READ_VARIABLE_SETS, Permission.WRITE_VARIABLE_SETS}),
}
# Kept for features to come; it allows nothing yet.
_SENTINEL_MOCKS: Final[Mapping[str, Permissions]] = {"none": NOTHING, "read": NOTHING}


@dataclass(frozen=True)
class Choice:
    """A setting with several values: what each allows, and which one holds when none is given."""

    values: Mapping[str, Permissions]
    default: str


@dataclass(frozen=True)
class Switch:
    """A setting that is on or off, off when not given."""

    on: Permissions


# The settings a grant at level `custom` has, by the API's names.
WORKSPACE_CUSTOM: Final[Mapping[str, Choice | Switch]] = {
    "runs": Choice(RUNS, "read"),
    "variables": Choice(VARIABLES, "none"),
    "state-versions": Choice(STATE_VERSIONS, "none"),
    "sentinel-mocks": Choice(_SENTINEL_MOCKS, "none"),
    "workspace-locking": Switch(frozenset({Permission.LOCK_WORKSPACE})),
    "run-tasks": Switch(NOTHING),
    "policy-overrides": Switch(NOTHING),
}
PROJECT_CUSTOM: Final[Mapping[str, Choice | Switch]] = {
    "settings": Choice(PROJECT_SETTINGS, "read"),
    "teams": Choice(PROJECT_TEAMS, "none"),
    "variable-sets": Choice(VARIABLE_SETS, "none"),
}
PROJECT_WORKSPACES_CUSTOM: Final[Mapping[str, Choice | Switch]] = {
    "runs": Choice(RUNS, "read"),
    "variables": Choice(VARIABLES, "none"),
    "state-versions": Choice(STATE_VERSIONS, "none"),
    "sentinel-mocks": Choice(_SENTINEL_MOCKS, "none"),
    "create": Switch(frozenset({Permission.CREATE_WORKSPACE})),
    "move": Switch(frozenset({Permission.MOVE_WORKSPACE})),
    "locking": Switch(frozenset({Permission.LOCK_WORKSPACE})),
    "delete": Switch(frozenset({Permission.DELETE_WORKSPACE})),
    "run-tasks": Switch(NOTHING),
    "policy-overrides": Switch(NOTHING),
}

CUSTOM: Final = "custom"

# ── Fixed levels ────────────────────────────────────────────────────────────────────────────────

_READ: Final = RUNS["read"] | VARIABLES["read"] | STATE_VERSIONS["read"]
_PLAN: Final = _READ | RUNS["plan"]
_WRITE: Final = (
    RUNS["apply"] | VARIABLES["write"] | STATE_VERSIONS["write"] | {Permission.LOCK_WORKSPACE}
)
_ADMIN: Final = _WRITE | {
    Permission.UPDATE_WORKSPACE,
    Permission.DELETE_WORKSPACE,
    Permission.FORCE_UNLOCK,
    Permission.FORCE_CANCEL,
    Permission.MANAGE_ACCESS,
}

WORKSPACE_LEVELS: Final[Mapping[str, Permissions]] = {
    "read": _READ,
    "plan": _PLAN,
    "write": _WRITE,
    "admin": _ADMIN,
}

_PROJECT_READ: Final = _READ | PROJECT_SETTINGS["read"] | VARIABLE_SETS["read"]
_PROJECT_WRITE: Final = _WRITE | PROJECT_SETTINGS["read"] | VARIABLE_SETS["read"]
_PROJECT_MAINTAIN: Final = (
    _ADMIN | PROJECT_SETTINGS["read"] | VARIABLE_SETS["write"] | {Permission.CREATE_WORKSPACE}
)
_PROJECT_ADMIN: Final = (
    _PROJECT_MAINTAIN
    | PROJECT_SETTINGS["delete"]
    | PROJECT_TEAMS["manage"]
    | {Permission.MOVE_WORKSPACE}
)

PROJECT_LEVELS: Final[Mapping[str, Permissions]] = {
    "read": _PROJECT_READ,
    "write": _PROJECT_WRITE,
    "maintain": _PROJECT_MAINTAIN,
    "admin": _PROJECT_ADMIN,
}

# ── Switches of a team in its organization ──────────────────────────────────────────────────────

MANAGE_WORKSPACES: Final = "manage-workspaces"
MANAGE_PROJECTS: Final = "manage-projects"

_MEMBERSHIP: Final = frozenset({Permission.MANAGE_MEMBERSHIP})
_TEAMS: Final = _MEMBERSHIP | {Permission.MANAGE_TEAMS}
_ALL_PROJECTS: Final = _PROJECT_ADMIN | {Permission.CREATE_PROJECT}
_USE_VCS: Final = frozenset({Permission.USE_VCS})
_VCS: Final = _USE_VCS | {Permission.MANAGE_VCS}
_USE_AGENTS: Final = frozenset({Permission.USE_AGENT_POOLS})
_AGENTS: Final = _USE_AGENTS | {Permission.MANAGE_AGENT_POOLS}

ORGANIZATION_ACCESS: Final[Mapping[str, Permissions]] = {
    "read-workspaces": _READ | VARIABLE_SETS["read"],
    "read-projects": PROJECT_SETTINGS["read"],
    MANAGE_WORKSPACES: _ADMIN
    | VARIABLE_SETS["write"]
    | _USE_VCS
    | _USE_AGENTS,  # and IN_DEFAULT_PROJECT
    MANAGE_PROJECTS: _ALL_PROJECTS | _USE_VCS | _USE_AGENTS,
    "manage-membership": _MEMBERSHIP,
    "manage-teams": _TEAMS,
    "manage-organization-access": _TEAMS | {Permission.MANAGE_ORGANIZATION_ACCESS},
    "access-secret-teams": frozenset({Permission.SEE_SECRET_TEAMS}),
    "manage-policies": RUNS["read"],
    "manage-policy-overrides": RUNS["read"],
    "manage-agent-pools": RUNS["read"] | PROJECT_SETTINGS["read"] | _AGENTS,
    "delegate-policy-overrides": NOTHING,
    "manage-run-tasks": NOTHING,
    "manage-vcs-settings": _VCS,
    "manage-modules": NOTHING,
    "manage-providers": NOTHING,
    "manage-public-modules": NOTHING,
    "manage-public-providers": NOTHING,
    "manage-registry-components": NOTHING,
    "manage-registry-artifact-tags": NOTHING,
    "manage-registry-artifact-version-tags": NOTHING,
}

# What `manage-workspaces` allows in the default project, and asked of the organization at large.
IN_DEFAULT_PROJECT: Final[Permissions] = frozenset(
    {Permission.READ_PROJECT, Permission.CREATE_WORKSPACE}
)

# Every team sees that its organization is there.
ANY_TEAM: Final[Permissions] = frozenset({Permission.READ_ORGANIZATION})

# An organization's token sets up workspaces, projects and teams. It cannot run anything, write
# state, lock a workspace, nor change the organization, its owners or its own successor.
ORGANIZATION_TOKEN: Final[Permissions] = (
    _READ
    | _ALL_PROJECTS
    | _TEAMS
    | _VCS
    | _AGENTS
    | ANY_TEAM
    | {
        Permission.MANAGE_ORGANIZATION_ACCESS,
        Permission.SEE_SECRET_TEAMS,
        Permission.READ_AUDIT_TRAIL,
    }
) - {
    Permission.QUEUE_PLAN,
    Permission.QUEUE_APPLY,
    Permission.WRITE_STATE,
    Permission.LOCK_WORKSPACE,
    Permission.FORCE_UNLOCK,
    Permission.FORCE_CANCEL,
}


# What a run's own terraform may do in its workspace, and in those that share their state with it.
RUN_TOKEN: Final[Permissions] = frozenset(
    {Permission.READ_WORKSPACE, Permission.READ_OUTPUTS, Permission.READ_STATE}
)


def of_workspace_level(level: str, custom: Settings) -> Permissions:
    """Return what a team's grant on one workspace allows there."""
    if level != CUSTOM:
        return WORKSPACE_LEVELS[level]
    return of_settings(WORKSPACE_CUSTOM, custom)


def of_project_level(level: str, custom: Mapping[str, Settings]) -> Permissions:
    """Return what a team's grant on a project allows on it and on every workspace in it."""
    if level != CUSTOM:
        return PROJECT_LEVELS[level]
    return of_settings(PROJECT_CUSTOM, custom.get("project-access", {})) | of_settings(
        PROJECT_WORKSPACES_CUSTOM, custom.get("workspace-access", {})
    )


def of_settings(known: Mapping[str, Choice | Switch], given: Settings) -> Permissions:
    """Return what the settings `given` allow; those left out count as their default."""
    allowed = NOTHING
    for name, setting in known.items():
        value = given.get(name)
        if isinstance(setting, Switch):
            allowed |= setting.on if value is True else NOTHING
        else:
            allowed |= setting.values[str(value or setting.default)]
    return allowed


def knowledge(place: Place) -> Permission:
    """Return the permission without which an actor may not even know that `place` is there."""
    if place.workspace_id is not None:
        return Permission.READ_WORKSPACE
    if place.project_id is not None:
        return Permission.READ_PROJECT
    return Permission.READ_ORGANIZATION
