"""Who put which faults right: what closed orders of the last three years say of each technician.

What was counted is kept for each connection with the moment up to which it holds, and counted again as soon as an
order that counts, or counted, has changed since. So it is always what the database says of orders, and the thousands of
them behind it are read when one of them is closed or opened again, not for every page. A device that is corrected to
another model moves its orders within ten minutes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from store.pool import Connection

LOOK_BACK = timedelta(days=3 * 365)
MOST_ORDERS = 200  # of one fault group, the newest
KEPT = timedelta(minutes=10)  # far less than the log of changes reaches back: `api.settings` refuses less than an hour

# Model and fault group: by user how many he put right, and how many he tried.
Figures = dict[tuple[str, str], dict[int, tuple[int, int]]]


@dataclass(slots=True)
class _Kept:
    seen: str  # of the transactions that were over at this snapshot, none is missing
    until: datetime
    figures: Figures = field(default_factory=dict)


_kept: WeakKeyDictionary[Connection, _Kept] = WeakKeyDictionary()

# An order counts once it is closed, no longer when it was opened again; a recurrence tells against the order before.
# What this transaction has written itself may be rolled back. Planned each time, as the plan for any snapshot would
# read the whole log (`store.change_log`).
LOAD_STANDING = """
    SELECT pg_current_snapshot()::text, pg_current_xact_id_if_assigned() IS NOT NULL AS writes, EXISTS (
        SELECT FROM change_log c JOIN work_order w ON w.code = c.entity_id
        WHERE c.entity = 'work_order' AND c.xid >= pg_snapshot_xmin(%(seen)s::text::pg_snapshot)
            AND NOT pg_visible_in_snapshot(c.xid, %(seen)s::text::pg_snapshot)
            AND (w.state = 'CLOSED' OR w.reopen_count > 0 OR w.recurrence_of IS NOT NULL)
    ) AS has_changed
"""
# The newest of each fault group, so that a page with many of them stays quick. Put right is: closed with a fault that
# was mended, never reopened, and no later order says that it recurred.
# Each step is done once for all of them: else devices and recurrences are looked through for every fault group anew.
LOAD_MENDED = """
    WITH asked AS MATERIALIZED (
        SELECT m.id, k.model, k.fault_group
        FROM unnest(%(models)s::text[], %(fault_groups)s::text[]) AS k (model, fault_group)
        JOIN device_model m ON m.key = k.model
    ), recent AS MATERIALIZED (
        SELECT o.* FROM (SELECT DISTINCT fault_group FROM asked) AS k
        CROSS JOIN LATERAL (
            SELECT o.id, o.device_id, o.fault_group, o.reopen_count, (o.close_out ->> 'done_by_id')::bigint AS user_id
            FROM work_order o
            WHERE o.state = 'CLOSED' AND o.fault_group = k.fault_group AND o.closed_at > %(since)s
                AND o.outcome IN ('CONFIRMED', 'SENSOR_FAULT')
            ORDER BY o.fault_group, o.closed_at DESC LIMIT %(most)s
        ) o
    ), came_back AS MATERIALIZED (
        SELECT DISTINCT r.recurrence_of AS id FROM work_order r
        WHERE r.recurrence_of = ANY (ARRAY(SELECT id FROM recent)) AND r.recurrence_of IS NOT NULL
            AND r.outcome IS DISTINCT FROM 'FALSE_ALARM'
    )
    SELECT w.user_id, k.model, w.fault_group,
        (count(*) FILTER (WHERE w.reopen_count = 0 AND b.id IS NULL))::integer AS fixed, count(*)::integer AS tried
    FROM recent w JOIN device d ON d.id = w.device_id
    JOIN asked k ON k.id = d.device_model_id AND k.fault_group = w.fault_group
    LEFT JOIN came_back b ON b.id = w.id
    WHERE w.user_id IS NOT NULL
    GROUP BY 1, 2, 3
"""


def load_mended(
    conn: Connection, keys: Collection[tuple[str, str]], now: datetime
) -> Mapping[tuple[int, str, str], tuple[int, int]]:
    """By user, model and fault group, of these models and fault groups: how many orders he put right and tried."""
    kept = _kept.get(conn)
    if kept is not None and kept.until <= now:
        kept = None
    row = conn.execute(LOAD_STANDING, {"seen": None if kept is None else kept.seen}, prepare=False).fetchone()
    assert row is not None
    snapshot, writes, has_changed = row
    if kept is None or has_changed:
        kept = _Kept(snapshot, now + KEPT)
    kept.seen = snapshot  # nothing that counts has changed up to here, or it is counted below
    kept.figures |= _count(conn, sorted(set(keys) - kept.figures.keys()), now)
    if writes:
        _kept.pop(conn, None)
    else:
        _kept[conn] = kept
    return {(user_id, *key): figures for key in keys for user_id, figures in kept.figures[key].items()}


def _count(conn: Connection, keys: list[tuple[str, str]], now: datetime) -> Figures:
    figures: Figures = {key: {} for key in keys}
    if not keys:
        return figures
    values = {
        "models": [model for model, _ in keys],
        "fault_groups": [fault_group for _, fault_group in keys],
        "since": now - LOOK_BACK,
        "most": MOST_ORDERS,
    }
    # Planned each time: which tables are read through depends on how much is asked for.
    for user_id, model, fault_group, fixed, tried in conn.execute(LOAD_MENDED, values, prepare=False):
        figures[model, fault_group][user_id] = fixed, tried
    return figures
