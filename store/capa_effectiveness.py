"""The effect of a CAPA as rows: how it will be judged, on which devices, what is counted there, and what came out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row, dict_row

from domain.capa import Verdict
from domain.capa_effectiveness import (
    Counts,
    EffectivenessFigures,
    EffectivenessMetric,
    EffectivenessPlan,
    LimitKind,
)
from store.audit import to_jsonb
from store.cohorts import CASE_FAULT_GROUP, CASES, NEVER_SYSTEMIC
from store.pool import Connection

LOAD_PLAN = """
    SELECT metric, limit_kind, "limit", period_days, before_days, delay_days, max_p FROM capa_effectiveness_plan
    WHERE capa_id = %s
"""


def load_effectiveness_plan(conn: Connection, capa_id: int) -> EffectivenessPlan | None:
    """How the effect of the CAPA will be judged, or None: nobody has said."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_PLAN, (capa_id,)).fetchone()
    if row is None:
        return None
    words = {"metric": EffectivenessMetric(row["metric"]), "limit_kind": LimitKind(row["limit_kind"])}
    return EffectivenessPlan(**row | words)


RECORD_PLAN = """
    INSERT INTO capa_effectiveness_plan (capa_id, metric, limit_kind, "limit", period_days, before_days, delay_days,
        max_p)
    VALUES (%(capa_id)s, %(metric)s, %(limit_kind)s, %(limit)s, %(period_days)s, %(before_days)s, %(delay_days)s,
        %(max_p)s)
    ON CONFLICT (capa_id) DO UPDATE SET metric = excluded.metric, limit_kind = excluded.limit_kind,
        "limit" = excluded."limit", period_days = excluded.period_days, before_days = excluded.before_days,
        delay_days = excluded.delay_days, max_p = excluded.max_p
"""


def record_effectiveness_plan(conn: Connection, capa_id: int, plan: EffectivenessPlan) -> None:
    """Writes how the effect will be judged. The caller holds the CAPA's lock."""
    conn.execute(RECORD_PLAN, plan.to_json() | {"capa_id": capa_id})


# Who ran the firmware at any time since the cases began: an update that mends it must not take the device out of sight.
FREEZE_DEVICES = """
    INSERT INTO capa_device (capa_id, device_id, added_at)
    SELECT q.id, d.id, %(now)s FROM capa q JOIN device d ON d.device_model_id = q.device_model_id
        AND d.is_simulated = q.is_simulated AND d.lifecycle <> 'REGISTERED'
    WHERE q.id = %(id)s AND (
        EXISTS (SELECT FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id
            WHERE cm.capa_id = q.id AND cm.excluded_reason IS NULL AND w.device_id = d.id)
        OR CASE q.scope_kind
            WHEN 'MODEL' THEN true
            WHEN 'LOT' THEN d.lot = q.scope_value
            WHEN 'DEVICE' THEN d.serial = q.scope_value
            ELSE d.firmware = q.scope_value OR EXISTS (
                SELECT FROM device_history h WHERE h.device_id = d.id AND h.field = 'firmware:main'
                    AND h.before = q.scope_value AND h.at >= q.created_at - %(cases_last)s::interval)
        END)
    ON CONFLICT DO NOTHING
"""
COUNT_DEVICES = "SELECT count(*) FROM capa_device WHERE capa_id = %s"
CASES_LAST = timedelta(days=30)


def freeze_devices(conn: Connection, capa_id: int, now: datetime) -> int:
    """How many devices the scope holds after those that belong to it now were added; none is ever taken away."""
    conn.execute(FREEZE_DEVICES, {"id": capa_id, "now": now, "cases_last": CASES_LAST})
    return count_scope_devices(conn, capa_id)


def count_scope_devices(conn: Connection, capa_id: int) -> int:
    """On how many devices the effect is measured."""
    row = conn.execute(COUNT_DEVICES, (capa_id,)).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class ScopeDevice:
    """One device on which the effect is measured."""

    device_id: int
    serial: str
    lot: str
    firmware: str
    lifecycle: str
    customer: str | None
    customer_name: str | None
    added_at: datetime


LOAD_SCOPE_DEVICES = """
    SELECT d.id AS device_id, d.serial, d.lot, d.firmware, d.lifecycle, c.code AS customer, c.name AS customer_name,
        cd.added_at
    FROM capa_device cd JOIN device d ON d.id = cd.device_id LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
    WHERE cd.capa_id = %s AND d.serial > %s ORDER BY d.serial LIMIT %s
"""


def load_scope_devices(conn: Connection, capa_id: int, *, after: str = "", limit: int = 50) -> list[ScopeDevice]:
    """The devices of the scope by serial, those after `after`."""
    with conn.cursor(row_factory=class_row(ScopeDevice)) as cursor:
        return cursor.execute(LOAD_SCOPE_DEVICES, (capa_id, after, limit)).fetchall()


