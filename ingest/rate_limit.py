"""Each device's own token bucket, in the receiver's time: one that loops harms no other.

A device may send `max_messages_s` on average and, after a quiet time, `burst_messages` at once (its profile says how
many). The time that we did not listen, because the database or the broker was away, is credited to everybody beyond
that: what waited is no loop. Counted are messages that hold something of the device, so one of a gateway counts for
each device in it. With several ingest processes each of them has its own buckets. What names no registered device has
limits of its own (`ingest.stranger_limit`).
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.clock import MICROS_PER_SECOND, from_micros
from domain.counting import say_count
from domain.reading import Rejection, RejectionReason
from ingest.batch import Batch, find_pairs
from ingest.careful import EXCERPT, KEPT_OVERSIZED, WHOLE_PAYLOAD, ReceivedReport, Refusal
from ingest.decode import clean_text
from ingest.device_table import DeviceEntry, DeviceTable
from ingest.message import Message
from ingest.stranger_limit import KEPT_OF_STRANGERS, StrangerLimit, StrangerLimits

# A device that goes on being too fast is one row in so much time.
MERGE_US = 5 * MICROS_PER_SECOND
# Two batches are never received so far out of order.
CLOCK_WAS_SET_US = MICROS_PER_SECOND


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

    def __init__(self, away_s: float = 0.0, strangers: StrangerLimits = KEPT_OF_STRANGERS) -> None:
        self._table: DeviceTable | None = None
        self._tokens = np.empty(0)
        self._at_us = np.empty(0, dtype=np.int64)
        self._credited_s = np.empty(0)
        self._burst = np.empty(0)
        self._rate = np.empty(0)
        self._credit_s = away_s  # in which nobody listened
        self._runs: dict[int, _Run] = {}
        self._said_us: dict[int, int] = {}
        self._strangers = StrangerLimit(strangers)
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
            if beyond.any():
                # In the order of messages, so that the first ones of each device are those that it may send.
                order = np.argsort(position, kind="stable")
                pairs, begins = pairs[order], np.cumsum(counts) - counts
                refused = [
                    pairs[begin + int(allowed) : begin + count]
                    for begin, count, allowed in zip(begins[beyond], counts[beyond], left[beyond], strict=True)
                ]
                batch = self._refuse(batch, table, np.concatenate(refused))
            batch = self._strangers.apply(batch, table, self._credit_s)
            said = self._take_said(batch.received_us)
        return (
            replace(batch, rejections=[*batch.rejections, *((0, rejection) for rejection in said)]) if said else batch
        )

    def take_said(self, now_us: int) -> list[Rejection]:
        """A rejection for each device that has something to be named for and was not named a moment ago."""
        with self._lock:
            return self._take_said(now_us)

    def take_rest(self) -> list[Rejection]:
        """A rejection for all that nobody was named for yet, however short ago another one was."""
        with self._lock:
            runs, self._runs = self._runs, {}
            return [*_describe_all(runs.values()), *self._strangers.take_rest()]

    def _take_said(self, now_us: int) -> list[Rejection]:
        strangers = self._strangers.take_said(now_us)
        if not self._runs:
            return strangers
        # What was said in the future was said before the clock was set back: long ago, for all that we know.
        self._said_us = {i: at for i, at in self._said_us.items() if -CLOCK_WAS_SET_US <= now_us - at < MERGE_US}
        due = [i for i in self._runs if i not in self._said_us]
        self._said_us.update(dict.fromkeys(due, now_us))
        return [*_describe_all([self._runs.pop(i) for i in due]), *strangers]

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
        # Batches may come a little out of order; a clock that was set back is followed, or nothing would come in for as
        # long as that.
        self._at_us[active] = np.where(at_us - now_us > CLOCK_WAS_SET_US, now_us, np.maximum(at_us, now_us))
        self._credited_s[active] = self._credit_s
        return tokens

    def _refuse(self, batch: Batch, table: DeviceTable, pairs: NDArray[np.int64]) -> Batch:
        """The batch without these pairs of message and device (see `find_pairs`), each of them a refusal."""
        step = table.no_device + 1
        lost = dict.fromkeys(pairs.tolist(), 0)
        keys = batch.message_no.astype(np.int64) * step + table.device_index[batch.series_id]
        rows = np.isin(keys, pairs)
        lost.update(zip(*(found.tolist() for found in np.unique(keys[rows], return_counts=True)), strict=True))
        refusals: list[Refusal] = []
        reports: list[ReceivedReport] = []
        rejections: list[tuple[int, Rejection]] = []
        for refusal in batch.refusals:
            key = refusal.message_no * step + refusal.device
            if key in lost:
                lost[key] += refusal.weight
            else:
                refusals.append(refusal)
        for report in batch.reports:
            serial = table.serial_by_device.get(report.report.device_id)
            key = report.message_no * step + table.find_position(serial)
            if key in lost:
                lost[key] += 1
            else:
                reports.append(report)
        for number, rejection in batch.rejections:
            if number * step + table.find_position(rejection.serial) not in lost:
                rejections.append((number, rejection))
        # Message by message, as a batch may still be halved.
        for key in sorted(lost):
            number, at = divmod(key, step)
            refusals.append(Refusal(number, at, RejectionReason.TOO_FAST, lost[key]))
            self._note(batch, table.by_index[at], number, lost[key])
        limited = {key // step for key in lost}
        return replace(
            batch.select_rows(~rows),
            rejections=rejections,
            reports=reports,
            refusals=refusals,
            limited=sorted({*batch.limited, *limited}),
        )

    def _note(self, batch: Batch, device: DeviceEntry, number: int, values: int) -> None:
        run = self._runs.get(device.device_id)
        if run is None:
            run = _Run(device, batch.messages[number], int(batch.receipt_us[number]), batch.received_us)
            self._runs[device.device_id] = run
        run.last_us = batch.received_us
        run.messages += 1
        run.values += values


def _describe_all(runs: Iterable[_Run]) -> list[Rejection]:
    """A rejection for each; what a large message of a gateway holds is kept with its first one alone, or a megabyte
    would become one for each device in it."""
    rejections = []
    shown: set[int] = set()
    for run in runs:
        rejection = _describe(run)
        if id(run.message) in shown and len(rejection.payload) > WHOLE_PAYLOAD:
            rejection = replace(rejection, payload=rejection.payload[:EXCERPT])
        shown.add(id(run.message))
        rejections.append(rejection)
    return rejections


def _describe(run: _Run) -> Rejection:
    device, message = run.device, run.message
    rate = f"{device.max_messages_s:g}"
    detail = (
        f"{device.serial} may send {say_count(rate, 'message')} a second, and {device.burst_messages:,} at once "
        f"after a quiet time; {say_count(run.messages, 'message')} with {say_count(run.values, 'value')} "
        "went beyond that within "
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
