"""The result of a run of the lab, as the lab makes it, without half a minute of simulation."""

from datetime import datetime
from typing import Any

from domain.audit import Actor
from domain.lab import LabRequest, Verdict, find_fault
from domain.profile import Profile
from lab.figures import choose_examples, describe_finding, describe_monitors, find_figures, list_findings
from lab.findings import Finding, TicketCounts
from lab.plan import DAY, HOUR, START_US
from store.lab_runs import LAB_RUNS, open_run
from store.pool import Connection

ONSET_US = START_US + 5 * DAY
FAILURE_US = ONSET_US + 12 * DAY


def make_lab_run(conn: Connection, request: LabRequest, profile: Profile, now: datetime) -> str:
    """The code of a run that is done, with the result of `make_result`."""
    code = open_run(conn, Actor("eva", "engineer", "profile.write"), request, profile, None, now)
    begun = LAB_RUNS.begin(conn)
    assert begun is not None
    LAB_RUNS.finish(conn, begun.id, result=make_result(request))
    LAB_RUNS.release(conn, begun.id)
    return code


def make_finding(number: int, warning_days: float | None, raised: str = "motor_current_unusual") -> Finding:
    """A motor that wears for twelve days; None: nobody told of it."""
    ticket_us = None if warning_days is None else FAILURE_US - round(warning_days * DAY)
    return Finding(
        seed=1,
        device=number,
        serial=f"LAB-{number:04d}",
        sensor=None,
        onset_us=ONSET_US,
        failure_us=FAILURE_US,
        end_us=FAILURE_US + 6 * HOUR,
        verdict=Verdict.MISSED if ticket_us is None else Verdict.CAUGHT,
        ticket_us=ticket_us,
        monitor=None if ticket_us is None else "motor_current_high",
        warning_s=None if warning_days is None else warning_days * 86_400.0,
        raised={raised: ONSET_US + 2 * DAY},
    )


def make_result(request: LabRequest) -> dict[str, Any]:
    """Three of four worn motors were told of, with two to five days of warning; one ticket was false."""
    fault = find_fault(request.model, request.fault)
    assert fault is not None
    findings = [make_finding(1, 2.0), make_finding(2, 3.5), make_finding(3, None), make_finding(4, 5.0)]
    counts = {"motor_current_high": TicketCounts(right=3), "flow_low": TicketCounts(false=1)}
    days = float(request.device_days)
    figures = find_figures(findings, counts, days)
    examples = {
        kind: describe_finding(one) | {"signals": [_make_signal(grows=kind == "caught")]}
        for kind, one in choose_examples(findings).items()
    }
    return {
        "format": 1,
        "request": request.to_json(),
        "fault_group": fault.fault_group,
        "grows": fault.grows,
        "settle_days": 2.0,
        "device_days": days,
        "readings": 3_000_000,
        "figures": figures,
        "fixed_limits": find_figures([*findings[:1], make_finding(2, None)], {}, days),
        "seeds": [{"seed": 1, "planted": 4, "caught": 3, "late": 0, "missed": 1, "false": 1}],
        "monitors": describe_monitors(findings, counts),
        "faults": list_findings(findings),
        "examples": examples,
        "left_out": [{"monitor": "temperature_high", "sensor": "warmth", "reason": "not_sent"}],
    }


def _make_signal(*, grows: bool) -> dict[str, Any]:
    """Motor current that rises, or hardly does, with a gap."""
    places = [place for place in range(200) if not 40 <= place < 50]
    mean = [round(0.2 + (0.002 if grows else 0.0004) * place, 4) for place in places]
    return {
        "sensor": "motor_current",
        "bucket_s": 7_200.0,
        "at": [(ONSET_US - 3 * DAY) / 1e6 + 7_200.0 * place for place in places],
        "mean": mean,
        "low": [round(value - 0.02, 4) for value in mean],
        "high": [round(value + 0.03, 4) for value in mean],
    }
