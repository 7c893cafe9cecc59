"""Moments as SAML writes them: UTC, with or without a word for that."""

from datetime import UTC, datetime


def read_moment(text: str) -> datetime | None:
    """Return the moment, or None where there is none in `text`. saml-core-2.0-os §1.3.3."""
    try:
        moment = datetime.fromisoformat(text[:64])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
