"""TFE v2, as the terraform and tofu command lines, go-tfe and the tfe provider speak it."""

from fastapi import APIRouter

from landform.api.tfe import (
    account,
    comments,
    configuration_versions,
    discovery,
    organizations,
    phases,
    projects,
    runs,
    signed,
    state_versions,
    variables,
    workspaces,
)

router = APIRouter()
for each in (
    discovery,
    account,
    organizations,
    projects,
    workspaces,
    variables,
    runs,
    phases,
    configuration_versions,
    state_versions,
    comments,
    signed,
):
    router.include_router(each.router)
