"""A batch into the store, in one transaction: all of it or nothing, each reading and each report once."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from domain.clock import MICROS_PER_SECOND, from_micros
from domain.reading import ReadingFlag, Rejection, RejectionReason
from domain.report import (
    MAX_ATTRIBUTES,
    AttributeReport,
    EventReport,
    FirmwareReport,
    Report,
    StatusReport,
    WorkReport,
)
from ingest.batch import Batch, find_unrecognisable
from ingest.careful import EXCERPT, KEPT_OVERSIZED, ReceivedReport
from ingest.decode import clean_text
from ingest.device_table import DeviceTable
from ingest.resolve import Resolved, resolve
from ingest.sightings import Sightings
from ingest.sparkplug.edges import Edges
from ingest.sparkplug.rows import to_row
from ingest.tally import tally
from store.blocks import NewBlock, encode_block, record_blocks
from store.device_attributes import record_attributes
from store.ledger import (
    LedgerEntry,
    Receipts,
    load_is_committed,
    load_receipts,
    load_transaction_id,
    record_ledger,
    record_receipts,
    remove_receipts,
)
from store.ledger_blocks import record_ledger_block
from store.pool import Connection
from store.readings import (
    ALREADY_STORED,
    PARTITION_MISSING,
    ReadingColumns,
    ensure_partitions,
    find_days,
    record_new_readings,
    record_possible_repeats,
)
from store.rejections import record_rejections
from store.reports import record_event, record_firmware_report, record_status
from store.sparkplug import record_edges

# A broker has no more packet ids than this for what we have not acknowledged, so it repeats no more messages at once.
KEPT_RECEIPTS = 65_535


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch."""

    entry: LedgerEntry
    receipts: Receipts | None  # of messages that could not be known again otherwise


@dataclass(frozen=True, slots=True)
class StoredReadings:
    """What became of the readings of a batch."""

    new_rows: NDArray[np.intp]  # in the order of arrival
    duplicates: NDArray[np.intp]
    conflicts: list[tuple[int, float]]  # row, and the value that stays


