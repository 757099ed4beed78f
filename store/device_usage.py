"""What counters of devices have counted: kept for those that a plan asks for, an hour's steps apart."""

from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.maintenance_plan import Usage, count_usage
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class _CounterReading:
    device_id: int
    sensor: str
    value: float
    observed_at: datetime
    total: float | None
    last_value: float | None
    last_at: datetime | None
    window_total: float | None
    window_at: datetime | None
    earlier_total: float | None
    earlier_at: datetime | None


# The bound of the latest reading is the one of `store.devices`: it lies at or after last_observed_at.
LOAD_COUNTERS = """
    SELECT s.device_id, s.sensor, r.value, r.observed_at, u.total, u.last_value, u.last_at, u.window_total, u.window_at,
        u.earlier_total, u.earlier_at
    FROM (
        SELECT DISTINCT d.id AS device_id, p.usage_sensor AS sensor FROM maintenance_plan p
        JOIN device d ON d.device_model_id = p.device_model_id AND (p.device_id IS NULL OR p.device_id = d.id)
        WHERE p.state = 'ACTIVE' AND p.kind = 'USAGE' AND d.installed_on IS NOT NULL
            AND d.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED')
    ) w
    JOIN series s USING (device_id, sensor)
    LEFT JOIN device_usage u USING (device_id, sensor)
    CROSS JOIN LATERAL (
        SELECT value, observed_at FROM reading WHERE series_id = s.id AND observed_at >= s.last_observed_at
            AND value >= 0 AND value < 'Infinity' ORDER BY observed_at DESC LIMIT 1
    ) r
    WHERE u.last_at IS NULL OR r.observed_at > u.last_at + interval '1 hour'
    ORDER BY u.last_at NULLS FIRST LIMIT %s
"""
RECORD_USAGE = """
    INSERT INTO device_usage AS u (device_id, sensor, total, last_value, last_at, window_total, window_at,
        earlier_total, earlier_at)
    VALUES (%(device_id)s, %(sensor)s, %(total)s, %(last_value)s, %(last_at)s, %(window_total)s, %(window_at)s,
        %(earlier_total)s, %(earlier_at)s)
    ON CONFLICT (device_id, sensor) DO UPDATE SET total = excluded.total, last_value = excluded.last_value,
        last_at = excluded.last_at, window_total = excluded.window_total, window_at = excluded.window_at,
        earlier_total = excluded.earlier_total, earlier_at = excluded.earlier_at
    WHERE u.last_at < excluded.last_at
"""


def follow_counters(conn: Connection, limit: int) -> int:
    """How many counters moved on with their latest reading; at most `limit`, those longest unseen first."""
    with conn.cursor(row_factory=class_row(_CounterReading)) as cursor:
        readings = cursor.execute(LOAD_COUNTERS, (limit,), prepare=False).fetchall()
    for r in readings:
        usage = count_usage(_find_usage(r), r.value, r.observed_at)
        conn.execute(RECORD_USAGE, asdict(usage) | {"device_id": r.device_id, "sensor": r.sensor})
    return len(readings)


def _find_usage(r: _CounterReading) -> Usage | None:
    if r.total is None or r.last_value is None or r.last_at is None or r.window_total is None:
        return None
    assert r.window_at is not None
    assert r.earlier_total is not None
    assert r.earlier_at is not None
    return Usage(r.total, r.last_value, r.last_at, r.window_total, r.window_at, r.earlier_total, r.earlier_at)
