"""What the fleet's prior buys a new device: a hundred of them a seed, once from nothing and once with the prior.

A world of its own, four weeks long, in which all devices are installed at its beginning. A quarter of them is worn
when it is installed (at a tenth to four tenths of full strength, below the fixed limits, and growing), on another
quarter wear begins within the first week, an eighth has a worn drive or bearing that hardly grows worse, the rest is
healthy. What happens without being a fault happens as in the large fleet. The prior comes from other devices, of
another seed, that were in use and healthy for ten days.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.training.contract import FleetPrior
from anomaly.training.pool import pool_fleet
from anomaly.training.seeding import seed_scorer
from domain.breach import BreachTransition, TransitionKind
from domain.clock import to_micros
from domain.profile import MonitorRule, Profile
from lab.plan import DAY, HOUR, FleetPlan, WorldSettings
from lab.service import LEARNING_RULES, Service
from lab.signals import FleetSignals, Sampling
from lab.truth import FIRST_WEEK_US, TrueFault, find_truth
from lab.world import WEAR, plan_fleet
from simulators.faults import Fault

NOTHING, PRIOR = "from nothing", "with the fleet's prior"
TEACHERS, TEACHING_DAYS = 60, 10.0
NEWCOMERS, DAYS = 100, 28.0
WORN, BEGINS, STEADY = "worn when installed", "begins in the first week", "worn and not growing"
WORN_SORTS, BEGINS_SORTS, STEADY_SORT = (0, 1), (2, 3), 4  # of eight; the others are healthy
WORN_AT = (0.1, 0.4)  # of full strength
GROWTH_DAYS = (10.0, 30.0)
STEADY_AT = (0.2, 0.45)
STEADY_DAYS = 1000.0  # to full strength
FAILS_AT = (0.5, 1.0)


@dataclass(slots=True)
class FaultFigures:
    """Faults of one sort on new devices."""

    faults: int = 0
    breached: int = 0  # by a monitor of their fault group, within the first week
    adaptive: int = 0  # the same, by an adaptive monitor
    ticketed: int = 0  # within the first week
    failed: int = 0  # within the run
    warned: int = 0  # ticketed before they failed
    breach_h: list[float] = field(default_factory=list)  # from the installation, or from the onset if that is later


@dataclass(slots=True)
class Newcomers:
    """What new devices gave, of one seed or of several."""

    device_days: float = 0.0  # in the first week
    false_tickets: int = 0  # in the first week
    false_breaches: dict[str, int] = field(default_factory=dict)  # in it, by learning monitor, where nothing was wrong
    unscored_h: list[float] = field(default_factory=list)  # of each adaptive monitor, until it scores
    faults: dict[str, FaultFigures] = field(default_factory=dict)

    def add(self, other: "Newcomers") -> None:
        """Another seed's."""
        self.device_days += other.device_days
        self.false_tickets += other.false_tickets
        self.false_breaches = dict(Counter(self.false_breaches) + Counter(other.false_breaches))
        self.unscored_h = self.unscored_h + other.unscored_h
        for sort, theirs in other.faults.items():
            mine = self.faults.setdefault(sort, FaultFigures())
            for name in FaultFigures.__dataclass_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(theirs, name))

    def find_summary(self) -> dict[str, object]:
        """The figures by name; None where there is nothing to divide by."""
        per = 1000.0 * self.false_tickets / self.device_days if self.device_days else None
        summary: dict[str, object] = {
            "device_days": round(self.device_days),
            "false_tickets": self.false_tickets,
            "false_per_1000_device_days": None if per is None else round(per, 2),
            "false_breaches": dict(sorted(self.false_breaches.items())),
            "unscored_h_median": round(median(self.unscored_h), 2) if self.unscored_h else None,
            "unscored_h_most": round(max(self.unscored_h), 2) if self.unscored_h else None,
        }
        for sort, found in sorted(self.faults.items()):
            summary[sort] = {
                "faults": found.faults,
                "breached_in_first_week": found.breached,
                "by_an_adaptive_monitor": found.adaptive,
                "ticketed_in_first_week": found.ticketed,
                "failed_within_run": found.failed,
                "ticketed_before_failure": found.warned,
                "breach_h_median": round(median(found.breach_h), 1) if found.breach_h else None,
            }
        return summary


def run_newcomers(seed: int, sampling: Sampling, profiles: Mapping[str, Profile]) -> dict[str, Newcomers]:
    """The new devices of one seed, judged from nothing and with the prior, on the same readings."""
    priors = _train_priors(seed, sampling, profiles)
    plan = plan_newcomers(seed)
    truth = find_truth(plan)
    signals = FleetSignals(plan, profiles, sampling)
    watches = {name: _Watch(Service(plan, plan.units, profiles, signals, truth)) for name in (NOTHING, PRIOR)}
    seed_scorer(watches[PRIOR].service.scorer, priors)
    for watch in watches.values():
        watch.note_scored(0)
    for block in signals.iterate_blocks():
        for watch in watches.values():
            watch.raised += [t for t in watch.service.hear(block) if t.kind is TransitionKind.RAISED]
            watch.note_scored(block.received_us - plan.settings.start_us)
    return {name: watch.find_figures(plan, truth, profiles) for name, watch in watches.items()}


