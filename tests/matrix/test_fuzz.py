"""Every route that clients call takes whatever anybody sends, and never fails for it.

schemathesis makes requests from our own OpenAPI document, some as it describes them and some not,
and of routes that are not in it from a plainer description. `FUZZ_EXAMPLES=100` looks
longer than each change can wait for; which requests are made is always the same.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from landform.api.jsonapi.errors import MEDIA_TYPE
from tests.matrix.realm import BASE, Realm
from tests.matrix.table import Line, read

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "3"))
# What is not JSON that Python's own encoder would write, or only just.
RAW: Final = (
    b"",
    b"null",
    b"[" * 100_000,
    b'{"data":' * 2_000 + b"1" + b"}" * 2_000,
    b'{"data": {"type": "x", "attributes": ' + b"[" * 500 + b"]" * 500 + b"}}",
    b'{"data": NaN}',
    b'{"data": 1e999, "data": -1e999}',
    b'{"data": ' + b"9" * 5_000 + b"}",
    b'{"data": "\\ud800"}',
    b'{"data": {"id": "\\u0000", "type": "\\udfff\\ud800"}}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"a": "' + b"\xf0\x28\x8c\x28" + b'"}',
)
_ANY: Final[Mapping[str, Any]] = {"schema": {}}
_LINES: Final = {line.route: line for line in reversed(read())}
_CLIENTS: Final = (
    *("/api/", "/scim/", "/hooks/", "/webhook/", "/oauth/", "/pat/", "/access-token/"),
    *("/tfstate/", "/tfoutput/", "/_signed/", "/.well-known/", "/openapi.json"),
)
ROUTES: Final = [route for route in _LINES if route[1].startswith(_CLIENTS)]


def _plain(route: tuple[str, str]) -> dict[str, Any]:
    """Describe a route that says nothing of itself: anything may be sent."""
    names = ("filter", "startIndex", "count", "offset", "limit", "attributes", "page[size]")
    found: dict[str, Any] = {
        "parameters": [{"name": each, "in": "query", "schema": {}} for each in names],
        "responses": {"default": {"description": ""}},
    }
    if route[0] not in ("GET", "DELETE"):
        kinds = ("application/json", "application/x-www-form-urlencoded")
        found["requestBody"] = {"content": dict.fromkeys(kinds, _ANY)}
    return found


@cache
def _operations(app: FastAPI) -> Mapping[tuple[str, str], Any]:
    document = json.loads(json.dumps(app.openapi()))
    for route in ROUTES:
        method, path = route[0].lower(), route[1].replace(":path}", "}")
        operation = document["paths"].setdefault(path, {}).setdefault(method, _plain(route))
        placed = {each["name"] for each in operation.get("parameters", []) if "name" in each}
        operation.setdefault("parameters", []).extend(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _names(path)
            if name not in placed
        )
    schema: Any = schemathesis.openapi.from_dict(document)
    found = [each.ok() for each in schema.get_all_operations()]
    return {(each.method.upper(), each.path): each for each in found}


def _names(path: str) -> Iterator[str]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield part[1:].partition("}")[0]


def _token(realm: Realm, path: str) -> dict[str, str]:
    directory = str(realm.place.objects["directory-token"])
    token = directory if path.startswith("/scim/") else realm.walkers["owner"].token
    return {"Authorization": f"Bearer {token}"}


def _request(case: Any) -> tuple[str, dict[str, Any]]:
    """Return the path and query of a case, and what else is sent."""
    made = case.as_transport_kwargs(base_url=BASE)
    query = urlencode(made.get("params") or {}, doseq=True, errors="replace")
    path = urlsplit(made["url"]).path
    headers = {"Content-Type": str(made["headers"].get("Content-Type", MEDIA_TYPE))}
    if "json" in made:
        return f"{path}?{query}", {"content": json.dumps(made["json"]), "headers": headers}
    data = made.get("data")
    if isinstance(data, dict):
        data = urlencode(data, doseq=True, errors="replace")
    content = data if isinstance(data, str | bytes) else str(data or "")
    return f"{path}?{query}", {"content": content, "headers": headers}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_whatever_is_sent_is_answered(
    app: FastAPI, realm: Realm, route: tuple[str, str]
) -> None:
    line = _LINES[route]
    operation = _operations(app)[route[0], route[1].replace(":path}", "}")]
    loop = asyncio.get_running_loop()
    count = 0

    def judge(case: Any) -> None:
        """Send it: to what is there, to what it names, and as nobody."""
        nonlocal count
        count += 1
        path, sent = _request(case)
        there = Line(*route, {}, line.objects, path.partition("?")[2])
        known = {**sent, "headers": {**sent["headers"], **_token(realm, path)}}
        calls: list[tuple[str | Line, Any]] = [(there, known), (path, known), (path, sent)]
        for each, how in calls[: 1 if count % 2 else 3]:
            asked = asyncio.run_coroutine_threadsafe(realm.send(route[0], each, **how), loop)
            must_be_answered(asked.result(timeout=30), how)

    modes = [GenerationMode.POSITIVE]
    described = route[0].lower() in app.openapi()["paths"].get(operation.path, {})
    if described and (operation.query.items or operation.body.items):  # else all is as described
        modes.append(GenerationMode.NEGATIVE)
    for mode in modes:
        strategy: Any = operation.as_strategy(generation_mode=mode)
        made: Any = given(strategy)  # hypothesis has no types for what it is given here
        run = settings(
            max_examples=EXAMPLES,
            database=None,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        await asyncio.to_thread(run(made(judge)))


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each[0] not in ("GET", "DELETE")], ids=" ".join
)
async def test_bytes_that_are_hardly_json_are_answered(
    realm: Realm, route: tuple[str, str]
) -> None:
    where = Line(*route, {}, _LINES[route].objects)
    for content in RAW:
        for kind in (MEDIA_TYPE, "application/x-www-form-urlencoded"):
            sent = {
                "content": content,
                "headers": {"Content-Type": kind, **_token(realm, route[1])},
            }
            must_be_answered(await realm.send(route[0], where, **sent), sent)


def must_be_answered(answer: httpx2.Response, sent: Mapping[str, Any]) -> None:
    # 503: an outside service, which no request reaches here.
    if answer.status_code >= 500 and answer.status_code != 503:
        request = answer.request
        pytest.fail(f"{request.method} {request.url}\n{sent}\n{answer.status_code} {answer.text}")
