"""Times as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.console.instants import find_zone, name_age, name_duration, name_offset, render_instant

NOW = datetime(2026, 11, 21, 2, 41, 30, tzinfo=UTC)


def test_how_long_ago_and_when_stand_together() -> None:
    shown = render_instant(NOW - timedelta(hours=2), NOW, find_zone("Asia/Shanghai"), "en")
    assert (shown.ago, shown.at, shown.iso) == ("2 h ago", "11-21 08:41 UTC+8", "2026-11-21T00:41:30+00:00")


def test_another_year_is_named() -> None:
    shown = render_instant(datetime(2025, 3, 1, tzinfo=UTC), NOW, UTC, "zh")
    assert (shown.ago, shown.at) == ("630 天前", "2025-03-01 00:00 UTC")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min"), (39_600, "11 h"),
     (90_000, "1 d 1 h"), (86_400 * 9 + 7200, "9 d"), (-7500, "2 h 5 min")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: int, text: str) -> None:
    assert name_duration(timedelta(seconds=seconds), "en") == text


def test_what_lies_ahead_and_what_is_now() -> None:
    assert name_age(NOW + timedelta(hours=3), NOW, "en") == "in 3 h"
    assert name_age(NOW - timedelta(seconds=3), NOW, "zh") == "刚刚"


@pytest.mark.parametrize("name", [None, "", "UTC", "Nowhere/Atlantis", "../../etc/passwd", "/etc/localtime", "Etc"])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    assert find_zone(name) is UTC


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "UTC"), (480, "UTC+8"), (-360, "UTC-6"), (330, "UTC+5:30"), (-210, "UTC-3:30")]
)
def test_offsets(minutes: int, text: str) -> None:
    assert name_offset(NOW.astimezone(timezone(timedelta(minutes=minutes)))) == text