def plan_newcomers(seed: int) -> FleetPlan:
    """The new devices and what goes wrong with them; equal seeds give an equal plan."""
    settings = WorldSettings(NEWCOMERS, DAYS, seed + 2_000_000, new_share=0.0)
    plan = plan_fleet(settings)
    rng = np.random.default_rng([seed, 23])
    faults = []
    for unit in plan.units:
        growth_s = rng.uniform(*GROWTH_DAYS) * DAY / 1e6
        fails_at, sort = float(rng.uniform(*FAILS_AT)), int(rng.integers(8))
        kind = WEAR[unit.device.model][int(rng.integers(len(WEAR[unit.device.model])))]
        if sort == STEADY_SORT:
            kind, growth_s = WEAR[unit.device.model][0], STEADY_DAYS * DAY / 1e6
            onset_us = settings.start_us - round(rng.uniform(*STEADY_AT) * growth_s * 1e6)
        elif sort in WORN_SORTS:
            onset_us = settings.start_us - round(rng.uniform(*WORN_AT) * growth_s * 1e6)
        elif sort in BEGINS_SORTS:
            onset_us = settings.start_us + int(rng.uniform(0.0, 1.0) * FIRST_WEEK_US)
        else:
            continue
        failure_us = onset_us + round(growth_s * fails_at * 1e6)
        end_us = failure_us + round(rng.uniform(4, 30) * HOUR)
        faults.append(Fault(unit.device.serial, kind, onset_us, growth_s, end_us, shape=1.0, fails_at=fails_at))
    return replace(plan, faults=tuple(faults), clock_errors=())


def _train_priors(seed: int, sampling: Sampling, profiles: Mapping[str, Profile]) -> Sequence[FleetPrior]:
    plan = plan_fleet(WorldSettings(TEACHERS, TEACHING_DAYS, seed + 1_000_000, new_share=0.0))
    long_us = plan.settings.start_us - 30 * DAY
    units = tuple(replace(unit, begins_us=long_us) for unit in plan.units)
    plan = replace(plan, units=units, faults=(), clock_errors=(), rollouts=())
    signals = FleetSignals(plan, profiles, sampling)
    fleet = Service(plan, plan.units, profiles, signals, ())
    for block in signals.iterate_blocks():
        fleet.hear(block)
    return [pool_fleet(fleet.scorer, model) for model in profiles]


class _Watch:
    """One evaluator of the new devices, and since when each of its adaptive monitors scores."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._adaptive = {slot.monitor.key for slot in service.scorer.banks[MonitorRule.ADAPTIVE].slots}
        self.raised: list[BreachTransition] = []
        detector = service.scorer.banks[MonitorRule.ADAPTIVE].detector
        assert isinstance(detector, AdaptiveDetector)
        self._detector = detector
        self._unscored_us = np.full(detector.size, -1, dtype=np.int64)

    def note_scored(self, since_us: int) -> None:
        """Which adaptive monitors are past their warm-up by now, so long after the installation."""
        speaks = self._detector.varied >= self._detector.warmup
        self._unscored_us[speaks & (self._unscored_us < 0)] = since_us

    def find_figures(self, plan: FleetPlan, truth: Sequence[TrueFault], profiles: Mapping[str, Profile]) -> Newcomers:
        verdict = self.service.judge(self.service.desk)
        learning = {m.key for p in profiles.values() for m in p.monitors if m.rule in LEARNING_RULES}
        wear = [f for f in truth if f.failure_us is not None and f.device]
        faulty = {f.device for f in wear}
        week_us = plan.settings.start_us + FIRST_WEEK_US
        false = Counter(
            t.monitor
            for t in self.raised
            if t.monitor in learning and t.device_id not in faulty and to_micros(t.at) < week_us
        )
        adaptive = {m.fault_group for p in profiles.values() for m in p.monitors if m.rule is MonitorRule.ADAPTIVE}
        figures: dict[str, FaultFigures] = defaultdict(FaultFigures)
        for fault in wear:
            begins_us = max(fault.onset_us, plan.settings.start_us)
            sort = WORN if fault.onset_us < plan.settings.start_us else BEGINS
            if fault.onset_us < plan.settings.start_us - round(max(GROWTH_DAYS) * DAY):
                sort = STEADY
            watched = "with an adaptive monitor" if fault.fault_group in adaptive else "without one"
            self._count(figures[f"{sort}, {watched}"], fault, begins_us, week_us, plan.end_us)
        return Newcomers(
            verdict.first_week_device_days,
            verdict.first_week_false,
            dict(false),
            (np.where(self._unscored_us < 0, plan.end_us - plan.settings.start_us, self._unscored_us) / HOUR).tolist(),
            dict(figures),
        )

    def _count(self, figures: FaultFigures, fault: TrueFault, begins_us: int, week_us: int, end_us: int) -> None:
        assert fault.failure_us is not None
        breached = [
            to_micros(t.at)
            for t in self.raised
            if t.device_id == fault.device and t.fault_group == fault.fault_group and begins_us <= to_micros(t.at)
        ]
        ticketed = [
            t.opened_us
            for t in self.service.desk.tickets
            if t.device == fault.device and t.fault_group == fault.fault_group and begins_us <= t.opened_us
        ]
        figures.faults += 1
        figures.adaptive += any(
            t.monitor in self._adaptive and t.device_id == fault.device and begins_us <= to_micros(t.at) < week_us
            for t in self.raised
        )
        figures.breached += any(at_us < week_us for at_us in breached)
        figures.ticketed += any(at_us < week_us for at_us in ticketed)
        if breached and min(breached) < fault.end_us:
            figures.breach_h.append((min(breached) - begins_us) / HOUR)
        if fault.failure_us < end_us:
            figures.failed += 1
            figures.warned += any(at_us < fault.failure_us for at_us in ticketed)
