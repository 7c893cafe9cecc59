"""The limit as clients meet it, go-tfe among them: what it is told, and what is not limited."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from landform.edge.allowances import Allowances
from tests.api.tfe.server import Server, mint, open_server
from tests.edge.test_rate_limit import Clock
from tests.world import World

LIMIT = 4
DETAILS = "/api/v2/account/details"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(
    app: FastAPI, world: World, database_url: str, clock: Clock
) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        opened.with_limits(allowances=Allowances(LIMIT, clock=clock))
        yield opened


async def get(server: Server, path: str, token: str = "") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await server.http.get(path, headers=headers)


async def use_up(server: Server, token: str) -> None:
    """Ask until nothing is left; the first request comes out of the address's measure."""
    for _ in range(1 + LIMIT):
        assert (await get(server, DETAILS, token)).status_code == 200


async def test_who_asks_too_much_is_told_when_to_ask_again(server: Server, clock: Clock) -> None:
    token = server.owner.token
    await use_up(server, token)
    answer = await get(server, DETAILS, token)
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/vnd.api+json"
    (error,) = answer.json()["errors"]
    assert (error["status"], "4 requests a second" in error["detail"]) == ("429", True)
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-ratelimit-limit"] == "4"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    wait_s = float(answer.headers["x-ratelimit-reset"])
    assert 0 < wait_s <= 0.25
    clock.now_s += wait_s
    assert (await get(server, DETAILS, token)).status_code == 200


async def test_every_answer_says_what_is_left(server: Server) -> None:
    answers = [await get(server, "/api/v2/ping") for _ in range(LIMIT)]
    assert [each.headers["x-ratelimit-remaining"] for each in answers] == ["3", "2", "1", "0"]
    assert {each.headers["x-ratelimit-limit"] for each in answers} == {"4"}
    assert {each.headers["x-ratelimit-reset"] for each in answers} == {"0.000"}


async def test_one_token_s_haste_slows_nobody_else(server: Server) -> None:
    other = await mint(server.world, server.world.owner)
    assert (await get(server, DETAILS, other)).status_code == 200
    await use_up(server, server.owner.token)
    assert (await get(server, DETAILS, server.owner.token)).status_code == 429
    assert (await get(server, DETAILS, other)).status_code == 200


async def test_guessing_tokens_is_limited_by_address_and_stops_no_token_that_is_known(
    server: Server,
) -> None:
    assert (await get(server, DETAILS, server.owner.token)).status_code == 200
    # A path that nobody is asked a token for makes none known either.
    paths = [DETAILS, "/api/v2/nothing", DETAILS, DETAILS, "/api/v2/nothing"]
    answers = [await get(server, path, f"guess-{n}") for n, path in enumerate(paths)]
    assert [each.status_code for each in answers] == [401, 404, 401, 429, 429]
    assert (await get(server, DETAILS, server.owner.token)).status_code == 200


async def test_both_dialects_and_sign_in_by_command_line_are_limited_and_pages_are_not(
    server: Server,
) -> None:
    for _ in range(LIMIT):
        await get(server, "/api/v2/ping")
    for path in ("/api/v1/organization", "/api/v2/ping"):
        assert (await get(server, path)).status_code == 429
    assert (await server.http.post("/oauth/token", data={})).status_code == 429
    for path in ("/login", "/healthz", "/_signed/x"):
        assert (await get(server, path)).status_code != 429


async def test_no_limit_is_a_choice(server: Server) -> None:
    server.with_limits(allowances=Allowances(0))
    answers = [await get(server, "/api/v2/ping") for _ in range(60)]
    assert {each.status_code for each in answers} == {204}
    assert "x-ratelimit-limit" not in answers[0].headers
