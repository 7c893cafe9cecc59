"""When the runs of a schedule start."""

from datetime import UTC, datetime

import pytest

from landform.kit.errors import InvalidError
from landform.schedules.rhythm import read

SATURDAY = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def ticks(expression: str, zone: str, start: datetime, count: int) -> list[str]:
    rhythm = read(expression, zone, moment=start)
    found = []
    for _ in range(count):
        start = rhythm.after(start)
        found.append(start.isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("quartz", "cron"),
    [
        ("0 30 3 * * ?", "30 3 * * *"),
        ("0 0 3 ? * 2", "0 3 * * 1"),
        ("0 0 3 ? * MON-FRI", "0 3 * * MON-FRI"),
        ("0 0 3 ? * 2-6 *", "0 3 * * 1-5"),
        ("30 0/15 3 1 * ?", "0/15 3 1 * *"),
        ("0 0 3 L * ?", "0 3 L * *"),
        ("0 0 3 ? * 6L", "0 3 * * 5L"),
        ("0 0 3 ? * FRIL", "0 3 * * 5L"),
        ("0 0 3 ? * L", "0 3 * * 6"),
        ("0 0 3 ? * 6#3", "0 3 * * 5#3"),
        ("0 0 3 ? * FRI#3", "0 3 * * 5#3"),
        ("0 0 3 ? JAN 1,7", "0 3 * JAN 0,6"),
        ("0 0 3 * * *", "0 3 * * *"),
    ],
)
def test_an_expression_of_quartz_means_what_one_of_cron_does(quartz: str, cron: str) -> None:
    assert ticks(quartz, "UTC", SATURDAY, 5) == ticks(cron, "UTC", SATURDAY, 5)


def test_sunday_is_the_first_day_of_quartz_and_none_of_cron() -> None:
    assert ticks("0 0 3 ? * 1", "UTC", SATURDAY, 1) == ["2026-11-29T03:00+00:00"]
    assert ticks("0 3 * * 0", "UTC", SATURDAY, 1) == ["2026-11-29T03:00+00:00"]


def test_an_hour_is_of_the_time_zone_summer_and_winter() -> None:
    before = datetime(2026, 10, 23, 12, tzinfo=UTC)
    assert ticks("30 9 * * *", "Europe/Berlin", before, 3) == [
        "2026-10-24T07:30+00:00",
        "2026-10-25T08:30+00:00",
        "2026-10-26T08:30+00:00",
    ]


def test_a_time_that_clocks_leave_out_comes_right_after_it() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert ticks("30 2 * * *", "Europe/Berlin", before, 2) == [
        "2026-03-29T01:00+00:00",
        "2026-03-30T00:30+00:00",
    ]


def test_a_time_that_clocks_have_twice_comes_once() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert ticks("30 2 * * *", "Europe/Berlin", before, 2) == [
        "2026-10-25T00:30+00:00",
        "2026-10-26T01:30+00:00",
    ]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "0 fields"),
        ("@daily", "1 fields"),
        ("0 3 * *", "4 fields"),
        ("0 0 0 3 * * ? 2026", "8 fields"),
        ("* * * * *", "within 5 minutes"),
        ("*/4 * * * *", "within 5 minutes"),
        ("*/7 * * * *", "within 5 minutes"),
        ("0,1 3 1 1 *", "within 5 minutes"),
        ("59,0 * * * *", "within 5 minutes"),
        ("* 0 3 * * ?", "its second"),
        ("0 0 3 * * ? 2027", "a year"),
        ("0 0 3 1 * MON", "has to be ?"),
        ("0 0 3 ? * 8", "counts from 1 to 7"),
        ("0 0 3 ? * 0", "counts from 1 to 7"),
        ("0 0 3 15W * ?", "day-of-month"),
        ("60 3 * * *", "minute"),
        ("0 25 * * *", "hour"),
        ("0 3 30 2 *", "day-of-month"),
        ("0 3 * * H", "day-of-week"),
        ("0 3 * * ²", "day-of-week"),
        ("0 3 * * " + "1," * 100 + "1", "at most 120"),
    ],
)
def test_what_is_no_rhythm_is_refused_with_words(expression: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as failure:
        read(expression, "UTC", moment=SATURDAY)
    assert failure.value.pointer == "cron"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/UTC", "x" * 5000])
def test_what_is_no_time_zone_is_refused_with_words(zone: str) -> None:
    with pytest.raises(InvalidError, match="no time zone") as failure:
        read("0 3 * * *", zone, moment=SATURDAY)
    assert failure.value.pointer == "time_zone"


@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 3 29 2 *", "0 0 1 1 *", "0 0/5 * * * ?"])
def test_five_minutes_and_four_years_are_rhythms(expression: str) -> None:
    assert read(expression, "UTC", moment=SATURDAY).after(SATURDAY) > SATURDAY
