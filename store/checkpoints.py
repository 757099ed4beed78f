"""Check-points of scoring: the state of a shard and the position up to which it has read, in one row."""

from dataclasses import dataclass

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of one shard after its block `position`."""

    shard: int
    position: int
    code_version: str
    state: bytes


LOAD_CHECKPOINT = "SELECT shard, position, code_version, state FROM anomaly_checkpoint WHERE shard = %s"


def load_checkpoint(conn: Connection, shard: int) -> Checkpoint | None:
    """The last check-point of a shard, or None."""
    with conn.cursor(row_factory=class_row(Checkpoint), binary=True) as cursor:
        return cursor.execute(LOAD_CHECKPOINT, (shard,)).fetchone()


RECORD_CHECKPOINT = """
    INSERT INTO anomaly_checkpoint (shard, position, code_version, state) VALUES (%s, %s, %s, %b)
    ON CONFLICT (shard) DO UPDATE SET position = excluded.position, code_version = excluded.code_version,
        state = excluded.state, saved_at = now()
    WHERE anomaly_checkpoint.position <= excluded.position
"""


def record_checkpoint(conn: Connection, checkpoint: Checkpoint) -> bool:
    """Replaces the check-point of a shard; False when a newer one stands there and stays."""
    values = (checkpoint.shard, checkpoint.position, checkpoint.code_version, checkpoint.state)
    return conn.execute(RECORD_CHECKPOINT, values).rowcount == 1


# Session locks, held on a connection that does nothing else: when it goes, so does the ownership.
SHARD_LOCKS = 0x464F5257  # "FORW"
TRY_LOCK_SHARD = "SELECT pg_try_advisory_lock(%s, %s)"
UNLOCK_SHARD = "SELECT pg_advisory_unlock(%s, %s)"


def try_lock_shard(conn: Connection, shard: int) -> bool:
    """Takes the ownership of a shard for the life of this session, unless another session has it."""
    row = conn.execute(TRY_LOCK_SHARD, (SHARD_LOCKS, shard)).fetchone()
    return row is not None and bool(row[0])


def unlock_shard(conn: Connection, shard: int) -> None:
    """Gives the ownership of a shard back."""
    conn.execute(UNLOCK_SHARD, (SHARD_LOCKS, shard))
