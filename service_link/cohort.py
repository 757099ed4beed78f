"""Whether a fault is systemic: rule 9, as pure functions over counted cases and device-days.

A scope is a device model, or one lot or one firmware version of it, with one fault group. It qualifies with enough
devices and customers and, where the installed base has a history, an excess over its rate (exact one-sided Poisson
test, Benjamini-Hochberg over all scopes of the evaluation). One cause gives one proposal: see `find_proposals`.

Source: Garwood 1936 (exact Poisson interval), Benjamini and Hochberg 1995.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.exposure import bears_rate
from domain.profile import TicketPolicy
from service_link.cohort_statistics import adjust_false_discovery, find_poisson_p, find_rate_interval

# Below one device-year of history a rate says nothing; the counts alone decide.
MIN_BASELINE_DEVICE_DAYS = 365.0
# A lot or firmware explains an excess only if it is this many times worse than the rest of the model. At 2 one that is
# exactly twice as bad would be missed half of the time, however much is known of it (benchmarks.capa).
MIN_CONTRAST = 1.5


@dataclass(frozen=True, slots=True)
class Case:
    """One device with one order of the fault group: an event of the statistic. Episodes of one order are one event."""

    work_order_id: int
    device_id: int
    customer_id: int | None
    lot: str
    firmware: str  # at the time of the breach
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """Device-days in the window of the devices that share lot and firmware."""

    lot: str
    firmware: str
    devices: int
    device_days: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """Events and device-days of the installed base in the twelve months before the window."""

    events: int
    device_days: float

    @property
    def is_known(self) -> bool:
        """Whether there is enough history to speak of a rate."""
        return self.device_days >= MIN_BASELINE_DEVICE_DAYS

    @property
    def rate(self) -> float:
        """Events per device-day, half an event added (Jeffreys), so that no history is a rate of zero."""
        return (self.events + 0.5) / self.device_days


@dataclass(frozen=True, slots=True)
class Cohort:
    """All that is known of one device model and fault group in the window."""

    device_model_id: int
    fault_group: str
    cases: tuple[Case, ...]
    exposures: tuple[Exposure, ...]
    baseline: Baseline
    policy: TicketPolicy
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """The figures of one scope. Rates are events per device-day; `p` and `q` are None without a baseline."""

    scope: CapaScope
    cases: tuple[Case, ...]
    devices: int
    customers: int
    device_days: float
    baseline: Baseline
    p: float | None
    q: float | None
    qualifies: bool

    @property
    def trigger(self) -> CapaTrigger:
        """Whether statistics or the counts alone speak."""
        return CapaTrigger.COHORT_NO_BASELINE if self.p is None else CapaTrigger.COHORT


Belongs = Callable[[str, str], bool]  # lot, firmware -> whether they are of the scope


def is_enough(cases: Sequence[Case], policy: TicketPolicy) -> bool:
    """Whether so many devices and customers are affected that the question is asked at all."""
    customers = {case.customer_id for case in cases if case.customer_id is not None}
    return len({case.device_id for case in cases}) >= policy.capa_devices and len(customers) >= policy.capa_customers


def find_proposals(cohorts: Sequence[Cohort], hypotheses: int = 0) -> list[Finding]:
    """The scopes to propose a CAPA for: of each cohort the most specific ones that explain its excess.

    `hypotheses` is how many scopes of the installed base could have been proposed: those whose cohorts are left out
    because too little happened there are questions that were asked as well, or chance would pick what is looked at.

    Lots and firmware versions that qualify and are half again as bad as the rest of the model are taken first, the
    one with the greatest contrast before the others; each next one, and at last the model as a whole, must qualify on
    the cases and device-days that those before it do not explain.
    """
    asked = [(cohort, scope) for cohort in cohorts for scope in find_scopes(cohort)]
    p_values = [_test(cohort, scope, cohort.cases, cohort.exposures).p for cohort, scope in asked]
    # Real and simulated devices of one model have scopes of the same name.
    keys = [(scope, cohort.is_simulated) for cohort, scope in asked]
    adjusted = dict(zip(keys, adjust_false_discovery(p_values, hypotheses), strict=True))
    proposals: list[Finding] = []
    for cohort in cohorts:
        proposals += _explain(cohort, {scope: adjusted[scope, cohort.is_simulated] for scope in find_scopes(cohort)})
    return proposals


def find_scopes(cohort: Cohort) -> list[CapaScope]:
    """The model, and every lot and firmware version with a case."""
    lots = sorted({c.lot for c in cohort.cases if c.lot})
    firmwares = sorted({c.firmware for c in cohort.cases if c.firmware})
    named = [(ScopeKind.MODEL, ""), *((ScopeKind.LOT, v) for v in lots), *((ScopeKind.FIRMWARE, v) for v in firmwares)]
    return [CapaScope(cohort.device_model_id, kind, value, cohort.fault_group) for kind, value in named]


def describe(finding: Finding, cohort: Cohort) -> dict[str, Any]:
    """The statistics that are stored and shown: rates per 1,000 device-days, intervals exact and 95 %.

    Below one device-day there is no rate and no ratio; p and q are of counts and stand.
    """
    events = len(finding.cases)
    rates = _find_rates(events, finding.device_days)
    described: dict[str, Any] = {
        "window_days": cohort.policy.capa_window_days,
        "devices": finding.devices,
        "customers": finding.customers,
        "device_days": round(finding.device_days, 3),
        "events": events,
        **_describe_rates(rates),
        "needed": {
            "devices": cohort.policy.capa_devices,
            "customers": cohort.policy.capa_customers,
            "q": cohort.policy.capa_p_value,
        },
        "groups": _describe_groups(cohort),
    }
    if not finding.baseline.is_known:
        return described | {"baseline_rate": None, "ratio": None, "interval": None, "p": None, "q": None}
    rate = finding.baseline.rate
    return described | {
        "baseline_events": finding.baseline.events,
        "baseline_device_days": round(finding.baseline.device_days, 1),
        "baseline_rate": _per_thousand(rate),
        "ratio": None if rates is None else round(rates[0] / rate, 2),
        "interval": None if rates is None else [round(end / rate, 2) for end in rates[1:]],
        "p": finding.p,
        "q": finding.q,
    }


def _explain(cohort: Cohort, adjusted: dict[CapaScope, float | None]) -> list[Finding]:
    chosen: list[Finding] = []
    cases, exposures = cohort.cases, cohort.exposures
    narrow = [s for s in find_scopes(cohort) if s.kind is not ScopeKind.MODEL]
    while True:
        contrasts = []
        for scope in narrow:
            finding = _judge(_test(cohort, scope, cases, exposures), adjusted.get(scope), cohort.policy)
            contrast = find_contrast(scope, cases, exposures)
            if finding.qualifies and contrast is not None and contrast >= MIN_CONTRAST:
                # Of equals the one with more cases, then the firmware, which can be mended everywhere at once.
                contrasts.append((contrast, len(finding.cases), scope.kind is ScopeKind.FIRMWARE, scope.value, finding))
        if not contrasts:
            break
        best = max(contrasts, key=lambda c: c[:4])[4]
        chosen.append(best)
        narrow.remove(best.scope)
        belongs = _find_membership(best.scope)
        cases = tuple(c for c in cases if not belongs(c.lot, c.firmware))
        exposures = tuple(e for e in exposures if not belongs(e.lot, e.firmware))
    model = CapaScope(cohort.device_model_id, ScopeKind.MODEL, "", cohort.fault_group)
    rest = _judge(_test(cohort, model, cases, exposures), adjusted.get(model), cohort.policy)
    return [*chosen, rest] if rest.qualifies else chosen


def find_contrast(scope: CapaScope, cases: Iterable[Case], exposures: Iterable[Exposure]) -> float | None:
    """The scope's rate over the rest's, half an event added to the rest; None where there is no rest."""
    belongs = _find_membership(scope)
    events, days = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for case in cases:
        events[belongs(case.lot, case.firmware)] += 1
    for exposure in exposures:
        days[belongs(exposure.lot, exposure.firmware)] += exposure.device_days
    if days[False] <= 0.0 or days[True] <= 0.0:
        return None
    return (events[True] / days[True]) / ((events[False] + 0.5) / days[False])


def _test(cohort: Cohort, scope: CapaScope, cases: Iterable[Case], exposures: Iterable[Exposure]) -> Finding:
    belongs = _find_membership(scope)
    own = tuple(c for c in cases if belongs(c.lot, c.firmware))
    days = sum(e.device_days for e in exposures if belongs(e.lot, e.firmware))
    p = find_poisson_p(len(own), cohort.baseline.rate * max(days, 1e-9)) if cohort.baseline.is_known else None
    return Finding(
        scope=scope,
        cases=own,
        devices=len({c.device_id for c in own}),
        customers=len({c.customer_id for c in own if c.customer_id is not None}),
        device_days=days,
        baseline=cohort.baseline,
        p=p,
        q=p,
        qualifies=False,
    )


def _judge(finding: Finding, q: float | None, policy: TicketPolicy) -> Finding:
    """The finding with its q-value and whether rule 9 is met; on what is left of a cohort the larger of p and q."""
    enough = finding.devices >= policy.capa_devices and finding.customers >= policy.capa_customers
    if finding.p is None:
        return replace(finding, q=None, qualifies=enough)
    value = max(finding.p, q if q is not None else finding.p)
    return replace(finding, q=value, qualifies=enough and value < policy.capa_p_value)


def _find_membership(scope: CapaScope) -> Belongs:
    if scope.kind is ScopeKind.LOT:
        return lambda lot, firmware: lot == scope.value
    if scope.kind is ScopeKind.FIRMWARE:
        return lambda lot, firmware: firmware == scope.value
    return lambda lot, firmware: True


def _describe_groups(cohort: Cohort) -> list[dict[str, Any]]:
    """Devices, device-days, events and rate with interval per firmware and per lot: the console's interval plot."""
    groups = []
    for kind in (ScopeKind.FIRMWARE, ScopeKind.LOT):
        name = "firmware" if kind is ScopeKind.FIRMWARE else "lot"
        days: dict[str, float] = defaultdict(float)
        devices: dict[str, int] = defaultdict(int)
        events: dict[str, int] = defaultdict(int)
        for exposure in cohort.exposures:
            days[getattr(exposure, name)] += exposure.device_days
            devices[getattr(exposure, name)] += exposure.devices
        for case in cohort.cases:
            events[getattr(case, name)] += 1
        for value in sorted(days.keys() | events.keys()):
            groups.append(
                {
                    "kind": kind.value,
                    "value": value,
                    "devices": devices[value],
                    "device_days": round(days[value], 3),
                    "events": events[value],
                    **_describe_rates(_find_rates(events[value], days[value])),
                }
            )
    return groups


def _find_rates(events: int, device_days: float) -> tuple[float, float, float] | None:
    """Rate, lower and upper end, per device-day; None below one device-day."""
    return (events / device_days, *find_rate_interval(events, device_days)) if bears_rate(device_days) else None


def _describe_rates(rates: tuple[float, float, float] | None) -> dict[str, Any]:
    if rates is None:
        return {"rate": None, "rate_interval": None}
    return {"rate": _per_thousand(rates[0]), "rate_interval": [_per_thousand(end) for end in rates[1:]]}


def _per_thousand(rate: float) -> float:
    return round(rate * 1000.0, 4)
