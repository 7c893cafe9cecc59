"""Terrakube's API, as its clients and its terraform provider speak it."""

from fastapi import APIRouter

from landform.api.terrakube import (
    access,
    global_variables,
    histories,
    jobs,
    operations,
    organizations,
    project_access,
    projects,
    relationships,
    schedules,
    ssh,
    tags,
    templates,
    tokens,
    variables,
    vcs,
    webhooks,
    workspaces,
)

router = APIRouter()
_RESOURCES = (
    organizations,
    projects,
    workspaces,
    variables,
    access,
    jobs,
    histories,
    schedules,
    webhooks,
)
for each in (
    *_RESOURCES,
    global_variables,
    project_access,
    ssh,
    tags,
    templates,
    vcs,
    operations,
    relationships,
):
    router.routes.extend(each.router.routes)
router.routes.extend(histories.files.routes)
router.routes.extend(tokens.router.routes)
