"""The pages: server-rendered, usable without a script."""

from fastapi import APIRouter

from landform.web import (
    access,
    account,
    audit,
    bulk,
    health,
    identities,
    identity_providers,
    invitations,
    live,
    new_from_repository,
    oauth,
    organizations,
    pipelines,
    repository,
    rollback,
    run_page,
    runs,
    schedules,
    search,
    second_factor,
    sign_in,
    site_users,
    states,
    variable_sets,
    variables,
    vcs,
    vcs_callback,
    welcome,
    workspace,
    workspace_settings,
    workspaces,
)
from landform.web.static_files import static

__all__ = ["router", "static"]

# Forms are parsed before anything asks who sends them; what a page takes, `web.forms` says itself.
router = APIRouter(max_body_size=4 * 2**20)
for each in (
    health,
    sign_in,
    oauth,
    vcs_callback,
    vcs,
    welcome,
    search,
    organizations,
    variable_sets,
    workspaces,
    new_from_repository,
    bulk,
    runs,
    run_page,
    live,
    repository,
    workspace,
    states,
    rollback,
    variables,
    workspace_settings,
    schedules,
    access,
    invitations,
    pipelines,
    account,
    audit,
    second_factor,
    identities,
    identity_providers,
    site_users,
):
    router.include_router(each.router)
