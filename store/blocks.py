"""Reading blocks: the columns of a batch of readings as bytes, and the rows of `reading_block` that carry them.

Layout, little-endian: magic `FWRB`, version u2, reserved u2, count u4, crc32 u4 of all that follows; then the columns
one after the other: observed_us i8, value f8, series_id i4, flags i2. Widest first, so every column is aligned.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.counting import say_count
from domain.errors import BlockCorruptError
from domain.report import Report, report_from_json, report_to_json
from store.pool import Connection

_MAGIC = b"FWRB"
_VERSION = 1
_HEADER = struct.Struct("<4sHHII")
_ROW_BYTES = 8 + 8 + 4 + 2


@dataclass(frozen=True, slots=True)
class BlockColumns:
    """The readings of one block in arrival order; all four arrays have the same length and are read-only."""

    series_id: NDArray[np.int32]
    observed_us: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]  # bits of domain.reading.ReadingFlag

    def __len__(self) -> int:
        return int(self.series_id.shape[0])


def encode_block(
    series_id: NDArray[np.int32],
    observed_us: NDArray[np.int64],
    value: NDArray[np.float64],
    flags: NDArray[np.int16],
) -> bytes:
    """The bytes from which `decode_block` gives exactly these columns (values bit for bit).

    Raises
    ------
    ValueError
        The columns differ in length or are not one-dimensional.
    """
    shapes = {np.shape(series_id), np.shape(observed_us), np.shape(value), np.shape(flags)}
    if len(shapes) != 1 or len(np.shape(series_id)) != 1:
        raise ValueError("the columns of a block have one length")
    body = b"".join(
        (
            np.ascontiguousarray(observed_us, dtype="<i8").tobytes(),
            np.ascontiguousarray(value, dtype="<f8").tobytes(),
            np.ascontiguousarray(series_id, dtype="<i4").tobytes(),
            np.ascontiguousarray(flags, dtype="<i2").tobytes(),
        )
    )
    return _HEADER.pack(_MAGIC, _VERSION, 0, len(series_id), zlib.crc32(body)) + body


def decode_block(payload: bytes) -> BlockColumns:
    """The columns that `encode_block` was given, as read-only views of `payload`.

    Raises
    ------
    BlockCorruptError
        Wrong magic, version, length or checksum.
    """
    if len(payload) < _HEADER.size:
        raise BlockCorruptError(f"{say_count(len(payload), 'byte is', 'bytes are')} shorter than a header.")
    magic, version, _, count, checksum = _HEADER.unpack_from(payload)
    if magic != _MAGIC or version != _VERSION:
        raise BlockCorruptError(f"magic {magic!r}, version {version}.")
    if len(payload) != _HEADER.size + count * _ROW_BYTES:
        raise BlockCorruptError(
            f"{say_count(count, 'reading does', 'readings do')} not make {say_count(len(payload), 'byte')}."
        )
    if zlib.crc32(memoryview(payload)[_HEADER.size :]) != checksum:
        raise BlockCorruptError("the checksum differs.")
    at = _HEADER.size
    observed_us = np.frombuffer(payload, dtype="<i8", count=count, offset=at)
    at += 8 * count
    value = np.frombuffer(payload, dtype="<f8", count=count, offset=at)
    at += 8 * count
    series_id = np.frombuffer(payload, dtype="<i4", count=count, offset=at)
    at += 4 * count
    flags = np.frombuffer(payload, dtype="<i2", count=count, offset=at)
    return BlockColumns(series_id=series_id, observed_us=observed_us, value=value, flags=flags)


@dataclass(frozen=True, slots=True)
class NewBlock:
    """What the next block of a shard will hold."""

    shard: int
    received_at: datetime
    reading_count: int
    payload: bytes  # of `encode_block`
    reports: Sequence[Report] = ()


# Locked in one order by every writer, so that two of them never wait for each other; the rows stay locked until the
# commit, so that positions appear without gaps and in order.
RECORD_BLOCKS = """
    WITH new AS (
        SELECT * FROM unnest(
            %(shards)s::smallint[], %(received)s::timestamptz[], %(counts)s::integer[], %(payloads)b::bytea[],
            %(reports)s::jsonb[]
        ) AS new (shard, received_at, reading_count, payload, reports)
    ), locked AS (
        SELECT shard FROM shard WHERE shard = ANY (%(shards)s::smallint[]) ORDER BY shard FOR UPDATE
    ), moved AS (
        UPDATE shard SET head = head + 1 FROM locked WHERE shard.shard = locked.shard RETURNING shard.shard, head
    ), recorded AS (
        INSERT INTO reading_block (shard, position, received_at, reading_count, payload, reports)
        SELECT moved.shard, moved.head, received_at, reading_count, payload, reports FROM moved JOIN new USING (shard)
        RETURNING shard
    )
    SELECT pg_notify('forewarn_block', '') FROM (SELECT count(*) FROM recorded) AS done
