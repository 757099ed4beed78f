"""Time is cut where calendar periods begin, in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from domain.kpi_period import MOST_BUCKETS, Bucket, PeriodUnit, find_buckets

SINCE, UNTIL = datetime(2025, 12, 30, 6, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def test_time_that_is_not_cut_is_one_bucket_without_a_name() -> None:
    assert find_buckets(SINCE, UNTIL, None) == (Bucket("", SINCE, UNTIL),)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (PeriodUnit.YEAR, [("2025", "12-30 06"), ("2026", "01-01 00")]),
        (PeriodUnit.QUARTER, [("2025-Q4", "12-30 06"), ("2026-Q1", "01-01 00")]),
        (PeriodUnit.MONTH, [("2025-12", "12-30 06"), ("2026-01", "01-01 00")]),
        # 30 December 2025 is a Tuesday of the first week of 2026.
        (
            PeriodUnit.WEEK,
            [
                ("2026-W01", "12-30 06"),
                ("2026-W02", "01-05 00"),
                ("2026-W03", "01-12 00"),
                ("2026-W04", "01-19 00"),
                ("2026-W05", "01-26 00"),
            ],
        ),
    ],
)
def test_the_first_and_the_last_may_be_parts(unit: PeriodUnit, expected: list[tuple[str, str]]) -> None:
    found = find_buckets(SINCE, UNTIL, unit)
    assert [(bucket.name, f"{bucket.since:%m-%d %H}") for bucket in found] == expected
    assert found[-1].until == UNTIL
    assert all(one.until == another.since for one, another in pairwise(found))


def test_days_are_those_of_utc_whatever_zone_was_asked_in() -> None:
    shanghai = timezone(timedelta(hours=8))
    found = find_buckets(datetime(2026, 3, 1, tzinfo=shanghai), datetime(2026, 3, 2, tzinfo=shanghai), PeriodUnit.DAY)
    assert [(bucket.name, bucket.until - bucket.since) for bucket in found] == [
        ("2026-02-28", timedelta(hours=8)),
        ("2026-03-01", timedelta(hours=16)),
    ]


def test_a_quarter_ends_where_the_next_begins() -> None:
    found = find_buckets(datetime(2026, 2, 10, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), PeriodUnit.QUARTER)
    assert [bucket.name for bucket in found] == ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    assert [bucket.until.month for bucket in found] == [4, 7, 10, 1]


def test_there_are_never_many_more_than_may_be() -> None:
    found = find_buckets(datetime(1990, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), PeriodUnit.DAY)
    assert len(found) == MOST_BUCKETS + 1
