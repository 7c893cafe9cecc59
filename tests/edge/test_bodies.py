"""Bodies of strangers: no route reads one past a bound, whoever sends it and however."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from landform.vcs.deliveries import BODY_LIMIT
from tests.matrix.table import routes_of
from tests.web.pages import BASE, Site, open_site
from tests.world import World

CHUNK = b"a=" + b"x" * (256 * 1024 - 3) + b"&"
SENT_BYTES = 40 * 2**20
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=b"
KINDS = (FORM, PARTS, "application/vnd.api+json", "application/json", "")


@pytest.fixture
async def site(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Site]:
    async with open_site(app, world, database_url) as site:
        yield site


class Endless:
    """A body that says nothing of its length, and counts how much of it was taken."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.taken_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        while self.taken_bytes < SENT_BYTES:
            self.taken_bytes += len(CHUNK)
            yield CHUNK


@pytest.mark.timeout(300)
async def test_no_route_reads_more_of_a_stranger_s_body_than_a_bound(site: Site) -> None:
    transport = httpx2.ASGITransport(app=site.app, raise_app_exceptions=False)
    head = b'--b\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\n'
    past: list[str] = []
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        for method, path in routes_of(site.app):
            if method not in ("POST", "PUT", "PATCH", "DELETE"):
                continue
            for kind in KINDS:
                body = Endless(head if kind == PARTS else b"")
                headers = {"content-type": kind} if kind else {}
                answer = await http.request(method, path, content=body, headers=headers)
                is_hook = path.startswith(("/hooks/", "/webhook/"))
                bound = (BODY_LIMIT if is_hook else 4 * 2**20) + 3 * len(CHUNK)
                if body.taken_bytes > bound or answer.status_code >= 500:
                    past.append(f"{method} {path} {kind}: {answer.status_code} {body.taken_bytes}")
    assert past == []


@pytest.mark.parametrize("path", ["/login", "/login/code", "/oauth/token", "/oauth/exchange"])
async def test_a_form_that_says_that_it_is_too_large_is_not_read(site: Site, path: str) -> None:
    answer = await site.nobody().post(
        path, content=b"x", headers={"content-type": FORM, "content-length": str(5 * 2**20)}
    )
    assert answer.status_code == 413
