"""What is said of a value beside the field it is typed in, and of a file before it is imported."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from landform.contract import Category
from landform.kit.errors import InvalidError
from landform.variables import hcl
from landform.variables.hcl_tokens import HclError
from landform.variables.importing import Effect, Step
from landform.variables.service import check_value
from landform.web.present.text import plural

_KEYS: Final = 8  # of a map, that are named
_AROUND: Final = 60  # characters of a wrong line, to each side
_STEPS: Final = 200
_LOOKS_LIKE: Final = ("[", "{", '"', "<<")
_KINDS: Final = {
    "text": "text",
    "number": "a number",
    "bool": "true or false",
    "null": "null: as if it were not set",
    "expression": "an expression",
}


@dataclass(frozen=True)
class Said:
    """What is said of a value.

    Attributes:
        look: good, bad, or hint.
        line: of what is wrong, from 1; 0: of no line.
        before: the wrong line up to where it is wrong, `mark` what stands there, `after` the rest;
            empty where the value is sensitive.
    """

    look: str
    text: str
    line: int = 0
    column: int = 0
    before: str = field(default="", repr=False)
    mark: str = field(default="", repr=False)
    after: str = field(default="", repr=False)


@dataclass(frozen=True)
class Row:
    """What an import does to one variable, as a row of a table."""

    effect: str
    key: str
    value: str = field(repr=False)
    before: str = field(repr=False)
    kind: str


@dataclass(frozen=True)
class Foreseen:
    """What an import would do.

    Attributes:
        rows: the first of them.
        more: how many others there are.
    """

    summary: str
    rows: Sequence[Row]
    more: int


def words(understood: hcl.Understood, *, names_keys: bool = True) -> str:
    """Return what a value is, without what it says."""
    count, keys = understood.count, understood.keys
    if understood.kind == "list":
        return f"a list of {count}" if count else "an empty list"
    if understood.kind != "map":
        return _KINDS[understood.kind]
    if not count:
        return "an empty map"
    if not names_keys or len(keys) != count:
        return f"a map of {count}"
    named = ", ".join(key[:_AROUND] for key in keys[:_KEYS])
    rest = f" and {count - _KEYS} more" if count > _KEYS else ""
    return f"a map with the {'key' if count == 1 else 'keys'} {named}{rest}"


def said_of(value: str, *, category: str, is_hcl: bool, sensitive: bool) -> Said | None:
    """Return what there is to say of a value as it is typed; None: nothing."""
    try:
        check_value(value)
        if category != Category.TERRAFORM:
            wrong = "Only a Terraform variable can be HCL; an environment variable is text."
            return Said("bad", wrong) if is_hcl else None
        if is_hcl:
            found = hcl.understand(value)
            return Said("good", f"This is {words(found, names_keys=not sensitive)}.")
    except HclError as failure:
        return wrong_at(failure, value, sensitive=sensitive)
    except InvalidError as failure:
        return Said("bad", str(failure))
    return _hint(value, sensitive=sensitive)


def wrong_at(failure: HclError, text: str, *, sensitive: bool) -> Said:
    """Return where and why `text` is wrong, with the line unless it is sensitive."""
    said = failure.said
    if "\n" not in text and not text.strip().startswith(_LOOKS_LIKE):
        said += " Or untick HCL, and it is given as text."
    if sensitive:
        return Said("bad", said, failure.line, failure.column)
    line, at = text.split("\n")[failure.line - 1], failure.column - 1
    return Said(
        *("bad", said, failure.line, failure.column),
        before=line[max(0, at - _AROUND) : at],
        mark=line[at : at + 1],
        after=line[at + 1 : at + _AROUND],
    )


def foreseen_of(steps: Sequence[Step]) -> Foreseen:
    """Return what an import would do, or did."""
    counts = Counter(step.effect for step in steps)
    summary = ", ".join(f"{counts[effect]} {effect}" for effect in Effect if counts[effect])
    return Foreseen(summary, [_row(step) for step in steps[:_STEPS]], max(0, len(steps) - _STEPS))


def _hint(value: str, *, sensitive: bool) -> Said | None:
    if not value.strip().startswith(_LOOKS_LIKE):
        return None
    try:
        found = hcl.understand(value)
    except HclError:
        return None
    what = words(found, names_keys=not sensitive)
    if found.kind == "text":
        return Said(
            "hint", "The quotes are a part of the value. Without them, or with HCL ticked, not."
        )
    return Said("hint", f"This looks like {what}, but is given as text. Tick HCL to change that.")


def _row(step: Step) -> Row:
    before = step.before
    return Row(
        effect=step.effect,
        key=step.key,
        value="" if step.sensitive else step.value,
        before="" if before is None or step.sensitive else before.value or "",
        kind="sensitive"
        if step.sensitive
        else plural(len(step.value.splitlines()), "line")
        if "\n" in step.value
        else words(step.understood),
    )
