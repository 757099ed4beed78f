"""What is wrong at customers and devices, counted by kind in one statement: `domain.risk` makes points of it.

One relation of (customer, kind, example) serves the ranked list of all customers, one customer and one device: what
differs is only how far it looks. Simulated records and real ones are never counted together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from psycopg.rows import class_row

from domain.firmware import MAIN
from domain.reminder import REMIND_DAYS, ReminderKind
from domain.risk import Found, RiskRule, Trouble
from store.pool import Connection

MISSED_FOR = timedelta(days=90)
_KINDS = {kind.value: kind for kind in Trouble}
UNFINISHED = "('NEW', 'TRIAGED', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD')"


class _Scope(NamedTuple):
    """How far it looks, as conditions, and by whom it counts."""

    devices: str
    orders: str
    complaints: str
    contracts: str
    whose: str


_SCOPES = {
    "all": _Scope(
        "s.customer_id IS NOT NULL", "w.customer_id IS NOT NULL", "x.customer_id IS NOT NULL", "true", "customer_id"
    ),
    "customer": _Scope(
        "s.customer_id = %(customer_id)s",
        "w.customer_id = %(customer_id)s",
        "x.customer_id = %(customer_id)s",
        "t.customer_id = %(customer_id)s",
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
_IN_USE = "m.is_used"
_OF_DEVICES = {
    Trouble.CRITICAL_BREACH: "b.severity = 4",
    Trouble.MAJOR_BREACH: "b.severity >= 3",
    Trouble.SAFETY_CRITICAL_FAULT: "b.severity >= 3 AND p.safety_critical",
    Trouble.OPEN_BREACH: "b.severity IS NOT NULL",
    Trouble.FAILURE_FORECAST: "b.is_forecast",
    Trouble.FIRMWARE_WITHDRAWN: "f.id IS NOT NULL",
    Trouble.DEVICE_SILENT: "m.is_serving AND m.is_silent",
    # As `domain.health.find_health` finds UNKNOWN without looking at breaches (tested on every combination).
    Trouble.DATA_UNKNOWN: "m.is_serving AND (m.last_seen_at IS NULL OR u.device_id IS NOT NULL OR m.is_silent"
    " OR coalesce(q.completeness >= q.least_completeness, y.completeness >= y.least_completeness) IS NOT TRUE)",
    Trouble.DEVICE_QUARANTINED: "m.is_quarantined",
    Trouble.CALIBRATION_OVERDUE: f"{_IN_USE} AND m.calibration_due < m.today",
    Trouble.CALIBRATION_DUE: f"{_IN_USE} AND m.calibration_due <= m.today + %(calibration_days)s",
    Trouble.CALIBRATION_UNKNOWN: f"{_IN_USE} AND m.calibration_due IS NULL",
    Trouble.CONTRACT_MISSING: f"{_IN_USE} AND ca.customer_id IS NULL AND cd.device_id IS NULL",
    Trouble.WARRANTY_ENDING: f"{_IN_USE} AND m.warranty_end BETWEEN m.today AND m.today + %(warranty_days)s",
}
_OF_ORDERS = {
    Trouble.URGENT_ORDER: "w.priority = 'P1'",
    Trouble.HIGH_ORDER: "w.priority IN ('P1', 'P2')",
    Trouble.OPEN_REPAIR: "w.type IN ('CORRECTIVE', 'PREDICTIVE')",
    Trouble.WAITS_FOR_CUSTOMER: "w.state = 'ON_HOLD' AND w.hold_reason IN ('CUSTOMER', 'ACCESS')",
    Trouble.CAME_BACK: "w.reopen_count > 0 OR w.recurrence_of IS NOT NULL",
    Trouble.SLA_BREACHED: "k.is_breached",
    Trouble.SLA_AT_RISK: "k.is_breached OR k.is_near",
}


def _mask(conditions: Mapping[Trouble, str]) -> str:
    """A bit for each kind: conditions are looked at once, and rows that are alike are counted together."""
    return " | ".join(
        f"CASE WHEN {condition} THEN {1 << place} ELSE 0 END" for place, condition in enumerate(conditions.values())
    )


def _bits(conditions: Mapping[Trouble, str]) -> str:
    """The kinds with their bits."""
    return ", ".join(f"('{code}', {1 << place})" for place, code in enumerate(conditions))


_MINE = """
    WITH zone AS MATERIALIZED (
        SELECT time_zone, (%(now)s::timestamptz AT TIME ZONE time_zone)::date AS today
        FROM (SELECT DISTINCT time_zone FROM site) t
    ), mine AS MATERIALIZED (
        SELECT d.id, d.serial, coalesce(s.customer_id, 0) AS customer_id, d.device_model_id,
            d.firmware, d.lifecycle <> 'REGISTERED' AS is_used, d.lifecycle = 'IN_SERVICE' AS is_serving,
            d.lifecycle = 'QUARANTINED' AS is_quarantined, d.connectivity IN ('STALE', 'OFFLINE') AS is_silent,
            d.last_seen_at, d.calibration_due, d.warranty_end, coalesce(z.today, %(today)s) AS today
        FROM device d LEFT JOIN site s ON s.id = d.site_id LEFT JOIN zone z ON z.time_zone = s.time_zone
        WHERE {devices} AND d.is_simulated = %(simulated)s AND d.lifecycle <> 'DECOMMISSIONED'
    ), worst AS MATERIALIZED (
        SELECT b.device_id,
            max(array_position(ARRAY['INFO', 'MINOR', 'MAJOR', 'CRITICAL'], b.severity)) AS severity,
            bool_or(b.kind = 'FORECAST') AS is_forecast
        FROM breach b JOIN mine ON mine.id = b.device_id WHERE b.state = 'ACTIVE' GROUP BY b.device_id
    ), current AS (
        SELECT k.id, k.customer_id, k.covers_all FROM service_contract k
        WHERE k.status = 'ACTIVE' AND %(today)s BETWEEN k.starts_on AND k.ends_on
            AND k.customer_id IN (SELECT customer_id FROM mine)
    )
