"""Every route as every actor, against `routes.txt`; its head says how to add a line."""

from dataclasses import replace
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from landform.api.jsonapi.errors import MEDIA_TYPE
from tests.matrix.connected import SECRET
from tests.matrix.realm import Disguise, Realm, Walker, outcome
from tests.matrix.table import ACTORS, FILE, Line, read, routes_of, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = read()
ODD_VALUES: tuple[Any, ...] = (None, -(10**30), "\x00", "\ud800", "x" * 20_000, [[]], {})
ODD_NAMES = ("%00", "%FF" + "x" * 3000)
ODD_QUERIES = (
    "page[number]=99999999999999999999&search[name]=%25&search[basic]=%00&q=%5C&filter[names]=,",
    "page[size]=-1&sort=-&include=a.b,,c&fields[runs]=&filter[status]=tired",
)
# Where whoever may read state is told what is sensitive.
TELL_SECRETS = {
    "/api/v2/state-version-outputs/{output_id}",
    "/_signed/sv-down/{object_id}/{expires}/{mac}",
    "/tfstate/v1/organization/{organization_id}/workspace/{workspace_id}/state/terraform.tfstate",
    "/tfstate/v1/organization/{organization_id}/workspace/{workspace_id}/state/{history_id}.json",
    "/app/{organization}/{workspace}/states/{state_id}/download",
}
# Where whoever has the link is told whose it is.
BY_LINK = {"/invitation/{secret}"}
each_line = pytest.mark.parametrize("line", LINES, ids=str)
each_route = pytest.mark.parametrize("line", {line.route: line for line in LINES}.values(), ids=str)


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
        assert not told or line.path in BY_LINK, (
            f"{line} gives {told} away to {name}: {answer.text}"
        )
        assert SECRET not in answer.text or line.path in TELL_SECRETS, f"{line} tells a secret"
    for name in ("other", "loose"):
        if found[name] == "404":  # and it is answered as what is not there
            missing = await realm.ask(line, realm.walkers[name], realm.elsewhere)
            assert outcome(missing) == "404"
            assert realm.elsewhere(answers[name].text) == missing.text
    if is_list(answers["owner"]):
        shown = answers["owner"].json()["data"]
        assert shown or line.may_be_empty, (
            f"{line} shows even an owner nothing, so that the table says nothing of what it hides;"
            " give it something to show, or write `empty` behind the line."
        )


@each_route
async def test_nobody_is_told_what_is_wrong_before_who_they_are(realm: Realm, line: Line) -> None:
    if line.is_api and line.cells["anon"] == "401":
        with_cookie = Walker(cookie=realm.walkers["owner"].cookie)  # which is for pages only
        nonsense = replace(line, body={"data": 7})
        assert outcome(await realm.ask(nonsense, with_cookie, realm.elsewhere)) == "401"


@each_route
async def test_nonsense_is_refused_and_never_our_failure(realm: Realm, line: Line) -> None:
    owner = realm.walkers["owner"]
    asked: list[tuple[Line, Disguise]] = []
    if "{" in line.path:
        asked += [(line, partial(realm.elsewhere, random=odd)) for odd in ODD_NAMES]
    if line.method == "GET":
        asked += [(replace(line, query=query), str) for query in ODD_QUERIES]
    if isinstance(line.body, dict) and line.is_api:
        asked += [(replace(line, body=spoiled(line.body, value)), str) for value in ODD_VALUES]
    for each, disguise in asked:
        answer = await realm.ask(each, owner, disguise)
        assert answer.status_code < 500, f"{answer.request.url} {each.body}: {answer.text}"


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
