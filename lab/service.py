"""An evaluator and service desks at work on a simulated fleet.

Fixed limits alone have a desk of their own, which hears nothing but the transitions of these monitors. They learn
nothing and nothing that is learnt touches them, so they are those of an evaluator that has no other monitors (tested).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import NOT_SCORED, ShardScorer
from domain.breach import BreachTransition
from domain.profile import MonitorRule, Profile
from lab.orders import ServiceDesk
from lab.plan import FleetPlan, Unit
from lab.signals import FleetSignals, WorldBlock
from lab.truth import TrueFault, Verdict, judge

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
        owners = [(series, u.id) for u in units for series in signals.series[u.number].values()]
        self._device_of = np.zeros(
            max(series for series, _ in owners) + 2, dtype=np.int64
        )  # by series id; 0: not watched
        self._device_of[[series for series, _ in owners]] = [device for _, device in owners]

    def hear(self, block: WorldBlock) -> list[BreachTransition]:
        """Scores a block, then the silence up to its end, and decides on what follows; all the transitions."""
        scored = self.scorer.score(block.columns, block.reports, block.received_us)
        ticked = self.scorer.tick(block.received_us, self._plan.settings.start_us)
        columns = block.columns
        device = self._device_of[np.minimum(columns.series_id, self._device_of.shape[0] - 1)]
        heard = (device > 0) & ((columns.flags & NOT_SCORED) == 0)
        for transitions in (scored.transitions, ticked.transitions):
            self.desk.handle(transitions)
            self.fixed_desk.handle([t for t in transitions if (self._model[t.device_id], t.monitor) in self._fixed])
        for desk in (self.desk, self.fixed_desk):
            desk.hear(device[heard], columns.observed_us[heard])
        if self.scorer.unscored:
            raise RuntimeError(f"a detector gave up: {self.scorer.unscored}")
        return scored.transitions + ticked.transitions

    def judge(self, desk: ServiceDesk) -> Verdict:
        """The verdict on all tickets of one of the desks so far."""
        return judge(desk.tickets, self._truth, self._begins, self._plan.end_us)
