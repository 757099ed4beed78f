"""The service desk: production's rules decide, orders open, take in, close and come again."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fleet import load_profiles
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros
from lab.orders import ServiceDesk
from lab.plan import DAY, HOUR, MINUTE, SECOND, Episode, FleetPlan, Nuisance, WorldSettings
from lab.truth import TrueFault
from lab.world import plan_fleet

SETTINGS = WorldSettings(devices=20, days=30, seed=5, new_share=0.0)
START = SETTINGS.start_us


@pytest.fixture(scope="module")
def plan() -> FleetPlan:
    return replace(plan_fleet(SETTINGS), faults=(), clock_errors=(), episodes=(), outages=())


def make_desk(plan: FleetPlan, *faults: TrueFault) -> ServiceDesk:
    return ServiceDesk(plan, load_profiles(), faults)


def make_step(
    at_us: int,
    kind: TransitionKind = TransitionKind.RAISED,
    *,
    first_us: int | None = None,
    device: int = 1,
    severity: Severity = Severity.MAJOR,
    group: str = "occlusion",
    breach_kind: BreachKind = BreachKind.LIMIT,
    late_us: int = MINUTE,
) -> BreachTransition:
    first_us = at_us if first_us is None else first_us
    return BreachTransition(
        breach_id=breach_id_of(device, group, None, first_us),
        kind=kind,
        device_id=device,
        series_id=None,
        monitor="monitor",
        profile_version=3,
        breach_kind=breach_kind,
        severity=severity,
        fault_group=group,
        first_seen=from_micros(first_us),
        at=from_micros(at_us),
        received_at=from_micros(at_us + late_us),
        count=1,
        peak=1.0,
        score=1.0,
        reason_code="limit_high",
        params={},
    )


def test_an_order_takes_in_what_comes_while_it_is_open(plan: FleetPlan) -> None:
    desk = make_desk(plan)
    t = START + DAY
    cleared = make_step(t + MINUTE, TransitionKind.CLEARED, first_us=t)
    desk.handle([make_step(t), cleared, make_step(t + HOUR)])
    assert [(ticket.order, ticket.is_new, ticket.opened_us) for ticket in desk.tickets] == [
        (1, True, t + 2 * SECOND),
        (1, False, t + HOUR + 2 * SECOND),
    ]


def test_a_false_alarm_is_closed_after_its_visit_and_hides_nothing_longer(plan: FleetPlan) -> None:
    desk = make_desk(plan)
    t = START + DAY
    later = t + 2 * DAY + HOUR
    desk.handle([make_step(t), make_step(t + MINUTE, TransitionKind.CLEARED, first_us=t), make_step(later)])
    assert [ticket.reason for ticket in desk.tickets if ticket.is_new] == ["opened_major", "closed_as_false_alarm"]


def test_the_order_of_a_fault_stays_open_until_it_is_mended_and_is_reopened_when_it_comes_back(plan: FleetPlan) -> None:
    t = START + 5 * DAY
    fault = TrueFault(1, "occlusion", "occlusion", t - HOUR, t + 6 * DAY, t + 6 * DAY)
    desk = make_desk(plan, fault)
    desk.handle([make_step(t), make_step(t + 5 * DAY), make_step(t + 7 * DAY)])
    assert [(x.order, x.is_new, x.reason) for x in desk.tickets] == [
        (1, True, "opened_major"),
        (1, False, "joined"),
        (2, True, "reopened_within_14_days"),
    ]


def test_a_third_minor_episode_within_a_day_opens_an_order(plan: FleetPlan) -> None:
    desk = make_desk(plan)
    t = START + DAY
    minor = [make_step(t + i * HOUR, severity=Severity.MINOR, group="motor_drive") for i in (0, 25, 30, 40)]
    desk.handle(minor)
    assert [(x.opened_us, x.reason) for x in desk.tickets] == [(t + 40 * HOUR + 2 * SECOND, "third_minor")]


def hear(desk: ServiceDesk, device: int, *at_us: int) -> None:
    desk.hear(np.full(len(at_us), device, dtype=np.int64), np.array(at_us, dtype=np.int64))


def test_a_maintenance_opens_nothing_unless_the_breach_outlives_it(plan: FleetPlan) -> None:
    t = START + DAY
    plan = replace(plan, episodes=(Episode(0, Nuisance.MAINTENANCE, t, t + HOUR),))
    over, lasting = make_desk(plan), make_desk(plan)
    over.handle([make_step(t + MINUTE), make_step(t + 2 * MINUTE, TransitionKind.CLEARED, first_us=t + MINUTE)])
    lasting.handle([make_step(t + MINUTE)])
    for desk in (over, lasting):
        assert desk.tickets == []
        hear(desk, 1, t + HOUR, t + 2 * HOUR)
        desk.pass_time(t + 2 * HOUR)
    assert over.tickets == []
    assert [x.reason for x in lasting.tickets] == ["maintenance_timed_out"]


def test_a_breach_outlives_a_maintenance_only_if_the_device_was_heard_since(plan: FleetPlan) -> None:
    t = START + DAY
    plan = replace(plan, episodes=(Episode(0, Nuisance.MAINTENANCE, t, t + HOUR),))
    desk = make_desk(plan)
    desk.handle([make_step(t + MINUTE)])
    hear(desk, 1, t + 2 * MINUTE)  # then the network is lost until two hours after the maintenance
    hear(desk, 2, t + HOUR, t + 2 * HOUR)
    desk.pass_time(t + 3 * HOUR)
    hear(desk, 1, t + 3 * HOUR, t + 3 * HOUR + 14 * MINUTE)
    desk.pass_time(t + 3 * HOUR + 14 * MINUTE)
    assert desk.tickets == []
    desk.handle([make_step(t + 3 * HOUR + 10 * MINUTE, TransitionKind.CLEARED, first_us=t + MINUTE)])
    hear(desk, 1, t + 4 * HOUR)
    desk.pass_time(t + 4 * HOUR)
    assert desk.tickets == []


def test_silence_outlives_a_maintenance_without_being_heard(plan: FleetPlan) -> None:
    t = START + DAY
    plan = replace(plan, episodes=(Episode(0, Nuisance.MAINTENANCE, t, t + HOUR),))
    desk = make_desk(plan)
    desk.handle([make_step(t + MINUTE, group="connectivity", breach_kind=BreachKind.OFFLINE)])
    desk.pass_time(t + HOUR)
    assert [x.reason for x in desk.tickets] == ["maintenance_timed_out"]


def test_devices_that_vanish_behind_one_gateway_are_one_order(plan: FleetPlan) -> None:
    gateway = next(unit.gateway for unit in plan.units if unit.gateway is not None)
    behind = [unit.id for unit in plan.units if unit.gateway == gateway]
    plan = replace(plan, units=tuple(replace(u, gateway=gateway) if u.number < 4 else u for u in plan.units))
    desk = make_desk(plan)
    devices = sorted({*behind, 1, 2, 3, 4})[:4]
    t = START + DAY
    desk.handle(
        [
            make_step(
                t + device * SECOND,
                device=device,
                severity=Severity.MINOR,
                group="connectivity",
                breach_kind=BreachKind.OFFLINE,
            )
            for device in devices
        ]
    )
    assert [(x.gateway, x.fault_group) for x in desk.tickets] == [(gateway, "gateway_offline")]


def test_what_was_buffered_opens_an_order_when_it_came_and_only_if_it_is_still_true(plan: FleetPlan) -> None:
    t = START + DAY
    raised = make_step(t, late_us=30 * MINUTE)
    cleared = make_step(t + MINUTE, TransitionKind.CLEARED, first_us=t, late_us=29 * MINUTE)
    over, lasting = make_desk(plan), make_desk(plan)
    over.handle([raised, cleared])
    lasting.handle([raised])
    assert over.tickets == []
    assert [x.opened_us for x in lasting.tickets] == [t + 30 * MINUTE]
