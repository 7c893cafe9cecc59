"""What a comment under a pull request can ask for: pure."""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from landform.kit.errors import InvalidError

_CALLED: Final = ("landform", "terrakube")  # the second for who comes from there
_WORKSPACE: Final = ("-w", "--workspace")
_LINE_LIMIT: Final = 300  # characters; a command is short
USAGE: Final = "landform plan|apply|cancel [-w WORKSPACE]"


class Deed(StrEnum):
    """What is asked for."""

    PLAN = "plan"
    APPLY = "apply"
    CANCEL = "cancel"


_DEEDS: Final = frozenset(deed.value for deed in Deed)


@dataclass(frozen=True)
class Command:
    """What a comment asks for; an empty workspace means all that the pull request concerns."""

    deed: Deed
    workspace: str = ""


def command_of(text: str) -> Command | None:
    """Return the command that a comment is; None for what people say to each other.

    A comment is a command when its first line is: a quoted one, or one inside a sentence, is none.

    Raises:
        InvalidError: it begins like one and is none; the text says how they are written.
    """
    line = text.lstrip("\ufeff \t\r\n").partition("\n")[0].strip()
    first = line.partition(" ")[0].lower()
    if first not in _CALLED:
        return None
    wrong = InvalidError(f"This is no command; write {USAGE}.")
    if len(line) > _LINE_LIMIT:
        raise wrong
    try:
        _, *words = shlex.split(line)
    except ValueError:
        raise wrong from None
    match words:
        case [deed]:
            workspace = ""
        case [deed, option, workspace] if option in _WORKSPACE:
            pass
        case _:
            raise wrong
    if deed.lower() not in _DEEDS:
        raise wrong
    return Command(Deed(deed.lower()), workspace)
