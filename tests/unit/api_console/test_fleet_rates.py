"""Exact intervals of rates and of their change, against tails summed here; and the order of the fleet's rows."""

import math

import pytest

from api.console.fleet_rates import FleetRow, find_change, find_rate, find_rows
from store.fleet import FleetCapa, FleetExposure, FleetTickets


def find_poisson_cdf(count: int, mean: float) -> float:
    return sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(count + 1))


def find_binomial_cdf(count: int, total: int, p: float) -> float:
    return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(count + 1))


@pytest.mark.parametrize("tickets", [1, 2, 7, 40, 300])
def test_the_ends_of_a_rate_leave_a_fortieth_on_either_side(tickets: int) -> None:
    rate = find_rate(tickets, 2000.0)
    assert rate is not None
    assert rate.value == pytest.approx(tickets / 2)
    assert rate.high is not None
    assert find_poisson_cdf(tickets, rate.high * 2) == pytest.approx(0.025, rel=1e-6)
    assert 1 - find_poisson_cdf(tickets - 1, rate.low * 2) == pytest.approx(0.025, rel=1e-6)


def test_no_ticket_has_an_upper_end_and_no_device_day_no_rate() -> None:
    rate = find_rate(0, 1000.0)
    assert rate is not None
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(-math.log(0.025))
    assert find_rate(3, 0.5) is None


@pytest.mark.parametrize(("now", "before"), [(9, 3), (3, 9), (30, 31), (1, 1)])
def test_the_ends_of_a_change_leave_a_fortieth_on_either_side(now: int, before: int) -> None:
    days, days_before = 900.0, 600.0
    change = find_change(now, days, before, days_before)
    assert change is not None
    assert change.high is not None
    assert change.value == pytest.approx((now / days) / (before / days_before))

    def find_share(ratio: float) -> float:  # of the later period, were the rates in this ratio
        return ratio * days / (ratio * days + days_before)

    total = now + before
    assert find_binomial_cdf(now, total, find_share(change.high)) == pytest.approx(0.025, rel=1e-6)
    assert 1 - find_binomial_cdf(now - 1, total, find_share(change.low)) == pytest.approx(0.025, rel=1e-6)


def test_what_was_not_there_before_has_a_lower_end_alone() -> None:
    change = find_change(8, 100.0, 0, 100.0)
    assert change is not None
    assert math.isinf(change.value)
    assert change.high is None
    assert change.low > 1.0
    assert find_change(0, 100.0, 0, 100.0) is None
    assert find_change(5, 100.0, 5, 0.0) is None


def make_exposure(firmware: str, model: str = "PUMP") -> FleetExposure:
    return FleetExposure(model, firmware, 10, 900.0, 900.0, 10, 1)


def name_rows(rows: list[FleetRow]) -> list[tuple[str, str]]:
    return [(row.exposure.firmware, row.fault_group) for row in rows]


EXPOSURES = [make_exposure("1.0"), make_exposure("2.0"), make_exposure("3.0")]
TICKETS = [
    FleetTickets("PUMP", "1.0", "motor", 60, 60),  # the highest rate, and as it was
    FleetTickets("PUMP", "2.0", "motor", 30, 2),
    FleetTickets("PUMP", "2.0", "tube", 2, 30),
    FleetTickets("PUMP", "3.0", "motor", 1, 1),
]


def test_what_became_worse_stands_first_then_what_happens_most() -> None:
    rows = find_rows(EXPOSURES, TICKETS, [], by_fault=True)
    assert name_rows(rows) == [("2.0", "motor"), ("1.0", "motor"), ("2.0", "tube"), ("3.0", "motor")]
    assert [row.is_worse for row in rows] == [True, False, False, False]
    assert [row.is_better for row in rows] == [False, False, True, False]


def test_all_faults_together_show_firmware_without_tickets_too() -> None:
    rows = find_rows([*EXPOSURES, make_exposure("4.0")], TICKETS, [], by_fault=False)
    assert {(row.exposure.firmware, row.tickets, row.tickets_before) for row in rows} == {
        ("1.0", 60, 60),
        ("2.0", 32, 32),
        ("3.0", 1, 1),
        ("4.0", 0, 0),
    }


def test_tickets_of_devices_that_were_not_in_the_field_have_no_rate() -> None:
    (row,) = find_rows([], [FleetTickets("PUMP", "9", "motor", 2, 0)], [], by_fault=True)
    assert (row.rate, row.change, row.exposure.devices) == (None, None, 0)


def test_a_capa_stands_at_what_it_is_about() -> None:
    capas = [
        FleetCapa("CAPA-1", "OPEN", "PUMP", "MODEL", "", "motor"),
        FleetCapa("CAPA-2", "OPEN", "PUMP", "FIRMWARE", "2.0", "tube"),
        FleetCapa("CAPA-3", "OPEN", "CART", "MODEL", "", "motor"),
    ]
    rows = dict(zip(NAMES, find_rows(EXPOSURES, TICKETS, capas, by_fault=True), strict=True))
    assert {name: [capa.code for capa in row.capas] for name, row in rows.items()} == {
        ("2.0", "motor"): ["CAPA-1"],
        ("1.0", "motor"): ["CAPA-1"],
        ("2.0", "tube"): ["CAPA-2"],
        ("3.0", "motor"): ["CAPA-1"],
    }
    together = {row.exposure.firmware: row for row in find_rows(EXPOSURES, TICKETS, capas, by_fault=False)}
    assert [capa.code for capa in together["2.0"].capas] == ["CAPA-1", "CAPA-2"]


NAMES = [("2.0", "motor"), ("1.0", "motor"), ("2.0", "tube"), ("3.0", "motor")]
