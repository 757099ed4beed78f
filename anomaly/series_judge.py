"""The judging of a shard's series: every reading through all detectors and breach rules that watch its series.

The k-th reading of every series of a block is one vector step through all detectors, so that a breach that opens at
that reading freezes learning from the next one on, however the readings were cut into blocks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.bank import ROLLED_UP, STEP_DETECTORS, Bank, MonitorSlot, compile_bank
from anomaly.baselines import Cause, FirmwareWatch
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.contract import Bools, Floats, Ints, StepDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.isolation import (
    DetectorFailedError,
    UnscoredMonitor,
    find_failing_units,
    iterate_guarded,
    step_carefully,
)
from anomaly.rollup import MinuteScores, ScoreRollup
from anomaly.shard_output import SeriesMinutes, ShardOutput
from anomaly.step_plan import Readings, find_slots_of, iterate_readings
from anomaly.still_values import place_line, silence_repeats
from anomaly.ticket_params import Doubt, ForecastSlot
from anomaly.transitions import describe_end, describe_transition
from anomaly.unit_changes import UnitWatch
from domain.breach import TransitionKind
from domain.profile import MonitorRule


class SeriesJudge:
    """The banks of all rules that score readings, and what their judgement of a series depends on.

    A detector that raises makes `judge_readings` raise `DetectorFailedError`, after which the judge is of no use any
    more. While `is_careful` is set, which costs a copy of what each step touches, the monitors that it raises on are
    found, reset and not judged any more instead, and all others go on as if nothing had happened.
    """

    is_careful = False

    def __init__(self, slots: Sequence[MonitorSlot], series_ids: Ints, units: Sequence[str]) -> None:
        """`series_ids` in ascending order; `units` of these series, "" where unknown."""
        self.slots = list(slots)
        self.series_ids = series_ids
        index = {int(series_id): n for n, series_id in enumerate(series_ids)}
        self._index_of = np.full(int(series_ids[-1]) + 1 if index else 0, -1, dtype=np.int64)
        self._index_of[series_ids] = np.arange(len(index))
        self.banks = {
            rule: compile_bank(rule, self.slots, index) for rule in (*STEP_DETECTORS, MonitorRule.MULTIVARIATE)
        }
        self.rollups = {rule: ScoreRollup() for rule in ROLLED_UP}
        self._keys: dict[MonitorRule, NDArray[np.object_]] = {}
        for rule, rollup in self.rollups.items():
            rollup.add_slots(len(self.banks[rule].slots))
            self._keys[rule] = np.array([s.monitor.key for s in self.banks[rule].slots], dtype=object)
        self.doubted: set[tuple[MonitorRule, int]] = set()  # slots whose open breach is about the measurement
        self.units = UnitWatch(list(units))
        self.firmware = FirmwareWatch()
        self.renewed: set[tuple[MonitorRule, int]] = set()  # slots that new firmware let begin anew, for who seeds them
        self.work_orders: dict[int, str] = {}  # the last one whose work was done, by device
        self._learning_slots: dict[tuple[MonitorRule, int], list[int]] = {}  # by device
        for rule, bank in self.banks.items():
            for number, slot in enumerate(bank.slots if bank.detector.LEARNS else ()):
                self._learning_slots.setdefault((rule, slot.device.id), []).append(number)
        self._open_of_series = np.zeros(len(index), dtype=np.int32)

    @property
    def unscored(self) -> list[UnscoredMonitor]:
        """The monitors that nobody judges, since their detector raised on them."""
        return [
            UnscoredMonitor(slot.device.id, slot.device.serial, slot.monitor.key, reason)
            for bank in self.banks.values()
            for number, reason in sorted(bank.failed.items())
            for slot in (bank.slots[number],)
        ]

    def judge_readings(self, series: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput) -> None:
        """Scores readings, by the index of their series and in order of arrival, and adds to `out` what they lead to.

        Raises
        ------
        DetectorFailedError
            See the class; never while `is_careful`.
        """
        self.units.follow(series, at_us, value)
        self._step_through(series, at_us, value, received_us, out)
        self._score_multivariate(series, at_us, value, received_us, out)

    def put_down_baselines(self, device_id: int, begins_us: int, cause: Cause) -> None:
        """What is normal may have changed: the learning detectors of the device start a new baseline."""
        for rule, bank in self.banks.items():
            own = self._learning_slots.get((rule, device_id))
            if own is not None:
                bank.baselines.put_down(np.array(own, dtype=np.int64), begins_us, cause)

    def _step_through(self, series: Ints, at_us: Ints, value: Floats, received_us: int, out: ShardOutput) -> None:
        banks = [bank for rule in STEP_DETECTORS if (bank := self.banks[rule]).layers]
        for readings in iterate_readings(series, at_us, value):
            for bank in banks:
                slot, own = find_slots_of(bank, readings)
                if slot.shape[0]:
                    self._step(bank, slot, own, received_us, out)

    def _step(self, bank: Bank, slot: Ints, own: Readings, received_us: int, out: ShardOutput) -> None:
        detector = bank.detector
        assert isinstance(detector, StepDetector)
        frozen: Bools | None = None
        if detector.LEARNS:
            stuck = self._find_stuck(own.series)
            if stuck.any():
                slot, own = slot[~stuck], own.choose(~stuck)
                if slot.shape[0] == 0:
                    return
            self._begin_baselines(bank, slot, own.at_us, received_us, out)
            frozen = self._open_of_series[own.series] > 0
        row, at_us, value = own.row, own.at_us, own.value
        if self.is_careful:
            score, failed = step_carefully(detector, slot, at_us, value, frozen)
            self._give_up(bank, failed, slot, at_us, received_us, out)
        else:
            try:
                score = detector.step(slot, at_us, value, frozen)
            except Exception as error:
                raise DetectorFailedError(f"{bank.rule.value}: {type(error).__name__}: {error}") from error
        score = silence_repeats(bank, self.banks[MonitorRule.FLAT_LINE], slot, at_us, value, score)
        found = bank.rules.judge(slot, row, at_us, score)
        self._record(bank, found, value, row, received_us, out)
        if bank.rule in self.rollups:
            self._roll_up(bank, self.rollups[bank.rule].add_scores(slot, at_us, score), out)

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
            self.renewed.update((bank.rule, number) for number in begun[~after_work].tolist())
        if after_work.any():
            bank.detector.begin_anew(bank.find_detector_slots(begun[after_work]))
            for number in begun[after_work].tolist():
                bank.seeded.pop(number, None)
                self.renewed.discard((bank.rule, number))
        bank.rules.reset(begun)

    def _end_breach(
        self, bank: Bank, number: int, reason: str, at_us: int, received_us: int, out: ShardOutput, **more: str
    ) -> None:
        out.transitions.append(describe_end(bank, number, reason, at_us, received_us, **more))
        if bank.rule is not MonitorRule.MULTIVARIATE:
            self._open_of_series[bank.series_of_slot[number]] -= 1

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
        if bank.failed:
            judged = ~bank.is_failed[slot // bank.detector.width]
            slot, row = slot[judged], row[judged]
        reasons, bad = dict[int, str](), row[:0]
        if self.is_careful:
            # What a unit said before the reading that it fails on is judged as ever; what follows is not.
            units, good = slot // bank.detector.width, np.ones(row.shape[0], dtype=np.bool_)
            for number, failure in find_failing_units(bank.detector, slot, at_us[row], value[row]).items():
                own = np.flatnonzero(units == number)[failure.readings_before :]
                reasons[number], good[own], bad = failure.reason, False, np.append(bad, own[0])
            first_bad = (units[bad], at_us[row[bad]])
            slot, row = slot[good], row[good]
        for step in iterate_guarded(bank.detector.iterate_scores(slot, at_us[row], value[row]), bank.rule):
            found = bank.rules.judge(step.unit, row[step.row], step.at_us, step.score)
            self._record(bank, found, value, None, received_us, out)
            minutes = self.rollups[bank.rule].add_scores(step.unit, step.at_us, step.score)
            self._roll_up(bank, minutes, out)
        if reasons:
            self._give_up(bank, reasons, *first_bad, received_us, out)

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
            step, beyond = place_line(bank, self.banks[MonitorRule.LIMIT], step, float(value[at]))
            if doubt is None or step.kind is not TransitionKind.ESCALATED:
                told = describe_transition(bank, step, float(value[at]), received_us, forecasts, doubt, beyond)
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
