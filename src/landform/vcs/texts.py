"""Texts cut to what a provider takes. Pure."""

from typing import Final

_CUT: Final = "\n\n… cut: the rest is in the run."


def line_of(text: str, limit: int) -> str:
    """Return a description, of `limit` characters at most."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def comment_of(text: str, limit: int) -> str:
    """Return a comment, of `limit` characters at most; one that was cut says so."""
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT
