"""When planned work is due: month ends, years, counters that are set back, and what an order makes of an occurrence."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.maintenance_plan import (
    Interval,
    LastOccurrence,
    OccurrenceFacts,
    OccurrenceState,
    PlanAnchor,
    PlanDraft,
    PlanKind,
    PlanUnit,
    Usage,
    add_interval,
    count_usage,
    find_next_by_calendar,
    find_next_by_usage,
    find_occurrence_state,
    find_plan_problems,
    find_skip_refusal,
    find_usage_due_on,
    needs_order,
)
from domain.work_order import WorkOrderState

MONTH, YEAR = Interval(1, PlanUnit.MONTH), Interval(1, PlanUnit.YEAR)
FIXED, FLOATING = PlanAnchor
_O, _W = OccurrenceState, WorkOrderState
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_month_has_its_day_again_after_a_shorter_one() -> None:
    start = date(2027, 12, 31)
    found = [add_interval(start, MONTH, n) for n in (1, 2, 3, 4)]
    assert found == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]
    assert add_interval(date(2028, 2, 29), YEAR, 1) == date(2029, 2, 28)
    assert add_interval(date(2028, 2, 29), YEAR, 4) == date(2032, 2, 29)
    assert add_interval(start, Interval(2, PlanUnit.WEEK), 3) == date(2028, 2, 11)


def test_fixed_counts_from_the_installation_and_floating_from_when_it_was_done() -> None:
    installed, starts = date(2024, 1, 31), date(2026, 11, 22)
    first = find_next_by_calendar(MONTH, FIXED, installed, starts, None)
    assert (first.number, first.due_on) == (1, date(2026, 11, 30))
    late = LastOccurrence(1, date(2026, 11, 30), date(2026, 12, 5), date(2026, 12, 6))
    assert find_next_by_calendar(MONTH, FIXED, installed, starts, late).due_on == date(2026, 12, 31)
    assert find_next_by_calendar(MONTH, FLOATING, installed, starts, late).due_on == date(2027, 1, 5)
    very_late = LastOccurrence(1, date(2026, 11, 30), date(2027, 3, 2), date(2027, 3, 2))
    after = find_next_by_calendar(MONTH, FIXED, installed, starts, very_late)
    assert (after.number, after.due_on) == (2, date(2027, 3, 31))
    skipped = LastOccurrence(1, date(2026, 11, 30), None, date(2026, 11, 20))
    assert find_next_by_calendar(MONTH, FIXED, installed, starts, skipped).due_on == date(2026, 12, 31)
    assert find_next_by_calendar(MONTH, FLOATING, installed, starts, skipped).due_on == date(2026, 12, 30)
    assert find_next_by_calendar(YEAR, FIXED, date(2026, 11, 22), starts, None).due_on == date(2027, 11, 22)


@given(
    st.sampled_from(PlanUnit),
    st.integers(1, 40),
    st.dates(date(2015, 1, 1), date(2030, 12, 31)),
    st.dates(date(2015, 1, 1), date(2030, 12, 31)),
)
def test_fixed_is_the_first_planned_date_that_is_not_behind(
    unit: PlanUnit, count: int, installed: date, starts: date
) -> None:
    every = Interval(count, unit)
    found = find_next_by_calendar(every, FIXED, installed, starts, None).due_on
    assert found is not None
    slow = next(d for n in range(1, 10_000) if (d := add_interval(installed, every, n)) >= starts)
    assert found == slow


def test_usage_is_counted_over_a_counter_that_is_set_back() -> None:
    usage = count_usage(None, 900.0, START)
    usage = count_usage(usage, 950.0, START + timedelta(days=5))
    usage = count_usage(usage, 10.0, START + timedelta(days=10))
    assert usage.total == 960.0
    assert count_usage(usage, 7.0, START) == usage
    assert find_usage_due_on(usage, 1020.0, date(2026, 1, 11)) == date(2026, 1, 21)
    assert find_usage_due_on(usage, 960.0, date(2026, 1, 11)) == date(2026, 1, 11)
    assert find_usage_due_on(usage, 1e9, date(2026, 1, 11)) is None
    assert find_usage_due_on(count_usage(None, 1.0, START), 5.0, date(2026, 1, 1)) is None


def test_the_rate_is_that_of_the_last_weeks() -> None:
    usage: Usage | None = None
    for day in range(200):  # 1 an hour a day, and from day 100 on 3
        usage = count_usage(usage, float(day + max(0, day - 100) * 2), START + timedelta(days=day))
    assert usage is not None
    assert timedelta(days=45) <= usage.last_at - usage.earlier_at <= timedelta(days=91)
    assert find_usage_due_on(usage, usage.total + 30, date(2026, 7, 19)) == date(2026, 7, 29)


def test_usage_fixed_at_multiples_and_floating_after_the_last_one() -> None:
    assert find_next_by_usage(500, FIXED, 1234.0, None).usage_target == 1500
    assert find_next_by_usage(500, FLOATING, 1234.0, None).usage_target == 1734
    last = LastOccurrence(1, None, None, date(2026, 1, 1), 1500, 1510)
    assert find_next_by_usage(500, FIXED, 1499.0, last).usage_target == 2000
    assert find_next_by_usage(500, FIXED, 2600.0, last).usage_target == 3000
    assert find_next_by_usage(500, FLOATING, 1600.0, last) == find_next_by_usage(500, FLOATING, 1700.0, last)
    assert find_next_by_usage(500, FLOATING, 1600.0, last).usage_target == 2010


TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("state", "days", "order", "was_worked", "opens", "becomes"),
    [
        (_O.UPCOMING, 8, None, False, False, _O.UPCOMING),
        (_O.UPCOMING, 7, None, False, True, _O.UPCOMING),
        (_O.UPCOMING, 7, _W.NEW, False, False, _O.DUE),
        (_O.DUE, 0, _W.ASSIGNED, False, False, _O.DUE),
        (_O.DUE, -1, _W.ASSIGNED, False, False, _O.OVERDUE),
        (_O.DUE, -1, _W.WORK_DONE, True, False, _O.DUE),
        (_O.OVERDUE, -2, _W.WORK_DONE, True, False, _O.OVERDUE),
        (_O.OVERDUE, -2, _W.CLOSED, True, False, _O.DONE),
        (_O.DUE, 3, _W.CANCELLED, False, False, _O.DUE),
        (_O.DUE, -3, _W.CANCELLED, False, False, _O.OVERDUE),
        (_O.DONE, -3, _W.IN_PROGRESS, False, False, _O.DONE),
        (_O.SKIPPED, -3, None, False, False, _O.SKIPPED),
    ],
)
def test_an_occurrence_follows_its_order_and_the_day(
    state: OccurrenceState,
    days: int,
    order: WorkOrderState | None,
    was_worked: bool,
    opens: bool,
    becomes: OccurrenceState,
) -> None:
    facts = OccurrenceFacts(state, TODAY + timedelta(days=days), 7, TODAY, order, was_worked)
    assert needs_order(facts) is opens
    assert find_occurrence_state(facts) is becomes


def test_what_is_left_out_is_open_and_has_no_open_order() -> None:
    assert find_skip_refusal(_O.OVERDUE, _W.CANCELLED) is None
    assert find_skip_refusal(_O.UPCOMING, None) is None
    assert (find_skip_refusal(_O.DONE, _W.CLOSED) or ("",))[0] == "occurrence_ended"
    assert (find_skip_refusal(_O.DUE, _W.ASSIGNED) or ("",))[0] == "work_order_open"


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"kind": PlanKind.CALENDAR}, {"every_count", "every_unit"}),
        ({"kind": PlanKind.CALENDAR, "every_count": 1, "every_unit": PlanUnit.YEAR}, set()),
        ({"kind": PlanKind.USAGE, "usage_every": 1.0, "usage_sensor": "moon"}, {"usage_sensor"}),
        ({"kind": PlanKind.USAGE, "usage_every": 1.0, "usage_sensor": "hours", "every_count": 1}, {"every_count"}),
        ({"kind": PlanKind.CONDITION, "fault_group": "moon"}, {"fault_group"}),
        ({"kind": PlanKind.CONDITION, "fault_group": "wear"}, set()),
    ],
)
def test_a_plan_says_what_its_kind_needs(values: dict[str, Any], fields: set[str]) -> None:
    draft = PlanDraft("check", "PREVENTIVE", anchor=FIXED, **values)
    assert set(find_plan_problems(draft, frozenset({"hours"}), frozenset({"wear"}))) == fields