class Recorder:
    """Stores batches, one after the other, and remembers what that needs: newest times, days, receipts.

    Parameters
    ----------
    writer
        Names this process in the ledger; the same after a restart.
    edges
        Sparkplug's edge nodes, written with the readings of their messages.
    """

    def __init__(self, writer: str, sightings: Sightings, edges: Edges | None = None) -> None:
        self._writer = writer
        self._sightings = sightings
        self._edges = edges
        self._days: set[date] = set()
        self._recent: deque[Receipts] = deque()
        self._kept = 0  # digests in it
        self.receipts: Counter[bytes] = Counter()
        self._in_doubt: tuple[str, Outcome, Batch, DeviceTable] | None = None

    def resume(self, conn: Connection) -> None:
        """Takes up what this writer left behind. To be called before the first message is read."""
        self._recent = deque(load_receipts(conn, self._writer))
        self._kept = sum(len(kept.digests) for kept in self._recent)
        self.forget_used_receipts()

    def forget_used_receipts(self) -> None:
        """From now on every message of the last transactions may come again (once): a connection is new."""
        self.receipts = Counter(digest for kept in self._recent for digest in kept.digests)

    def use_up_receipts(self, digests: Sequence[bytes]) -> None:
        """These messages have come again: another one that looks the same is a new one."""
        self.receipts.subtract(digests)

    def record(self, conn: Connection, batch: Batch, table: DeviceTable) -> Outcome:
        """Stores all of the batch and commits.

        Raises
        ------
        store.pool.DATABASE_GONE
            The connection was lost. `settle`, with a new one, says whether the batch has to be recorded again.
        """
        resolved = resolve(batch.series_id, batch.observed_us, self._sightings.high_water_us)
        self._ensure_days(conn, batch.observed_us)
        try:
            return self._commit(conn, batch, table, resolved)
        except ALREADY_STORED:
            # Another process stored one of them, or we did before a crash: nothing is certain, all goes the other way.
            everything = np.concatenate((resolved.certain, resolved.uncertain))
            doubtful = Resolved(everything[:0], everything, resolved.repeats, resolved.repeated, resolved.is_late)
            return self._commit(conn, batch, table, doubtful)
        except PARTITION_MISSING:
            self._days.clear()  # retention dropped a day that we had made
            self._ensure_days(conn, batch.observed_us)
            return self._commit(conn, batch, table, resolved)

    def settle(self, conn: Connection, wanted: Batch) -> Outcome | None:
        """What became of this batch if its commit was not answered: its outcome if it was committed, None if it was
        not, or is not the one in doubt. (What became of another one is taken note of, and says nothing of this one.)

        Raises
        ------
        TimeoutError
            The old transaction is still under way: ask again.
        """
        if self._in_doubt is None:
            return None
        transaction_id, outcome, batch, table = self._in_doubt
        is_committed = load_is_committed(conn, transaction_id)
        if is_committed is None:
            raise TimeoutError("the last transaction is still under way")
        self._in_doubt = None
        if is_committed:
            self._take_note(batch, table, outcome)
            return outcome if batch is wanted else None
        return None

    def _ensure_days(self, conn: Connection, observed_us: NDArray[np.int64]) -> None:
        if not len(observed_us):
            return
        days = find_days(observed_us) - self._days
        if days:
            with conn.transaction():
                ensure_partitions(conn, days)
            self._days |= days

    def _commit(self, conn: Connection, batch: Batch, table: DeviceTable, resolved: Resolved) -> Outcome:
        self._in_doubt = None
        with conn.transaction():
            outcome = self._store(conn, batch, table, resolved)
            self._in_doubt = (load_transaction_id(conn), outcome, batch, table)
        self._in_doubt = None
        self._take_note(batch, table, outcome)
        return outcome

    def _take_note(self, batch: Batch, table: DeviceTable, outcome: Outcome) -> None:
        if outcome.receipts is not None:
            for past in self._find_past_receipts(len(outcome.receipts.digests)):
                self._recent.popleft()
                self._kept -= len(past.digests)
            self._recent.append(outcome.receipts)
            self._kept += len(outcome.receipts.digests)
        self._sightings.note(batch, table)
        if batch.edges is not None and self._edges is not None:
            self._edges.adopt(batch.edges)

    def _store(self, conn: Connection, batch: Batch, table: DeviceTable, resolved: Resolved) -> Outcome:
        flags = batch.flags | (resolved.is_late * np.int16(ReadingFlag.LATE))
        readings = ReadingColumns(batch.series_id, batch.observed_us, batch.value, flags)
        stored = store_readings(conn, readings, resolved)
        conflicts = _to_conflicts(batch, table, stored.conflicts)
        overfull = _record_attributes(conn, batch, table)
        record_rejections(conn, [rejection for _, rejection in batch.rejections] + conflicts + overfull)
        reports = [
            received.report
            for received in batch.reports
            if not isinstance(received.report, AttributeReport) and record_report(conn, received)
        ]
        late_rows = stored.new_rows[resolved.is_late[stored.new_rows]]
        entry = LedgerEntry(
            messages=len(batch.messages),
            values_received=len(batch.value) + batch.rejected,
            stored=len(stored.new_rows),
            duplicates=len(stored.duplicates),
            conflicts=len(conflicts),
            late=len(late_rows),
            rejected=batch.rejected,
        )
        received_at = from_micros(batch.received_us)
        record_ledger(conn, received_at.date(), self._writer, entry)
        conflicting = np.array([row for row, _ in stored.conflicts], dtype=np.intp)
        block = tally(batch, table, stored.new_rows, stored.duplicates, conflicting, late_rows)
        record_ledger_block(conn, self._writer, received_at.date(), block)
        if batch.edges is not None and self._edges is not None:
            moved = [to_row(state, self._edges.find(*key)) for key, state in batch.edges.states.items()]
            record_edges(conn, moved, received_at)
        digests = find_unrecognisable(batch, [int(batch.message_no[row]) for row, _ in stored.conflicts])
        receipts = record_receipts(conn, self._writer, digests) if digests else None
        if past := self._find_past_receipts(len(digests)):
            remove_receipts(conn, self._writer, past[-1].id)
        # Last, because from here to the commit other writers of these shards wait.
        record_blocks(conn, build_blocks(readings.select(stored.new_rows), reports, table, received_at))
        return Outcome(entry, receipts)

    def _find_past_receipts(self, coming: int) -> list[Receipts]:
        """Those that no broker can ask for any more, once `coming` newer ones are kept."""
        past = []
        newer = coming + self._kept
        for kept in self._recent:
            newer -= len(kept.digests)
            if newer < KEPT_RECEIPTS:
                break
            past.append(kept)
        return past


def store_readings(conn: Connection, readings: ReadingColumns, resolved: Resolved) -> StoredReadings:
    """Stores each reading once, and says which were new, which repeats and which in conflict with what stays."""
    record_new_readings(conn, readings.select(resolved.certain))
    found = record_possible_repeats(conn, readings.select(resolved.uncertain))
    stays = readings.value.copy()
    stays[resolved.uncertain] = found.stored_value
    # Rows of one key agree or disagree with what stays under it: an earlier row, or one that was stored before.
    repeated = np.concatenate((resolved.uncertain[~found.is_new], resolved.repeats))
    kept = np.concatenate((stays[resolved.uncertain[~found.is_new]], stays[resolved.repeated]))
    differs = readings.value[repeated] != kept
    new_rows = np.sort(np.concatenate((resolved.certain, resolved.uncertain[found.is_new])))
    conflicts = list(zip(repeated[differs].tolist(), kept[differs].tolist(), strict=True))
    return StoredReadings(new_rows, repeated[~differs], conflicts)


