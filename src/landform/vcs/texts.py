"""Texts cut to what a provider takes. Pure."""

import re
from typing import Final

_FENCE: Final = re.compile(r"^`{3,}$", re.MULTILINE)
_FOLD: Final = re.compile(r"<details><summary>(.*?)</summary>")
_CUT: Final = "\n\n… cut: the rest is in the run."


def line_of(text: str, limit: int) -> str:
    """Return a description, of `limit` characters at most."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def comment_of(text: str, limit: int) -> str:
    """Return a comment, of `limit` characters at most; one that was cut says so."""
    if len(text) <= limit:
        return text
    longest = max((len(each) for each in _FENCE.findall(text)), default=0)
    kept = text[: limit - len(_CUT) - longest - 1]
    fences = _FENCE.findall(kept)
    closing = f"\n{fences[-1]}" if len(fences) % 2 else ""
    return kept + closing + _CUT


def unfolded(text: str) -> str:
    """Return a comment for a provider that shows HTML as it is written: without what folds it."""
    return _FOLD.sub(r"**\1**", text).replace("\n</details>\n", "\n")