"""
_TROUBLES = """
    SELECT {whose} AS customer_id, code, sum(n)::integer AS n, min(example COLLATE "C") AS example FROM (
        SELECT g.customer_id, t.code, g.n, g.example FROM (
            SELECT m.customer_id, {devices} AS mask, count(*) AS n, min(m.serial COLLATE "C") AS example
            FROM mine m JOIN device_model p ON p.id = m.device_model_id LEFT JOIN worst b ON b.device_id = m.id
            LEFT JOIN firmware_record f ON f.device_model_id = m.device_model_id AND f.component = %(main)s
                AND f.version = m.firmware AND f.state = 'WITHDRAWN'
            LEFT JOIN (SELECT DISTINCT customer_id FROM current WHERE covers_all) ca ON ca.customer_id = m.customer_id
            LEFT JOIN (
                SELECT DISTINCT x.device_id FROM current k JOIN service_contract_device x ON x.contract_id = k.id
            ) cd ON cd.device_id = m.id
            LEFT JOIN (SELECT DISTINCT device_id FROM unscored_monitor) u ON u.device_id = m.id
            LEFT JOIN data_quality_day q ON q.device_id = m.id AND q.day = %(today)s
            LEFT JOIN data_quality_day y ON y.device_id = m.id AND y.day = %(today)s::date - 1
            GROUP BY 1, 2
        ) g JOIN (VALUES {devices_bits}) AS t (code, bit) ON g.mask & t.bit <> 0
        UNION ALL
        SELECT g.customer_id, t.code, g.n, g.example FROM (
            SELECT coalesce(w.customer_id, 0) AS customer_id, {orders} AS mask, count(*) AS n,
                min(w.code COLLATE "C") AS example
            FROM work_order w LEFT JOIN LATERAL (
                SELECT bool_or(k.state = 'BREACHED' OR k.due_at < %(now)s) AS is_breached,
                    bool_or(k.due_soon_at <= %(now)s) AS is_near
                FROM sla_clock k WHERE k.work_order_id = w.id AND k.version = w.version AND k.waived_at IS NULL
                    AND k.state IN ('RUNNING', 'BREACHED')
            ) k ON true
            WHERE {of_orders} AND w.state IN {unfinished} AND w.is_simulated = %(simulated)s
            GROUP BY 1, 2
        ) g JOIN (VALUES {orders_bits}) AS t (code, bit) ON g.mask & t.bit <> 0
        UNION ALL
        SELECT coalesce(w.customer_id, 0), 'sla_missed', 1, w.code
        FROM sla_clock k JOIN work_order w ON w.id = k.work_order_id
        WHERE k.state = 'BREACHED' AND k.breached_at >= %(missed_since)s AND k.waived_at IS NULL AND {of_orders}
            AND w.is_simulated = %(simulated)s
        UNION ALL
        SELECT coalesce(x.customer_id, 0), unnest(array_remove(ARRAY['open_complaint',
            CASE WHEN x.severity IN ('MAJOR', 'CRITICAL') THEN 'major_complaint' END,
            CASE WHEN x.severity = 'CRITICAL' THEN 'critical_complaint' END], NULL)), 1, x.code
        FROM complaint x WHERE {of_complaints} AND x.state IN ('RECEIVED', 'INVESTIGATION')
            AND x.is_simulated = %(simulated)s
        UNION ALL
        SELECT m.customer_id, unnest(array_remove(ARRAY[
            CASE WHEN a.kind = 'FIRMWARE' THEN 'firmware_pending' ELSE 'recall_open' END,
            CASE WHEN a.kind <> 'FIRMWARE' AND i.state = 'UNREACHABLE' THEN 'recall_unreachable' END], NULL)),
            1, m.serial
        FROM mine m JOIN field_action_item i ON i.device_id = m.id JOIN field_action a ON a.id = i.field_action_id
        WHERE a.state IN ('NOTIFYING', 'EXECUTING') AND a.is_simulated = %(simulated)s
            AND i.state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED', 'UNREACHABLE')
        UNION ALL
        SELECT DISTINCT coalesce(w.customer_id, 0), 'capa_open', 1, q.code
        FROM capa q JOIN capa_member y ON y.capa_id = q.id JOIN work_order w ON w.id = y.work_order_id
        WHERE {of_orders} AND q.state NOT IN ('REJECTED', 'CLOSED') AND y.excluded_reason IS NULL
            AND q.is_simulated = %(simulated)s
        UNION ALL
        SELECT m.customer_id, 'maintenance_overdue', 1, o.code
        FROM mine m JOIN plan_occurrence o ON o.device_id = m.id JOIN maintenance_plan l ON l.id = o.plan_id
        WHERE o.state = 'OVERDUE' AND l.order_type = 'PREVENTIVE'
            AND (l.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)
        UNION ALL
        SELECT t.customer_id, 'contract_ending', 1, t.code FROM service_contract t
        WHERE {of_contracts} AND t.status = 'ACTIVE' AND t.is_simulated = %(simulated)s
            AND %(today)s BETWEEN t.starts_on AND t.ends_on AND t.ends_on <= %(today)s + t.remind_days
            AND NOT EXISTS (
                SELECT FROM service_contract n WHERE n.customer_id = t.customer_id AND n.status IN ('DRAFT', 'ACTIVE')
                    AND n.ends_on > t.ends_on AND (n.covers_all OR (NOT t.covers_all AND NOT EXISTS (
                        SELECT device_id FROM service_contract_device WHERE contract_id = t.id
                        EXCEPT SELECT device_id FROM service_contract_device WHERE contract_id = n.id))))
    ) AS trouble (customer_id, code, n, example) GROUP BY 1, 2
