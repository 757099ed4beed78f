"""How far off the end of something is: a warranty, a contract, the next calibration. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class DueState(StrEnum):
    """Values never change."""

    UNKNOWN = "UNKNOWN"  # no date is on record: that says nothing good
    LATER = "LATER"
    SOON = "SOON"  # within the days that are reminded before
    OVER = "OVER"


@dataclass(frozen=True, slots=True)
class DueDate:
    """A date and how far off it is; `days_left` is negative when it is over."""

    on: date | None
    days_left: int | None
    state: DueState


def find_due_date(on: date | None, today: date, soon_days: int) -> DueDate:
    """The date as seen on `today`; the day itself is not over."""
    if on is None:
        return DueDate(None, None, DueState.UNKNOWN)
    left = (on - today).days
    if left < 0:
        return DueDate(on, left, DueState.OVER)
    return DueDate(on, left, DueState.SOON if left <= soon_days else DueState.LATER)
