"""Which elements of two lists, or lines of two texts, are the same ones. Pure.

To compare by position alone would tell of twenty changes where the first of twenty is gone.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

_COMPARED: Final = 400  # elements of each side between the equal ends; beyond, position decides
_CONTEXT: Final = 3  # unchanged lines that are shown around changed ones
# What names an element among its like, in Terraform's nested blocks, in policies and in manifests.
_NAMES: Final = ("name", "id", "key", "Name", "Sid", "Id", "Key")
Pair = tuple[int | None, int | None]


def pairs(before: Sequence[Any], after: Sequence[Any]) -> list[Pair]:
    """Return which elements belong together by their indices; None: there is none on that side."""
    names = [_named(before), _named(after)]
    if names[0] is not None and names[1] is not None:
        return list(_pairs(names[0], names[1], is_named=True))
    old, new = [_text(each) for each in before], [_text(each) for each in after]
    return list(_pairs(old, new, is_named=False))


def compared(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines of two texts with a sign: ` `, `-`, `+`; `…` stands for what is the same."""
    old, new = before.splitlines(), after.splitlines()
    found: list[tuple[str, str]] = []
    same: list[str] = []
    for left, right in _pairs(old, new, is_named=False, is_paired=False):
        if left is not None and right is not None:
            same.append(old[left])
            continue
        found += _context(same, is_first=not found, is_last=False)
        same = []
        found.append(("-", old[left]) if left is not None else ("+", new[right or 0]))
    return found + _context(same, is_first=not found, is_last=True)


def _context(lines: list[str], *, is_first: bool, is_last: bool) -> list[tuple[str, str]]:
    head = [] if is_first else lines[:_CONTEXT]
    tail = [] if is_last else lines[len(head) :][-_CONTEXT:]
    left_out = len(lines) - len(head) - len(tail)
    if left_out <= 1:
        return [(" ", line) for line in lines]
    middle = ("…", f"{left_out} lines unchanged")
    return [*((" ", line) for line in head), middle, *((" ", line) for line in tail)]


def _pairs(
    old: Sequence[Hashable], new: Sequence[Hashable], *, is_named: bool, is_paired: bool = True
) -> Iterator[Pair]:
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    rest = shorter - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    yield from ((at, at) for at in range(head))
    left, right = range(head, len(old) - tail), range(head, len(new) - tail)
    if len(left) <= _COMPARED and len(right) <= _COMPARED:
        matcher = SequenceMatcher(
            None, [old[at] for at in left], [new[at] for at in right], autojunk=False
        )
        steps = matcher.get_opcodes()
    else:
        steps = [("replace", 0, len(left), 0, len(right))]
    for step, low, high, begin, end in steps:
        lefts, rights = left[low:high], right[begin:end]
        # Others in their place are changed ones, unless they have names and so are others indeed.
        is_same = step == "equal" or (is_paired and (len(lefts) == len(rights) or not is_named))
        together = min(len(lefts), len(rights)) if is_same else 0
        yield from zip(lefts[:together], rights[:together], strict=True)
        yield from ((at, None) for at in lefts[together:])
        yield from ((None, at) for at in rights[together:])
    yield from ((len(old) - at, len(new) - at) for at in range(tail, 0, -1))


def _named(values: Sequence[Any]) -> list[str] | None:
    """Return the elements' names, if all have one and no two the same."""
    for key in _NAMES:
        found = [value.get(key) if isinstance(value, dict) else None for value in values]
        names = [each for each in found if isinstance(each, str) and each]
        if names and len(set(names)) == len(values):
            return names
    return None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
