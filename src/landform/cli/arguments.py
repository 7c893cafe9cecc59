"""What a user wrote, as values: settings, and how long something lasts."""

import re
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from landform.kit.errors import InvalidError
from landform.settings import Settings

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = timedelta(days=3650)


def read_settings(**given: Any) -> Settings:
    """Return the settings of the environment; those `given` that are not None take precedence.

    Raises:
        InvalidError: one of them cannot be.
    """
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as failure:
        raise InvalidError(_explain(failure, given)) from None
    home = settings.home.expanduser().absolute()
    return settings.model_copy(update={"home": home})


def parse_lifetime(text: str) -> timedelta:
    """Read `30m`, `12h`, `90d` or `8w`.

    Raises:
        InvalidError: it is none of these, nothing, or more than ten years.
    """
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    lifetime = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < lifetime <= _LONGEST:
        raise InvalidError(
            f"{text!r} is no length of time that a token can last: write 30m, 12h, 90d or 8w, at"
            " most ten years."
        )
    return lifetime


def _explain(failure: ValidationError, given: dict[str, Any]) -> str:
    """Name the settings as the user knows them, without their values: some are secret."""
    said = []
    for error in failure.errors(include_url=False, include_input=False):
        name = str(error["loc"][0])
        by_option = given.get(name) is not None
        where = f"--{name.replace('_', '-')}" if by_option else f"LANDFORM_{name.upper()}"
        said.append(f"{where}: {error['msg']}.")
    return " ".join(said)
