"""docs/security-tests.md has a row for each known attack, and names tests that are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROW = re.compile(r"^\| ([AFSC]\d+) \| .+? \| (.+) \|$", re.MULTILINE)
ROWS = dict(ROW.findall((HERE.parent / "docs" / "security-tests.md").read_text()))


def _names() -> Iterator[str]:
    for path in HERE.rglob("test_*.py"):
        for each in ast.walk(ast.parse(path.read_text())):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield each.name


@pytest.fixture(scope="module")
def names() -> set[str]:
    return set(_names())


def test_the_table_has_every_row() -> None:
    wanted = {f"A{number}" for number in range(1, 19)} | {f"F{number}" for number in range(1, 10)}
    wanted |= {f"S{number}" for number in range(1, 21)} | {f"C{number}" for number in range(1, 23)}
    assert set(ROWS) == wanted


@pytest.mark.parametrize("row", ROWS)
def test_each_row_names_tests_that_are_there_or_says_why_there_is_none(
    names: set[str], row: str
) -> None:
    named = re.findall(r"`(test_\w+)`", ROWS[row])
    assert not set(named) - names
    assert named or ROWS[row].endswith(".")
