"""A batch: what some chunks of messages say, in columns, without those that were already taken. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from domain.reading import ReadingFlag, Rejection
from ingest.careful import ReceivedReport
from ingest.columns import Limits, decode_messages
from ingest.device_table import DeviceTable
from ingest.mqtt_packets import Message
from ingest.mqtt_source import Chunk
from ingest.settings import IngestSettings
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
    message_no: NDArray[np.int32]
    rejections: list[tuple[int, Rejection]]
    reports: list[ReceivedReport]
    rejected: int
    skipped: int  # messages that had been taken before


def read_batch(
    chunks: Sequence[Chunk], table: DeviceTable, settings: IngestSettings, receipts: Counter[bytes]
) -> Batch:
    """Decodes the chunks one after the other. A message that a broker may have sent again and whose digest is in
    `receipts` is left out, and its receipt is used up."""
    limits = Limits(settings.max_payload, settings.max_values)
    messages: list[Message] = []
    parts = []
    for chunk in chunks:
        fresh = _leave_out_repeats(chunk, receipts) if receipts else chunk.messages
        window = find_window(
            chunk.received_us, retention_days=settings.retention_days, max_future_s=settings.max_future_s
        )
        parts.append((len(messages), decode_messages(fresh, table, window, limits)))
        messages += fresh
    return Batch(
        messages=messages,
        received_us=max((chunk.received_us for chunk in chunks), default=0),
        series_id=np.concatenate([columns.series_id for _, columns in parts]),
        observed_us=np.concatenate([columns.observed_us for _, columns in parts]),
        value=np.concatenate([columns.value for _, columns in parts]),
        flags=np.concatenate([columns.flags for _, columns in parts]),
        message_no=np.concatenate([columns.message_no + base for base, columns in parts]),
        rejections=[(base + number, rejection) for base, columns in parts for number, rejection in columns.rejections],
        reports=[report for _, columns in parts for report in columns.reports],
        rejected=sum(columns.rejected for _, columns in parts),
        skipped=sum(len(chunk.messages) for chunk in chunks) - len(messages),
    )


def _leave_out_repeats(chunk: Chunk, receipts: Counter[bytes]) -> list[Message]:
    fresh = []
    for message in chunk.messages:
        if chunk.may_repeat or message.header & DUP:
            digest = find_digest(message)
            if receipts[digest] > 0:
                receipts[digest] -= 1
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
    numbers = {number for number, _ in batch.rejections} | set(conflicting)
    if clockless.any():
        numbers.update(np.unique(batch.message_no[clockless]).tolist())
    numbers.update(report.message_no for report in batch.reports if not report.has_time)
    return [find_digest(batch.messages[number]) for number in sorted(numbers)]
