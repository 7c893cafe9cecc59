"""Terrakube's API, as its clients and its terraform provider speak it."""

from fastapi import APIRouter

from landform.api.terrakube import vcs

router = APIRouter()
for each in (vcs,):
    router.include_router(each.router)
