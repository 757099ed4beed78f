"""Each device's own token bucket, in the receiver's time: one that loops harms no other.

A device may send `max_messages_s` on average and, after a quiet time, `burst_messages` at once (its profile says how
many). The time that we did not listen, because the database or the broker was away, is credited to everybody beyond
that: what waited is no loop. Counted are messages that hold something of the device, so one of a gateway counts for
each device in it. With several ingest processes each of them has its own buckets.
"""

import threading
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.clock import MICROS_PER_SECOND, from_micros
from domain.reading import Rejection, RejectionReason
from ingest.batch import Batch, find_pairs
from ingest.careful import KEPT_OVERSIZED, ReceivedReport, Refusal
from ingest.decode import clean_text
from ingest.device_table import DeviceEntry, DeviceTable
from ingest.message import Message

# A device that goes on being too fast is one row in so much time.
MERGE_US = 5 * MICROS_PER_SECOND


@dataclass(slots=True)
class _Run:
    """What was refused of one device and is not said yet."""

    device: DeviceEntry
    message: Message  # the first of it
    first_us: int
    last_us: int
    messages: int = 0
    values: int = 0


class RateLimit:
    """The buckets of all devices. Any thread may call it."""

    def __init__(self, away_s: float = 0.0) -> None:
        self._table: DeviceTable | None = None
        self._tokens = np.empty(0)
        self._at_us = np.empty(0, dtype=np.int64)
        self._credited_s = np.empty(0)
        self._burst = np.empty(0)
        self._rate = np.empty(0)
        self._credit_s = away_s  # in which nobody listened
        self._runs: dict[int, _Run] = {}
        self._said_us: dict[int, int] = {}
        self._lock = threading.Lock()

    def credit(self, away_s: float) -> None:
        """Nobody listened for so long: what was sent meanwhile comes at once."""
        self._credit_s += away_s

    def apply(self, batch: Batch, table: DeviceTable) -> Batch:
        """The batch without what goes beyond its devices' limits; that is refused as `too_fast`, and every value of it
        counted. What stands beside it stays."""
        pairs = find_pairs(batch, table)
        position = pairs % (table.no_device + 1)
        is_known = position != table.no_device
        pairs, position = pairs[is_known], position[is_known]
        active, counts = np.unique(position, return_counts=True)
        with self._lock:
            if table is not self._table:
                self._adopt(table)
            left = self._refill(active, batch.received_us)
            beyond = counts > left
            self._tokens[active] = np.where(beyond, left - np.floor(left), left - counts)
            for at, allowed in zip(active[beyond].tolist(), left[beyond].tolist(), strict=True):
                numbers = pairs[position == at] // (table.no_device + 1)
                batch = self._refuse(batch, table, at, numbers[int(allowed) :])
            said = self._take_said(batch.received_us)
        return (
            replace(batch, rejections=[*batch.rejections, *((0, rejection) for rejection in said)]) if said else batch
        )

    def take_said(self, now_us: int) -> list[Rejection]:
        """A rejection for each device that has something to be named for and was not named a moment ago."""
        with self._lock:
            return self._take_said(now_us)

    def _take_said(self, now_us: int) -> list[Rejection]:
        if not self._runs:
            return []
        due = [i for i in self._runs if now_us - self._said_us.get(i, now_us - MERGE_US) >= MERGE_US]
        self._said_us = {i: at for i, at in self._said_us.items() if now_us - at < MERGE_US}
        self._said_us.update(dict.fromkeys(due, now_us))
        return [_describe(self._runs.pop(i)) for i in due]

    def _adopt(self, table: DeviceTable) -> None:
        """The buckets of another table; a device that was there before keeps its own."""
        burst = np.array([device.burst_messages for device in table.by_index], dtype=np.float64)
        tokens, at_us = burst.copy(), np.zeros(len(burst), dtype=np.int64)
        credited_s = np.zeros(len(burst))
        if self._table is not None:
            known = {device_id: i for i, device_id in enumerate(self._table.device_ids.tolist())}
            for i, device_id in enumerate(table.device_ids.tolist()):
                before = known.get(device_id)
                if before is not None:
                    tokens[i], at_us[i] = self._tokens[before], self._at_us[before]
                    credited_s[i] = self._credited_s[before]
        self._tokens, self._at_us, self._credited_s = tokens, at_us, credited_s
        self._burst = burst
        self._rate = np.array([device.max_messages_s for device in table.by_index], dtype=np.float64)
        self._table = table

    def _refill(self, active: NDArray[np.intp], now_us: int) -> NDArray[np.float64]:
        """How many messages these devices may send now."""
        before, at_us = self._tokens[active], self._at_us[active]
        elapsed_s = np.maximum(0, now_us - np.where(at_us == 0, now_us, at_us)) / MICROS_PER_SECOND
        # What was credited may lie above the burst, and goes by being used alone.
        tokens: NDArray[np.float64] = np.maximum(
            before, np.minimum(self._burst[active], before + self._rate[active] * elapsed_s)
        )
        tokens += self._rate[active] * (self._credit_s - self._credited_s[active])
        self._at_us[active] = np.maximum(at_us, now_us)
        self._credited_s[active] = self._credit_s
        return tokens

    def _refuse(self, batch: Batch, table: DeviceTable, at: int, numbers: NDArray[np.int64]) -> Batch:
        """The batch without what these messages hold of the device."""
        device, refused = table.by_index[at], set(numbers.tolist())
        rows = np.isin(batch.message_no, numbers) & (table.device_index[batch.series_id] == at)
        lost = np.bincount(batch.message_no[rows], minlength=len(batch.messages))
        refusals: list[Refusal] = []
        reports: list[ReceivedReport] = []
        for refusal in batch.refusals:
            if refusal.device == at and refusal.message_no in refused:
                lost[refusal.message_no] += refusal.weight
            else:
                refusals.append(refusal)
        for report in batch.reports:
            if report.report.device_id == device.device_id and report.message_no in refused:
                lost[report.message_no] += 1
            else:
                reports.append(report)
        # Message by message, as a batch may still be halved.
        refusals += [Refusal(number, at, RejectionReason.TOO_FAST, int(lost[number])) for number in sorted(refused)]
        first = min(refused)
        run = self._runs.get(device.device_id)
        if run is None:
            run = _Run(device, batch.messages[first], int(batch.receipt_us[first]), batch.received_us)
            self._runs[device.device_id] = run
        run.last_us = batch.received_us
        run.messages += len(refused)
        run.values += int(lost[sorted(refused)].sum())
        return replace(
            batch.select_rows(~rows),
            rejections=[
                (number, rejection)
                for number, rejection in batch.rejections
                if number not in refused or rejection.serial != device.serial
            ],
            reports=reports,
            refusals=refusals,
            limited=sorted({*batch.limited, *refused}),
        )


def _describe(run: _Run) -> Rejection:
    device, message = run.device, run.message
    detail = (
        f"{device.serial} may send {device.max_messages_s:g} messages a second, and {device.burst_messages:,} at once "
        f"after a quiet time; {run.messages:,} messages with {run.values:,} values went beyond that within "
        f"{(run.last_us - run.first_us) / MICROS_PER_SECOND:.1f} s, of which this is the first"
    )
    return Rejection(
        received_at=from_micros(run.first_us),
        topic=clean_text(message.topic.decode("utf-8", "replace"), 1_000),
        serial=device.serial,
        reason=RejectionReason.TOO_FAST,
        field=None,
        detail=detail,
        payload=message.payload if message.size == len(message.payload) else message.payload[:KEPT_OVERSIZED],
        weight=run.values,
        size=message.size,
        content_type=clean_text(message.content_type),
    )
