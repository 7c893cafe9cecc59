"""Lines of a `.tfvars` file, cut into variables.

Text in quotes becomes text; whatever else there is (numbers, lists, maps) stays HCL as written, for
terraform to read. Only where each value ends is found out here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from landform.kit.errors import InvalidError

_START: Final = re.compile(r"\s*([^\W\d][\w-]*)\s*=\s*")
_TEXT: Final = re.compile(r'"((?:[^"\\$%]|\\["\\nrt]|[$%](?!\{))*)"')
_HEREDOC: Final = re.compile(r"<<-?\s*(\w+)\s*$")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMMENT: Final = re.compile(r"(#|//).*$")


@dataclass(frozen=True)
class Assignment:
    """One variable of the file."""

    key: str
    value: str = field(repr=False)
    is_hcl: bool


def read(text: str) -> list[Assignment]:
    """Return the variables that the file sets, the last of each name.

    Raises:
        InvalidError: a line begins no variable and belongs to none.
    """
    return list({one.key: one for one in _read(text)}.values())


def _read(text: str) -> Iterator[Assignment]:
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if not _COMMENT.sub("", _STRING.sub('""', line)).strip():
            continue
        match = _START.match(line)
        if match is None:
            raise InvalidError(f'Line {number} sets no variable; write such as: name = "value"')
        parts = [line[match.end() :]]
        heredoc = _HEREDOC.search(parts[0])
        while heredoc or _open(parts):
            following = next(lines, None)
            if following is None:
                raise InvalidError(f"The value of {match[1]} (line {number}) does not end.")
            parts.append(following[1])
            if heredoc and following[1].strip() == heredoc[1]:
                break
        yield _assignment(match[1], "\n".join(parts).strip())


def _open(parts: list[str]) -> int:
    """Return how many brackets are not closed yet."""
    bare = "\n".join(_COMMENT.sub("", _STRING.sub('""', part)) for part in parts)
    return max(0, sum(bare.count(each) for each in "[{(") - sum(bare.count(each) for each in "]})"))


def _assignment(key: str, value: str) -> Assignment:
    text = _TEXT.match(value)
    if text is not None and not _COMMENT.sub("", value[text.end() :]).strip():
        plain = re.sub(r"\\(.)", lambda found: _ESCAPES[found[1]], text[1])
        return Assignment(key, plain, is_hcl=False)
    return Assignment(key, value, is_hcl=True)
