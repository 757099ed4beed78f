"""Due dates of reports, on hand-counted cases: calendar and working days, holidays, the authority's own day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vigilance_terms import Harm, Jurisdiction, find_due, find_first_due, find_term, find_working_day

EU, US, CN = Jurisdiction


@pytest.mark.parametrize(
    ("jurisdiction", "harm", "more", "days"),
    [
        (EU, Harm.SERIOUS_PUBLIC_HEALTH_THREAT, {}, 2),
        (EU, Harm.DEATH, {}, 10),
        (EU, Harm.SERIOUS_INJURY, {"is_unanticipated": True}, 10),
        (EU, Harm.SERIOUS_INJURY, {}, 15),
        (EU, Harm.MALFUNCTION_COULD_RECUR, {}, 15),
        (US, Harm.DEATH, {}, 30),
        (US, Harm.MALFUNCTION_COULD_RECUR, {}, 30),
        (US, Harm.SERIOUS_INJURY, {"needs_remedial_action": True}, 5),
        (US, Harm.SERIOUS_PUBLIC_HEALTH_THREAT, {}, 5),
        (CN, Harm.DEATH, {}, 7),
        (CN, Harm.SERIOUS_INJURY, {}, 20),
        (CN, Harm.MALFUNCTION_COULD_RECUR, {}, 20),
    ],
)
def test_how_long_there_is(jurisdiction: Jurisdiction, harm: Harm, more: dict[str, bool], days: int) -> None:
    term = find_term(jurisdiction, harm, **more)
    assert term is not None
    assert term.days == days
    assert term.is_working == (jurisdiction is US and days == 5)
    assert find_term(jurisdiction, Harm.NONE, **more) is None


def due(jurisdiction: Jurisdiction, harm: Harm, aware_at: datetime, **more: bool) -> datetime:
    term = find_term(jurisdiction, harm, **more)
    assert term is not None
    return find_due(jurisdiction, term, aware_at).due_at


def test_the_day_is_that_of_the_authority_and_of_its_clock_on_the_last_day() -> None:
    # 2026-03-20 in Brussels, summer time from 2026-03-29: 15 days end with 2026-04-04, at 22:00 UTC.
    aware = datetime(2026, 3, 20, 8, tzinfo=UTC)
    assert due(EU, Harm.SERIOUS_INJURY, aware) == datetime(2026, 4, 4, 22, tzinfo=UTC)
    # Half past midnight in Brussels is the next day there already.
    assert due(EU, Harm.DEATH, datetime(2026, 1, 10, 23, 30, tzinfo=UTC)) == datetime(2026, 1, 21, 23, tzinfo=UTC)
    # The same instant is the evening before in New York, and the morning after in Shanghai.
    late = datetime(2026, 1, 11, 2, tzinfo=UTC)
    assert due(US, Harm.DEATH, late) == datetime(2026, 2, 10, 5, tzinfo=UTC)
    assert due(CN, Harm.DEATH, late) == datetime(2026, 1, 18, 16, tzinfo=UTC)


def test_work_days_leave_out_weekends_and_federal_holidays() -> None:
    # Wednesday before Thanksgiving 2026 (26 November): 27, 30, 1, 2, 3.
    assert find_working_day(date(2026, 11, 25), 5) == date(2026, 12, 3)
    # 4 July 2026 is a Saturday, observed on Friday the 3rd: 6, 7, 8, 9, 10.
    assert find_working_day(date(2026, 7, 2), 5) == date(2026, 7, 10)
    # Over the new year: Wednesday 30 December 2026: 31, (1 January), 4, 5, 6, 7.
    assert find_working_day(date(2026, 12, 30), 5) == date(2027, 1, 7)
    # From a Saturday the first day is Monday.
    assert find_working_day(date(2026, 9, 12), 5) == date(2026, 9, 18)
    aware = datetime(2026, 11, 25, 15, tzinfo=UTC)
    found = due(US, Harm.SERIOUS_INJURY, aware, needs_remedial_action=True)
    assert found == datetime(2026, 12, 4, 5, tzinfo=UTC)


@given(
    st.integers(0, 3650 * 24 * 60),
    st.sampled_from(Jurisdiction),
    st.sampled_from([h for h in Harm if h is not Harm.NONE]),
    st.booleans(),
    st.booleans(),
)
def test_a_due_time_is_a_midnight_there_so_many_whole_days_on(
    minutes: int, jurisdiction: Jurisdiction, harm: Harm, is_unanticipated: bool, needs_remedial_action: bool
) -> None:
    aware = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    term = find_term(jurisdiction, harm, is_unanticipated=is_unanticipated, needs_remedial_action=needs_remedial_action)
    assert term is not None
    found = find_due(jurisdiction, term, aware)
    zone = ZoneInfo(found.time_zone)
    local = found.due_at.astimezone(zone)
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    days = (local.date() - aware.astimezone(zone).date()).days - 1
    assert days == term.days if not term.is_working else term.days <= days <= term.days + 6
    assert aware < found.warn_at < found.due_at
    assert bool(found.holidays_release) == term.is_working
    assert find_due(jurisdiction, term, aware + timedelta(days=1)).due_at >= found.due_at


AWARE = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
THREAT = Harm.SERIOUS_PUBLIC_HEALTH_THREAT


@pytest.mark.parametrize(
    ("jurisdiction", "harm", "more", "last_day"),
    [
        # 15 days after the incident; 2 days after the threat where that ends first, and not where it ends later.
        (EU, Harm.SERIOUS_INJURY, {}, date(2026, 3, 17)),
        (EU, Harm.SERIOUS_INJURY, {"threat_known_at": AWARE + timedelta(days=5)}, date(2026, 3, 9)),
        (EU, Harm.SERIOUS_INJURY, {"threat_known_at": AWARE + timedelta(days=14)}, date(2026, 3, 17)),
        # Of what happened nothing is said but the threat: at most as long as for a death.
        (EU, THREAT, {}, date(2026, 3, 4)),
        (EU, THREAT, {"threat_known_at": AWARE + timedelta(days=5)}, date(2026, 3, 9)),
        (EU, THREAT, {"threat_known_at": AWARE + timedelta(days=11)}, date(2026, 3, 12)),
        # 30 days after the incident; 5 work days after the need is known: from Friday the 6th until Friday the 13th.
        (US, Harm.SERIOUS_INJURY, {"needs_remedial_action": True}, date(2026, 3, 9)),
        (US, Harm.SERIOUS_INJURY, {"needs_remedial_action": True, "remedial_need_known_at": AWARE + timedelta(days=4)},
         date(2026, 3, 13)),
        (US, Harm.SERIOUS_INJURY, {"needs_remedial_action": True, "remedial_need_known_at": AWARE + timedelta(days=28)},
         date(2026, 4, 1)),
        (US, Harm.SERIOUS_INJURY, {"threat_known_at": AWARE + timedelta(days=4)}, date(2026, 3, 13)),
        # Neither is a term of the Union's or of China's: there the need changes nothing.
        (EU, Harm.DEATH, {"needs_remedial_action": True, "remedial_need_known_at": AWARE}, date(2026, 3, 12)),
        (CN, Harm.SERIOUS_INJURY, {"needs_remedial_action": True, "remedial_need_known_at": AWARE}, date(2026, 3, 22)),
        (CN, THREAT, {"threat_known_at": AWARE + timedelta(days=9)}, date(2026, 3, 9)),
        (CN, Harm.SERIOUS_INJURY, {"threat_known_at": AWARE + timedelta(days=5)}, date(2026, 3, 14)),
    ],
)  # fmt: skip
def test_the_first_end_counts_of_terms_that_run_from_what_became_known_later(
    jurisdiction: Jurisdiction, harm: Harm, more: dict[str, Any], last_day: date
) -> None:
    found = find_first_due(jurisdiction, harm, AWARE, **more)
    assert found is not None
    assert found.due_at.astimezone(ZoneInfo(found.time_zone)).date() == last_day + timedelta(days=1)
    assert found.warn_at < found.due_at


def test_no_clock_runs_where_there_is_no_harm() -> None:
    assert find_first_due(EU, Harm.NONE, AWARE, needs_remedial_action=True, remedial_need_known_at=AWARE) is None
