"""Tickets against the truth: which fault each belongs to, which are false, and with how much warning faults were found.

The rules, all pure and proven by hand in tests/unit/lab:

- A ticket is an order that was opened or reopened for one device. Orders for a gateway are tickets of `gateway_offline`
  and are judged against the gateway's outages. The parent order of a storm only groups orders that are counted here.
- A ticket **belongs** to a fault of its device if it was opened from the fault's onset until `GRACE_US` after its end.
  It is **right** if the fault groups agree with one of the faults that it belongs to, of the **wrong group** if it
  belongs to faults but agrees with none, and **false** if it belongs to none. A ticket that names the function of the
  device while only its data are at fault (a sensor that sticks or is silent, a wrong clock, a lost connection) is
  false, and counted once more as a device ticket of a data fault. For any data fault both groups of data are right.
- A device fault is **warned of** when the first right order was opened, or took a further breach in, from its onset on
  and before its functional failure. An order that a false alarm opened before therefore counts from the first breach of
  the fault that it takes in; the false alarm remains one. Failure after the end of the run, or none: not counted.
- Further right tickets of the same fault are **repeats**: neither false nor counted again as found.
- **Lead time** is from the warning to the functional failure.
- The share of tickets with the right group is right / (right + wrong group): false tickets have no group that could be
  right, and are counted by themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from domain.tickets import DATA_QUALITY_FAULT_GROUPS, GATEWAY_FAULT_GROUP
from lab.plan import FleetPlan, kind_of

GRACE_US = 24 * 3600 * 1_000_000
FIRST_WEEK_US = 7 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class TrueFault:
    """What really was wrong with a device, or (device 0) with a gateway."""

    device: int
    kind: str
    fault_group: str
    onset_us: int
    failure_us: int | None  # functional failure
    end_us: int
    gateway: int | None = None

    @property
    def is_of_data(self) -> bool:
        """About the measurement or the connection, not about what the device does."""
        return self.fault_group in (*DATA_QUALITY_FAULT_GROUPS, GATEWAY_FAULT_GROUP)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One order when it was opened, or (`is_new` false) when it took a further breach in."""

    order: int
    device: int
    gateway: int | None
    fault_group: str
    opened_us: int
    monitor: str
    reason: str
    is_new: bool = True


@dataclass(slots=True)
class Verdict:
    """The counts of one run, or of several."""

    device_days: float = 0.0
    tickets: int = 0
    right: int = 0
    wrong_group: int = 0
    false: int = 0
    repeats: int = 0
    device_tickets_of_data_faults: int = 0
    first_week_device_days: float = 0.0
    first_week_false: int = 0
    faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    warned: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    late: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # ticketed, but not before the failure
    data_faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    data_found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lead_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    false_by_monitor: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong_by_monitor: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def find_truth(plan: FleetPlan) -> list[TrueFault]:
    """The plan's faults as tickets are judged by them."""
    unit_of = {unit.device.serial: unit for unit in plan.units}
    truth = []
    for fault in plan.faults:
        unit = unit_of[fault.serial]
        group = kind_of(unit.device.model).faults[fault.kind]
        end_us = plan.end_us if fault.end_us is None else fault.end_us
        truth.append(TrueFault(unit.id, fault.kind.value, group, fault.onset_us, fault.failure_us, end_us))
    for wrong in plan.clock_errors:
        truth.append(TrueFault(wrong.unit + 1, "wrong_clock", "data_quality", wrong.since_us, None, wrong.until_us))
    for outage in plan.outages:
        since_us, until_us = outage.since_us, outage.until_us
        truth.append(TrueFault(0, "gateway_outage", GATEWAY_FAULT_GROUP, since_us, None, until_us, outage.gateway))
        truth += [
            TrueFault(unit.id, "outage_of_its_gateway", "connectivity", since_us, None, until_us)
            for unit in plan.units
            if unit.gateway == outage.gateway
        ]
    return truth