"""
_COUNTED = {
    scope: _MINE.format(devices=looked.devices)
    + _TROUBLES.format(
        whose=looked.whose,
        of_orders=looked.orders,
        of_complaints=looked.complaints,
        of_contracts=looked.contracts,
        unfinished=UNFINISHED,
        devices=_mask(_OF_DEVICES),
        devices_bits=_bits(_OF_DEVICES),
        orders=_mask(_OF_ORDERS),
        orders_bits=_bits(_OF_ORDERS),
    )
    for scope, looked in _SCOPES.items()
}
LOAD_TROUBLES = {
    scope: f"SELECT customer_id, json_object_agg(code, json_build_array(n, example)) FROM ({counted}) AS c GROUP BY 1"  # noqa: S608
    for scope, counted in _COUNTED.items()
}
# The points of a rule as `domain.risk.RiskRule.find_points` gives them (tested); kinds without a rule give none.
LOAD_POINTS = {
    scope: f"""
    SELECT customer_id, sum(points)::integer AS score, max(points)::integer AS worst,
        json_object_agg(code, json_build_array(n, example))::text AS troubles
    FROM (
        SELECT c.customer_id, c.code, c.n, c.example, least(r.most, r.first + r.more * (c.n - 1)) AS points
        FROM ({counted}) AS c
        JOIN unnest(%(codes)s::text[], %(firsts)s::integer[], %(mores)s::integer[], %(mosts)s::integer[])
            AS r (code, first, more, most) ON r.code = c.code
    ) AS judged GROUP BY 1
    """  # noqa: S608
    for scope, counted in _COUNTED.items()
}


UNCOMPILED = "SELECT set_config('jit', 'off', true)"


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
    values = _make_values(now, is_simulated=is_simulated, customer_id=customer_id) | {"device_id": device_id}
    # Compiling a statement that runs for some milliseconds takes longer than running it.
    conn.execute(UNCOMPILED)
    # Planning it takes as long as asking it of one customer does: prepared, it is planned a few times.
    rows = conn.execute(LOAD_TROUBLES[scope].encode(), values, prepare=True)
    return {whose: _read(troubles) for whose, troubles in rows}


@dataclass(frozen=True, slots=True)
class CustomerPoints:
    """The points of one customer by the rules that were given, and what they are for, as it came from the database:
    of thousands of customers few are shown."""

    customer_id: int
    score: int
    worst: int  # points of the worst single reason
    troubles: str

    def find(self) -> dict[Trouble, Found]:
        """What gave the points."""
        return _read(orjson.loads(self.troubles))


def load_customer_points(
    conn: Connection,
    rules: Mapping[Trouble, RiskRule],
    *,
    now: datetime,
    is_simulated: bool,
    customer_id: int | None = None,
) -> dict[int, CustomerPoints]:
    """The points by the id of the customer, of all or of that one; customers without any are not there."""
    values = _make_values(now, is_simulated=is_simulated, customer_id=customer_id) | {
        "codes": [code.value for code in rules],
        "firsts": [rule.first for rule in rules.values()],
        "mores": [rule.more for rule in rules.values()],
        "mosts": [rule.most for rule in rules.values()],
    }
    conn.execute(UNCOMPILED)
    with conn.cursor(row_factory=class_row(CustomerPoints)) as cursor:
        rows = cursor.execute(LOAD_POINTS["all" if customer_id is None else "customer"].encode(), values, prepare=True)
        return {row.customer_id: row for row in rows}


def _make_values(now: datetime, *, is_simulated: bool, customer_id: int | None) -> dict[str, Any]:
    return {
        "now": now,
        "today": now.astimezone(UTC).date(),
        "simulated": is_simulated,
        "customer_id": customer_id,
        "missed_since": now - MISSED_FOR,
        "calibration_days": REMIND_DAYS[ReminderKind.CALIBRATION],
        "warranty_days": REMIND_DAYS[ReminderKind.WARRANTY],
        "main": MAIN,
    }


def _read(troubles: Mapping[str, Any]) -> dict[Trouble, Found]:
    return {_KINDS[code]: Found(*there) for code, there in troubles.items()}
