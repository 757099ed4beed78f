"""An evaluator and service desks at work on a simulated fleet, and what newly installed devices cost.

Fixed limits alone have a desk of their own, which hears nothing but the transitions of these monitors. They learn
nothing and nothing that is learnt touches them, so they are those of an evaluator that has no other monitors (tested).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from anomaly.training.pool import pool_fleet
from anomaly.training.seeding import seed_scorer
from benchmarks.fleet_orders import ServiceDesk
from benchmarks.fleet_signals import FleetSignals, WorldBlock
from benchmarks.fleet_truth import FIRST_WEEK_US, TrueFault, Verdict, find_first_week, judge
from benchmarks.fleet_world import FleetPlan, Unit
from domain.breach import BreachTransition, TransitionKind
from domain.clock import to_micros
from domain.profile import MonitorRule, Profile

FIXED_RULES = (
    MonitorRule.LIMIT,
    MonitorRule.RATE_OF_CHANGE,
    MonitorRule.STALENESS,
    MonitorRule.OFFLINE,
    MonitorRule.DEVICE_CODE,
)
LEARNING_RULES = (MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY, MonitorRule.FORECAST)


def keep_fixed_rules(profile: Profile) -> Profile:
    """The profile with what needs no past alone: limits, device codes, silence."""
    return replace(profile, monitors=tuple(m for m in profile.monitors if m.rule in FIXED_RULES))


class Service:
    """The production evaluator and the production ticket rules for these units; it has seen nothing yet."""

    def __init__(
        self,
        plan: FleetPlan,
        units: Sequence[Unit],
        profiles: Mapping[str, Profile],
        signals: FleetSignals,
        truth: Sequence[TrueFault],
    ) -> None:
        self._plan, self._truth = plan, truth
        self._begins = {unit.id: unit.begins_us for unit in units}
        devices = [
            WatchedDevice(u.id, u.device.serial, u.device.model, u.device.firmware, signals.series[u.number])
            for u in units
        ]
        self.scorer = ShardScorer(devices, profiles)
        self.desk = ServiceDesk(plan, profiles, truth)
        self.fixed_desk = ServiceDesk(plan, profiles, truth)
        self._fixed = {(p.model, m.key) for p in profiles.values() for m in p.monitors if m.rule in FIXED_RULES}
        self._model = {unit.id: unit.device.model for unit in units}
        self._learning = {m.key for p in profiles.values() for m in p.monitors if m.rule in LEARNING_RULES}
        self.raised: Counter[str] = Counter()  # on devices in their first week, by learning monitor
        self._new = {unit.id for unit in units if unit.begins_us > plan.settings.start_us}

    def hear(self, block: WorldBlock) -> None:
        """Scores a block, then the silence up to its end, and decides on what follows."""
        scored = self.scorer.score(block.columns, block.reports, block.received_us)
        ticked = self.scorer.tick(block.received_us, self._plan.settings.start_us)
        for transitions in (scored.transitions, ticked.transitions):
            for t in transitions:
                self._count_newcomer(t)
            self.desk.handle(transitions)
            self.fixed_desk.handle([t for t in transitions if (self._model[t.device_id], t.monitor) in self._fixed])
        if self.scorer.unscored:
            raise RuntimeError(f"a detector gave up: {self.scorer.unscored}")

    def _count_newcomer(self, t: BreachTransition) -> None:
        if t.device_id not in self._new or t.kind is not TransitionKind.RAISED or t.monitor not in self._learning:
            return
        at_us = to_micros(t.at)
        if at_us < self._begins[t.device_id] + FIRST_WEEK_US and not any(
            f.device == t.device_id and f.onset_us <= at_us < f.end_us for f in self._truth
        ):
            self.raised[t.monitor] += 1

    def judge(self, desk: ServiceDesk) -> Verdict:
        """The verdict on all tickets of one of the desks so far."""
        return judge(desk.tickets, self._truth, self._begins, self._plan.end_us)

    def find_first_week(self) -> tuple[float, int]:
        """Device-days of the newly installed devices in their first week, and the false tickets on them."""
        begins = {device: begin for device, begin in self._begins.items() if device in self._new}
        return find_first_week(self.desk.tickets, self._truth, begins, self._plan.end_us)


def seed_newcomers(service: Service, fleet: Service, plan: FleetPlan, truth: Sequence[TrueFault], now_us: int) -> int:
    """Gives the new devices what the fleet's healthy devices have learnt up to now; how many slots have a prior."""
    young = {unit.id for unit in plan.units if now_us - unit.begins_us < FIRST_WEEK_US}
    faulty = {f.device for f in truth if not f.is_of_data and f.onset_us <= now_us < f.end_us}
    models = sorted({unit.device.model for unit in plan.units})
    return seed_scorer(service.scorer, [pool_fleet(fleet.scorer, model, "", young | faulty) for model in models])
