"""The tables of permissions, against what HCP Terraform documents."""

import pytest

from landform.access.permissions import (
    ANY_TEAM,
    CUSTOM,
    ORGANIZATION_ACCESS,
    ORGANIZATION_TOKEN,
    PROJECT_CUSTOM,
    PROJECT_LEVELS,
    PROJECT_WORKSPACES_CUSTOM,
    WORKSPACE_CUSTOM,
    WORKSPACE_LEVELS,
    Permission,
    Permissions,
    Place,
    Settings,
    Switch,
    knowledge,
    of_project_level,
    of_workspace_level,
)

P = Permission
SEE = {P.READ_WORKSPACE, P.READ_RUNS}  # what every grant on a workspace allows at least
READ = SEE | {P.READ_VARIABLES, P.READ_STATE, P.READ_OUTPUTS}
PLAN = READ | {P.QUEUE_PLAN}
WRITE = PLAN | {P.QUEUE_APPLY, P.WRITE_VARIABLES, P.WRITE_STATE, P.LOCK_WORKSPACE}
ADMIN = WRITE | {
    P.UPDATE_WORKSPACE,
    P.DELETE_WORKSPACE,
    P.FORCE_UNLOCK,
    P.FORCE_CANCEL,
    P.MANAGE_ACCESS,
}
SETS = {P.READ_VARIABLE_SETS, P.WRITE_VARIABLE_SETS}


@pytest.mark.parametrize(
    ("level", "allowed"), [("read", READ), ("plan", PLAN), ("write", WRITE), ("admin", ADMIN)]
)
def test_a_fixed_level_on_a_workspace_allows_what_is_documented(
    level: str, allowed: set[Permission]
) -> None:
    assert of_workspace_level(level, {}) == allowed


@pytest.mark.parametrize(
    ("level", "allowed"),
    [
        ("read", READ | {P.READ_PROJECT, P.READ_VARIABLE_SETS}),
        ("write", WRITE | {P.READ_PROJECT, P.READ_VARIABLE_SETS}),
        ("maintain", ADMIN | SETS | {P.READ_PROJECT, P.CREATE_WORKSPACE}),
        (
            "admin",
            ADMIN
            | SETS
            | {P.READ_PROJECT, P.UPDATE_PROJECT, P.DELETE_PROJECT}
            | {P.CREATE_WORKSPACE, P.MOVE_WORKSPACE}
            | {P.READ_PROJECT_ACCESS, P.MANAGE_PROJECT_ACCESS},
        ),
    ],
)
def test_a_fixed_level_on_a_project_allows_what_is_documented(
    level: str, allowed: set[Permission]
) -> None:
    assert of_project_level(level, {}) == allowed


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, SEE),
        ({"runs": "plan"}, SEE | {P.QUEUE_PLAN}),
        ({"runs": "apply"}, SEE | {P.QUEUE_PLAN, P.QUEUE_APPLY}),
        ({"variables": "read"}, SEE | {P.READ_VARIABLES}),
        ({"variables": "write"}, SEE | {P.READ_VARIABLES, P.WRITE_VARIABLES}),
        ({"state-versions": "none"}, SEE),
        ({"state-versions": "read-outputs"}, SEE | {P.READ_OUTPUTS}),
        ({"state-versions": "read"}, SEE | {P.READ_OUTPUTS, P.READ_STATE}),
        (
            {"state-versions": "write"},
            SEE | {P.READ_OUTPUTS, P.READ_STATE, P.WRITE_STATE},
        ),
        ({"workspace-locking": True}, SEE | {P.LOCK_WORKSPACE}),
        ({"workspace-locking": False}, SEE),
        ({"run-tasks": True, "policy-overrides": True}, SEE),
        ({"sentinel-mocks": "read"}, SEE),
    ],
)
def test_custom_settings_of_a_workspace_allow_just_what_they_name(
    settings: Settings, allowed: set[Permission]
) -> None:
    assert of_workspace_level(CUSTOM, settings) == allowed


@pytest.mark.parametrize(
    ("project", "workspaces", "allowed"),
    [
        ({}, {}, set()),
        ({"settings": "update"}, {}, {P.UPDATE_PROJECT}),
        ({"settings": "delete"}, {}, {P.UPDATE_PROJECT, P.DELETE_PROJECT}),
        ({"teams": "read"}, {}, {P.READ_PROJECT_ACCESS}),
        ({"teams": "manage"}, {}, {P.READ_PROJECT_ACCESS, P.MANAGE_PROJECT_ACCESS}),
        ({"variable-sets": "read"}, {}, {P.READ_VARIABLE_SETS}),
        (
            {"variable-sets": "write"},
            {},
            {P.READ_VARIABLE_SETS, P.WRITE_VARIABLE_SETS},
        ),
        ({}, {"create": True}, {P.CREATE_WORKSPACE}),
        ({}, {"move": True}, {P.MOVE_WORKSPACE}),
        ({}, {"locking": True}, {P.LOCK_WORKSPACE}),
        ({}, {"delete": True}, {P.DELETE_WORKSPACE}),
        ({}, {"runs": "apply"}, {P.QUEUE_PLAN, P.QUEUE_APPLY}),
        ({}, {"variables": "write"}, {P.READ_VARIABLES, P.WRITE_VARIABLES}),
    ],
)
def test_custom_settings_of_a_project_allow_just_what_they_name(
    project: Settings, workspaces: Settings, allowed: set[Permission]
) -> None:
    custom = {"project-access": project, "workspace-access": workspaces}
    assert of_project_level(CUSTOM, custom) == {P.READ_PROJECT} | SEE | allowed


def test_every_level_lets_its_team_read_the_place_so_lists_may_ask_for_a_grant_only() -> None:
    levels: list[Permissions] = [*WORKSPACE_LEVELS.values(), of_workspace_level(CUSTOM, {})]
    assert all(level >= SEE for level in levels)
    levels = [*PROJECT_LEVELS.values(), of_project_level(CUSTOM, {})]
    assert all(level >= SEE | {P.READ_PROJECT} for level in levels)


@pytest.mark.parametrize(
    "switch", [name for name in ORGANIZATION_ACCESS if "workspaces" not in name]
)
def test_no_switch_but_those_of_workspaces_and_projects_lets_anyone_change_a_workspace(
    switch: str,
) -> None:
    if switch == "manage-projects":
        assert ORGANIZATION_ACCESS[switch] >= ADMIN
    else:
        assert not ORGANIZATION_ACCESS[switch] & (ADMIN - SEE)


def test_no_switch_gives_what_only_owners_have() -> None:
    only_owners = {
        P.UPDATE_ORGANIZATION,
        P.DELETE_ORGANIZATION,
        P.MANAGE_OWNERS,
        P.MANAGE_ORGANIZATION_TOKEN,
    }
    assert not frozenset().union(*ORGANIZATION_ACCESS.values()) & only_owners
    assert not ORGANIZATION_TOKEN & only_owners


def test_each_rung_of_team_management_includes_the_one_below() -> None:
    rungs = [
        ORGANIZATION_ACCESS[name]
        for name in ("manage-membership", "manage-teams", "manage-organization-access")
    ]
    assert rungs[0] < rungs[1] < rungs[2]


def test_an_organization_token_runs_nothing_and_writes_no_state() -> None:
    assert not ORGANIZATION_TOKEN & {
        P.QUEUE_PLAN,
        P.QUEUE_APPLY,
        P.WRITE_STATE,
        P.LOCK_WORKSPACE,
        P.FORCE_UNLOCK,
        P.FORCE_CANCEL,
    }
    assert {
        P.CREATE_WORKSPACE,
        P.UPDATE_WORKSPACE,
        P.DELETE_WORKSPACE,
        P.READ_VARIABLES,
        P.WRITE_VARIABLES,
        P.CREATE_PROJECT,
        P.MANAGE_TEAMS,
        P.MANAGE_MEMBERSHIP,
        P.MANAGE_ACCESS,
    } <= ORGANIZATION_TOKEN


def test_a_team_without_anything_knows_only_that_its_organization_is_there() -> None:
    assert {P.READ_ORGANIZATION} == ANY_TEAM


def test_the_settings_are_those_of_the_api() -> None:
    """Names from tfe_openapi.json: team-workspaces and team-projects."""
    assert set(WORKSPACE_CUSTOM) == {
        *("runs", "variables", "state-versions", "sentinel-mocks"),
        *("workspace-locking", "run-tasks", "policy-overrides"),
    }
    assert set(PROJECT_CUSTOM) == {"settings", "teams", "variable-sets"}
    assert set(PROJECT_WORKSPACES_CUSTOM) == {
        *("create", "move", "locking", "delete", "runs", "variables", "state-versions"),
        *("sentinel-mocks", "run-tasks", "policy-overrides"),
    }
    switches = {name for name, each in WORKSPACE_CUSTOM.items() if isinstance(each, Switch)}
    assert switches == {"workspace-locking", "run-tasks", "policy-overrides"}


@pytest.mark.parametrize(
    ("place", "needed"),
    [
        (Place(organization_id="o"), P.READ_ORGANIZATION),
        (Place(organization_id="o", project_id="p"), P.READ_PROJECT),
        (Place(organization_id="o", project_id="p", workspace_id="w"), P.READ_WORKSPACE),
    ],
)
def test_knowing_of_a_place_takes_its_own_read_permission(place: Place, needed: Permission) -> None:
    assert knowledge(place) is needed
