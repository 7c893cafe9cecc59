"""When a schedule's runs start: a cron expression in a time zone, and nothing of a database.

The expression has the five fields of cron (minute, hour, day of the month, month, day of the
week), or the six or seven of Quartz, which Terrakube's clients write (terrakube_backend.md §1.4): a
second in front, perhaps a year behind, `?` for a day that does not matter, and Sunday as 1.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from landform.kit.errors import InvalidError

SHORTEST: Final = timedelta(minutes=5)
_LIMIT: Final = 120  # characters
_ZONE_LIMIT: Final = 64
_LOOKED_AT: Final = 70  # ticks; more than an hour of every minute has
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CRON_FIELDS: Final = 5
_QUARTZ_FIELDS: Final = (6, 7)
_FORM: Final = (
    "It has five fields (minute, hour, day of the month, month, day of the week), as in"
    " 30 3 * * MON-FRI, or the six of Quartz, as in 0 30 3 ? * MON-FRI"
)


@dataclass(frozen=True)
class Rhythm:
    """A cron expression as it was written, and the time zone its hours are of."""

    expression: str
    time_zone: str

    def after(self, moment: datetime) -> datetime:
        """Return the first tick that is later than `moment`, in UTC.

        Where clocks are put on, what would be in the hour that is left out comes right after it;
        where they are put back, what is at a fixed hour comes once.

        Raises:
            InvalidError: it never comes.
        """
        ticks = CronSim(_cron(self.expression), moment.astimezone(_zone(self.time_zone)))
        try:
            return next(ticks).astimezone(UTC)
        except StopIteration:
            raise _refused(self.expression, "it never comes") from None


def read(expression: str, time_zone: str, *, moment: datetime) -> Rhythm:
    """Return the rhythm that somebody wrote.

    Args:
        moment: from which on it is looked how often it comes.

    Raises:
        InvalidError: it is none, or it comes more often than runs may.
    """
    expression = " ".join(expression[: _LIMIT + 1].split())
    if len(expression) > _LIMIT:
        raise InvalidError(f"A cron expression has at most {_LIMIT} characters.", pointer="cron")
    if len(time_zone) > _ZONE_LIMIT or time_zone not in _zones():
        raise InvalidError(
            f"{time_zone[:80]!r} is no time zone; they are called as in Europe/Berlin, or UTC.",
            pointer="time_zone",
        )
    rhythm = Rhythm(expression, time_zone)
    _cron(expression)
    before = rhythm.after(moment)
    until = before + timedelta(days=366)
    for _ in range(_LOOKED_AT):
        following = rhythm.after(before)
        if following - before < SHORTEST:
            raise _refused(
                expression,
                f"its runs would start within {SHORTEST.seconds // 60} minutes of each other",
            )
        if following > until:
            break
        before = following
    return rhythm


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def _cron(expression: str) -> str:
    """Return the expression in the five fields of cron.

    Raises:
        InvalidError: it cannot be.
    """
    fields = expression.upper().split()
    if len(fields) in _QUARTZ_FIELDS:
        fields = _of_quartz(expression, fields)
    if len(fields) != _CRON_FIELDS:
        raise _refused(expression, f"it has {len(fields)} fields")
    cron = " ".join(fields)
    try:
        CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as failure:
        raise _refused(expression, str(failure).lower().replace("bad", "not a")) from None
    return cron


def _of_quartz(expression: str, fields: list[str]) -> list[str]:
    second, minute, hour, day, month, weekday, *year = fields
    if not (second.isascii() and second.isdigit() and int(second) < 60):  # noqa: PLR2004
        raise _refused(expression, "its second has to be one, such as 0")
    if year not in ([], ["*"]):
        raise _refused(expression, "a year cannot be chosen")
    anyday = ("?", "*")
    if day not in anyday and weekday not in anyday:
        raise _refused(expression, "one of its two days has to be ?")
    return [
        minute,
        hour,
        "*" if day == "?" else day,
        month,
        "*"
        if weekday == "?"
        else ",".join(_weekday(expression, each) for each in weekday.split(",")),
    ]


def _weekday(expression: str, item: str) -> str:
    """Return days of the week as cron counts them, from 0 for Sunday."""
    if item == "L":
        return "6"
    days, slash, step = item.partition("/")
    days, sharp, nth = days.partition("#")
    last = "L" if days.endswith("L") and len(days) > 1 else ""
    named = days.removesuffix("L") if last else days
    counted = re.sub(r"[A-Z]+|[0-9]+", lambda found: _number(expression, found[0]), named)
    return f"{counted}{last}{sharp}{nth}{slash}{step}"


def _number(expression: str, day: str) -> str:
    if day in _DAYS:
        return str(_DAYS.index(day))
    if day in "1234567":
        return str(int(day) - 1)
    raise _refused(expression, f"{day} is no day of the week, which Quartz counts from 1 to 7")


def _refused(expression: str, reason: str) -> InvalidError:
    return InvalidError(
        f"The cron expression {expression[:_LIMIT]!r} cannot be: {reason}. {_FORM}, and runs start"
        f" at most every {SHORTEST.seconds // 60} minutes.",
        pointer="cron",
    )
