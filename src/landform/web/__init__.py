"""The pages: server-rendered, usable without a script."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.staticfiles import StaticFiles

from landform.web import health, oauth, runs, sign_in

router = APIRouter()
for each in (health, sign_in, oauth, runs):
    router.include_router(each.router)

static = StaticFiles(directory=Path(__file__).parent / "static")
