"""Past orders of the same device model and fault group, with what came of them and which parts they took."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from domain.suggested_fix import PastOrder, UsedPart
from domain.work_order import Outcome
from store.pool import Connection

LOOK_BACK = timedelta(days=3 * 365)

# Of an order for a gateway or site: those of the same fault group that had no device either.
LOAD_PAST_ORDERS = """
    SELECT o.code, coalesce(d.serial, g.name, s.code) AS serial, o.device_id = w.device_id AS is_same_device,
        coalesce(d.firmware, '') AS firmware, o.outcome, o.failure_code,
        o.close_out ->> 'work_performed' AS work_performed,
        coalesce((SELECT jsonb_agg(jsonb_build_object('item', p.item, 'description', p.description,
                'quantity', p.quantity::text) ORDER BY p.id)
            FROM part_usage p WHERE p.work_order_id IN (SELECT orders_within(o.id)) AND p.state = 'USED'), '[]')
            AS parts,
        o.reopen_count > 0 OR EXISTS (
            SELECT FROM work_order r WHERE r.recurrence_of = o.id AND r.outcome IS DISTINCT FROM 'FALSE_ALARM'
        ) AS came_back,
        (SELECT count(*)::integer FROM work_order_visit v WHERE v.work_order_id IN (SELECT orders_within(o.id)))
            AS visits,
        o.closed_at
    FROM work_order w
    JOIN work_order o ON o.fault_group = w.fault_group AND o.state = 'CLOSED' AND o.id <> w.id
    LEFT JOIN device wd ON wd.id = w.device_id
    LEFT JOIN device d ON d.id = o.device_id
    LEFT JOIN gateway g ON g.id = o.gateway_id LEFT JOIN site s ON s.id = o.site_id
    WHERE w.id = %(id)s AND d.device_model_id IS NOT DISTINCT FROM wd.device_model_id AND o.outcome IS NOT NULL
        AND o.closed_at > %(since)s AND (%(customer_id)s::bigint IS NULL OR o.customer_id = %(customer_id)s)
    ORDER BY o.closed_at DESC, o.id DESC LIMIT %(limit)s
"""


def load_past_orders(
    conn: Connection, order_id: int, *, customer_id: int | None, now: datetime, limit: int = 50
) -> list[PastOrder]:
    """Closed orders of three years with an outcome, the newest first; `customer_id` is whose alone the caller sees."""
    values = {"id": order_id, "since": now - LOOK_BACK, "customer_id": customer_id, "limit": limit}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_past_order(row) for row in cursor.execute(LOAD_PAST_ORDERS, values)]


def _to_past_order(row: dict[str, Any]) -> PastOrder:
    parts = [UsedPart(p["item"], p["description"], 1, Decimal(p["quantity"])) for p in row["parts"]]
    changed = {"outcome": Outcome(row["outcome"]), "parts": parts, "is_same_device": bool(row["is_same_device"])}
    return PastOrder(**{**row, **changed})
