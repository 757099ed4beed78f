"""Instants: aware UTC datetimes at every edge, int64 microseconds since 1970 in arrays. Nothing here reads a clock."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact; a naive one is a broken promise.

    Raises
    ------
    ValueError
        The datetime has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError("a naive datetime has no place here")
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICROS_PER_SECOND + delta.microseconds


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of `micros` microseconds since 1970, exact."""
    return EPOCH + timedelta(microseconds=micros)
