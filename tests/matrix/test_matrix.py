"""Every route as every actor, against `routes.txt`; its head says how to add a line."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from landform.api.jsonapi.errors import MEDIA_TYPE
from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import make_engine, make_sessions
from landform.kit.storage import open_store
from landform.runs.attempts import Limits, Platform
from tests.conftest import own_database
from tests.matrix.places import SECRET
from tests.matrix.realm import Realm, Walker, open_realm, outcome
from tests.matrix.table import ACTORS, FILE, Line, read, routes_of, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = read()
ODD_VALUES: tuple[Any, ...] = (None, -(10**30), "\x00", "\ud800", "x" * 20_000, [[]], {})
ODD_NAMES = ("%00", "..%2F..", "%FF" + "x" * 3000)
ODD_QUERIES = (
    "page[number]=two&page[size]=-1&sort=-&include=a.b,,c&fields[runs]=&filter[status]=tired",
    "page[number]=99999999999999999999&search[name]=%25&search[basic]=%00&q=%5C&filter[names]=,",
)
# Where whoever may read state is told what is sensitive.
TELL_SECRETS = {
    "/api/v2/state-version-outputs/{output_id}",
    "/_signed/sv-down/{object_id}/{expires}/{mac}",
    "/app/{organization}/{workspace}/states/{state_id}/download",
}
each_line = pytest.mark.parametrize("line", LINES, ids=str)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def realm(app: FastAPI, postgres_server: str) -> AsyncIterator[Realm]:
    keyring = Keyring(os.urandom(KEY_BYTES))
    with own_database(postgres_server) as url:
        engine = make_engine(url)
        platform = Platform(
            sessions=make_sessions(engine),
            store=open_store("memory://", keyring),
            keyring=keyring,
            limits=Limits(),
        )
        async with open_realm(app, platform, url) as opened:
            yield opened
        await engine.dispose()


async def test_every_route_has_a_line(app: FastAPI, realm: Realm) -> None:
    known = {line.route for line in LINES}
    missing = [Line(*route, {}, {}) for route in routes_of(app) if route not in known]
    lines = []
    for line in missing:
        found = {name: outcome(await realm.ask(line, realm.walkers[name])) for name in ACTORS}
        lines.append(written(*line.route, found))
    assert not lines, (
        f"These routes have no line in {FILE}. As they answer now, asked without a body, they"
        " would be as below; add each with what it *should* answer, and behind it what to send"
        " (the head of the file says how):\n" + "\n".join(lines)
    )


async def test_every_line_has_a_route(app: FastAPI) -> None:
    known = set(routes_of(app))
    gone = [str(line) for line in LINES if line.route not in known]
    assert not gone, f"The application has no such route; take the line out of {FILE}: {gone}"


@each_line
async def test_it_answers_everybody_as_the_table_says(realm: Realm, line: Line) -> None:
    answers = {name: await realm.ask(line, realm.walkers[name]) for name in ACTORS}
    found = {name: outcome(answer) for name, answer in answers.items()}
    wrong = [name for name in ACTORS if found[name] != line.cells[name]]
    assert not wrong, (
        f"The table says, and then what is answered:\n{written(*line.route, line.cells)}\n"
        f"{written(*line.route, found)}\n"
        + "\n".join(f"{name}: {answers[name].text[:500]}" for name in wrong)
    )
    for name, answer in answers.items():
        sent = f"{answer.request.url}{answer.request.content.decode(errors='replace')}"
        told = [each for each in realm.walkers[name].unseen if each in answer.text]
        told = [each for each in told if each not in sent]
        assert not told, f"{line} gives {told} away to {name}: {answer.text}"
        assert SECRET not in answer.text or line.path in TELL_SECRETS, f"{line} tells a secret"
    if is_list(answers["owner"]):
        shown = answers["owner"].json()["data"]
        assert shown or line.may_be_empty, (
            f"{line} shows even an owner nothing, so that the table says nothing of what it hides;"
            " give it something to show, or write `empty` behind the line."
        )


@each_line
async def test_what_one_may_not_know_of_is_as_if_it_were_not(realm: Realm, line: Line) -> None:
    for name in ("other", "loose"):
        if line.cells[name] != "404":
            continue
        walker = realm.walkers[name]
        hidden = await realm.ask(line, walker)
        missing = await realm.ask(line, walker, realm.elsewhere)
        assert outcome(missing) == "404"
        assert realm.elsewhere(hidden.text) == missing.text


@each_line
async def test_nobody_is_told_what_is_wrong_before_who_they_are(realm: Realm, line: Line) -> None:
    if line.is_api and line.cells["anon"] == "401":
        with_cookie = Walker(cookie=realm.walkers["owner"].cookie)  # which is for pages only
        for walker in (realm.walkers["anon"], with_cookie):
            nonsense = replace(line, body={"data": 7})
            assert outcome(await realm.ask(nonsense, walker, realm.elsewhere)) == "401"


@each_line
async def test_nonsense_is_refused_and_never_our_failure(realm: Realm, line: Line) -> None:
    owner = realm.walkers["owner"]
    asked = [replace(line, query=query) for query in ODD_QUERIES] if line.method == "GET" else []
    if isinstance(line.body, dict) and line.is_api:
        asked += [replace(line, body=spoiled(line.body, value)) for value in ODD_VALUES]
    for each in asked:
        answer = await realm.ask(each, owner)
        assert answer.status_code < 500, f"{each.body or each.query}: {answer.text}"
    if "{" in line.path:
        for odd in ODD_NAMES:
            answer = await realm.ask(line, owner, partial(realm.elsewhere, random=odd))
            assert answer.status_code < 500, f"{odd}: {answer.text}"


def spoiled(value: Any, odd: Any) -> Any:
    """Return a body with something odd in the place of every text, number and truth in it."""
    if isinstance(value, dict):
        return {name: spoiled(each, odd) for name, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, odd) for each in value]
    return odd


def is_list(answer: httpx2.Response) -> bool:
    kind = answer.headers.get("content-type", "")
    return kind == MEDIA_TYPE and isinstance(answer.json().get("data"), list)
