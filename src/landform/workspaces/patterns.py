"""Patterns that users write: regular expressions and globs, all matched in linear time by RE2."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import re2

from landform.kit.errors import InvalidError

_MEMORY: Final = 1 << 20  # bytes one pattern may take, compiled; RE2 refuses beyond


def check_regex(pattern: str, *, pointer: str) -> str:
    """Return the regular expression if RE2 takes it.

    Raises:
        InvalidError: it is none, or too large.
    """
    try:
        _compile(pattern)
    except re2.error as failure:
        said = failure.args[0] if failure.args else ""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise InvalidError(
            f"{pattern[:200]!r} is not a regular expression (RE2): {words}.", pointer=pointer
        ) from None
    return pattern


def matches_regex(pattern: str, text: str) -> bool:
    """Tell whether the regular expression, checked before, is found in `text`."""
    return _compile(pattern).search(text) is not None


def any_regex_matches(patterns: Sequence[str], paths: Iterable[str]) -> bool:
    """Tell whether a path is, as a whole, matched by one of the regular expressions."""
    compiled = [_compile(pattern) for pattern in patterns]
    return any(one.fullmatch(path) for path in paths for one in compiled)


def check_glob(pattern: str, *, pointer: str) -> str:
    """Return the glob if it can be matched.

    Raises:
        InvalidError: it is too large.
    """
    try:
        _compile(glob_regex(pattern))
    except re2.error:
        raise InvalidError(
            f"The pattern {pattern[:200]!r} is too complex.", pointer=pointer
        ) from None
    return pattern


def any_glob_matches(patterns: Sequence[str], paths: Iterable[str]) -> bool:
    """Tell whether a path is matched by one of the globs: whole, from the repository's root."""
    compiled = [_compile(glob_regex(pattern)) for pattern in patterns]
    return any(one.fullmatch(path) for path in paths for one in compiled)


def glob_regex(pattern: str) -> str:
    """Return the regular expression of a glob, as HCP Terraform has them.

    `*` and `?` stay within a directory, `**` does not, and `**/` may stand for no directory.
    A slash in front means nothing.
    """
    rest = pattern.strip().removeprefix("/")
    parts: list[str] = []
    while rest:
        for glob, regex in _GLOBS:
            if rest.startswith(glob):
                parts.append(regex)
                rest = rest[len(glob) :]
                break
        else:
            parts.append(re2.escape(rest[0]))
            rest = rest[1:]
    return "(?s)" + "".join(parts)


def wildcard_regex(pattern: str) -> str:
    """Return the regular expression of a pattern in which `*` is any text and `?` one character."""
    wild = {"*": ".*", "?": "."}
    return "".join(wild.get(each) or re2.escape(each) for each in pattern)


_GLOBS: Final = (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]"))


@lru_cache(maxsize=512)
def _compile(pattern: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)
