"""TFE v2, as the terraform and tofu command lines, go-tfe and the tfe provider speak it."""

from fastapi import APIRouter

from landform.api.tfe import (
    account,
    admin_processes,
    admin_users,
    audit_trail,
    comments,
    configuration_versions,
    discovery,
    memberships,
    oauth_clients,
    organizations,
    phases,
    projects,
    remote_state_consumers,
    runs,
    signed,
    state_versions,
    tags,
    team_access,
    teams,
    tokens,
    variables,
    vcs_deliveries,
    vcs_people,
    workspaces,
)

router = APIRouter()
for each in (
    discovery,
    account,
    admin_processes,
    admin_users,
    audit_trail,
    tokens,
    organizations,
    memberships,
    teams,
    team_access,
    projects,
    workspaces,
    tags,
    remote_state_consumers,
    variables,
    runs,
    phases,
    configuration_versions,
    state_versions,
    comments,
    oauth_clients,
    vcs_deliveries,
    vcs_people,
    signed,
):
    router.include_router(each.router)
