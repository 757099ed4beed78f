"""A batch: what some chunks of messages say, in columns, without those that were already taken. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from domain.clock import from_micros
from domain.reading import ReadingFlag, Rejection, RejectionReason
from ingest.careful import ReceivedReport, Refusal
from ingest.columns import Limits, decode_messages
from ingest.decode import clean_text
from ingest.device_table import DeviceTable
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.settings import IngestSettings
from ingest.sparkplug.edges import EdgeChanges, Edges
from ingest.validate import find_window

DUP = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """All that a transaction stores. Columns are in the order of arrival; messages are named by their number."""

    messages: list[Message]
    received_us: int  # of the newest
    series_id: NDArray[np.int32]
    observed_us: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]
    seq: NDArray[np.int64]
    message_no: NDArray[np.int32]
    receipt_us: NDArray[np.int64]  # by message: when its chunk was received
    rejections: list[tuple[int, Rejection]]
    reports: list[ReceivedReport]
    refusals: list[Refusal]
    limited: list[int]  # messages of which something was left out because a device sent too many
    skipped: list[bytes]  # digests of messages that had been taken before
    edges: EdgeChanges | None = None  # where the messages lead the conversations with Sparkplug's edge nodes

    @property
    def rejected(self) -> int:
        """Values lost to refusals."""
        return sum(refusal.weight for refusal in self.refusals)

    @property
    def names_unknown(self) -> bool:
        """A serial or a sensor in it is none that the table knows."""
        unknown = (RejectionReason.UNKNOWN_SERIAL, RejectionReason.UNKNOWN_SENSOR)
        return any(rejection.reason in unknown for _, rejection in self.rejections)

    def halve(self) -> "tuple[Batch, Batch]":
        """The messages of the first and of the second half."""
        middle = len(self.messages) // 2
        return self._select(0, middle), self._select(middle, len(self.messages))

    def _select(self, first: int, end: int) -> "Batch":
        rows = (self.message_no >= first) & (self.message_no < end)
        rejections = [(number - first, rejection) for number, rejection in self.rejections if first <= number < end]
        return replace(
            self,
            messages=self.messages[first:end],
            series_id=self.series_id[rows],
            observed_us=self.observed_us[rows],
            value=self.value[rows],
            flags=self.flags[rows],
            seq=self.seq[rows],
            receipt_us=self.receipt_us[first:end],
            message_no=self.message_no[rows] - first,
            rejections=rejections,
            reports=[replace(r, message_no=r.message_no - first) for r in self.reports if first <= r.message_no < end],
            refusals=[
                r._replace(message_no=r.message_no - first) for r in self.refusals if first <= r.message_no < end
            ],
            limited=[number - first for number in self.limited if first <= number < end],
            skipped=[],
            # With the last of them: an edge that is behind its readings takes some again, which does no harm.
            edges=self.edges if end == len(self.messages) else None,
        )

    def select_rows(self, kept: NDArray[np.bool_]) -> "Batch":
        """The batch with these readings alone."""
        return replace(
            self,
            series_id=self.series_id[kept],
            observed_us=self.observed_us[kept],
            value=self.value[kept],
            flags=self.flags[kept],
            seq=self.seq[kept],
            message_no=self.message_no[kept],
        )

    def as_unstorable(self, problem: str, no_device: int) -> "Batch":
        """The one message of this batch as refused by the database; `no_device` is the table's position for that."""
        message = self.messages[0]
        rejection = Rejection(
            received_at=from_micros(self.received_us),
            topic=clean_text(message.topic.decode("utf-8", "replace"), 1_000),
            serial=None,
            reason=RejectionReason.WRONG_SHAPE,
            field=None,
            detail=f"the database refuses it: {problem}",
            payload=message.payload,
        )
        emptied = self._select(1, 1)
        return replace(
            emptied,
            messages=self.messages,
            receipt_us=self.receipt_us,
            rejections=[(0, rejection)],
            refusals=[Refusal(0, no_device, RejectionReason.WRONG_SHAPE, 1)],
            edges=None,
        )


