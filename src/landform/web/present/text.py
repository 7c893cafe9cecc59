"""Words and numbers as people read them; filters of the templates."""

import json
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from landform.kit.clock import now, rfc3339

_STEPS: Final = (
    (60, "second", 1),
    (3600, "minute", 60),
    (86400, "hour", 3600),
    (86400 * 30, "day", 86400),
    (86400 * 365, "month", 86400 * 30),
)
_KIB: Final = 1024
_NOW_S: Final = 5

# How a status looks: what went well, what went wrong, what waits for a person, what is at work.
_LOOKS: Final = {
    **dict.fromkeys(("applied", "finished", "planned_and_finished", "finalized"), "good"),
    **dict.fromkeys(("errored", "unreachable"), "bad"),
    **dict.fromkeys(("planned", "planned_and_saved", "offered"), "wait"),
    **dict.fromkeys(
        ("plan_queued", "planning", "confirmed", "apply_queued", "applying", "running", "queued"),
        "work",
    ),
}
_LABELS: Final = {
    "planned": "Needs confirmation",
    "planned_and_finished": "Planned, done",
    "planned_and_saved": "Plan saved",
    "plan_queued": "Plan queued",
    "apply_queued": "Apply queued",
}


def look_of(status: str) -> str:
    """Return which of the five looks a status has."""
    return _LOOKS.get(status, "idle")


def label_of(status: str) -> str:
    """Return a status in words."""
    return _LABELS.get(status, status.replace("_", " ").capitalize())


def ago(moment: datetime | None) -> Markup:
    """Return a time, relative, with the absolute one on hover."""
    if moment is None:
        return Markup('<span class="quiet">never</span>')
    exact = rfc3339(moment)
    shown = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    text = _ago((now() - moment).total_seconds())
    return Markup('<time data-ago datetime="{}" title="{}">{}</time>').format(exact, shown, text)


def _ago(seconds: float) -> str:
    if seconds < _NOW_S:
        return "just now"
    for limit, unit, size in _STEPS:
        if seconds < limit:
            return _counted(int(seconds // size), unit)
    return _counted(int(seconds // (86400 * 365)), "year")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def duration(seconds: float) -> str:
    """Return a length of time: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`; `4 s`, of an int."""
    whole = max(0, int(seconds))
    if isinstance(seconds, float) and whole < 10:  # noqa: PLR2004 - tenths tell something of it
        return f"{max(0.0, seconds):.1f} s"
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(size_bytes: int | None) -> str:
    """Return a size: `812 B`, `3.4 KiB`, `12.0 MiB`."""
    amount = float(size_bytes or 0)
    for unit in ("B", "KiB", "MiB"):
        if amount < _KIB:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KIB
    return f"{amount:.1f} GiB"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return `1 resource`, `3 resources`, `1,200 resources`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def as_json(value: Any) -> str:
    """Return a value as indented JSON; text as it is."""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


FILTERS: Final = {
    "ago": ago,
    "duration": duration,
    "size": size,
    "plural": plural,
    "as_json": as_json,
    "look": look_of,
    "label": label_of,
}
