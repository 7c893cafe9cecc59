"""What a value written as HCL says, or where it is wrong: the grammar of Terraform's expressions.

Terraform evaluates the value of a variable where there is nothing to refer to: names and calls of
functions are refused as it refuses them. Source: the specification in HashiCorp's repository of
HCL, `hclsyntax/spec.md`; tests/variables/test_hcl.py asks a real terraform the same questions.
docs/decisions/0010 says why this is no library.

No message holds a part of the value, which may be a secret.
"""

from dataclasses import dataclass, field
from typing import Final

from landform.variables.hcl_tokens import HclError, Token, Tokens

_DEEPEST: Final = 100  # levels of brackets, of which each takes frames of Python's stack
_OPERATORS: Final = frozenset(
    ("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||")
)
_AFTER_A_NAME: Final = _OPERATORS | {".", "(", "[", "::", "?"}  # in an expression
_COMPARING: Final = frozenset(("==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"))
_WORDS: Final = {"true": "bool", "false": "bool", "null": "null"}
_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Understood:
    """What a value is.

    Attributes:
        kind: text, number, bool, null, list, map, or expression: what it gives is not known here.
        count: of a list's or map's items.
        keys: of a map, those that are written out.
        text: what a text without anything to fill in says; else None.
    """

    kind: str
    count: int = 0
    keys: tuple[str, ...] = field(default=(), repr=False)
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Assignment:
    """One variable of a `.tfvars` file.

    Attributes:
        written: its value as it stands in the file.
        line: the line its name is in, from 1.
    """

    key: str
    written: str = field(repr=False)
    understood: Understood
    line: int


def understand(text: str) -> Understood:
    """Return what a variable's value is; nothing at all means null.

    Raises:
        HclError: terraform would refuse it.
    """
    if not text.strip():
        return Understood("null")
    reader = _Reader(text.rstrip(), start=len(text) - len(text.lstrip()))
    tokens = reader.tokens
    found = reader.expression()
    if tokens.peek().kind not in ("newline", "end"):
        raise reader.left_over(tokens.peek())
    while tokens.peek().kind == "newline":
        tokens.read()
    if tokens.peek().kind != "end":
        raise tokens.wrong(
            tokens.peek(),
            "The value ended on a line before. Brackets around a value let it go over lines.",
        )
    return found


def assignments(text: str) -> list[Assignment]:
    """Return the variables that a `.tfvars` file sets, in its order.

    Raises:
        HclError: terraform would refuse it.
    """
    reader = _Reader(text)
    found: dict[str, Assignment] = {}
    line, counted = 1, 0
    while (token := reader.tokens.peek()).kind != "end":
        if token.kind == "newline":
            reader.tokens.read()
            continue
        line, counted = line + text.count("\n", counted, token.start), token.start
        one = reader.assignment(line)
        if one.key in found:
            raise reader.tokens.wrong(
                token, f"{one.key} is set twice; line {found[one.key].line} sets it too."
            )
        found[one.key] = one
    return list(found.values())


