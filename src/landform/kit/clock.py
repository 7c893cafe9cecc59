"""Time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC; tests patch this one name."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write `moment` as TFE does: `2026-11-23T21:47:15.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
