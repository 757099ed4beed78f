"""Refused messages that people want to be looked at again: decoded by the registry of now, as of their first receipt.

Readings, reports, blocks, the moved ledger and the mark that it is done are one transaction: whoever is killed in it
has done nothing, and what is done is never done again.
"""

import logging
from collections import Counter
from dataclasses import replace
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from domain.clock import to_micros
from domain.reading import ReadingFlag, Rejection, RejectionReason
from ingest.batch import Batch, read_batch
from ingest.careful import EXCERPT
from ingest.device_table import DeviceTable
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.recorder import build_blocks, record_report, store_readings, to_conflict
from ingest.resolve import Resolved, resolve
from ingest.settings import IngestSettings
from ingest.settlement import Replayed, Settlement, refuse_again, settle
from ingest.sightings import Sightings
from store.blocks import record_blocks
from store.ledger_blocks import NO_DEVICE
from store.ledger_moves import Moved, record_device_moves, record_heard, record_moved
from store.pool import Connection
from store.readings import PARTITION_MISSING, UNSTORABLE, ReadingColumns, ensure_partitions, find_days
from store.registry import load_registry_version
from store.rejection_replays import OpenRejection, lock_requested, record_settled
from store.rejections import record_rejections

log = logging.getLogger(__name__)

# A message may have a mebibyte: what one round holds is bounded, and live messages wait for no more.
MESSAGES_AT_ONCE = 20
# As a broker sends it: QoS 1, neither retained nor repeated.
PLAIN = 0x32

INCONSISTENT = frozenset(
    {RejectionReason.UNKNOWN_SENSOR, RejectionReason.UNIT_MISMATCH, RejectionReason.NOT_ITS_GATEWAY}
)


class RegistryMovedError(Exception):
    """What is registered has changed since the table was built: it may be just what the request waits for."""


def replay_requested(
    conn: Connection,
    table: DeviceTable,
    sightings: Sightings,
    settings: IngestSettings,
    now: datetime,
    messages: int = MESSAGES_AT_ONCE,
) -> int:
    """Replays the messages that wait longest, at most so many, and commits; how many they were.

    Raises
    ------
    RegistryMovedError
        Nothing was done: ask again with a new table.
    """
    days: set[date] = set()
    try:
        return _replay_and_commit(conn, table, sightings, settings, now, messages, days)
    except PARTITION_MISSING:
        with conn.transaction():
            ensure_partitions(conn, days)
        return _replay_and_commit(conn, table, sightings, settings, now, messages, days)
    except UNSTORABLE as problem:
        if messages > 1:
            return replay_requested(conn, table, sightings, settings, now, 1)
        log.error("a replayed message cannot be stored: %s", str(problem).strip())
        return _refuse_first(conn, type(problem).__name__)


def _replay_and_commit(
    conn: Connection,
    table: DeviceTable,
    sightings: Sightings,
    settings: IngestSettings,
    now: datetime,
    messages: int,
    days: set[date],
) -> int:
    stored: ReadingColumns | None = None
    with conn.transaction():
        requested = lock_requested(conn, messages)
        if not requested:
            return 0
        # After the requests were read: a registration commits with its request.
        if load_registry_version(conn) != table.version:
            raise RegistryMovedError
        kept = [rows for rows in requested if any(row.is_whole for row in rows)]
        for rows in requested:
            if rows not in kept:
                detail = "only the beginning of the message was kept"
                record_settled(conn, refuse_again(rows, "payload_not_kept", detail).settled, _find_asker(rows))
        if kept:
            batch = read_batch([_to_chunk(rows) for rows in kept], table, settings, Counter())
            days |= find_days(batch.observed_us)
            stored = _record(conn, batch, kept, table, sightings, now)
    if stored is not None and len(stored):
        # A lower bound of what is stored. That the device was heard of just now, nobody says.
        sightings.note_stored(stored.series_id, stored.observed_us)
    return len(requested)


def _to_chunk(rows: list[OpenRejection]) -> Chunk:
    """The message as it was received, alone."""
    row = next(row for row in rows if row.is_whole)
    payload = bytes(row.payload)
    message = Message(row.topic.encode(), payload, 0, PLAIN, len(payload), row.content_type)
    return Chunk(0, to_micros(row.received_at), [message], len(payload))


def _find_asker(rows: list[OpenRejection]) -> str:
    return next(row.replay_requested_by or "" for row in rows if row.is_requested)


def _record(
    conn: Connection,
    batch: Batch,
    messages: list[list[OpenRejection]],
    table: DeviceTable,
    sightings: Sightings,
    now: datetime,
) -> ReadingColumns:
    resolved = resolve(batch.series_id, batch.observed_us, sightings.high_water_us)
    # What came before may have come again, and others store too: nothing is certain.
    everything = np.concatenate((resolved.certain, resolved.uncertain))
    doubtful = Resolved(everything[:0], everything, resolved.repeats, resolved.repeated, resolved.is_late)
    flags = batch.flags | (resolved.is_late * np.int16(ReadingFlag.LATE))
    readings = ReadingColumns(batch.series_id, batch.observed_us, batch.value, flags)
    found = store_readings(conn, readings, doubtful)
    new = readings.select(found.new_rows)
    # Of a state it is not known how long it has held: one that repeats the last is no news.
    reports = [received for received in batch.reports if record_report(conn, replace(received, may_repeat=True))]
    problems: list[list[Rejection]] = [[] for _ in messages]
    for number, rejection in batch.rejections:
        problems[number].append(rejection)
    counts = _count(batch, found.new_rows, [row for row, _ in found.conflicts], resolved.is_late, len(messages))
    conflicts: list[Rejection] = []
    for number, rows in enumerate(messages):
        own_reports = sum(received.message_no == number for received in reports)
        settlement = settle(rows, problems[number], replace(counts[number], reports=own_reports))
        record_settled(conn, settlement.settled, _find_asker(rows))
        record_rejections(conn, settlement.new_problems)
        of_message = [(row, kept) for row, kept in found.conflicts if batch.message_no[row] == number]
        for row, kept in of_message[: settlement.moved.conflicts]:
            conflict = to_conflict(batch, table, row, kept, EXCERPT)
            conflicts.append(replace(conflict, received_at=rows[0].received_at))
        _move_ledger(conn, batch, number, rows, problems[number], settlement, found.new_rows, table)
    record_rejections(conn, conflicts)
    record_heard(conn, _find_heard(batch, found.new_rows, messages, table))
    record_blocks(conn, build_blocks(new, [received.report for received in reports], table, now))
    return new


