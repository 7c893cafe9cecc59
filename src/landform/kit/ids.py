"""Ids in the shape TFE clients expect: `run-` and 16 letters or digits."""

import re
import secrets
import string
from typing import Final

ALPHABET: Final = string.ascii_letters + string.digits
_SHAPE: Final = re.compile(r"[a-z]+-[A-Za-z0-9]{16}")


def new_id(prefix: str) -> str:
    """Return a fresh id such as `run-CZcmD7eagjhyX0vN` (95 bits of chance)."""
    return f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(16))


def is_id(text: str) -> bool:
    """Tell whether `text` has the shape of an id; says nothing about its existence."""
    return _SHAPE.fullmatch(text) is not None