class _Reader:
    """Reads expressions by descent; one method for one rule of the grammar."""

    def __init__(self, text: str, *, start: int = 0) -> None:
        self.tokens = Tokens(text, start=start)
        self._names: list[tuple[str, ...]] = []
        self._depth = 0

    def assignment(self, line: int) -> Assignment:
        tokens = self.tokens
        name = tokens.read()
        if name.kind != "name":
            raise tokens.wrong(name, 'This begins no variable; write such as: region = "eu-1"')
        if not tokens.take("="):
            raise tokens.wrong(
                tokens.peek(), 'An = is missing after the name; write such as: region = "eu-1"'
            )
        start = tokens.peek().start
        found = self.expression()
        written = tokens.text[start : tokens.last_end]
        end = tokens.peek()
        if end.kind not in ("newline", "end"):
            raise self.left_over(end)
        return Assignment(name.text, written, found, line)

    def left_over(self, token: Token) -> HclError:
        if token.text in ("]", "}", ")"):
            return self.tokens.wrong(token, f"This {token.text} closes nothing; remove it.")
        if token.text == "=":
            return self.tokens.wrong(
                token, "The value ends before this =. Maps stand in braces: { name = value }"
            )
        return self.tokens.wrong(
            token,
            "The value ends before this. Several values stand in brackets, [1, 2], and text in"
            ' double quotes, "a b".',
        )

    def expression(self) -> Understood:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._too_deep()
        found = self._operation()
        while self.tokens.take("?"):
            self.expression()
            if not self.tokens.take(":"):
                raise self.tokens.wrong(
                    self.tokens.peek(), "A : is missing here: condition ? this : that"
                )
            self._operation()
            found = Understood("expression")
        self._depth -= 1
        return found

    def _too_deep(self) -> HclError:
        return self.tokens.wrong(
            self.tokens.peek(), f"Brackets may be at most {_DEEPEST} levels deep."
        )

    def _operation(self) -> Understood:
        found = self._operand()
        while self.tokens.peek().text in _OPERATORS:
            operator = self.tokens.read()
            self._operand()
            found = Understood("bool" if operator.text in _COMPARING else "number")
        return found

    def _operand(self) -> Understood:
        signs = []
        while self.tokens.peek().text in ("-", "!"):
            signs.append(self.tokens.read().text)
        found = self._term()
        if self._traversed():
            found = Understood("expression")
        if signs:
            return Understood("bool" if signs[0] == "!" else "number")
        return found

    def _term(self) -> Understood:
        token = self.tokens.read()
        if token.kind == "number":
            if token.text.count(".") > 1:
                raise self.tokens.wrong(
                    token, 'This is no number. A version or an address is text: "1.2.3"'
                )
            return Understood("number")
        if token.kind in ("quote", "heredoc"):
            return self._template(token)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            with self.tokens.lines(count=False):
                found = self.expression()
                self._close(token, "or an operator")
            return found
        if token.text == "[":
            with self.tokens.lines(count=False):
                return self._list(token)
        if token.text == "{":
            return self._map(token)
        said = "A value is missing here."
        if token.kind == "newline":
            said = "A value is missing here; it begins on this line, before any comment."
        raise self.tokens.wrong(token, said)

    def _name(self, token: Token) -> Understood:
        if self.tokens.peek().text in ("(", "::"):
            raise self.tokens.wrong(
                token, "Functions cannot be called in a variable's value; write their result."
            )
        if token.text in _WORDS:
            return Understood(_WORDS[token.text])
        if any(token.text in names for names in self._names):
            return Understood("expression")
        raise self.tokens.wrong(
            token,
            'This is no value. Text stands in double quotes, such as "eu-1"; a variable\'s value'
            " cannot refer to anything else.",
        )

    def _traversed(self) -> bool:
        found = False
        while True:
            if self.tokens.take("."):
                step = self.tokens.read()
                if step.kind not in ("name", "number") and step.text != "*":
                    raise self.tokens.wrong(step, "After the dot stands the name of an attribute.")
            elif self.tokens.peek().text == "[":
                opening = self.tokens.read()
                with self.tokens.lines(count=False):
                    if not self.tokens.take("*"):
                        self.expression()
                    self._close(opening, "after the index")
            else:
                return found
            found = True

    def _close(self, opening: Token, instead: str) -> None:
        closing = _CLOSING[opening.text]
        token = self.tokens.peek()
        if not self.tokens.take(closing):
            raise self._unclosed(opening, token, instead)

    def _unclosed(self, opening: Token, token: Token, instead: str) -> HclError:
        closing = _CLOSING[opening.text]
        if token.kind == "end":
            return self.tokens.wrong(
                opening, f"This {opening.text} is never closed; its {closing} is missing."
            )
        line, column = self.tokens.place(opening.start)
        return self.tokens.wrong(
            token,
            f"Expected {closing} {instead} here; the {opening.text} of line {line}, column"
            f" {column} is still open.",
        )

    def _list(self, opening: Token) -> Understood:
        if self._is_for():
            return self._for(opening)
        count = 0
        while not self.tokens.take("]"):
            if self.tokens.peek().kind == "end":
                raise self._unclosed(opening, self.tokens.peek(), "")
            self.expression()
            count += 1
            if not self.tokens.take(",") and self.tokens.peek().text != "]":
                raise self._unclosed(opening, self.tokens.peek(), "or a comma")
        return Understood("list", count)

    def _map(self, opening: Token) -> Understood:
        with self.tokens.lines(count=False):
            if self._is_for():
                return self._for(opening)
        with self.tokens.lines(count=True):
            count, keys = 0, list[str]()
            while True:
                while self.tokens.peek().kind == "newline":
                    self.tokens.read()
                if self.tokens.take("}"):
                    return Understood("map", count, tuple(dict.fromkeys(keys)))
                if self.tokens.peek().kind == "end":
                    raise self._unclosed(opening, self.tokens.peek(), "")
                keys += self._item(opening)
                count += 1

    def _item(self, opening: Token) -> list[str]:
        tokens = self.tokens
        first = tokens.peek()
        key = [first.text]
        if first.kind == "name" and tokens.ahead() not in _AFTER_A_NAME:
            tokens.read()
        else:
            found = self.expression()
            key = [] if found.text is None else [found.text]
        if not tokens.take("=") and not tokens.take(":"):
            raise tokens.wrong(
                tokens.peek(), "An = is missing after the key; write such as: { name = value }"
            )
        self.expression()
        after = tokens.peek()
        if after.text != "}" and after.kind != "newline" and not tokens.take(","):
            raise self._unclosed(opening, after, "or a comma or a new line")
        return key

    def _is_for(self) -> bool:
        token = self.tokens.peek()
        return token.kind == "name" and token.text == "for"

    def _for(self, opening: Token) -> Understood:
        tokens = self.tokens
        tokens.read()
        self._for_intro()
        if not tokens.take(":"):
            raise tokens.wrong(tokens.peek(), "A : is missing here: [for one in list : one]")
        self.expression()
        if opening.text == "{":
            if not tokens.take("=>"):
                raise tokens.wrong(
                    tokens.peek(), "A => is missing here: {for k, v in map : k => v}"
                )
            self.expression()
            tokens.take("...")
        if tokens.peek().text == "if":
            tokens.read()
            self.expression()
        self._close(opening, "at the end of the for expression")
        self._names.pop()
        return Understood("expression")

    def _for_intro(self) -> None:
        """Read the names, which count from then on, and what they go through."""
        tokens = self.tokens
        names = [tokens.read()]
        if tokens.take(","):
            names.append(tokens.read())
        for one in names:
            if one.kind != "name":
                raise tokens.wrong(one, "A name is missing here: for one in list")
        if tokens.peek().text != "in":
            raise tokens.wrong(tokens.peek(), "The word in is missing here: for one in list")
        tokens.read()
        self.expression()
        self._names.append(tuple(one.text for one in names))

    def _template(self, opening: Token) -> Understood:
        tokens, said, inside = self.tokens, [""], list[str]()
        next_one = tokens.piece if opening.kind == "quote" else tokens.heredoc_piece
        is_plain = opening.kind == "quote"
        while part := next_one(opening, said):
            is_plain = False
            with tokens.lines(count=False):
                if part.text.startswith("$"):
                    self.expression()
                else:
                    self._directive(inside)
                if not tokens.take("}") and not tokens.take("~}"):
                    if tokens.peek().kind == "end":
                        raise tokens.wrong(part, "This is never closed; its } is missing.")
                    raise tokens.wrong(tokens.peek(), "Expected a } here, or an operator.")
        if inside:
            raise tokens.wrong(opening, f"In this text a %{{ {inside[-1]} }} is missing.")
        return Understood("text", text="".join(said) if is_plain else None)

    def _directive(self, inside: list[str]) -> None:
        """Read what stands in `%{ }`; `inside` has the ends of those that are open."""
        tokens = self.tokens
        word = tokens.read()
        if len(inside) > _DEEPEST:
            raise self._too_deep()
        if word.text == "if":
            self.expression()
            inside.append("endif")
        elif word.text == "for":
            self._for_intro()
            inside.append("endfor")
        elif word.text == "else" and inside and inside[-1] == "endif":
            pass
        elif inside and word.text == inside[-1]:
            if inside.pop() == "endfor":
                self._names.pop()
        else:
            raise tokens.wrong(word, "In %{ } stands one of: if, else, endif, for, endfor.")
