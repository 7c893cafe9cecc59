"""Logs as HTML: colours kept, everything else that a terminal would obey left out or shown as text.

Lines are known by the offset of their first byte: it does not change while the log grows, and a
part of a log can be shown without reading what is before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup, escape

_LONGEST_LINE: Final = 20_000  # characters shown of one line
_SEQUENCE: Final = re.compile(
    r"\x1b\[(?P<sgr>[0-9;]*)m"  # colours and weights
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # any other control sequence
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles, links
    r"|\x1b."
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# The same in a form that is looked for ten times as fast: it begins with a set of characters.
_OBEYED: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"(?:(?<=\x1b)(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|.))?"
)
# Text that shows otherwise than it reads: direction marks and what has no width.
_DECEPTIVE: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_WEIGHTS: Final = {1: "b", 2: "d", 3: "i", 4: "u"}


@dataclass(frozen=True)
class Line:
    """One line of a log; `offset` is that of its first byte."""

    offset: int
    html: Markup


@dataclass
class _Style:
    weights: set[str] = field(default_factory=set)
    colour: int | None = None

    def take(self, codes: str) -> None:
        numbers = [int(code) if code else 0 for code in codes.split(";")][:16]
        if numbers[:2] in ([38, 5], [48, 5], [38, 2], [48, 2]):
            self.colour = numbers[2] if numbers[:2] == [38, 5] and len(numbers) > 2 else None  # noqa: PLR2004 - the third says which
            return
        for number in numbers:
            self._take(number)

    def _take(self, number: int) -> None:
        if number == 0:
            self.weights, self.colour = set(), None
        elif number in _WEIGHTS:
            self.weights.add(_WEIGHTS[number])
        elif number == 22:  # noqa: PLR2004 - ECMA-48: neither bold nor faint
            self.weights -= {"b", "d"}
        elif number in range(30, 38):
            self.colour = number - 30
        elif number in range(90, 98):
            self.colour = number - 82
        elif number == 39:  # noqa: PLR2004 - ECMA-48: the default colour
            self.colour = None

    def classes(self) -> str:
        if self.colour is None and not self.weights:
            return ""
        found = [f"ansi-{weight}" for weight in sorted(self.weights)]
        if self.colour is not None and self.colour < 16:  # noqa: PLR2004 - the named colours
            found.append(f"ansi-{self.colour}")
        return " ".join(found)


def lines_of(content: bytes, offset: int) -> list[Line]:
    """Return the lines of a part of a log that begins at `offset`."""
    return list(_lines(content, offset))


def plain(content: bytes) -> str:
    """Return whole lines as text without anything that a terminal would obey.

    As many lines come out as go in, and each is what it would be alone.
    """
    return _shown(_OBEYED.sub("", content.decode(errors="replace")))


def _lines(content: bytes, offset: int) -> Iterator[Line]:
    style = _Style()
    for raw in _split(content):
        text = raw.decode(errors="replace").rstrip("\r\n")
        yield Line(offset, _rendered(text[:_LONGEST_LINE], style))
        offset += len(raw)


def _split(content: bytes) -> list[bytes]:
    """Split at line feeds only: a carriage return alone draws a line again, and is no end."""
    *whole, rest = content.split(b"\n")
    return [part + b"\n" for part in whole] + ([rest] if rest else [])


def _rendered(text: str, style: _Style) -> Markup:
    parts: list[str] = []
    at = 0
    if _OBEYED.search(text):
        for match in _SEQUENCE.finditer(text):
            parts.append(_span(text[at : match.start()], style))
            if match["sgr"] is not None:
                style.take(match["sgr"])
            at = match.end()
    parts.append(_span(text[at:], style))
    return Markup("".join(parts))  # noqa: S704 - spans of ours around what is escaped


def _span(text: str, style: _Style) -> str:
    if not text:
        return ""
    shown, classes = escape(_shown(text)), style.classes()
    return f'<span class="{classes}">{shown}</span>' if classes else shown


def _shown(text: str) -> str:
    return text if text.isascii() else _DECEPTIVE.sub("\N{REPLACEMENT CHARACTER}", text)
