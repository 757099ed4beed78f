"""What becomes of planted faults and of tickets, by hand."""

from dataclasses import replace

import pytest

from domain.lab import LabRequest, Verdict, find_fault
from lab.figures import choose_examples, describe_monitors, find_figures, find_rate_interval, find_share_interval
from lab.findings import Finding, TicketCounts, add_counts, count_tickets, find_findings
from lab.plan import DAY, HOUR, MINUTE, FleetPlan
from lab.planting import plan_run
from lab.truth import Ticket, TrueFault, find_truth, judge

REQUEST = LabRequest(model="INF-200", fault="motor_wear", devices=10, days=40, seed=5, rate=0.4)
WEAR = find_fault("INF-200", "motor_wear")
OFFLINE = find_fault("INF-200", "offline")


@pytest.fixture(scope="module")
def plan() -> FleetPlan:
    return replace(plan_run(REQUEST, 5), outages=())


def make_ticket(device: int, opened_us: int, group: str = "motor_drive", monitor: str = "motor_current_high") -> Ticket:
    return Ticket(1, device, None, group, opened_us, monitor, "major_breach")


def find_units(plan: FleetPlan) -> list[int]:
    ids = {unit.device.serial: unit.id for unit in plan.units}
    return [ids[fault.serial] for fault in plan.faults]


def judge_all(plan: FleetPlan, tickets: list[Ticket]) -> list[Finding]:
    assert WEAR is not None
    return find_findings(plan, WEAR, find_truth(plan), tickets, ())


def test_caught_before_the_failure_late_after_it_missed_without_a_ticket_of_the_group(plan: FleetPlan) -> None:
    early, late, other, none = plan.faults
    assert early.failure_us is not None
    assert late.failure_us is not None
    first, second, third, _ = find_units(plan)
    tickets = [
        make_ticket(first, early.failure_us - 2 * DAY),
        make_ticket(first, early.failure_us - DAY, monitor="drive_code"),
        make_ticket(second, late.failure_us + HOUR),
        make_ticket(third, other.onset_us + HOUR, "battery"),
    ]
    found = {f.serial: f for f in judge_all(plan, tickets)}
    assert [found[f.serial].verdict for f in plan.faults] == [
        Verdict.CAUGHT,
        Verdict.LATE,
        Verdict.MISSED,
        Verdict.MISSED,
    ]
    assert found[early.serial].warning_s == 2 * 86_400.0
    assert found[early.serial].monitor == "motor_current_high"
    assert found[late.serial].warning_s is None
    assert found[none.serial].ticket_us is None


def test_what_has_no_failure_is_caught_while_it_lasts_and_warned_of_from_its_onset(plan: FleetPlan) -> None:
    assert OFFLINE is not None
    away = replace(plan_run(replace(REQUEST, fault="offline"), 5), outages=())
    one, two = away.faults[:2]
    assert two.end_us is not None
    first, second, *_ = find_units(away)
    tickets = [
        make_ticket(first, one.onset_us + 2 * MINUTE, "connectivity", "offline"),
        make_ticket(second, two.end_us + MINUTE, "connectivity", "offline"),
    ]
    found = {f.serial: f for f in find_findings(away, OFFLINE, find_truth(away), tickets, ())}
    assert (found[one.serial].verdict, found[one.serial].warning_s) == (Verdict.CAUGHT, 120.0)
    assert found[two.serial].verdict is Verdict.LATE


def test_tickets_are_counted_as_the_fleets_benchmark_counts_them(plan: FleetPlan) -> None:
    one = plan.faults[0]
    first = find_units(plan)[0]
    healthy = next(unit for unit in plan.units if unit.id not in find_units(plan))
    away = TrueFault(0, "gateway_outage", "gateway_offline", 0, None, DAY, gateway=1)
    tickets = [
        make_ticket(first, one.onset_us + HOUR),
        make_ticket(first, one.onset_us + 2 * HOUR, "battery", "battery_code"),
        make_ticket(healthy.id, one.onset_us, monitor="motor_current_unusual"),
        replace(make_ticket(healthy.id, one.onset_us), is_new=False),
        Ticket(9, healthy.id, 1, "gateway_offline", HOUR, "offline", "gateway_offline"),
    ]
    truth = [*find_truth(plan), away]
    counts = count_tickets(plan, truth, tickets)
    assert counts == {
        "motor_current_high": TicketCounts(right=1),
        "battery_code": TicketCounts(wrong_group=1),
        "motor_current_unusual": TicketCounts(false=1),
        "offline": TicketCounts(outage=1),
    }
    verdict = judge(tickets, truth, {unit.id: unit.begins_us for unit in plan.units}, plan.end_us)
    figures = find_figures(judge_all(plan, tickets), counts, plan.device_days)
    assert (figures["right"] + figures["outage"], figures["wrong_group"], figures["false"]) == (
        verdict.right,
        verdict.wrong_group,
        verdict.false,
    )
    assert (figures["planted"], figures["caught"], figures["missed"]) == (4, 1, 3)
    assert figures["false_per_1000"]["mean"] == 2.5
    assert next(row["monitor"] for row in describe_monitors(judge_all(plan, tickets), counts)) == "motor_current_high"
    assert add_counts([counts, counts])["motor_current_high"] == TicketCounts(right=2)


def test_examples_are_the_warning_in_the_middle_and_the_first_that_was_missed(plan: FleetPlan) -> None:
    assert choose_examples([]) == {}
    days = dict(zip(find_units(plan), (1, 5, 3), strict=False))
    tickets = [
        make_ticket(unit, fault.failure_us - days[unit] * DAY)
        for unit, fault in zip(find_units(plan), plan.faults, strict=True)
        if unit in days and fault.failure_us is not None
    ]
    chosen = choose_examples(judge_all(plan, tickets))
    assert chosen["caught"].warning_s == 3 * 86_400.0
    assert chosen["missed"].serial == plan.faults[3].serial


def test_intervals_agree_with_published_values() -> None:
    # Wilson for 8 of 10, and Garwood's exact limits of Poisson for 0 and 3 events, from the papers' own tables.
    assert find_share_interval(8, 10) == (0.4902, 0.9433)
    assert find_share_interval(0, 0) == (None, None)
    assert find_share_interval(5, 5)[1] == 1.0
    assert find_rate_interval(0, 1000.0) == (0.0, 3.689)
    assert find_rate_interval(3, 1000.0) == (0.619, 8.767)
    assert find_rate_interval(0, 0.0) == (None, None)
