"""What the documents say of commands, settings and files is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import landform
from landform.cli.main import app
from landform.cli.recover import TOKEN
from landform.settings import Settings

CHECKOUT = Path(landform.__file__).parents[2]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)(?:#[^)]*)?\)")


def read(name: str) -> str:
    return (CHECKOUT / name).read_text()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`LANDFORM_{name.upper()}`" in read("docs/operations.md")


def test_every_setting_that_is_documented_exists() -> None:
    named = {
        name.lower()
        for page in DOCUMENTS
        for name in re.findall(r"\bLANDFORM_([A-Z_]+)\b", page.read_text())
    }
    assert named <= {*Settings.model_fields, TOKEN.removeprefix("LANDFORM_").lower()}


def test_every_default_that_is_documented_is_the_one() -> None:
    text = read("docs/operations.md")
    for name, value in re.findall(r"^\| `LANDFORM_(\w+)` \| (\d+) \|", text, re.MULTILINE):
        assert Settings.model_fields[name.lower()].default == int(value), name


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command with its options, as the parser has them."""

    def walk(command: object, words: str) -> Iterator[tuple[str, list[str]]]:
        if isinstance(command, typer.core.TyperGroup):
            for name, child in command.commands.items():
                yield from walk(child, f"{words} {name}")
        elif isinstance(command, typer.core.TyperCommand):
            names = [name for each in command.params for name in (*each.opts, *each.secondary_opts)]
            yield words, [name for name in names if name.startswith("--")]

    yield from walk(get_command(app), "landform")


@pytest.mark.parametrize(("words", "options"), list(commands()))
def test_every_command_and_option_is_documented(words: str, options: list[str]) -> None:
    text = read("docs/cli.md")
    assert words in text
    assert [name for name in options if f"`{name}" not in text] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [each for each in LINK.findall(page.read_text()) if "://" not in each]
    assert [each for each in targets if not (page.parent / each).exists()] == []
