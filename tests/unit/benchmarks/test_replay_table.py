"""The table of the replay benchmark: what counts as found, as a ticket, and as a false one."""

from datetime import UTC, datetime, timedelta

from benchmarks.replay_table import BreachFound, Period, find_rows, find_summary, render_markdown

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def _period(start_s: float, end_s: float) -> Period:
    return Period(FIRST + timedelta(seconds=start_s), FIRST + timedelta(seconds=end_s), start_s)


def _breach(at_s: float, *, order: str | None = None, opened_it: bool = False, readings: int = 10) -> BreachFound:
    return BreachFound(FIRST + timedelta(seconds=at_s), "monitor", "MAJOR", readings, order, opened_it)


def test_a_fault_that_opens_an_order() -> None:
    breaches = [_breach(620), _breach(640, order="WO-1", opened_it=True), _breach(700, order="WO-1")]
    (row,) = find_rows("valve1/0", FIRST, [_period(600, 1000)], breaches)
    assert (row.first_breach_s, row.delay_s, row.ticket_delay_s) == (620, 20, 40)
    assert (row.breaches, row.readings_beyond) == (3, 30)
    assert (row.orders_in_fault, row.tickets, row.false_tickets) == (1, 1, 0)


def test_a_ticket_outside_of_faults_is_false_even_if_the_fault_joins_it() -> None:
    breaches = [_breach(100, order="WO-1", opened_it=True), _breach(640, order="WO-1")]
    (row,) = find_rows("valve1/0", FIRST, [_period(600, 1000)], breaches)
    assert (row.tickets, row.false_tickets, row.orders_in_fault, row.ticket_delay_s) == (1, 1, 1, 40)


def test_a_breach_outside_that_opens_nothing_is_no_false_ticket() -> None:
    (row,) = find_rows("valve1/0", FIRST, [_period(600, 1000)], [_breach(100), _breach(1001)])
    assert (row.first_breach_s, row.delay_s, row.tickets, row.false_tickets) == (None, None, 0, 0)


def test_a_fault_with_two_orders_shows() -> None:
    breaches = [_breach(610, order="WO-1", opened_it=True), _breach(620, order="WO-2", opened_it=True)]
    rows = find_rows("valve1/0", FIRST, [_period(600, 1000)], breaches)
    assert rows[0].orders_in_fault == 2
    assert find_summary(rows, 1.0)["more_than_one_order"] == 1


def test_a_recording_without_faults_has_one_line() -> None:
    (row,) = find_rows("anomaly-free", FIRST, [], [_breach(50, order="WO-1", opened_it=True)])
    assert (row.fault_start_s, row.tickets, row.false_tickets) == (None, 1, 1)


def test_tickets_of_a_recording_with_two_faults_are_counted_once() -> None:
    breaches = [_breach(110, order="WO-1", opened_it=True), _breach(510, order="WO-1")]
    rows = find_rows("other/1", FIRST, [_period(100, 200), _period(500, 600)], breaches)
    assert [row.delay_s for row in rows] == [10, 10]
    summary = find_summary(rows, 2.0)
    assert (summary["faults"], summary["with_order"], summary["tickets"]) == (2, 2, 1)
    assert summary["median_delay_s"] == 10


def test_the_table_names_what_was_not_found() -> None:
    rows = find_rows("valve1/0", FIRST, [_period(600, 1000)], [])
    assert "| valve1/0 | 600 | not found |" in render_markdown(rows)
    assert find_summary(rows, 1.0)["median_delay_s"] is None
