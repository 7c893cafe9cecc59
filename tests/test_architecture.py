"""What the linters cannot say of the whole source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import landform
from landform import tables

PACKAGE = Path(landform.__file__).parent
ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts
)  # migrations speak to the database as they must


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node


def test_transactions_are_ended_in_one_place() -> None:
    allowed = {"kit/db.py", "schema.py"}  # a migration holds a lock across its transactions
    found = {
        name_of(path)
        for path in SOURCES
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}
    }
    assert found <= allowed


def test_no_import_is_hidden_from_the_contracts() -> None:
    assert not [name_of(path) for path in SOURCES if "TYPE_CHECKING" in path.read_text()]


def test_every_module_of_tables_is_known_to_the_mapper() -> None:
    modules = {
        f"landform.{name_of(path).removesuffix('.py').replace('/', '.')}"
        for path in SOURCES
        if path.name == "models.py" or "__tablename__" in path.read_text()
    }
    known = {value.__name__ for value in vars(tables).values() if hasattr(value, "__file__")}
    assert modules <= known


@pytest.mark.parametrize("word", ["utils", "helpers", "manager", "misc", "common"])
def test_no_module_is_called_after_nothing(word: str) -> None:
    assert not [name_of(path) for path in SOURCES if word in path.stem.split("_")]


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
