"""How long before a failure each monitor spoke: the key figure `warning_lead_time`, told apart by monitor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class MonitorLeadTime:
    """One monitor, over the confirmed failures before which it had spoken."""

    model: str
    is_simulated: bool
    monitor: str
    failures: int
    median_h: float


# When a failure began is what the view kpi_warning says of it.
COUNT_LEAD_TIMES = """
    WITH failure AS MATERIALIZED (
        SELECT w.id, w.is_simulated, d.id AS device_id, d.device_model_id, least(
            min(b.raised_at) FILTER (WHERE b.kind = 'DEVICE_CODE'),
            min(CASE WHEN b.severity = 'CRITICAL' AND b.kind IN ('LIMIT', 'ANOMALY') THEN (
                SELECT min(t.at) FROM breach_transition t
                WHERE t.breach_id = b.id AND t.severity = 'CRITICAL' AND t.kind <> 'CLEARED') END),
            (SELECT min(c.received_at) FROM complaint c WHERE c.work_order_id = w.id),
            CASE WHEN w.type = 'CORRECTIVE' AND w.source = 'MANUAL' THEN w.created_at END) AS failed_at
        FROM work_order w JOIN device d ON d.id = w.device_id
        LEFT JOIN work_order_breach wb ON wb.work_order_id = w.id
        LEFT JOIN breach b ON b.id = wb.breach_id AND b.device_id = w.device_id
        WHERE w.type IN ('CORRECTIVE', 'PREDICTIVE') AND w.state = 'CLOSED' AND w.outcome = 'CONFIRMED'
            AND w.closed_at > %(since)s
        GROUP BY w.id, d.id
    ), warning AS (
        SELECT f.device_model_id, f.is_simulated, b.monitor, f.failed_at - min(b.first_seen) AS lead
        FROM failure f JOIN work_order_breach wb ON wb.work_order_id = f.id
        JOIN breach b ON b.id = wb.breach_id AND b.device_id = f.device_id
        WHERE b.kind IN ('LIMIT', 'ANOMALY', 'FORECAST')
        GROUP BY f.id, f.device_model_id, f.is_simulated, f.failed_at, b.monitor
        HAVING min(b.first_seen) < f.failed_at
    )
    SELECT m.key AS model, w.is_simulated, w.monitor, count(*)::integer AS failures,
        (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM w.lead)::float8) / 3600)::float8 AS median_h
    FROM warning w JOIN device_model m ON m.id = w.device_model_id
    GROUP BY m.key, w.is_simulated, w.monitor ORDER BY m.key, w.is_simulated, w.monitor
"""


def count_lead_times(conn: Connection, since: datetime) -> list[MonitorLeadTime]:
    """Every monitor that spoke before a confirmed failure whose order was closed since then; no others. It looks at
    every such failure: pages show what was counted last, see `load_lead_times`."""
    with conn.cursor(row_factory=class_row(MonitorLeadTime)) as cursor:
        return cursor.execute(COUNT_LEAD_TIMES, {"since": since}).fetchall()


LOAD_LEAD_TIMES = """
    SELECT m.key AS model, q.is_simulated, q.monitor, q.lead_failures AS failures, q.lead_median_h AS median_h
    FROM monitor_quality q JOIN device_model m ON m.id = q.device_model_id
    WHERE q.lead_failures > 0 AND (%(models)s::text[] = '{}' OR m.key = ANY (%(models)s))
    ORDER BY m.key, q.is_simulated, q.monitor
"""


def load_lead_times(conn: Connection, *, models: Sequence[str] = ()) -> list[MonitorLeadTime]:
    """What was counted last for the monitors of current profiles, at their `judged_at`."""
    with conn.cursor(row_factory=class_row(MonitorLeadTime)) as cursor:
        return cursor.execute(LOAD_LEAD_TIMES, {"models": list(models)}).fetchall()
