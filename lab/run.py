"""A run of the lab: simulated devices with a fault, production's evaluator and ticket rules, and what they made of it.

The same request and profile give the same result, to the last digit: nothing in it depends on the clock, and all chance
comes from the seed. Nothing is written: the result is all that there is.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from anomaly.training.record import find_code_version
from domain.breach import BreachTransition, TransitionKind
from domain.lab import SETTLE_DAYS, LabFault, LabRequest, find_fault, find_span_h
from domain.profile import Profile
from domain.profile_json import find_profile_sha256
from lab.figures import choose_examples, describe_finding, describe_monitors, find_figures, list_findings
from lab.findings import Finding, TicketCounts, add_counts, count_tickets, find_findings
from lab.judged_profile import judge_profile
from lab.planting import plan_run
from lab.service import Service
from lab.signals import FleetSignals
from lab.traces import Traces, find_sensors
from lab.truth import find_truth

FORMAT = 1


@dataclass(slots=True)
class _Seed:
    """What one seed gave."""

    device_days: float
    findings: list[Finding]
    fixed_findings: list[Finding]
    counts: dict[str, TicketCounts]
    fixed_counts: dict[str, TicketCounts]
    readings: int
    examples: dict[str, Any] = field(default_factory=dict)


def run_lab(request: LabRequest, profile: Profile, note: Callable[[float, str], None]) -> dict[str, Any]:
    """The result as JSON, see docs/how-to/lab.md; `note` hears of the share that is done, and what is at work, and may
    raise to end the run."""
    fault = find_fault(request.model, request.fault)
    assert fault is not None
    judged, left_out = judge_profile(profile)
    done: list[_Seed] = []
    for number in range(request.seeds):
        seed = request.seed + number

        def tell(share: float, number: int = number, seed: int = seed) -> None:
            note((number + share) / request.seeds, f"seed {seed}")

        done.append(_run_seed(request, fault, judged, seed, tell))
    findings = [finding for one in done for finding in one.findings]
    counts = add_counts([one.counts for one in done])
    device_days = sum(one.device_days for one in done)
    fixed = [finding for one in done for finding in one.fixed_findings]
    # Of the first seed that has one.
    examples = {kind: one.examples[kind] for one in reversed(done) for kind in one.examples}
    return {
        "format": FORMAT,
        "request": request.to_json() | {"span_h": find_span_h(request)},
        "fault_group": fault.fault_group,
        "grows": fault.grows,
        "profile": {"model": profile.model, "version": profile.version, "sha256": find_profile_sha256(profile)},
        "code_version": find_code_version(),
        "settle_days": SETTLE_DAYS,
        "device_days": round(device_days, 2),
        "readings": sum(one.readings for one in done),
        "figures": find_figures(findings, counts, device_days),
        "fixed_limits": find_figures(fixed, add_counts([one.fixed_counts for one in done]), device_days),
        "seeds": [{"seed": request.seed + i, **_describe_seed(one)} for i, one in enumerate(done)],
        "monitors": describe_monitors(findings, counts),
        "faults": list_findings(findings),
        "examples": examples,
        "left_out": [asdict(left) for left in left_out],
    }


def _run_seed(
    request: LabRequest, fault: LabFault, profile: Profile, seed: int, tell: Callable[[float], None]
) -> _Seed:
    plan = plan_run(request, seed)
    truth = find_truth(plan)
    profiles = {profile.model: profile}
    signals = FleetSignals(plan, profiles)
    service = Service(plan, plan.units, profiles, signals, truth)
    sensors = {one.serial: find_sensors(profile, fault, one.sensor) for one in plan.faults}
    traces = Traces(plan, signals.series, sensors)
    raised: list[BreachTransition] = []
    readings, span_us = 0, plan.end_us - plan.settings.start_us
    for block in signals.iterate_blocks():
        readings += len(block.columns)
        raised += [t for t in service.hear(block) if t.kind is TransitionKind.RAISED]
        traces.hear(block)
        tell((block.received_us - plan.settings.start_us) / span_us)
    tickets, fixed_tickets = service.desk.tickets, service.fixed_desk.tickets
    found = _Seed(
        device_days=plan.device_days,
        findings=find_findings(plan, fault, truth, tickets, raised),
        fixed_findings=find_findings(plan, fault, truth, fixed_tickets, ()),
        counts=count_tickets(plan, truth, tickets),
        fixed_counts=count_tickets(plan, truth, fixed_tickets),
        readings=readings,
    )
    numbers = {unit.id: unit.number for unit in plan.units}
    found.examples = {
        kind: describe_finding(finding) | {"signals": traces.describe(numbers[finding.device], profile)}
        for kind, finding in choose_examples(found.findings).items()
    }
    return found


def _describe_seed(one: _Seed) -> dict[str, Any]:
    figures = find_figures(one.findings, one.counts, one.device_days)
    return {name: figures[name] for name in ("planted", "caught", "late", "missed", "false")}
