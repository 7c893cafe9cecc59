"""The words and marks of HCL, one at a time, and the text between quotes piece by piece.

Where a line's end counts depends on the brackets around it, and what a character means on the
quotes: so the reader of expressions says what it wants next, and each is found where it stands.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from landform.kit.errors import InvalidError

_SPACE: Final = re.compile(r"(?:[ \t]|/\*(?s:.*?)\*/)*+")
_SPACE_AND_LINES: Final = re.compile(r"(?:[ \t\n]|\r\n|(?:#|//)[^\n]*|/\*(?s:.*?)\*/)*+")
_TOKEN: Final = re.compile(
    r"""
      (?P<newline>(?:(?:\#|//)[^\n]*)?(?:\r?\n)|(?:\#|//)[^\n]*+\Z)
    | (?P<name>[^\W\d][\w-]*+)
    | (?P<number>[0-9]++(?:\.[0-9]++)*+(?:[eE][+-]?[0-9]++)?)
    | (?P<quote>")
    | (?P<heredoc><<-?[^\W\d][\w-]*+\r?\n)
    | (?P<mark>\.\.\.|=>|==|!=|<=|>=|&&|\|\||::|~\}|[-+*/%!<>?:=.,()\[\]{}])
    | (?P<end>\Z)
    | (?P<bad>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PIECE: Final = re.compile(
    r"""
      (?P<plain>(?:[^"\\$%\n]|\$\$\{|%%\{|[$%](?!\{))++)
    | (?P<escape>\\(?:[nrt"\\]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))
    | (?P<open>[$%]\{~?)
    | (?P<quote>")
    """,
    re.VERBOSE,
)
_LINE: Final = re.compile(r"(?P<plain>(?:[^$%\n]|\$\$\{|%%\{|[$%](?!\{))*+\n?)(?P<open>[$%]\{~?)?")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_BAD: Final = {
    "'": 'Text stands in double quotes ("), not in single ones.',
    "`": 'Text stands in double quotes (").',
    ";": "Items are parted by commas, not by semicolons.",
    "&": "This & is no operator; write && for and.",
    "|": "This | is no operator; write || for or.",
    "“": 'Text stands in straight double quotes (").',
    "”": 'Text stands in straight double quotes (").',
    "\ufeff": "There is a byte order mark here, which cannot be seen; remove it.",
}


class HclError(InvalidError):
    """What is written is not what terraform reads.

    Attributes:
        said: what is wrong and what would be right; holds nothing of the value.
        line: from 1.
        column: characters, from 1.
    """

    def __init__(self, said: str, *, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {said}", pointer="value")
        self.said, self.line, self.column = said, line, column


class Token(NamedTuple):
    """One word or mark.

    Attributes:
        kind: name, number, quote, heredoc, mark, newline, end, or bad.
        start: offset in the text.
    """

    kind: str
    text: str
    start: int


class Tokens:
    """Where the reader is in its text.

    Attributes:
        last_end: offset behind what was read last.
    """

    def __init__(self, text: str, *, start: int = 0) -> None:
        self.text = text
        self.last_end = start
        self._next: Token | None = None
        self._lines_count = True

    @contextmanager
    def lines(self, *, count: bool) -> Iterator[None]:
        """Have the ends of lines count, or not, inside of a bracket."""
        before, self._lines_count, self._next = self._lines_count, count, None
        yield
        self._lines_count, self._next = before, None

    def peek(self) -> Token:
        """Return what comes next."""
        if self._next is None:
            self._next = self._at(self.last_end)
        return self._next

    def read(self) -> Token:
        """Return what comes next and go behind it."""
        token = self.peek()
        self.last_end = token.start + len(token.text)
        self._next = None
        return token

    def take(self, mark: str) -> bool:
        """Go behind what comes next if it is that mark."""
        is_it = self.peek().text == mark
        if is_it:
            self.read()
        return is_it

    def ahead(self) -> str:
        """Return the text of the one after the next."""
        token = self.peek()
        return self._at(token.start + len(token.text)).text

    def piece(self, opening: Token, said: list[str]) -> Token | None:
        """Read on in the text behind its opening quote, and note what it says.

        Returns:
            The `${` or `%{` that was come to; None where the text is over.

        Raises:
            HclError: it is never over, or has what cannot be in quotes.
        """
        while match := _PIECE.match(self.text, self.last_end):
            start, self.last_end = self.last_end, match.end()
            if match["quote"]:
                return None
            if match["open"]:
                return Token("mark", match["open"], start)
            said.append(_meant(match))
        raise self._never_over(opening)

    def heredoc_piece(self, opening: Token, said: list[str]) -> Token | None:
        """Read on in the lines of a heredoc, as `piece` does."""
        marker = opening.text.strip().lstrip("<-")
        while self.last_end < len(self.text):
            start = self.last_end
            if self.text[start - 1] == "\n":
                line = self._line(start)
                if line.strip() == marker:
                    self.last_end = start + len(line.rstrip("\r"))
                    return None
            match = _LINE.match(self.text, start)
            if match is None:
                break
            said.append(match["plain"])
            self.last_end = match.end()
            if match["open"]:
                return Token("mark", match["open"], match.start("open"))
        raise self.wrong(
            opening, "This text never ends: a line with only the word behind << is missing."
        )

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        before = self.text.count("\n", 0, offset)
        return before + 1, offset - (self.text.rfind("\n", 0, offset) + 1) + 1

    def wrong(self, token: Token, said: str) -> HclError:
        """Return the error that says so of a token, or what it says of itself if it is of none."""
        return self._wrong_at(token.start, _bad(token) or said)

    def _wrong_at(self, offset: int, said: str) -> HclError:
        line, column = self.place(offset)
        return HclError(said, line=line, column=column)

    def _line(self, start: int) -> str:
        end = self.text.find("\n", start)
        return self.text[start:] if end == -1 else self.text[start:end]

    def _at(self, offset: int) -> Token:
        skipped = (_SPACE if self._lines_count else _SPACE_AND_LINES).match(self.text, offset)
        start = skipped.end() if skipped else offset
        found = _TOKEN.match(self.text, start)
        if found is None or found.lastgroup is None:  # no branch: `bad` takes what others leave
            raise self._wrong_at(start, "This cannot be read.")
        return Token(found.lastgroup, found[0], start)

    def _never_over(self, opening: Token) -> HclError:
        here = self.text[self.last_end : self.last_end + 1]
        if here == "\\":
            return self._wrong_at(
                self.last_end,
                'After \\ stands one of n r t " \\ or u and four digits; \\\\ is a backslash.',
            )
        if here == "\n":
            return self._wrong_at(
                opening.start,
                "This text has no closing quote on its line. Write \\n for the end of a line, or"
                " use <<EOT.",
            )
        return self._wrong_at(opening.start, 'This text is never closed; its " is missing.')


def _meant(match: re.Match[str]) -> str:
    escape = match["escape"]
    if escape is None:
        return match[0].replace("$${", "${").replace("%%{", "%{")
    if escape[1] not in "uU":
        return _ESCAPES[escape[1]]
    try:
        text = chr(int.from_bytes(bytes.fromhex(escape[2:])))
        text.encode()
    except ValueError:
        return "\ufffd"  # as in HCL: no character, or half of one
    return text


def _bad(token: Token) -> str:
    if token.kind != "bad":
        return ""
    return _BAD.get(token.text, "This character cannot stand here.")