def _to_conflicts(batch: Batch, table: DeviceTable, found: Sequence[tuple[int, float]]) -> list[Rejection]:
    """A rejection for each; what a message holds is kept with its first one only, or a megabyte would become ten
    thousand."""
    conflicts = []
    shown: set[int] = set()
    for row, kept in found:
        number = int(batch.message_no[row])
        most = EXCERPT if number in shown else KEPT_OVERSIZED
        conflicts.append(to_conflict(batch, table, row, kept, most))
        shown.add(number)
    return conflicts


def to_conflict(batch: Batch, table: DeviceTable, row: int, kept: float, most: int) -> Rejection:
    """The rejection of a row that contradicts the value `kept`, with at most so many bytes of its message."""
    series_id = int(batch.series_id[row])
    device, sensor = table.find_series(series_id)
    message = batch.messages[int(batch.message_no[row])]
    at = from_micros(int(batch.observed_us[row])).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Rejection(
        received_at=from_micros(batch.received_us),
        topic=clean_text(message.topic.decode("utf-8", "replace"), 1_000),
        serial=device.serial,
        reason=RejectionReason.CONFLICT,
        field=f"values.{sensor}",
        detail=f"{float(batch.value[row])!r} at {at}, for which {kept!r} is stored already and stays",
        payload=message.payload[:most],
        size=message.size,
        content_type=clean_text(message.content_type),
    )


def _record_attributes(conn: Connection, batch: Batch, table: DeviceTable) -> list[Rejection]:
    """Stores the attributes of the batch; a rejection for each report with names for which its device has no room."""
    rejections = []
    for received in batch.reports:
        report = received.report
        if isinstance(report, AttributeReport) and (refused := record_attributes(conn, report)):
            message = batch.messages[received.message_no]
            names = ", ".join(repr(name) for name in refused[:10])
            rejections.append(
                Rejection(
                    received_at=from_micros(report.received_us),
                    topic=clean_text(message.topic.decode("utf-8", "replace"), 1_000),
                    serial=table.serial_by_device.get(report.device_id),
                    reason=RejectionReason.TOO_MANY_VALUES,
                    field=clean_text(f"attributes.{refused[0]}"),
                    detail=clean_text(
                        f"a device has at most {MAX_ATTRIBUTES} attributes: no room for {len(refused)} more, {names}"
                    ),
                    payload=message.payload[:KEPT_OVERSIZED],
                    weight=0,  # no reading is lost by it
                    size=message.size,
                    content_type=clean_text(message.content_type),
                )
            )
    return rejections


def record_report(conn: Connection, received: ReceivedReport) -> bool:
    """Whether the report is new; it is stored then. Attributes are stored and no news for scoring."""
    match received.report:
        case FirmwareReport() as firmware:
            return record_firmware_report(conn, firmware)
        case EventReport() as event:
            return record_event(conn, event)
        case StatusReport() as status:
            return record_status(conn, status, unless_known=received.may_repeat)
        case AttributeReport() as attributes:
            record_attributes(conn, attributes)
            return False
        case WorkReport():
            return False  # what people do comes from the service side, and no device says it


def build_blocks(
    readings: ReadingColumns, reports: Sequence[Report], table: DeviceTable, received_at: datetime
) -> list[NewBlock]:
    """One block for each shard that has readings or reports, these in their order."""
    shard_of = table.shard[readings.series_id]
    reports_of: dict[int, list[Report]] = {}
    for report in reports:
        reports_of.setdefault(table.shard_by_device[report.device_id], []).append(report)
    blocks = []
    for shard in sorted({int(s) for s in np.unique(shard_of)} | reports_of.keys()):
        own = readings.select(shard_of == shard)
        payload = encode_block(own.series_id, own.observed_us, own.value, own.flags)
        blocks.append(NewBlock(shard, received_at, len(own), payload, reports_of.get(shard, ())))
    return blocks


def find_coming_days(now_us: int) -> set[date]:
    """Today and tomorrow: their partitions are made before the first reading needs them."""
    now = datetime.fromtimestamp(now_us / MICROS_PER_SECOND, UTC)
    return {now.date(), from_micros(now_us + 86_400 * MICROS_PER_SECOND).date()}
