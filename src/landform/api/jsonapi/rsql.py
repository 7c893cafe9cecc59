"""RSQL, the language of filters: `name==x;(key==a*,key=in=(b,c))`.

Grammar: github.com/jirutka/rsql-parser, "Grammar and semantic". `;` is and, `,` is or and binds
less. What a stranger can make us read is bounded: the text, the comparisons, the nesting.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from landform.api.jsonapi.errors import QueryError
from landform.kit.selection import All, Comparator, Comparison, Condition, OneOf

_TEXT_MAX: Final = 4096  # characters
_COMPARISONS_MAX: Final = 50
_VALUES_MAX: Final = 200
_DEPTH_MAX: Final = 10
_OTHER_FORMS: Final = {"<": "=lt=", "<=": "=le=", ">": "=gt=", ">=": "=ge="}
_OF_SEVERAL: Final = {Comparator.EQUAL: Comparator.IN, Comparator.UNEQUAL: Comparator.OUT}
_SELECTOR: Final = re.compile(r"""[^"'();,=!~<>\s]+""")
_OPERATOR: Final = re.compile(r"=[a-zA-Z]*=|!=|[<>]=?")
_PLAIN: Final = re.compile(r"""[^"'();,=!~<>\s]+""")
_QUOTED: Final = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Field:
    """What a name in a filter stands for.

    Attributes:
        name: of the domain's field.
        values: a value as the domain has it; several where the dialect has one word for them.
    """

    name: str
    values: Callable[[str], Sequence[str]] = lambda text: (text,)


def parse(text: str, fields: Mapping[str, Field], *, parameter: str) -> Condition:
    """Return what a filter says.

    Args:
        fields: what can be asked for, by the names of the dialect.
        parameter: of the query, for the error.

    Raises:
        QueryError: it is not RSQL, asks for a field that is not there, or is past a limit.
    """
    if len(text) > _TEXT_MAX:
        raise QueryError(f"A filter has at most {_TEXT_MAX} characters.", parameter=parameter)
    return _Parser(text, fields, parameter).whole()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field], parameter: str) -> None:
        self._text = text
        self._fields = fields
        self._parameter = parameter
        self._at = 0
        self._comparisons = 0

    def whole(self) -> Condition:
        condition = self._either(1)
        if self._at < len(self._text):
            raise self._wrong("expected `;`, `,` or the end; quote a value that has a space in it")
        return condition

    def _either(self, depth: int) -> Condition:
        found = [self._both(depth)]
        while self._takes(","):
            found.append(self._both(depth))
        return found[0] if len(found) == 1 else OneOf(tuple(found))

    def _both(self, depth: int) -> Condition:
        found = [self._one(depth)]
        while self._takes(";"):
            found.append(self._one(depth))
        return found[0] if len(found) == 1 else All(tuple(found))

    def _one(self, depth: int) -> Condition:
        if not self._takes("("):
            return self._comparison()
        if depth >= _DEPTH_MAX:
            raise self._wrong(f"parentheses are at most {_DEPTH_MAX} deep")
        condition = self._either(depth + 1)
        if not self._takes(")"):
            raise self._wrong("expected `)`")
        return condition

    def _comparison(self) -> Comparison:
        self._comparisons += 1
        if self._comparisons > _COMPARISONS_MAX:
            raise self._wrong(f"at most {_COMPARISONS_MAX} comparisons can be made at once")
        shown = self._match(_SELECTOR, "a field's name")
        field = self._fields.get(shown)
        if field is None:
            offered = ", ".join(self._fields)
            raise self._wrong(f"{shown[:80]} cannot be asked for; what can is {offered}")
        written = self._match(_OPERATOR, "an operator such as `==`")
        try:
            comparator = Comparator(_OTHER_FORMS.get(written, written))
        except ValueError:
            raise self._wrong(
                f"there is no operator {written}; there are {', '.join(Comparator)}"
            ) from None
        values = self._values()
        if len(values) > 1 and comparator not in (Comparator.IN, Comparator.OUT):
            raise self._wrong(f"{comparator} takes one value")
        meant = tuple(each for value in values for each in field.values(value))
        if len(meant) > 1:
            comparator = _OF_SEVERAL.get(comparator, comparator)
        return Comparison(field.name, comparator, meant, shown)

    def _values(self) -> list[str]:
        if not self._takes("("):
            return [self._one_value()]
        values = [self._one_value()]
        while self._takes(","):
            values.append(self._one_value())
            if len(values) > _VALUES_MAX:
                raise self._wrong(f"a list has at most {_VALUES_MAX} values")
        if not self._takes(")"):
            raise self._wrong("expected `)` after the values")
        return values

    def _one_value(self) -> str:
        self._skip()
        if self._text[self._at : self._at + 1] not in ("'", '"'):
            return self._match(_PLAIN, "a value, in quotes if it has a special character")
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise self._wrong("a quote is not closed")
        self._at = match.end()
        quoted = match[1] if match[1] is not None else match[2]
        return _ESCAPED.sub(r"\1", quoted or "")

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        self._skip()
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._wrong(f"expected {what}")
        self._at = match.end()
        return match[0]

    def _takes(self, sign: str) -> bool:
        self._skip()
        found = self._text.startswith(sign, self._at)
        self._at += len(sign) * found
        return found

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _wrong(self, words: str) -> QueryError:
        return QueryError(
            f"The filter cannot be read at character {self._at + 1}: {words}.",
            parameter=self._parameter,
        )
