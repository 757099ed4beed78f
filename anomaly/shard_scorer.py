"""The scoring of one shard: blocks in, breach transitions and score roll-ups out; pure state, no clock, no I/O."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from anomaly.bank import MonitorSlot, WatchedDevice, find_slots, orientation
from anomaly.baselines import Cause
from anomaly.detectors.contract import NEVER, Ints
from anomaly.moments import Moments
from anomaly.presence import PRESENCE_RULES, OpenBreach, PresenceWatch
from anomaly.series_judge import SeriesJudge
from anomaly.shard_output import ShardOutput
from anomaly.transitions import describe_retirement
from domain.connectivity import Sighting
from domain.profile import Profile
from domain.reading import ReadingFlag
from domain.report import EventReport, FirmwareReport, Report, StatusReport, WorkReport
from store.blocks import BlockColumns

NOBODY: Mapping[int, str] = {}
NOT_SCORED = int(ReadingFlag.BAD | ReadingFlag.LATE)


class ShardScorer(SeriesJudge):
    """State and rules of all devices of one shard: what `SeriesJudge` says of readings, and what is heard of devices
    beside them: reports, and silence."""

    def __init__(self, devices: Iterable[WatchedDevice], profiles: Mapping[str, Profile]) -> None:
        known = list(devices)
        self.devices = {d.id: d for d in known}
        series_ids = np.array(sorted({i for d in known for i in d.series.values()}), dtype=np.int64)
        super().__init__(find_slots(known, profiles), series_ids, find_units(known, profiles, series_ids))
        index = {int(series_id): n for n, series_id in enumerate(series_ids)}
        self._slots_of_device: dict[int, list[MonitorSlot]] = {d.id: [] for d in known}
        for slot in self.slots:
            self._slots_of_device[slot.device.id].append(slot)
        self._device_of_series = np.zeros(len(index), dtype=np.int64)
        for device in known:
            for series_id in device.series.values():
                self._device_of_series[index[series_id]] = device.id
        self._series_of_device = {
            d.id: np.array(sorted(index[i] for i in d.series.values()), dtype=np.int64) for d in known
        }
        self.presence = PresenceWatch([s for s in self.slots if s.monitor.rule in PRESENCE_RULES])
        self.last_received_us = np.full(len(index), NEVER, dtype=np.int64)
        self.last_observed_us = np.full(len(index), NEVER, dtype=np.int64)  # newest device time
        self.moments = Moments(len(index))
        self._stale_slot = np.array([s[0] for s in self.presence.stale_slots], dtype=np.int64)
        self._stale_series = np.array([index[s[1]] for s in self.presence.stale_slots], dtype=np.int64)
        self._series_of_stale = {s[0]: index[s[1]] for s in self.presence.stale_slots}
        self._stale_window = np.array([s[2] for s in self.presence.stale_slots], dtype=np.int64)

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
            self.judge_readings(series, at_us, value, received_us, out)
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
                self.put_down_baselines(report.device_id, begins_us, Cause.FIRMWARE)
        elif isinstance(report, WorkReport):
            self.work_orders[report.device_id] = report.work_order
            self.put_down_baselines(report.device_id, report.observed_us, Cause.WORK)

    def _find_last(self, device_id: int) -> Sighting | None:
        own = self._series_of_device.get(device_id)
        if own is None or own.shape[0] == 0 or self.last_observed_us[own].max() == NEVER:
            return None
        return Sighting(int(self.last_received_us[own].max()), int(self.last_observed_us[own].max()))

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
                elif b is not None and not (is_open and bank.rules.find_episode(number).first_us == b.first_seen_us):
                    critical = b.severity is not slot.monitor.severity
                    peak = orientation(slot.monitor) * b.peak
                    bank.rules.open_slot(number, b.first_seen_us, b.count, peak, critical)
                    if b.fault_group != slot.monitor.fault_group:
                        self.doubted.add((bank.rule, number))
        self.count_open()
        self.presence.adopt_open(breaches)
        for b in sorted(breaches, key=lambda b: b.first_seen_us):
            if b.device_id in decommissioned:
                out.transitions.append(describe_retirement(b, "device_decommissioned", decommissioned[b.device_id]))
            elif b.device_id in self.devices and self.find_slot(b.device_id, b.series_id, b.monitor) is None:
                out.transitions.append(describe_retirement(b, "monitor_retired", self.devices[b.device_id].serial))
        return out

    def find_last_observed_us(self, series_id: int) -> int:
        """The newest device time of a series, NEVER where it sent nothing."""
        return int(self.last_observed_us[self._index_of[series_id]])

    def find_slot(self, device_id: int, series_id: int | None, monitor: str) -> MonitorSlot | None:
        """The slot that a breach of this key belongs to."""
        for slot in self._slots_of_device.get(device_id, ()):
            if slot.monitor.key == monitor and slot.breach_series_id == series_id:
                return slot
        return None


def find_units(devices: Iterable[WatchedDevice], profiles: Mapping[str, Profile], series_ids: Ints) -> list[str]:
    """The unit of each series, "" where the profile does not know its sensor."""
    of_model = {model: {s.key: s.unit for s in profile.sensors} for model, profile in profiles.items()}
    found = {
        series_id: of_model.get(device.model, {}).get(sensor, "")
        for device in devices
        for sensor, series_id in device.series.items()
    }
    return [found[series_id] for series_id in series_ids.tolist()]
