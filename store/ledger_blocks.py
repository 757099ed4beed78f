"""Ledger blocks: what a transaction of ingest counted for each device, as bytes, and the rows that carry them.

Layout, little-endian: magic `FWRL`, version u2, reserved u2, crc32 u4 of all that follows; received_us i8; then three
tables (counts, delays, runs), each as its number of columns u4 and, for every row of it, base i8, width u1 and the
columns' offsets from the base in so many bytes each. A row of equal numbers has width 0.
"""

import struct
import zlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.counting import say_count
from domain.errors import BlockCorruptError
from store.pool import Connection

NO_DEVICE = 0  # stands for what names no device that is known

# The rows of the three tables of a block.
COUNTED = (
    "device_id",
    "messages",
    "stored",
    "duplicates",
    "conflicts",
    "late",
    "rejected",
    "inconsistent",
    "implausible",
)
DELAYS = ("device_id", "delay_us")  # the shortest from observation to receipt
RUNS = ("device_id", "lowest", "highest", "count", "first_us", "last_us")  # of `seq`; the times are observed ones

_MAGIC = b"FWRL"
_VERSION = 1
_HEADER = struct.Struct("<4sHHI")
_RECEIVED = struct.Struct("<q")
_SIZE = struct.Struct("<I")
_ROW = struct.Struct("<qB")
_WIDTHS: dict[int, np.dtype[Any]] = {width: np.dtype(f"<u{width}") for width in (1, 2, 4, 8)}

Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LedgerBlock:
    """What one transaction counted. Tables of int64, one row for each name, a column for each device or run.

    Every device stands once in `counts` and at most once in `delays`; in `runs` in the order of arrival.
    """

    received_us: int  # of the newest message
    counts: Table  # (len(COUNTED), devices)
    delays: Table  # (len(DELAYS), devices whose clock could be compared)
    runs: Table  # (len(RUNS), runs)


def encode_ledger_block(block: LedgerBlock) -> bytes:
    """The bytes from which `decode_ledger_block` gives exactly this block."""
    parts = [_RECEIVED.pack(block.received_us)]
    for table in (block.counts, block.delays, block.runs):
        _pack(table, parts)
    body = b"".join(parts)
    return _HEADER.pack(_MAGIC, _VERSION, 0, zlib.crc32(body)) + body


def _pack(table: Table, parts: list[bytes]) -> None:
    size = table.shape[1]
    parts.append(_SIZE.pack(size))
    if not size:
        return
    bases = table.min(axis=1)
    offsets = (table - bases[:, None]).view(np.uint64)  # as the difference wraps, so does the sum when it is read
    for base, widest, row in zip(bases.tolist(), offsets.max(axis=1).tolist(), offsets, strict=True):
        width = 0 if not widest else next(w for w in _WIDTHS if not widest >> 8 * w)
        parts.append(_ROW.pack(base, width))
        if width:
            parts.append(row.astype(_WIDTHS[width]).tobytes())


def decode_ledger_block(payload: bytes) -> LedgerBlock:
    """The block that `encode_ledger_block` was given.

    Raises
    ------
    BlockCorruptError
        Wrong magic, version, length or checksum.
    """
    if len(payload) < _HEADER.size + _RECEIVED.size:
        raise BlockCorruptError(f"{say_count(len(payload), 'byte is', 'bytes are')} shorter than a header.")
    magic, version, _, checksum = _HEADER.unpack_from(payload)
    if magic != _MAGIC or version != _VERSION:
        raise BlockCorruptError(f"magic {magic!r}, version {version}.")
    if zlib.crc32(memoryview(payload)[_HEADER.size :]) != checksum:
        raise BlockCorruptError("the checksum differs.")
    (received_us,) = _RECEIVED.unpack_from(payload, _HEADER.size)
    at = _HEADER.size + _RECEIVED.size
    tables = []
    for names in (COUNTED, DELAYS, RUNS):
        table, at = _unpack(payload, at, len(names))
        tables.append(table)
    return LedgerBlock(received_us, *tables)


def _unpack(payload: bytes, at: int, rows: int) -> tuple[Table, int]:
    (size,) = _SIZE.unpack_from(payload, at)
    at += _SIZE.size
    table = np.zeros((rows, size), dtype=np.int64)
    for row in table if size else ():
        base, width = _ROW.unpack_from(payload, at)
        at += _ROW.size
        if width:
            row[:] = (
                np.frombuffer(payload, dtype=_WIDTHS[width], count=size, offset=at).astype(np.uint64).view(np.int64)
            )
            at += width * size
        row += base
    return table, at


RECORD_LEDGER_BLOCK = "INSERT INTO ledger_block (writer, day, payload) VALUES (%s, %s, %b)"


def record_ledger_block(conn: Connection, writer: str, day: date, block: LedgerBlock) -> None:
    """Keeps the block until it is folded, `day` being that of its receipt."""
    conn.execute(RECORD_LEDGER_BLOCK, (writer, day, encode_ledger_block(block)))
