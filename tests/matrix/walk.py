"""A walk over addresses of an organization with one of everything, by its owner and site admin."""

from collections.abc import Iterable

import httpx2
from fastapi import FastAPI

from landform.identity.models import User
from landform.kit.db import transaction
from landform.runs.attempts import Platform
from tests.matrix.places import Place, make_place, make_site
from tests.matrix.realm import Realm, Walker
from tests.matrix.table import Line


async def make_ground(platform: Platform) -> Place:
    """Make an organization with one of everything, and its owner a site admin."""
    place = await make_place(platform, "acme")
    place.objects |= await make_site(platform)
    async with transaction(platform.sessions) as session:
        (await session.get_one(User, place.world.owner.id)).is_site_admin = True
    return place


async def paths_of(app: FastAPI, place: Place, asked: Iterable[Line]) -> list[str]:
    """Return the address of each line, with the ids of what there is."""
    async with httpx2.AsyncClient() as nobody:
        realm = Realm(app, app.state.process, None, nobody, place, {})  # type: ignore[arg-type] # only its paths
        return [await realm.path(line, Walker(actor=place.world.owner)) for line in asked]