# Since each was installed and known here, until it was taken out of service.
SUM_DEVICE_DAYS = """
    SELECT coalesce(sum(extract(epoch FROM least(f.until, %(until)s) - greatest(f.since, %(since)s))), 0)::float8
        / 86400
    FROM (
        SELECT greatest(d.created_at, d.installed_on::timestamp AT TIME ZONE 'UTC') AS since,
            CASE WHEN d.lifecycle = 'DECOMMISSIONED' THEN d.lifecycle_since ELSE 'infinity' END AS until
        FROM capa_device cd JOIN device d ON d.id = cd.device_id WHERE cd.capa_id = %(id)s
    ) f
    WHERE least(f.until, %(until)s::timestamptz) > greatest(f.since, %(since)s::timestamptz)
"""
# An order of a false alarm, or of what turned out another fault, takes its breaches along.
COUNT_BREACHES = f"""
    SELECT count(*)::integer AS events, 0 AS undecided
    FROM capa q JOIN capa_device cd ON cd.capa_id = q.id JOIN breach b ON b.device_id = cd.device_id
    WHERE q.id = %(id)s AND b.fault_group = q.fault_group AND b.kind NOT IN ('OFFLINE', 'STALE')
        AND b.state <> 'DISCARDED' AND b.raised_at > %(since)s AND b.raised_at <= %(until)s
        AND NOT EXISTS (
            SELECT FROM work_order_breach wb JOIN work_order w ON w.id = wb.work_order_id
            WHERE wb.breach_id = b.id AND w.device_id = b.device_id AND (w.outcome = 'FALSE_ALARM'
                OR w.state = 'CANCELLED' OR {CASE_FAULT_GROUP} <> b.fault_group))
"""  # noqa: S608
# The cases of rule 9, each at its first breach; a fault that came back and reopened its order counts again.
COUNT_ORDERS = f"""
    WITH cases AS (
        SELECT w.id, w.outcome, coalesce(first.raised_at, w.created_at) AS at
        {CASES} AND d.id IN (SELECT device_id FROM capa_device WHERE capa_id = %(id)s)
            AND {CASE_FAULT_GROUP} = (SELECT fault_group FROM capa WHERE id = %(id)s)
    ), occasion AS (
        SELECT outcome, at FROM cases
        UNION ALL
        SELECT c.outcome, t.at FROM cases c JOIN ticket_decision td ON td.work_order_id = c.id
        JOIN breach_transition t ON t.id = td.transition_id WHERE td.decision = 'REOPENED'
    )
    SELECT (count(*) FILTER (WHERE NOT %(confirmed)s OR outcome = 'CONFIRMED'))::integer AS events,
        (count(*) FILTER (WHERE %(confirmed)s AND outcome IS NULL))::integer AS undecided
    FROM occasion WHERE at > %(since)s AND at <= %(until)s
"""  # noqa: S608


def load_counts(
    conn: Connection, capa_id: int, metric: EffectivenessMetric, since: datetime, until: datetime
) -> Counts:
    """What happened on the devices of the scope after `since`, up to and with `until`, and their device-days."""
    values: dict[str, Any] = {
        "id": capa_id,
        "since": since,
        "until": until,
        "never": NEVER_SYSTEMIC,
        "confirmed": metric is EffectivenessMetric.CONFIRMED_FAILURE_RATE,
    }
    query = COUNT_BREACHES if metric is EffectivenessMetric.BREACH_RATE else COUNT_ORDERS
    row = conn.execute(query, values).fetchone()
    days = conn.execute(SUM_DEVICE_DAYS, values).fetchone()
    assert row is not None
    assert days is not None
    return Counts(events=row[0], device_days=round(float(days[0]), 6), undecided=row[1])


@dataclass(frozen=True, slots=True)
class EffectivenessResult:
    """What was computed at one time; `figures` as `EffectivenessFigures.to_json` says."""

    id: int
    round: int
    plan_version: int
    computed_at: datetime
    is_final: bool
    verdict: Verdict
    figures: Mapping[str, Any]


LOAD_RESULTS = """
    SELECT id, round, plan_version, computed_at, is_final, verdict, figures FROM capa_effectiveness_result
    WHERE capa_id = %s ORDER BY id DESC LIMIT %s
"""


def load_effectiveness_results(conn: Connection, capa_id: int, *, limit: int = 100) -> list[EffectivenessResult]:
    """What was computed of the CAPA, newest first, of earlier rounds and plans too."""
    with conn.cursor(row_factory=class_row(EffectivenessResult)) as cursor:
        return cursor.execute(LOAD_RESULTS, (capa_id, limit)).fetchall()


RECORD_RESULT = """
    INSERT INTO capa_effectiveness_result (capa_id, round, plan_version, computed_at, is_final, verdict, figures)
    VALUES (%(capa_id)s, %(round)s, %(plan_version)s, %(now)s, %(is_final)s, %(verdict)s, %(figures)s)
"""


def record_effectiveness_result(
    conn: Connection, capa_id: int, round_: int, plan_version: int, figures: EffectivenessFigures, now: datetime
) -> None:
    """Adds what was computed. The caller holds the CAPA's lock."""
    conn.execute(
        RECORD_RESULT,
        {
            "capa_id": capa_id,
            "round": round_,
            "plan_version": plan_version,
            "now": now,
            "is_final": figures.is_final,
            "verdict": figures.verdict,
            "figures": to_jsonb(figures.to_json()),
        },
    )
