"""The table of who may call what: how `routes.txt` is read, and what its cells mean."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

FILE: Final = Path(__file__).with_name("routes.txt")

# Who calls, in the order of the columns.
ACTORS: Final = (
    "anon",
    "other",
    "loose",
    "read",
    "plan",
    "write",
    "admin",
    "owner",
    "site",
    "team",
    "org",
    "plans",
    "applies",
    "agent",
)
_OF_CLIENTS: Final = ("/api/", "/pat/", "/access-token/")
DONE: Final = "ok"
SIGN_IN: Final = "in"


@dataclass(frozen=True)
class Line:
    """A route, what it answers to each actor, and how it is asked so that it could do its work.

    Attributes:
        cells: by actor.
        objects: what stands for a parameter of the path, where that is not its usual object.
        query: of the address, without the question mark.
        body: JSON, or the name of bytes; None when nothing is sent.
        may_be_empty: a list that shows even the owner nothing.
    """

    method: str
    path: str
    cells: Mapping[str, str]
    objects: Mapping[str, str]
    query: str = ""
    body: Any = None
    may_be_empty: bool = False

    @property
    def route(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def is_api(self) -> bool:
        return self.path.startswith(_OF_CLIENTS)

    def __str__(self) -> str:
        objects = [f"{name}={value}" for name, value in self.objects.items()]
        return " ".join(
            [self.method, self.path, *objects, *([f"?{self.query}"] * bool(self.query))]
        )


def read(text: str = FILE.read_text()) -> list[Line]:
    """Return the lines of the table."""
    rows = (row.strip() for row in text.splitlines())
    return [_line(row) for row in rows if row and not row.startswith("#")]


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything that the application answers."""
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        if isinstance(route.original_route, Mount):
            yield "GET", f"{path}/{{file}}"
            continue
        for method in sorted((route.methods or {"WS"}) - {"HEAD"}):
            yield method, path


def written(method: str, path: str, cells: Mapping[str, str]) -> str:
    """Return the line as it stands in the table."""
    shown = "".join(f"{cells[actor]:>6}" for actor in ACTORS)
    return f"{method:<6} {path:<76}{shown}"


def _line(row: str) -> Line:
    words = row.split()
    method, path, *rest = words
    cells = dict(zip(ACTORS, rest, strict=False))
    how = rest[len(ACTORS) :]
    objects: dict[str, str] = {}
    query, may_be_empty, body = "", False, None
    while how:
        word = how[0]
        if word[0] in "{[":
            body = _body(row[row.index(" " + word) :].strip())
            break
        if word == "empty":
            may_be_empty = True
        elif word[0] == "?":
            query = word[1:]
        elif word[0] == "<":
            body = word[1:]
        elif "=" in word:
            name, _, value = word.partition("=")
            objects[name] = value
        else:
            # A type before the attributes: the short form of a JSON:API document.
            start = row.index(f" {word} ") + len(word) + 2
            attributes = _body(row[start:].strip())
            body = {"data": {"type": word, "attributes": attributes}}
            break
        how = how[1:]
    if set(cells) != set(ACTORS):
        raise ValueError(f"{method} {path} has {len(cells)} cells, not {len(ACTORS)}.")
    return Line(method, path, cells, objects, query, body, may_be_empty)


def _body(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as failure:
        raise ValueError(f"{text!r} is not JSON: {failure}") from None
