"""What the page after a form says of it: kept in a cookie for one page."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

_COOKIE: Final = "landform_said"
_LONGEST: Final = 1000  # characters


@dataclass(frozen=True)
class Said:
    """A sentence; `kind` is `done` or `failed`."""

    kind: str
    text: str


def say(answer: Response, text: str, *, failed: bool = False) -> None:
    """Have the next page say `text`."""
    value = json.dumps(["failed" if failed else "done", text[:_LONGEST]])
    encoded = base64.urlsafe_b64encode(value.encode()).decode()
    answer.set_cookie(_COOKIE, encoded, httponly=True, samesite="lax", path="/", max_age=60)


def heard(request: Request) -> Said | None:
    """Return what the last form left to say; anything that is not ours is nothing."""
    encoded = request.cookies.get(_COOKIE, "")
    try:
        kind, text = json.loads(base64.urlsafe_b64decode(encoded))
    except (ValueError, binascii.Error, TypeError):
        return None
    return Said("failed" if kind == "failed" else "done", str(text)[:_LONGEST])


def forget(request: Request, answer: Response) -> None:
    """Say it no more."""
    if _COOKIE in request.cookies:
        answer.delete_cookie(_COOKIE, path="/")
