"""What is scored in shadow: its check-points, and what it counted beside what was delivered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """What one side raised, escalated and cleared of one monitor on one day of event time."""

    day: date
    monitor: str
    side: str
    raised: int
    escalated: int
    cleared: int


RECORD_SHADOW_COUNTS = """
    INSERT INTO shadow_count (model_id, day, monitor, side, raised, escalated, cleared)
    SELECT %(model_id)s, c.* FROM unnest(%(days)s::date[], %(monitors)s::text[], %(sides)s::text[],
        %(raised)s::bigint[], %(escalated)s::bigint[], %(cleared)s::bigint[])
        AS c (day, monitor, side, raised, escalated, cleared)
    ORDER BY 2, 3, 4
    ON CONFLICT (model_id, day, monitor, side) DO UPDATE SET raised = shadow_count.raised + excluded.raised,
        escalated = shadow_count.escalated + excluded.escalated, cleared = shadow_count.cleared + excluded.cleared
"""


def record_shadow_counts(conn: Connection, model_id: int, counts: Sequence[ShadowCount]) -> None:
    """Adds these counts, each day, monitor and side once, to what is counted already."""
    if not counts:
        return
    conn.execute(
        RECORD_SHADOW_COUNTS,
        {
            "model_id": model_id,
            "days": [c.day for c in counts],
            "monitors": [c.monitor for c in counts],
            "sides": [c.side for c in counts],
            "raised": [c.raised for c in counts],
            "escalated": [c.escalated for c in counts],
            "cleared": [c.cleared for c in counts],
        },
    )


LOAD_SHADOW_COUNTS = """
    SELECT day, monitor, side, raised, escalated, cleared FROM shadow_count WHERE model_id = %s
    ORDER BY day DESC, monitor, side LIMIT %s
"""


def load_shadow_counts(conn: Connection, model_id: int, *, limit: int = 1_000) -> list[ShadowCount]:
    """What was counted while the model was in shadow, the newest days first."""
    with conn.cursor(row_factory=class_row(ShadowCount)) as cursor:
        return cursor.execute(LOAD_SHADOW_COUNTS, (model_id, limit)).fetchall()


LOAD_SHADOW_CHECKPOINTS = "SELECT model_id, state FROM shadow_checkpoint WHERE shard = %s AND position = %s"


def load_shadow_checkpoints(conn: Connection, shard: int, position: int) -> dict[int, bytes]:
    """The states of what was in shadow after that block of the shard, by model id."""
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(LOAD_SHADOW_CHECKPOINTS, (shard, position)).fetchall()
    return {model_id: bytes(state) for model_id, state in rows}


REMOVE_OTHERS = "DELETE FROM shadow_checkpoint WHERE shard = %s AND NOT model_id = ANY (%s)"
RECORD_SHADOW_CHECKPOINT = """
    INSERT INTO shadow_checkpoint (shard, model_id, position, state) VALUES (%s, %s, %s, %b)
    ON CONFLICT (shard, model_id) DO UPDATE SET position = excluded.position, state = excluded.state
"""


def record_shadow_checkpoints(conn: Connection, shard: int, position: int, states: Mapping[int, bytes]) -> None:
    """Replaces the check-points of the shard's shadows by these, by model id; in the transaction of its own one."""
    conn.execute(REMOVE_OTHERS, (shard, sorted(states)))
    for model_id, state in sorted(states.items()):
        conn.execute(RECORD_SHADOW_CHECKPOINT, (shard, model_id, position, state))
