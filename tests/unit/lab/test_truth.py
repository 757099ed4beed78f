"""Tickets against the truth, on cases small enough to be counted by hand."""

from lab.truth import GRACE_US, Ticket, TrueFault, find_summary, judge, merge

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
END = 100 * DAY
BEARING = TrueFault(1, "bearing_wear", "turbine_bearing", 10 * DAY, 20 * DAY, 21 * DAY)


def make_ticket(device: int, group: str, at_us: int, order: int = 1, *, is_new: bool = True) -> Ticket:
    return Ticket(order, device, None, group, at_us, f"{group}_monitor", "opened_major", is_new)


def test_a_ticket_before_the_failure_is_a_warning_with_its_lead_time() -> None:
    verdict = judge([make_ticket(1, "turbine_bearing", 17 * DAY)], [BEARING], {1: 0, 2: 50 * DAY}, END)
    assert (verdict.tickets, verdict.right, verdict.false, verdict.wrong_group) == (1, 1, 0, 0)
    assert dict(verdict.warned) == {"bearing_wear": 1}
    assert verdict.lead_s["bearing_wear"] == [3 * 86_400.0]
    assert verdict.device_days == 150.0


def test_a_ticket_at_or_after_the_failure_is_right_and_too_late() -> None:
    verdict = judge([make_ticket(1, "turbine_bearing", 20 * DAY)], [BEARING], {1: 0}, END)
    assert (verdict.right, dict(verdict.warned), dict(verdict.late)) == (1, {}, {"bearing_wear": 1})
    assert find_summary(verdict)["missed"] == {"bearing_wear": 1}


def test_a_ticket_for_another_part_is_of_the_wrong_group_and_no_warning() -> None:
    verdict = judge([make_ticket(1, "overheating", 15 * DAY)], [BEARING], {1: 0}, END)
    assert (verdict.right, verdict.wrong_group, verdict.false) == (0, 1, 0)
    assert dict(verdict.wrong_by_monitor) == {"overheating_monitor": 1}
    assert find_summary(verdict)["ticketed_before_failure"] == 0.0


def test_before_the_onset_on_another_device_and_after_the_grace_a_ticket_is_false() -> None:
    tickets = [
        make_ticket(1, "turbine_bearing", 10 * DAY - 1),
        make_ticket(2, "turbine_bearing", 15 * DAY),
        make_ticket(1, "turbine_bearing", 21 * DAY + GRACE_US),
    ]
    verdict = judge(tickets, [BEARING], {1: 0, 2: 0}, END)
    assert (verdict.right, verdict.false) == (0, 3)
    assert find_summary(verdict)["false_per_1000_device_days"] == 15.0
    within = judge([make_ticket(1, "turbine_bearing", 21 * DAY + GRACE_US - 1)], [BEARING], {1: 0}, END)
    assert (within.right, within.false) == (1, 0)


def test_further_tickets_of_one_fault_are_repeats() -> None:
    tickets = [make_ticket(1, "turbine_bearing", (12 + i) * DAY, i) for i in range(3)]
    verdict = judge(tickets, [BEARING], {1: 0}, END)
    assert (verdict.tickets, verdict.right, verdict.repeats) == (3, 3, 2)
    assert dict(verdict.warned) == {"bearing_wear": 1}
    assert verdict.lead_s["bearing_wear"] == [8 * 86_400.0]


def test_an_order_opened_for_nothing_counts_from_the_breach_of_the_fault_that_it_takes_in() -> None:
    tickets = [
        make_ticket(1, "turbine_bearing", 9 * DAY, 7),
        make_ticket(1, "turbine_bearing", 14 * DAY, 7, is_new=False),
    ]
    verdict = judge(tickets, [BEARING], {1: 0}, END)
    assert (verdict.tickets, verdict.right, verdict.false, verdict.repeats) == (1, 0, 1, 0)
    assert verdict.lead_s["bearing_wear"] == [6 * 86_400.0]


def test_what_never_fails_or_fails_after_the_end_is_not_counted_but_its_tickets_are_right() -> None:
    unfinished = TrueFault(1, "bearing_wear", "turbine_bearing", 95 * DAY, END, END)
    stopped = TrueFault(2, "bearing_wear", "turbine_bearing", 5 * DAY, None, 6 * DAY)
    tickets = [make_ticket(1, "turbine_bearing", 96 * DAY), make_ticket(2, "turbine_bearing", 5 * DAY)]
    verdict = judge(tickets, [unfinished, stopped], {1: 0, 2: 0}, END)
    assert (verdict.right, verdict.false, dict(verdict.faults)) == (2, 0, {})


def test_a_stuck_sensor_may_be_ticketed_as_one_and_never_as_a_device_fault() -> None:
    stuck = TrueFault(1, "stuck_sensor", "data_quality", 10 * DAY, None, 11 * DAY)
    right = judge([make_ticket(1, "data_quality", 10 * DAY)], [stuck], {1: 0}, END)
    assert (right.right, right.device_tickets_of_data_faults, dict(right.data_found)) == (1, 0, {"stuck_sensor": 1})
    other = judge([make_ticket(1, "connectivity", 10 * DAY)], [stuck], {1: 0}, END)
    assert other.right == 1
    wrong = judge([make_ticket(1, "motor_drive", 10 * DAY)], [stuck], {1: 0}, END)
    assert (wrong.false, wrong.wrong_group, wrong.device_tickets_of_data_faults) == (1, 0, 1)
    assert find_summary(wrong)["data_faults_ticketed"] == {"stuck_sensor": 0.0}


def test_a_gateways_order_is_judged_by_the_gateways_outages() -> None:
    outage = TrueFault(0, "gateway_outage", "gateway_offline", 10 * DAY, None, 10 * DAY + HOUR, gateway=3)
    tickets = [
        Ticket(1, 5, 3, "gateway_offline", 10 * DAY, "offline", "gateway_offline"),
        Ticket(2, 6, 4, "gateway_offline", 10 * DAY, "offline", "gateway_offline"),
    ]
    verdict = judge(tickets, [outage], {5: 0, 6: 0}, END)
    assert (verdict.right, verdict.false) == (1, 1)


def test_the_first_week_is_of_each_device_its_own() -> None:
    tickets = [
        make_ticket(1, "battery", 6 * DAY),
        make_ticket(2, "battery", 56 * DAY),
        make_ticket(2, "battery", DAY * 58),
    ]
    begins = {1: 0, 2: 50 * DAY}
    verdict = judge(tickets, [], begins, END)
    assert (verdict.first_week_device_days, verdict.first_week_false, verdict.false) == (14.0, 2, 3)
    assert judge([], [], {2: 50 * DAY}, 52 * DAY).first_week_device_days == 2.0


def test_several_runs_together_are_their_sums() -> None:
    first = judge([make_ticket(1, "turbine_bearing", 17 * DAY)], [BEARING], {1: 0}, END)
    second = judge([make_ticket(1, "turbine_bearing", 19 * DAY)], [BEARING], {1: 0}, END)
    third = judge([], [BEARING], {1: 0}, END)
    whole = find_summary(merge([first, second, third]))
    assert (whole["faults"], whole["ticketed_before_failure"], whole["missed"]) == (3, 0.6667, {"bearing_wear": 1})
    assert whole["lead_median_s"] == {"bearing_wear": 2 * 86_400}
    assert whole["lead_p10_s"] == {"bearing_wear": round(1.2 * 86_400)}
    assert whole["device_days"] == 300
