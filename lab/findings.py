"""What became of every fault that was planted, and of every ticket; pure, by the rules at the top of `lab.truth`."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.breach import BreachTransition, TransitionKind
from domain.clock import to_micros
from domain.lab import LabFault, Verdict
from lab.plan import FleetPlan
from lab.truth import GRACE_US, Ticket, TrueFault, agrees, belongs, index_faults, place_of
from simulators.faults import Fault


@dataclass(frozen=True, slots=True)
class Finding:
    """One planted fault. `warning_s` of one that was caught: from the ticket to the failure, or where the fault has
    none, from the onset to the ticket. `raised` tells which monitors raised a breach meanwhile, and when first."""

    seed: int
    device: int
    serial: str
    sensor: str | None
    onset_us: int
    failure_us: int | None
    end_us: int
    verdict: Verdict
    ticket_us: int | None = None
    monitor: str | None = None
    warning_s: float | None = None
    raised: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class TicketCounts:
    """The tickets of one monitor, or of all."""

    right: int = 0  # of a planted fault, with its fault group
    wrong_group: int = 0  # of a planted fault, with another one
    outage: int = 0  # of a gateway that was away: part of the everyday, and rightly told
    false: int = 0

    @property
    def total(self) -> int:
        return self.right + self.wrong_group + self.outage + self.false


def find_findings(
    plan: FleetPlan,
    fault: LabFault,
    truth: Sequence[TrueFault],
    tickets: Sequence[Ticket],
    transitions: Sequence[BreachTransition],
) -> list[Finding]:
    """One finding for each planted fault, in order of the devices."""
    by_device: dict[int, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        if ticket.gateway is None:
            by_device[ticket.device].append(ticket)
    raised: dict[int, list[BreachTransition]] = defaultdict(list)
    for transition in transitions:
        if transition.kind is TransitionKind.RAISED:
            raised[transition.device_id].append(transition)
    planted = {f.serial: f for f in plan.faults}
    found = []
    for unit in plan.units:
        one = planted.get(unit.device.serial)
        if one is None:
            continue
        true = next(t for t in truth if t.device == unit.id and t.kind == one.kind.value)
        right = [t for t in by_device[unit.id] if belongs(t, true) and agrees(t, true)]
        found.append(_judge(plan.settings.seed, unit.id, fault, one, right, raised[unit.id]))
    return found


def _judge(
    seed: int,
    device: int,
    fault: LabFault,
    one: Fault,
    right: Sequence[Ticket],
    raised: Sequence[BreachTransition],
) -> Finding:
    assert one.end_us is not None
    failure_us = one.failure_us if fault.grows else None
    until_us = one.end_us if failure_us is None else failure_us
    first = min(right, key=lambda ticket: ticket.opened_us, default=None)
    verdict, warning_s = Verdict.MISSED, None
    if first is not None:
        verdict = Verdict.CAUGHT if first.opened_us < until_us else Verdict.LATE
        if verdict is Verdict.CAUGHT:
            lasts_us = first.opened_us - one.onset_us if failure_us is None else failure_us - first.opened_us
            warning_s = lasts_us / 1e6
    by_monitor: dict[str, int] = {}
    for transition in raised:
        at_us = to_micros(transition.at)
        if one.onset_us <= at_us < one.end_us + GRACE_US:
            by_monitor[transition.monitor] = min(by_monitor.get(transition.monitor, at_us), at_us)
    return Finding(
        seed=seed,
        device=device,
        serial=one.serial,
        sensor=one.sensor,
        onset_us=one.onset_us,
        failure_us=failure_us,
        end_us=one.end_us,
        verdict=verdict,
        ticket_us=None if first is None else first.opened_us,
        monitor=None if first is None else first.monitor,
        warning_s=warning_s,
        raised=by_monitor,
    )


def count_tickets(plan: FleetPlan, truth: Sequence[TrueFault], tickets: Sequence[Ticket]) -> dict[str, TicketCounts]:
    """The tickets by the monitor that opened them; further breaches that an order took in are no tickets."""
    planted = {(f.serial, f.kind.value) for f in plan.faults}
    serials = {unit.id: unit.device.serial for unit in plan.units}
    places = index_faults(truth)
    counts: dict[str, TicketCounts] = defaultdict(TicketCounts)
    for ticket in tickets:
        if not ticket.is_new:
            continue
        count = counts[ticket.monitor]
        own = [fault for fault in places.get(place_of(ticket), []) if belongs(ticket, fault)]
        right = [fault for fault in own if agrees(ticket, fault)]
        if any((serials.get(fault.device, ""), fault.kind) in planted for fault in right):
            count.right += 1
        elif right:
            count.outage += 1
        elif any(not fault.is_of_data for fault in own):
            count.wrong_group += 1
        else:
            count.false += 1
    return dict(counts)


def add_counts(several: Sequence[Mapping[str, TicketCounts]]) -> dict[str, TicketCounts]:
    """The counts of several seeds as one, by monitor."""
    whole: dict[str, TicketCounts] = defaultdict(TicketCounts)
    for counts in several:
        for monitor, count in counts.items():
            mine = whole[monitor]
            for name in TicketCounts.__dataclass_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(count, name))
    return dict(sorted(whole.items()))


def count_raised(findings: Sequence[Finding]) -> Counter[str]:
    """For each monitor, on how many of the planted faults it raised a breach."""
    return Counter(monitor for finding in findings for monitor in finding.raised)
