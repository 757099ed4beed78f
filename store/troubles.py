"""What is wrong at customers and devices, counted by kind in one statement: `domain.risk` makes points of it.

One relation of (customer, kind, example) serves the ranked list of all customers, one customer and one device: what
differs is only how far it looks. Simulated records and real ones are never counted together.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from domain.firmware import MAIN
from domain.health import HealthState, find_health
from domain.reminder import REMIND_DAYS, ReminderKind
from domain.risk import Found, Trouble
from store.pool import Connection

MISSED_FOR = timedelta(days=90)
UNFINISHED = "('NEW', 'TRIAGED', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD')"


class _Scope(NamedTuple):
    """How far it looks, as conditions, and by whom it counts."""

    devices: str
    orders: str
    complaints: str
    customers: str
    whose: str


_SCOPES = {
    "all": _Scope(
        "s.customer_id IS NOT NULL", "w.customer_id IS NOT NULL", "x.customer_id IS NOT NULL", "true", "customer_id"
    ),
    "customer": _Scope(
        "s.customer_id = %(customer_id)s",
        "w.customer_id = %(customer_id)s",
        "x.customer_id = %(customer_id)s",
        "c.id = %(customer_id)s",
        "customer_id",
    ),
    "device": _Scope(
        "d.id = %(device_id)s",
        "w.device_id = %(device_id)s AND (%(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s)",
        "x.device_id = %(device_id)s AND (%(customer_id)s::bigint IS NULL OR x.customer_id = %(customer_id)s)",
        "false",
        "0::bigint",
    ),
}
_MINE = """
    WITH mine AS MATERIALIZED (
        SELECT d.id, d.serial, coalesce(s.customer_id, 0) AS customer_id, d.device_model_id,
            d.firmware, d.lifecycle, d.connectivity, d.last_seen_at, d.calibration_due, d.warranty_end,
            (%(now)s::timestamptz AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date AS today
        FROM device d LEFT JOIN site s ON s.id = d.site_id
        WHERE {devices} AND d.is_simulated = %(simulated)s AND d.lifecycle <> 'DECOMMISSIONED'
    ), worst AS MATERIALIZED (
        SELECT b.device_id,
            max(array_position(ARRAY['INFO', 'MINOR', 'MAJOR', 'CRITICAL'], b.severity)) AS severity,
            bool_or(b.kind = 'FORECAST') AS is_forecast
        FROM breach b JOIN mine ON mine.id = b.device_id WHERE b.state = 'ACTIVE' GROUP BY b.device_id
    )
"""
_TROUBLES = """
    SELECT {whose}, code, count(*)::integer, min(example COLLATE "C") FROM (
        SELECT m.customer_id, m.serial::text AS example, unnest(array_remove(ARRAY[
            CASE WHEN b.severity = 4 THEN 'critical_breach' END,
            CASE WHEN b.severity >= 3 THEN 'major_breach' END,
            CASE WHEN b.severity >= 3 AND p.safety_critical THEN 'safety_critical_fault' END,
            CASE WHEN b.severity IS NOT NULL THEN 'open_breach' END,
            CASE WHEN b.is_forecast THEN 'failure_forecast' END,
            CASE WHEN f.id IS NOT NULL THEN 'firmware_withdrawn' END,
            CASE WHEN m.lifecycle = 'IN_SERVICE' AND m.connectivity IN ('STALE', 'OFFLINE') THEN 'device_silent' END,
            CASE WHEN m.lifecycle = 'QUARANTINED' THEN 'device_quarantined' END,
            CASE WHEN m.lifecycle <> 'REGISTERED' AND m.calibration_due < m.today THEN 'calibration_overdue' END,
            CASE WHEN m.lifecycle <> 'REGISTERED' AND m.calibration_due <= m.today + %(calibration_days)s
                THEN 'calibration_due' END,
            CASE WHEN m.lifecycle <> 'REGISTERED' AND m.calibration_due IS NULL THEN 'calibration_unknown' END,
            CASE WHEN m.lifecycle <> 'REGISTERED'
                AND m.warranty_end BETWEEN m.today AND m.today + %(warranty_days)s THEN 'warranty_ending' END
            ], NULL)) AS code
        FROM mine m JOIN device_model p ON p.id = m.device_model_id LEFT JOIN worst b ON b.device_id = m.id
        LEFT JOIN firmware_record f ON f.device_model_id = m.device_model_id AND f.component = %(main)s
            AND f.version = m.firmware AND f.state = 'WITHDRAWN'
        UNION ALL
        SELECT coalesce(w.customer_id, 0), w.code, unnest(array_remove(ARRAY[
            CASE WHEN w.priority = 'P1' THEN 'urgent_order' END,
            CASE WHEN w.priority IN ('P1', 'P2') THEN 'high_order' END,
            CASE WHEN w.type IN ('CORRECTIVE', 'PREDICTIVE') THEN 'open_repair' END,
            CASE WHEN w.state = 'ON_HOLD' AND w.hold_reason IN ('CUSTOMER', 'ACCESS') THEN 'waits_for_customer' END,
            CASE WHEN w.reopen_count > 0 OR w.recurrence_of IS NOT NULL THEN 'came_back' END,
            CASE WHEN k.is_breached THEN 'sla_breached' END,
            CASE WHEN k.is_breached OR k.is_near THEN 'sla_at_risk' END
            ], NULL))
        FROM work_order w LEFT JOIN LATERAL (
            SELECT bool_or(k.state = 'BREACHED' OR (k.state = 'RUNNING' AND k.due_at < %(now)s)) AS is_breached,
                bool_or(k.state = 'RUNNING' AND k.due_soon_at <= %(now)s) AS is_near
            FROM sla_clock k WHERE k.work_order_id = w.id AND k.version = w.version AND k.waived_at IS NULL
        ) k ON true
        WHERE {orders} AND w.state IN {unfinished} AND w.is_simulated = %(simulated)s
        UNION ALL
        SELECT coalesce(w.customer_id, 0), w.code, 'sla_missed'
        FROM sla_clock k JOIN work_order w ON w.id = k.work_order_id
        WHERE k.state = 'BREACHED' AND k.breached_at >= %(missed_since)s AND k.waived_at IS NULL AND {orders}
            AND w.is_simulated = %(simulated)s
        UNION ALL
        SELECT coalesce(x.customer_id, 0), x.code, unnest(array_remove(ARRAY['open_complaint',
            CASE WHEN x.severity IN ('MAJOR', 'CRITICAL') THEN 'major_complaint' END,
            CASE WHEN x.severity = 'CRITICAL' THEN 'critical_complaint' END], NULL))
        FROM complaint x WHERE {complaints} AND x.state IN ('RECEIVED', 'INVESTIGATION')
            AND x.is_simulated = %(simulated)s
        UNION ALL
        SELECT m.customer_id, m.serial, unnest(array_remove(ARRAY[
            CASE WHEN a.kind = 'FIRMWARE' THEN 'firmware_pending' ELSE 'recall_open' END,
            CASE WHEN a.kind <> 'FIRMWARE' AND i.state = 'UNREACHABLE' THEN 'recall_unreachable' END], NULL))
        FROM mine m JOIN field_action_item i ON i.device_id = m.id JOIN field_action a ON a.id = i.field_action_id
        WHERE a.state IN ('NOTIFYING', 'EXECUTING') AND a.is_simulated = %(simulated)s
            AND i.state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED', 'UNREACHABLE')
        UNION ALL
        SELECT DISTINCT coalesce(w.customer_id, 0), q.code, 'capa_open'
        FROM capa q JOIN capa_member y ON y.capa_id = q.id JOIN work_order w ON w.id = y.work_order_id
        WHERE {orders} AND q.state NOT IN ('REJECTED', 'CLOSED') AND y.excluded_reason IS NULL
            AND q.is_simulated = %(simulated)s
        UNION ALL
        SELECT m.customer_id, o.code, 'maintenance_overdue'
        FROM mine m JOIN plan_occurrence o ON o.device_id = m.id JOIN maintenance_plan l ON l.id = o.plan_id
        WHERE o.state = 'OVERDUE' AND l.order_type = 'PREVENTIVE'
            AND (l.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)
        UNION ALL
        SELECT c.id, coalesce(k.code, ''), CASE WHEN k.is_current THEN 'contract_ending' ELSE 'contract_missing' END
        FROM customer c LEFT JOIN LATERAL (
            SELECT t.code, t.ends_on, t.remind_days,
                t.status = 'ACTIVE' AND %(today)s BETWEEN t.starts_on AND t.ends_on AS is_current
            FROM service_contract t WHERE t.customer_id = c.id AND t.status IN ('ACTIVE', 'EXPIRED', 'TERMINATED')
                AND t.starts_on <= %(today)s
            ORDER BY 4 DESC, t.ends_on DESC, t.code LIMIT 1
        ) k ON true
        WHERE {customers} AND EXISTS (SELECT FROM mine m WHERE m.customer_id = c.id AND m.lifecycle <> 'REGISTERED')
            AND (k.is_current IS NOT TRUE OR (k.ends_on <= %(today)s + k.remind_days
                AND NOT EXISTS (SELECT FROM service_contract n WHERE n.customer_id = c.id
                    AND n.status IN ('DRAFT', 'ACTIVE') AND n.ends_on > k.ends_on)))
    ) AS trouble GROUP BY 1, 2
"""
# Devices by all that their health follows from; which of them are of unknown health is `find_health`'s to say.
_HEALTH = """
    SELECT {whose}, m.connectivity, m.last_seen_at IS NOT NULL AS has_reported, u.device_id IS NULL AS is_scored,
        coalesce(t.completeness >= t.least_completeness, y.completeness >= y.least_completeness) AS is_complete,
        count(*)::integer, min(m.serial COLLATE "C")
    FROM mine m
    LEFT JOIN (SELECT DISTINCT device_id FROM unscored_monitor) u ON u.device_id = m.id
    LEFT JOIN data_quality_day t ON t.device_id = m.id AND t.day = %(today)s
    LEFT JOIN data_quality_day y ON y.device_id = m.id AND y.day = %(today)s::date - 1
    WHERE m.lifecycle = 'IN_SERVICE' GROUP BY 1, 2, 3, 4, 5
"""
LOAD_TROUBLES = {
    scope: _MINE.format(devices=looked.devices)
    + _TROUBLES.format(
        whose=looked.whose,
        orders=looked.orders,
        complaints=looked.complaints,
        customers=looked.customers,
        unfinished=UNFINISHED,
    )
    for scope, looked in _SCOPES.items()
}
LOAD_HEALTH = {
    scope: _MINE.format(devices=looked.devices) + _HEALTH.format(whose=looked.whose)
    for scope, looked in _SCOPES.items()
}


def load_troubles(
    conn: Connection,
    *,
    now: datetime,
    is_simulated: bool,
    customer_id: int | None = None,
    device_id: int | None = None,
) -> dict[int, dict[Trouble, Found]]:
    """What is wrong by the id of the customer: of all customers, or of that one; of one device under 0, with nothing of
    other customers that had it before where `customer_id` is given.
    """
    scope = "device" if device_id is not None else "all" if customer_id is None else "customer"
    values: Mapping[str, Any] = {
        "now": now,
        "today": now.astimezone(UTC).date(),
        "simulated": is_simulated,
        "customer_id": customer_id,
        "device_id": device_id,
        "missed_since": now - MISSED_FOR,
        "calibration_days": REMIND_DAYS[ReminderKind.CALIBRATION],
        "warranty_days": REMIND_DAYS[ReminderKind.WARRANTY],
        "main": MAIN,
    }
    found: dict[int, dict[Trouble, Found]] = defaultdict(dict)
    # Never prepared: one plan for any scope of time and any size of customer would be a bad one for most.
    for whose, code, count, example in conn.execute(LOAD_TROUBLES[scope].encode(), values, prepare=False):
        found[whose][Trouble(code)] = Found(count, example)
    for whose, connectivity, has_reported, is_scored, is_complete, count, example in conn.execute(
        LOAD_HEALTH[scope].encode(), values, prepare=False
    ):
        health = find_health(
            None,
            None if is_complete is None else float(is_complete),
            1.0,
            connectivity=connectivity,
            has_reported=has_reported,
            is_scored=is_scored,
        )
        if health.state is HealthState.UNKNOWN:
            known = found[whose].get(Trouble.DATA_UNKNOWN)
            total = count + (known.count if known else 0)
            found[whose][Trouble.DATA_UNKNOWN] = Found(total, min(example, known.example) if known else example)
    return dict(found)
