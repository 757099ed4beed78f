"""The scoring of one shard: blocks in, breach transitions and score roll-ups out; pure state, no clock, no I/O.

The k-th reading of every series of a block is one vector step through all detectors, so that a breach that opens at
that reading freezes learning from the next one on, however the readings were cut into blocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.bank import (
    ROLLED_UP,
    STEP_DETECTORS,
    Bank,
    MonitorSlot,
    WatchedDevice,
    compile_bank,
    find_slots,
    orientation,
)
from anomaly.baselines import Cause, FirmwareWatch
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, StepDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.isolation import (
    DetectorFailedError,
    UnscoredMonitor,
    find_failing_units,
    iterate_guarded,
    step_carefully,
)
from anomaly.moments import Moments
from anomaly.presence import PRESENCE_RULES, OpenBreach, PresenceWatch
from anomaly.ranking import rank_rows
from anomaly.rollup import MinuteScores, ScoreRollup
from anomaly.ticket_params import Doubt, ForecastSlot
from anomaly.transitions import describe_end, describe_transition
from anomaly.unit_changes import UnitWatch
from domain.breach import BreachTransition, TransitionKind, breach_id_of
from domain.clock import from_micros
from domain.connectivity import Sighting
from domain.profile import MonitorRule, Profile
from domain.reading import ReadingFlag
from domain.report import EventReport, FirmwareReport, Report, StatusReport, WorkReport
from domain.sentences import duration
from store.blocks import BlockColumns

NOBODY: Mapping[int, str] = {}
NOT_SCORED = int(ReadingFlag.BAD | ReadingFlag.LATE)


@dataclass(frozen=True, slots=True)
class SeriesMinutes:
    """Finished minutes of one detector by series id."""

    detector: NDArray[np.object_]  # monitor key of each row
    series_id: Ints
    minutes: MinuteScores


@dataclass(slots=True)
class ShardOutput:
    """What one block (or tick) led to."""

    transitions: list[BreachTransition] = field(default_factory=list)
    minutes: list[SeriesMinutes] = field(default_factory=list)
    readings: int = 0
    scored: int = 0
    late: int = 0
    bad: int = 0
    thinned: int = 0  # so close upon another one of the same sensor that they say nothing new
    unknown: int = 0


@dataclass(slots=True)
class _Plan:
    """The rows of one bank in one block, ordered into steps."""

    bank: Bank
    slot: Ints
    row: Ints
    order: Ints
    bounds: Ints

    def rows_of_step(self, k: int) -> Ints:
        if k + 1 >= self.bounds.shape[0]:
            return self.order[:0]
        return self.order[self.bounds[k] : self.bounds[k + 1]]


class ShardScorer:
    """State and rules of all devices of one shard.

    A detector that raises makes `score` raise `DetectorFailedError`, after which the scorer is of no use any more.
    While `is_careful` is set, which costs a copy of what each step touches, the monitors that it raises on are found,
    reset and not judged any more instead, and all others go on as if nothing had happened.
    """

    is_careful = False

    def __init__(self, devices: Iterable[WatchedDevice], profiles: Mapping[str, Profile]) -> None:
        known = list(devices)
        self.devices = {d.id: d for d in known}
        self.slots = find_slots(known, profiles)
        self._slots_of_device: dict[int, list[MonitorSlot]] = {d.id: [] for d in known}
        for slot in self.slots:
            self._slots_of_device[slot.device.id].append(slot)
        self.series_ids = np.array(sorted({i for d in known for i in d.series.values()}), dtype=np.int64)
        index = {int(series_id): n for n, series_id in enumerate(self.series_ids)}
        self._index_of = np.full(int(self.series_ids[-1]) + 1 if index else 0, -1, dtype=np.int64)
        self._index_of[self.series_ids] = np.arange(len(index))
        self._device_of_series = np.zeros(len(index), dtype=np.int64)
        for device in known:
            for series_id in device.series.values():
                self._device_of_series[index[series_id]] = device.id
        self.banks = {
            rule: compile_bank(rule, self.slots, index) for rule in (*STEP_DETECTORS, MonitorRule.MULTIVARIATE)
        }
        self.rollups = {rule: ScoreRollup() for rule in ROLLED_UP}
        self._keys: dict[MonitorRule, NDArray[np.object_]] = {}
        for rule, rollup in self.rollups.items():
            rollup.add_slots(len(self.banks[rule].slots))
            self._keys[rule] = np.array([s.monitor.key for s in self.banks[rule].slots], dtype=object)
        self.presence = PresenceWatch([s for s in self.slots if s.monitor.rule in PRESENCE_RULES])
        self.last_received_us = np.full(len(index), NEVER, dtype=np.int64)
        self.last_observed_us = np.full(len(index), NEVER, dtype=np.int64)  # newest device time
        self.doubted: set[tuple[MonitorRule, int]] = set()  # slots whose open breach is about the measurement
        self.units = UnitWatch(self._find_units(known, profiles))
        self.moments = Moments(len(index))
        self._series_of_device = {
            d.id: np.array(sorted(index[i] for i in d.series.values()), dtype=np.int64) for d in known
        }
        self.firmware = FirmwareWatch()
        self._learning_slots: dict[tuple[MonitorRule, int], list[int]] = {}  # by device
        for rule, bank in self.banks.items():
            for number, slot in enumerate(bank.slots if bank.detector.LEARNS else ()):
                self._learning_slots.setdefault((rule, slot.device.id), []).append(number)
        self.work_orders: dict[int, str] = {}  # the last one whose work was done, by device
        self._open_of_series = np.zeros(len(index), dtype=np.int32)
        self._stale_slot = np.array([s[0] for s in self.presence.stale_slots], dtype=np.int64)
        self._stale_series = np.array([index[s[1]] for s in self.presence.stale_slots], dtype=np.int64)
        self._series_of_stale = {s[0]: index[s[1]] for s in self.presence.stale_slots}
        self._stale_window = np.array([s[2] for s in self.presence.stale_slots], dtype=np.int64)

    def _find_units(self, devices: Iterable[WatchedDevice], profiles: Mapping[str, Profile]) -> list[str]:
        """The unit of each series, "" where the profile does not know its sensor."""
        units = [""] * self.series_ids.shape[0]
        of_model = {model: {s.key: s.unit for s in profile.sensors} for model, profile in profiles.items()}
        for device in devices:
            for sensor, series_id in device.series.items():
                units[int(self._index_of[series_id])] = of_model.get(device.model, {}).get(sensor, "")
        return units

    @property
    def unscored(self) -> list[UnscoredMonitor]:
        """The monitors that nobody judges, since their detector raised on them."""
        return [
            UnscoredMonitor(slot.device.id, slot.device.serial, slot.monitor.key, reason)
            for bank in self.banks.values()
            for number, reason in sorted(bank.failed.items())
            for slot in (bank.slots[number],)
        ]

    def score(self, block: BlockColumns, reports: Sequence[Report], received_us: int) -> ShardOutput:
        """Scores one block after the reports that came with it; late and bad readings are counted, never scored.

        Raises
        ------
        DetectorFailedError
            See the class; never while `is_careful`.
        """
        out = ShardOutput(readings=len(block))
        for report in reports:
            self._hear(report, received_us, out)
        series_id = block.series_id.astype(np.int64)
        known = (series_id >= 0) & (series_id < self._index_of.shape[0])
        index = np.full(len(block), -1, dtype=np.int64)
        index[known] = self._index_of[series_id[known]]
        late = (block.flags & int(ReadingFlag.LATE)) != 0
        unknown = index < 0
        out.unknown = int(np.count_nonzero(unknown))
        out.late = int(np.count_nonzero(late & ~unknown))
        out.bad = int(np.count_nonzero(((block.flags & int(ReadingFlag.BAD)) != 0) & ~unknown & ~late))
        fit = np.flatnonzero(~unknown & ((block.flags & NOT_SCORED) == 0))
        chosen = fit[self.moments.find_first(index[fit], block.observed_us[fit])]
        out.scored = chosen.shape[0]
        out.thinned = fit.shape[0] - out.scored
        self._hear_series(index[~unknown & ~late], block.observed_us[~unknown & ~late], received_us, out)
        if out.scored:
            series, at_us, value = index[chosen], block.observed_us[chosen], block.value[chosen]
            self.units.follow(series, at_us, value)
            self._step_through(series, at_us, value, received_us, out)
            self._score_multivariate(series, at_us, value, received_us, out)
        return out

    def tick(self, now_us: int, watching_us: int) -> ShardOutput:
        """What follows from silence at `now_us` of the receiver; call it only when no block is waiting.

        Only silence since `watching_us` counts: what nobody listened to is not silence.
        """
        out = ShardOutput(transitions=self.presence.tick(now_us, watching_us))
        if self._stale_slot.shape[0]:
            last = self.last_received_us[self._stale_series]
            heard = last != NEVER
            silent = heard & (now_us - np.maximum(np.where(heard, last, now_us), watching_us) >= self._stale_window)
            for i in np.flatnonzero(silent).tolist():
                step = self.presence.raise_stale(int(self._stale_slot[i]), int(last[i]), now_us)
                if step is not None:
                    out.transitions.append(step)
        return out

    def _hear(self, report: Report, received_us: int, out: ShardOutput) -> None:
        if isinstance(report, StatusReport):
            out.transitions += self.presence.hear_status(report, self._find_last(report.device_id), received_us)
        elif isinstance(report, EventReport):
            out.transitions += self.presence.hear_event(report, received_us)
        elif isinstance(report, FirmwareReport):
            begins_us = self.firmware.hear(report)
            if begins_us is not None:
                self._put_down_baselines(report.device_id, begins_us, Cause.FIRMWARE)
        elif isinstance(report, WorkReport):
            self.work_orders[report.device_id] = report.work_order
            self._put_down_baselines(report.device_id, report.observed_us, Cause.WORK)

    def _find_last(self, device_id: int) -> Sighting | None:
        own = self._series_of_device.get(device_id)
        if own is None or own.shape[0] == 0 or self.last_observed_us[own].max() == NEVER:
            return None
        return Sighting(int(self.last_received_us[own].max()), int(self.last_observed_us[own].max()))

    def _put_down_baselines(self, device_id: int, begins_us: int, cause: Cause) -> None:
        """What is normal may have changed: the learning detectors of the device start a new baseline."""
        for rule, bank in self.banks.items():
            own = self._learning_slots.get((rule, device_id))
            if own is not None:
                bank.baselines.put_down(np.array(own, dtype=np.int64), begins_us, cause)

    def _begin_baselines(self, bank: Bank, slot: Ints, at_us: Ints, received_us: int, out: ShardOutput) -> None:
        """Lets these slots, each at most once, begin anew where it is time for it. What is open of them can no longer
        be judged, since nobody knows yet what is normal: it is closed with a reason of its own."""
        due, cause = bank.baselines.take_due(slot, at_us)
        if not due.any():
            return
        begun, begun_us = slot[due], at_us[due]
        after_work = cause == Cause.WORK
        for i in np.flatnonzero(bank.rules.is_open[begun]).tolist():
            number, device = int(begun[i]), bank.slots[int(begun[i])].device.id
            if after_work[i]:
                reason, more = "baseline_relearned", {"work_order": self.work_orders.get(device, "")}
            else:
                reason, more = "baseline_restarted", {"firmware": self.firmware.find_version(device)}
            self._end_breach(bank, number, reason, int(begun_us[i]), received_us, out, **more)
        if not after_work.all():
            bank.detector.relearn(bank.find_detector_slots(begun[~after_work]))
        if after_work.any():
            bank.detector.begin_anew(bank.find_detector_slots(begun[after_work]))
        bank.rules.reset(begun)

    def _end_breach(
        self, bank: Bank, number: int, reason: str, at_us: int, received_us: int, out: ShardOutput, **more: str
    ) -> None:
        out.transitions.append(describe_end(bank, number, reason, at_us, received_us, **more))
        if bank.rule is not MonitorRule.MULTIVARIATE:
            self._open_of_series[bank.series_of_slot[number]] -= 1

    def _hear_series(self, index: Ints, at_us: Ints, received_us: int, out: ShardOutput) -> None:
        self.last_received_us[index] = received_us
        np.maximum.at(self.last_observed_us, index, at_us)
        for slot in sorted(self.presence.open_slots & self._series_of_stale.keys()):
            own = index == self._series_of_stale[slot]
            if own.any():
                step = self.presence.hear_series(slot, int(at_us[own].max()), received_us)
                out.transitions += [step] if step is not None else []
        if self.presence.has_offline and index.shape[0]:
            owner = self._device_of_series[index]
            for device in np.unique(owner).tolist():
                if self.presence.is_waiting_for(device):
                    seen = Sighting(received_us, int(at_us[owner == device].max()))
                    out.transitions += self.presence.hear_readings(device, seen)

    def _step_through(self, series: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput) -> None:
        plans = [plan for rule in STEP_DETECTORS if (plan := self._plan(self.banks[rule], series)) is not None]
        for k in range(max((plan.bounds.shape[0] - 1 for plan in plans), default=0)):
            for plan in plans:
                chosen = plan.rows_of_step(k)
                if chosen.shape[0]:
                    row = plan.row[chosen]
                    self._step(plan.bank, plan.slot[chosen], row, at_us[row], value[row], received_us, out)

    def _plan(self, bank: Bank, series: Ints) -> _Plan | None:
        slots, rows = [], []
        for layer in bank.layers:
            slot = layer[series]
            row = np.flatnonzero(slot >= 0)
            if bank.failed:
                row = row[~bank.is_failed[slot[row]]]
            slots.append(slot[row])
            rows.append(row)
        if not slots:
            return None
        slot, row = np.concatenate(slots), np.concatenate(rows)
        # Rows of one slot lie in one layer, so that they are still in order of arrival.
        order, bounds = rank_rows(slot)
        return _Plan(bank, slot, row, order, bounds)

    def _step(
        self, bank: Bank, slot: Ints, row: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput
    ) -> None:
        detector = bank.detector
        assert isinstance(detector, StepDetector)
        if bank.failed:  # since the block was planned
            judged = ~bank.is_failed[slot]
            slot, row, at_us, value = slot[judged], row[judged], at_us[judged], value[judged]
            if slot.shape[0] == 0:
                return
        frozen: Bools | None = None
        if detector.LEARNS:
            live = ~self._find_stuck(bank.series_of_slot[slot])
            if not live.all():
                slot, row, at_us, value = slot[live], row[live], at_us[live], value[live]
                if slot.shape[0] == 0:
                    return
            self._begin_baselines(bank, slot, at_us, received_us, out)
            frozen = self._open_of_series[bank.series_of_slot[slot]] > 0
        if self.is_careful:
            score, failed = step_carefully(detector, slot, at_us, value, frozen)
            self._give_up(bank, failed, slot, at_us, received_us, out)
        else:
            try:
                score = detector.step(slot, at_us, value, frozen)
            except Exception as error:
                raise DetectorFailedError(f"{bank.rule.value}: {type(error).__name__}: {error}") from error
        found = bank.rules.judge(slot, row, at_us, score)
        self._record(bank, found, value, row, received_us, out)
        if bank.rule in self.rollups:
            self._roll_up(bank, self.rollups[bank.rule].add_scores(slot, at_us, score), out)

    def _find_stuck(self, series: Ints) -> Bools:
        """Which of these series stand still by a flat line monitor: what a stuck sensor shows is no news of the device,
        and is neither learnt nor judged by what it has learnt."""
        flat = self.banks[MonitorRule.FLAT_LINE]
        stuck = np.zeros(series.shape[0], dtype=np.bool_)
        if flat.rules.is_open.any():
            for layer in flat.layers:
                slot = layer[series]
                stuck |= (slot >= 0) & flat.rules.is_open[slot]
        return stuck

    def _score_multivariate(self, series: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput) -> None:
        bank = self.banks[MonitorRule.MULTIVARIATE]
        if not bank.layers:
            return
        assert isinstance(bank.detector, MultivariateDetector)
        pairs = [(layer[series], np.arange(series.shape[0], dtype=np.int64)) for layer in bank.layers]
        slot = np.concatenate([s[s >= 0] for s, _ in pairs])
        row = np.concatenate([r[s >= 0] for s, r in pairs])
        by_arrival = np.argsort(row, kind="stable")
        slot, row = slot[by_arrival], row[by_arrival]
        if bank.failed:
            judged = ~bank.is_failed[slot // bank.detector.width]
            slot, row = slot[judged], row[judged]
        # What was taken before a change of firmware belongs to the old baseline, however the block was cut.
        while (later := bank.baselines.find_due(slot // bank.detector.width, at_us[row])).any():
            self._score_units(bank, slot[~later], row[~later], at_us, value, received_us, out)
            slot, row = slot[later], row[later]
            units, first = np.unique(slot // bank.detector.width, return_index=True)
            self._begin_baselines(bank, units, at_us[row[first]], received_us, out)
        self._score_units(bank, slot, row, at_us, value, received_us, out)

    def _score_units(
        self, bank: Bank, slot: Ints, row: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput
    ) -> None:
        assert isinstance(bank.detector, MultivariateDetector)
        units = slot // bank.detector.width
        if self.is_careful:
            failed = find_failing_units(bank.detector, slot, at_us[row], value[row])
            self._give_up(bank, failed, units, at_us[row], received_us, out)
        if bank.failed:
            judged = ~bank.is_failed[units]
            slot, row = slot[judged], row[judged]
        for step in iterate_guarded(bank.detector.iterate_scores(slot, at_us[row], value[row]), bank.rule):
            found = bank.rules.judge(step.unit, row[step.row], step.at_us, step.score)
            self._record(bank, found, value, None, received_us, out)
            minutes = self.rollups[bank.rule].add_scores(step.unit, step.at_us, step.score)
            self._roll_up(bank, minutes, out)

    def _record(
        self,
        bank: Bank,
        found: list[SlotTransition],
        value: Floats,
        row: Ints | None,
        received_us: int,
        out: ShardOutput,
    ) -> None:
        for step in found:
            at = step.row if row is None else int(np.flatnonzero(row == step.row)[0])
            forecasts = self._find_forecasts(bank, step.slot)
            doubt = self._find_doubt(bank, step)
            if doubt is None or step.kind is not TransitionKind.ESCALATED:
                told = describe_transition(bank, step, float(value[at]), received_us, forecasts, doubt)
                out.transitions.append(told)
            if bank.rule is not MonitorRule.MULTIVARIATE and step.kind is not TransitionKind.ESCALATED:
                change = 1 if step.kind is TransitionKind.RAISED else -1
                self._open_of_series[bank.series_of_slot[step.slot]] += change

    def _roll_up(self, bank: Bank, minutes: MinuteScores | None, out: ShardOutput) -> None:
        if minutes is not None:
            series_id = self.series_ids[bank.series_of_slot[minutes.slot]]
            out.minutes.append(SeriesMinutes(self._keys[bank.rule][minutes.slot], series_id, minutes))

    def _find_doubt(self, bank: Bank, step: SlotTransition) -> Doubt | None:
        """Why this step of a breach is about the measurement; None: it is about the device."""
        key, slot = (bank.rule, step.slot), bank.slots[step.slot]
        if step.kind is not TransitionKind.RAISED:
            known = key in self.doubted
            if step.kind is TransitionKind.CLEARED:
                self.doubted.discard(key)
            return Doubt() if known else None
        for sensor, series_id in zip(slot.sensors, slot.series_ids, strict=True):
            series = int(self._index_of[series_id])
            found = self.units.find_doubt(series, step.row, step.first_seen_us, step.at_us)
            if found is not None:
                self.doubted.add(key)
                return Doubt(sensor, *found)
        self.doubted.discard(key)
        return None

    def _find_forecasts(self, bank: Bank, number: int) -> list[ForecastSlot]:
        """The forecasts of the series of a slot. A joint breach is told without: it is judged after the whole block,
        and what it is told with must not depend on how the block was cut."""
        forecasts = self.banks[MonitorRule.FORECAST]
        if bank.rule is MonitorRule.MULTIVARIATE:
            return []
        series = bank.series_of_slot[number]
        return [ForecastSlot(forecasts, int(layer[series])) for layer in forecasts.layers if layer[series] >= 0]

    def _give_up(
        self, bank: Bank, failed: Mapping[int, str], slot: Ints, at_us: Ints, received_us: int, out: ShardOutput
    ) -> None:
        """Judges the slots that their detector raised on no more. What is open of them is closed with a reason of its
        own, and their state is forgotten: it may be what the detector raised on."""
        for number, reason in failed.items():
            if bank.rules.is_open[number]:
                last_us = int(at_us[slot == number].max())
                self._end_breach(bank, number, "detector_failed", last_us, received_us, out)
            one = np.array([number], dtype=np.int64)
            bank.detector.reset(bank.find_detector_slots(one))
            bank.rules.reset(one)
            bank.give_up(number, reason)

    def count_open(self) -> None:
        """Counts anew how many breaches of each series are open, which is what freezes its learning."""
        self._open_of_series[:] = 0
        for bank in self.banks.values():
            if bank.rule is not MonitorRule.MULTIVARIATE:
                np.add.at(self._open_of_series, bank.series_of_slot[bank.rules.is_open], 1)

    def adopt_open(self, breaches: Sequence[OpenBreach], decommissioned: Mapping[int, str] = NOBODY) -> ShardOutput:
        """Takes the database's word for which breaches are open; gives back the closing of those that nothing can close
        any more: without a monitor, or of a decommissioned device (its serial by its id)."""
        out = ShardOutput()
        by_key = {(b.device_id, b.series_id, b.monitor): b for b in breaches}
        for bank in self.banks.values():
            for number, slot in enumerate(bank.slots):
                b = by_key.get((slot.device.id, slot.breach_series_id, slot.monitor.key))
                is_open = bool(bank.rules.is_open[number])
                if b is None and is_open:
                    bank.rules.close_slot(number)
                elif b is not None and not (is_open and int(bank.rules.first[number]) == b.first_seen_us):
                    critical = b.severity is not slot.monitor.severity
                    peak = orientation(slot.monitor) * b.peak
                    bank.rules.open_slot(number, b.first_seen_us, b.count, peak, critical)
                    if b.fault_group != slot.monitor.fault_group:
                        self.doubted.add((bank.rule, number))
        self.count_open()
        self.presence.adopt_open(breaches)
        for b in sorted(breaches, key=lambda b: b.first_seen_us):
            if b.device_id in decommissioned:
                out.transitions.append(self._retire(b, "device_decommissioned", decommissioned[b.device_id]))
            elif b.device_id in self.devices and self.find_slot(b.device_id, b.series_id, b.monitor) is None:
                out.transitions.append(self._retire(b, "monitor_retired", self.devices[b.device_id].serial))
        return out

    def _retire(self, b: OpenBreach, reason: str, serial: str) -> BreachTransition:
        at_us = max(b.last_seen_us, b.first_seen_us)
        return BreachTransition(
            breach_id=breach_id_of(b.device_id, b.monitor, b.series_id, b.first_seen_us),
            kind=TransitionKind.CLEARED,
            device_id=b.device_id,
            series_id=b.series_id,
            monitor=b.monitor,
            profile_version=b.profile_version,
            breach_kind=b.kind,
            severity=b.severity,
            fault_group=b.fault_group,
            first_seen=from_micros(b.first_seen_us),
            at=from_micros(at_us),
            received_at=from_micros(at_us),
            count=b.count,
            peak=b.peak,
            score=0.0,
            reason_code=reason,
            params={
                "serial": serial,
                "monitor": b.monitor,
                "duration": duration((at_us - b.first_seen_us) / 1e6),
            },
        )

    def find_slot(self, device_id: int, series_id: int | None, monitor: str) -> MonitorSlot | None:
        """The slot that a breach of this key belongs to."""
        for slot in self._slots_of_device.get(device_id, ()):
            if slot.monitor.key == monitor and slot.breach_series_id == series_id:
                return slot
        return None