"""


def record_blocks(conn: Connection, blocks: Sequence[NewBlock]) -> None:
    """Appends one block to each of these shards, each shard once, and tells scoring when the transaction commits.

    The shards stay locked until then: call it last.
    """
    if not blocks:
        return
    conn.execute(
        RECORD_BLOCKS,
        {
            "shards": [block.shard for block in blocks],
            "received": [block.received_at for block in blocks],
            "counts": [block.reading_count for block in blocks],
            "payloads": [block.payload for block in blocks],
            "reports": [Jsonb([report_to_json(report) for report in block.reports]) for block in blocks],
        },
    )


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """One row of `reading_block`, its payload still encoded."""

    shard: int
    position: int
    received_at: datetime
    payload: bytes
    reports: Sequence[Report]


LOAD_BLOCKS = """
    SELECT shard, position, received_at, payload, reports FROM reading_block
    WHERE shard = %(shard)s AND position > %(after)s AND position <= %(last)s ORDER BY position LIMIT %(most)s
"""


def load_blocks(conn: Connection, shard: int, after: int, last: int, most: int) -> list[StoredBlock]:
    """The next blocks of a shard in order: positions in (after, last], at most `most` of them."""
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(LOAD_BLOCKS, {"shard": shard, "after": after, "last": last, "most": most}).fetchall()
    return [
        StoredBlock(shard, position, received_at, bytes(payload), [report_from_json(r) for r in reports])
        for shard, position, received_at, payload, reports in rows
    ]


@dataclass(frozen=True, slots=True)
class ShardOffset:
    """How far a shard was written and how far it was scored."""

    shard: int
    head: int
    consumed: int


LOAD_OFFSETS = "SELECT shard, head, consumed FROM shard ORDER BY shard"


def load_offsets(conn: Connection) -> list[ShardOffset]:
    """Head and offset of every shard."""
    with conn.cursor(row_factory=class_row(ShardOffset)) as cursor:
        return cursor.execute(LOAD_OFFSETS).fetchall()


RECORD_CONSUMED = "UPDATE shard SET consumed = %(to)s WHERE shard = %(shard)s AND consumed = %(from)s"


def record_consumed(conn: Connection, shard: int, before: int, after: int) -> bool:
    """Moves the offset of a shard from `before` to `after`; False when another process moved it meanwhile.

    The row is locked until the transaction ends, and writers wait for it: call it last.
    """
    return conn.execute(RECORD_CONSUMED, {"shard": shard, "from": before, "to": after}).rowcount == 1


DELETE_BLOCKS = "DELETE FROM reading_block WHERE shard = %s AND position <= %s"


def delete_blocks(conn: Connection, shard: int, up_to: int) -> None:
    """Removes the blocks that a check-point has made superfluous."""
    conn.execute(DELETE_BLOCKS, (shard, up_to))


LISTEN = "LISTEN forewarn_block; LISTEN forewarn_registry"


def listen_for_blocks(conn: Connection) -> None:
    """Makes this session, which has to be in autocommit, hear of new blocks and of changes of the registry."""
    conn.execute(LISTEN)


def wait_for_blocks(conn: Connection, timeout_s: float) -> bool:
    """True as soon as a block was committed or the registry changed, False after `timeout_s` without."""
    return any(True for _ in conn.notifies(timeout=timeout_s, stop_after=1))