def read_batch(
    chunks: Sequence[Chunk],
    table: DeviceTable,
    settings: IngestSettings,
    receipts: Counter[bytes],
    edges: Edges | None = None,
) -> Batch:
    """Decodes the chunks one after the other. A message that a broker may have sent again and whose digest is in
    `receipts` is left out, once for each receipt."""
    limits = Limits(settings.max_payload, settings.max_values)
    reader = None if edges is None else edges.begin(table, settings.max_payload, settings.max_values)
    messages: list[Message] = []
    parts = []
    skipped: Counter[bytes] = Counter()
    for chunk in chunks:
        fresh = _leave_out_repeats(chunk, receipts, skipped) if receipts else chunk.messages
        window = find_window(
            chunk.received_us, retention_days=settings.retention_days, max_future_s=settings.max_future_s
        )
        parts.append((len(messages), decode_messages(fresh, table, window, limits, reader)))
        messages += fresh
    sizes = np.diff([*(base for base, _ in parts), len(messages)])
    return Batch(
        messages=messages,
        received_us=max((chunk.received_us for chunk in chunks), default=0),
        series_id=np.concatenate([columns.series_id for _, columns in parts]),
        observed_us=np.concatenate([columns.observed_us for _, columns in parts]),
        value=np.concatenate([columns.value for _, columns in parts]),
        flags=np.concatenate([columns.flags for _, columns in parts]),
        seq=np.concatenate([columns.seq for _, columns in parts]),
        message_no=np.concatenate([columns.message_no + base for base, columns in parts]),
        receipt_us=np.repeat(np.array([chunk.received_us for chunk in chunks], dtype=np.int64), sizes),
        rejections=[(base + number, rejection) for base, columns in parts for number, rejection in columns.rejections],
        reports=[
            replace(
                report,
                message_no=base + report.message_no,
                may_repeat=report.may_repeat or (chunk.may_repeat and not report.is_numbered),
            )
            for chunk, (base, columns) in zip(chunks, parts, strict=True)
            for report in columns.reports
        ],
        refusals=[r._replace(message_no=base + r.message_no) for base, columns in parts for r in columns.refusals],
        limited=[],
        skipped=list(skipped.elements()),
        edges=None if reader is None else reader.find_changes(),
    )


def may_be_repeated(chunk: Chunk) -> bool:
    """Whether a broker may have sent some of it before."""
    return chunk.may_repeat or any(message.header & DUP for message in chunk.messages)


def _leave_out_repeats(chunk: Chunk, receipts: Counter[bytes], skipped: Counter[bytes]) -> list[Message]:
    fresh = []
    for message in chunk.messages:
        if chunk.may_repeat or message.header & DUP:
            digest = find_digest(message)
            if receipts[digest] > skipped[digest]:
                skipped[digest] += 1
                continue
        fresh.append(message)
    return fresh


def find_digest(message: Message) -> bytes:
    """Eight bytes by which the message is known again when a broker repeats it."""
    return blake2b(message.topic + b"\0" + message.payload, digest_size=8).digest()


def find_unrecognisable(batch: Batch, conflicting: Sequence[int]) -> list[bytes]:
    """Digests of the messages of which a repetition would store something twice: what was refused, and readings that
    have no time but that of their receipt. (A status is known again by its state, a dated report by its time.)"""
    clockless = (batch.flags & ReadingFlag.CLOCK_OF_RECEIPT) != 0
    numbers = {number for number, _ in batch.rejections} | set(conflicting) | set(batch.limited)
    if clockless.any():
        numbers.update(np.unique(batch.message_no[clockless]).tolist())
    numbers.update(r.message_no for r in batch.reports if not r.has_time and not r.is_numbered)
    return [find_digest(batch.messages[number]) for number in sorted(numbers)]


def find_pairs(batch: Batch, table: DeviceTable) -> NDArray[np.int64]:
    """What each message holds something of, each pair once and in order of the messages: message number times one more
    than there are devices, plus the position of the device."""
    step = table.no_device + 1
    pairs = batch.message_no.astype(np.int64) * step + table.device_index[batch.series_id]
    if len(pairs):
        changes = np.empty(len(pairs), dtype=np.bool_)
        changes[0] = True
        np.not_equal(pairs[1:], pairs[:-1], out=changes[1:])
        pairs = pairs[changes]
    others = {refusal.message_no * step + refusal.device for refusal in batch.refusals}
    for received in batch.reports:
        serial = table.serial_by_device.get(received.report.device_id)
        others.add(received.message_no * step + table.find_position(serial))
    if others:
        pairs = np.unique(np.concatenate((pairs, np.array(sorted(others), dtype=np.int64))))
    return pairs