def judge(
    tickets: Sequence[Ticket],
    faults: Sequence[TrueFault],
    begins_us: Mapping[int, int],
    end_us: int,
) -> Verdict:
    """The verdict on these tickets; `begins_us` tells from when on each device was in use."""
    verdict = Verdict()
    verdict.device_days = sum(max(end_us - begin, 0) for begin in begins_us.values()) / 86_400e6
    verdict.first_week_device_days = (
        sum(min(max(end_us - begin, 0), FIRST_WEEK_US) for begin in begins_us.values()) / 86_400e6
    )
    found: dict[TrueFault, list[Ticket]] = defaultdict(list)
    of_device = index_faults(faults)
    for ticket in tickets:
        own = [f for f in of_device[place_of(ticket)] if belongs(ticket, f)]
        right = [f for f in own if agrees(ticket, f)]
        for fault in right:
            found[fault].append(ticket)
        if not ticket.is_new:
            continue
        verdict.tickets += 1
        if right:
            verdict.right += 1
        elif [f for f in own if not f.is_of_data]:
            verdict.wrong_group += 1
            verdict.wrong_by_monitor[ticket.monitor] += 1
        else:
            verdict.false += 1
            verdict.false_by_monitor[ticket.monitor] += 1
            verdict.device_tickets_of_data_faults += bool(own)
            verdict.first_week_false += ticket.opened_us < begins_us.get(ticket.device, 0) + FIRST_WEEK_US
    for fault in faults:
        _judge_fault(verdict, fault, found[fault], end_us)
    return verdict


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """All runs as one."""
    whole = Verdict()
    for verdict in verdicts:
        for name in Verdict.__dataclass_fields__:
            mine, theirs = getattr(whole, name), getattr(verdict, name)
            if isinstance(theirs, dict):
                for key, value in theirs.items():
                    mine[key] = mine[key] + value
            else:
                setattr(whole, name, mine + theirs)
    return whole


def find_summary(verdict: Verdict) -> dict[str, object]:
    """The figures that the issue asks for, by name; None where there is nothing to divide by."""
    faults, warned = sum(verdict.faults.values()), sum(verdict.warned.values())
    grouped = verdict.right + verdict.wrong_group
    return {
        "device_days": round(verdict.device_days),
        "faults": faults,
        "ticketed_before_failure": _share(warned, faults),
        "missed": {k: verdict.faults[k] - verdict.warned[k] for k in sorted(verdict.faults)},
        "ticketed_too_late": dict(sorted(verdict.late.items())),
        "lead_median_s": {k: round(median(v)) for k, v in sorted(verdict.lead_s.items())},
        "lead_p10_s": {k: round(_find_tenth(v)) for k, v in sorted(verdict.lead_s.items())},
        "tickets": verdict.tickets,
        "right_group": _share(verdict.right, grouped),
        "repeats": verdict.repeats,
        "false_tickets": verdict.false,
        "false_per_1000_device_days": _share(1000 * verdict.false, verdict.device_days),
        "first_week_false_per_1000_device_days": _share(
            1000 * verdict.first_week_false, verdict.first_week_device_days
        ),
        "device_tickets_of_data_faults": verdict.device_tickets_of_data_faults,
        "data_faults_ticketed": {k: _share(verdict.data_found[k], n) for k, n in sorted(verdict.data_faults.items())},
        "false_by_monitor": dict(sorted(verdict.false_by_monitor.items(), key=lambda item: -item[1])),
        "wrong_group_by_monitor": dict(sorted(verdict.wrong_by_monitor.items(), key=lambda item: -item[1])),
    }


def index_faults(faults: Sequence[TrueFault]) -> Mapping[tuple[str, int], list[TrueFault]]:
    """The faults by the place that they are at: a device or a gateway."""
    index: dict[tuple[str, int], list[TrueFault]] = defaultdict(list)
    for fault in faults:
        index[("device", fault.device) if fault.gateway is None else ("gateway", fault.gateway)].append(fault)
    return index


def place_of(ticket: Ticket) -> tuple[str, int]:
    """The device or the gateway that the ticket is about."""
    return ("device", ticket.device) if ticket.gateway is None else ("gateway", ticket.gateway)


def belongs(ticket: Ticket, fault: TrueFault) -> bool:
    """The fault of the ticket's place was there when it was opened, or had just ended."""
    return fault.onset_us <= ticket.opened_us < fault.end_us + GRACE_US


def agrees(ticket: Ticket, fault: TrueFault) -> bool:
    """The fault groups agree."""
    if fault.is_of_data and fault.fault_group != GATEWAY_FAULT_GROUP:
        return ticket.fault_group in DATA_QUALITY_FAULT_GROUPS
    return ticket.fault_group == fault.fault_group


def _judge_fault(verdict: Verdict, fault: TrueFault, right: Sequence[Ticket], end_us: int) -> None:
    verdict.repeats += max(sum(ticket.is_new for ticket in right) - 1, 0)
    if fault.is_of_data:
        verdict.data_faults[fault.kind] += 1
        verdict.data_found[fault.kind] += bool(right)
        return
    if fault.failure_us is None or fault.failure_us >= end_us:
        return
    verdict.faults[fault.kind] += 1
    first = min((ticket.opened_us for ticket in right), default=None)
    if first is not None and first < fault.failure_us:
        verdict.warned[fault.kind] += 1
        verdict.lead_s[fault.kind].append((fault.failure_us - first) / 1e6)
    elif first is not None:
        verdict.late[fault.kind] += 1


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _find_tenth(values: Sequence[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[0] if len(values) > 1 else values[0]
