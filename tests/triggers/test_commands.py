import pytest

from landform.kit.errors import InvalidError
from landform.triggers.commands import Command, Deed, command_of


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("landform plan", Command(Deed.PLAN)),
        ("  Landform PLAN  \nthanks!", Command(Deed.PLAN)),
        ("terrakube apply", Command(Deed.APPLY)),
        ("landform cancel -w network", Command(Deed.CANCEL, "network")),
        ("landform apply --workspace 'network'", Command(Deed.APPLY, "network")),
    ],
)
def test_a_comment_whose_first_line_is_a_command_is_one(text: str, command: Command) -> None:
    assert command_of(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please landform plan",
        "> landform apply",
        "`landform apply`",
        "landformapply",
        "Nice.\nlandform apply",
        "### Landform: `acme/network`",
        "@<1B2C> landform plan",
    ],
)
def test_what_people_say_to_each_other_is_none(text: str) -> None:
    assert command_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "landform",
        "landform destroy",
        "landform plan network",
        "landform apply -w",
        "landform apply -w a -w b",
        "landform plan; rm -rf /",
        "landform apply 'network",
        "landform plan -w " + "x" * 300,
    ],
)
def test_what_begins_like_a_command_and_is_none_is_told_how_they_are_written(text: str) -> None:
    with pytest.raises(InvalidError, match=r"landform plan\|apply\|cancel \[-w WORKSPACE\]"):
        command_of(text)