def _find_heard(
    batch: Batch, new_rows: NDArray[np.intp], messages: list[list[OpenRejection]], table: DeviceTable
) -> dict[int, datetime]:
    """When the newest of these messages was received from each device that said something new in them."""
    heard: dict[int, datetime] = {}
    owners = table.device_ids[table.device_index[batch.series_id[new_rows]]]
    for device_id, number in set(zip(owners.tolist(), batch.message_no[new_rows].tolist(), strict=True)):
        received_at = messages[number][0].received_at
        heard[device_id] = max(received_at, heard.get(device_id, received_at))
    return heard


def _count(
    batch: Batch, new_rows: NDArray[np.intp], conflicts: list[int], is_late: NDArray[np.bool_], messages: int
) -> list[Replayed]:
    """By message: what became of its readings."""
    everything = np.bincount(batch.message_no, minlength=messages)
    stored = np.bincount(batch.message_no[new_rows], minlength=messages)
    late = np.bincount(batch.message_no[new_rows[is_late[new_rows]]], minlength=messages)
    differing = np.bincount(batch.message_no[conflicts], minlength=messages) if conflicts else np.zeros_like(stored)
    return [
        Replayed(int(stored[i]), int(everything[i] - stored[i] - differing[i]), int(differing[i]), int(late[i]))
        for i in range(messages)
    ]


def _move_ledger(
    conn: Connection,
    batch: Batch,
    number: int,
    rows: list[OpenRejection],
    problems: list[Rejection],
    settlement: Settlement,
    new_rows: NDArray[np.intp],
    table: DeviceTable,
) -> None:
    """The ledger of the day of receipt, in total and by device, says what the message is now."""
    day = rows[0].received_at.date()
    record_moved(conn, day, settlement.moved)
    moves: Counter[int] = Counter()
    inconsistent: Counter[int] = Counter()
    left = {settled.id: settled.weight for settled in settlement.settled}
    for row in rows:
        change = left.get(row.id, row.weight) - row.weight
        # Who was unknown then was counted for nobody.
        known = row.reason != RejectionReason.UNKNOWN_SERIAL
        device_id = _find_device_id(row.serial if known else None, table)
        moves[device_id] += change
        if row.reason in INCONSISTENT:
            inconsistent[device_id] += change
    for problem in settlement.new_problems:
        device_id = _find_device_id(problem.serial, table)
        moves[device_id] += problem.weight
        if problem.reason in INCONSISTENT:
            inconsistent[device_id] += problem.weight
    by_device = {device_id: Moved(rejected=change) for device_id, change in moves.items() if change}
    for device_id, moved in _find_stored_by_device(batch, number, settlement.moved, new_rows, table).items():
        by_device[device_id] = by_device.get(device_id, Moved()) + moved
    changed = {device_id: change for device_id, change in inconsistent.items() if change}
    if by_device or changed:
        record_device_moves(conn, day, by_device, changed)


def _find_device_id(serial: str | None, table: DeviceTable) -> int:
    device = None if serial is None else table.devices.get(serial)
    return NO_DEVICE if device is None else device.device_id


def _find_stored_by_device(
    batch: Batch, number: int, moved: Moved, new_rows: NDArray[np.intp], table: DeviceTable
) -> dict[int, Moved]:
    """Whose of a gateway's message the values that moved are. Repeats that moved with them are the first ones'."""
    by_device: dict[int, Moved] = {}
    of_message = np.flatnonzero(batch.message_no == number)
    is_new = np.isin(of_message, new_rows)
    owners = table.device_ids[table.device_index[batch.series_id[of_message]]]
    repeats = moved.duplicates
    conflicts = moved.conflicts
    late = moved.late
    for device_id in np.unique(owners).tolist():
        own = owners == device_id
        stored = int(np.count_nonzero(own & is_new))
        others = int(np.count_nonzero(own)) - stored
        duplicates = min(repeats, others)
        differing = min(conflicts, others - duplicates)
        own_late = min(late, stored)
        repeats, conflicts, late = repeats - duplicates, conflicts - differing, late - own_late
        by_device[device_id] = Moved(stored, duplicates, differing, own_late)
    return by_device


def _refuse_first(conn: Connection, problem: str) -> int:
    with conn.transaction():
        requested = lock_requested(conn, 1)
        for rows in requested:
            refused = refuse_again(rows, RejectionReason.WRONG_SHAPE.value, f"the database refuses it: {problem}")
            record_settled(conn, refused.settled, _find_asker(rows))
    return len(requested)
