"""Terrakube's API, as its clients and its terraform provider speak it."""

from fastapi import APIRouter

from landform.api.terrakube import (
    histories,
    jobs,
    organizations,
    templates,
    variables,
    vcs,
    workspaces,
)

router = APIRouter()
for each in (organizations, workspaces, variables, jobs, histories, templates, vcs):
    router.include_router(each.router)
router.include_router(histories.files)
