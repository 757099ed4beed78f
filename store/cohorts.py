"""What the cohort statistic counts: cases, device-days, history; and the orders that call for a CAPA by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_capa import member_excluded, member_included
from domain.capa import CapaScope
from domain.tickets import DATA_QUALITY_FAULT_GROUPS, GATEWAY_FAULT_GROUP, STORM_FAULT_GROUP
from store.audit import record_audit
from store.pool import Connection

NEVER_SYSTEMIC = [GATEWAY_FAULT_GROUP, STORM_FAULT_GROUP, *DATA_QUALITY_FAULT_GROUPS]

# What a technician found counts as what it was; a faulty sensor without a code says nothing of the device.
CASE_FAULT_GROUP = """CASE w.outcome WHEN 'CONFIRMED' THEN coalesce(w.failure_code, w.fault_group)
        WHEN 'SENSOR_FAULT' THEN coalesce(w.failure_code, 'data_quality') ELSE w.fault_group END"""
# A case is an order of one device. False alarms and cancelled orders do not count, missing data (OFFLINE, STALE) never;
# an order without a breach counts once its fault is confirmed.
CASES = f"""
    FROM work_order w JOIN device d ON d.id = w.device_id
    LEFT JOIN LATERAL (
        SELECT b.firmware, b.raised_at FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
        WHERE wb.work_order_id = w.id AND b.device_id = w.device_id AND b.kind NOT IN ('OFFLINE', 'STALE')
        ORDER BY b.raised_at LIMIT 1
    ) first ON true
    WHERE w.type IN ('CORRECTIVE', 'PREDICTIVE') AND w.state <> 'CANCELLED'
        AND w.outcome IS DISTINCT FROM 'FALSE_ALARM'
        AND (first.raised_at IS NOT NULL OR w.outcome = 'CONFIRMED')
        AND {CASE_FAULT_GROUP} <> ALL (%(never)s)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case: an order, its device, and the firmware that the device had when it began."""

    work_order_id: int
    device_id: int
    device_model_id: int
    customer_id: int | None
    lot: str
    firmware: str
    fault_group: str
    is_simulated: bool
    region: str
    opened_at: datetime


# Cases that a decided CAPA of this model and fault group has dealt with are not counted again.
LOAD_CASES = f"""
    SELECT w.id AS work_order_id, d.id AS device_id, d.device_model_id, w.customer_id, d.lot,
        coalesce(nullif(first.firmware, ''), d.firmware) AS firmware, {CASE_FAULT_GROUP} AS fault_group, w.is_simulated,
        w.region, coalesce(w.last_breach_at, w.created_at) AS opened_at
    {CASES} AND coalesce(w.last_breach_at, w.created_at) > %(since)s
        AND NOT EXISTS (
            SELECT FROM capa_member cm JOIN capa q ON q.id = cm.capa_id
            WHERE cm.work_order_id = w.id AND q.state IN ('REJECTED', 'CLOSED')
                AND q.device_model_id = d.device_model_id AND q.fault_group = {CASE_FAULT_GROUP}
                AND coalesce(w.last_breach_at, w.created_at) <= q.closed_at)
    ORDER BY w.id
"""  # noqa: S608


def load_cases(conn: Connection, since: datetime) -> list[CaseRow]:
    """Every case since then that no decided CAPA has dealt with."""
    with conn.cursor(row_factory=class_row(CaseRow)) as cursor:
        return cursor.execute(LOAD_CASES, {"since": since, "never": NEVER_SYSTEMIC}).fetchall()


# Spells of one firmware each, from the dated history; without history the device has always had what it has.
LOAD_EXPOSURES = """
    WITH fleet AS (
        SELECT id, lot, firmware, greatest(created_at, installed_on::timestamp AT TIME ZONE 'UTC') AS since,
            CASE WHEN lifecycle = 'DECOMMISSIONED' THEN lifecycle_since ELSE 'infinity' END AS until
        FROM device WHERE device_model_id = %(model)s AND is_simulated = %(is_simulated)s AND lifecycle <> 'REGISTERED'
    ), step AS (
        SELECT h.device_id, h.at, h.before, h.after, lead(h.at) OVER w AS next_at, row_number() OVER w AS place
        FROM device_history h JOIN fleet ON fleet.id = h.device_id
        WHERE h.field = 'firmware:main' WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
    ), spell AS (
        SELECT device_id, coalesce(nullif(before, ''), after) AS firmware, '-infinity'::timestamptz AS since,
            at AS until
        FROM step WHERE place = 1
        UNION ALL SELECT device_id, after, at, coalesce(next_at, 'infinity') FROM step
        UNION ALL SELECT id, firmware, '-infinity', 'infinity' FROM fleet
        WHERE NOT EXISTS (SELECT FROM step WHERE step.device_id = fleet.id)
    )
    SELECT f.lot, coalesce(s.firmware, '') AS firmware, count(DISTINCT f.id)::integer AS devices,
        sum(extract(epoch FROM least(s.until, f.until, %(until)s) - greatest(s.since, f.since, %(since)s)))::float8
            / 86400 AS device_days
    FROM fleet f JOIN spell s ON s.device_id = f.id
    WHERE least(s.until, f.until, %(until)s::timestamptz) > greatest(s.since, f.since, %(since)s::timestamptz)
    GROUP BY f.lot, coalesce(s.firmware, '')
"""


def load_exposures(
    conn: Connection, device_model_id: int, *, since: datetime, until: datetime, is_simulated: bool
) -> list[tuple[str, str, int, float]]:
    """(lot, firmware, devices, device-days) of the model's devices in the window, since each was known here."""
    values = {"model": device_model_id, "since": since, "until": until, "is_simulated": is_simulated}
    return conn.execute(LOAD_EXPOSURES, values).fetchall()


COUNT_BASELINE_EVENTS = f"""
    SELECT count(*) {CASES} AND d.device_model_id = %(model)s AND w.is_simulated = %(is_simulated)s
        AND {CASE_FAULT_GROUP} = %(fault_group)s
        AND coalesce(first.raised_at, w.created_at) > %(since)s AND coalesce(first.raised_at, w.created_at) <= %(until)s
"""


def load_baseline(
    conn: Connection, device_model_id: int, fault_group: str, *, until: datetime, is_simulated: bool
) -> tuple[int, float]:
    """(events, device-days) of the model's installed base in the twelve months up to `until`."""
    since = until - timedelta(days=365)
    values = {
        "model": device_model_id,
        "fault_group": fault_group,
        "since": since,
        "until": until,
        "is_simulated": is_simulated,
        "never": NEVER_SYSTEMIC,
    }
    row = conn.execute(COUNT_BASELINE_EVENTS, values).fetchone()
    exposures = load_exposures(conn, device_model_id, since=since, until=until, is_simulated=is_simulated)
    return (0 if row is None else int(row[0])), sum(e[3] for e in exposures)


# Real and simulated devices are apart, as their cohorts are.
COUNT_HYPOTHESES = """
    SELECT coalesce(sum(n.groups * n.scopes), 0)::bigint FROM (
        SELECT jsonb_array_length(p.body -> 'fault_groups') AS groups,
            1 + count(DISTINCT nullif(d.lot, '')) + count(DISTINCT nullif(d.firmware, '')) AS scopes
        FROM device_model m
        JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
        JOIN device d ON d.device_model_id = m.id AND d.lifecycle <> 'REGISTERED'
        GROUP BY m.id, p.body, d.is_simulated
    ) n
"""


def count_hypotheses(conn: Connection) -> int:
    """How many scopes of the installed base could be proposed: of each model and fault group the model itself, each lot
    and each firmware version."""
    row = conn.execute(COUNT_HYPOTHESES).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class SingleCause:
    """An order that calls for a CAPA alone: a confirmed CRITICAL on a safety-critical model, or a second reopening."""

    work_order_id: int
    code: str
    device_model_id: int
    serial: str
    fault_group: str
    is_confirmed_critical: bool
    reopen_count: int
    is_simulated: bool
    region: str


LOAD_SINGLE_CAUSES = f"""
    SELECT * FROM (
        SELECT w.id AS work_order_id, w.code, d.device_model_id, d.serial, {CASE_FAULT_GROUP} AS fault_group,
            m.safety_critical AND w.outcome IS NOT DISTINCT FROM 'CONFIRMED' AND EXISTS (
                SELECT FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
                WHERE wb.work_order_id = w.id AND b.severity = 'CRITICAL' AND b.kind NOT IN ('OFFLINE', 'STALE')
            ) AS is_confirmed_critical,
            w.reopen_count, w.is_simulated, w.region
        FROM work_order w JOIN device d ON d.id = w.device_id JOIN device_model m ON m.id = d.device_model_id
        WHERE w.updated_at > %(since)s AND (w.outcome = 'CONFIRMED' OR w.reopen_count >= 2)
            AND w.state <> 'CANCELLED' AND w.outcome IS DISTINCT FROM 'FALSE_ALARM'
            AND {CASE_FAULT_GROUP} <> ALL (%(never)s)
            AND NOT EXISTS (SELECT FROM capa_member cm JOIN capa q ON q.id = cm.capa_id WHERE cm.work_order_id = w.id
                AND (q.state NOT IN ('REJECTED', 'CLOSED') OR q.trigger IN ('CONFIRMED_CRITICAL', 'SECOND_REOPENING')))
    ) c WHERE c.is_confirmed_critical OR c.reopen_count >= 2 ORDER BY c.work_order_id
"""  # noqa: S608


def load_single_causes(conn: Connection, since: datetime) -> list[SingleCause]:
    """Orders changed since then that call for a CAPA by themselves and have none."""
    with conn.cursor(row_factory=class_row(SingleCause)) as cursor:
        return cursor.execute(LOAD_SINGLE_CAUSES, {"since": since, "never": NEVER_SYSTEMIC}).fetchall()


LOAD_CLOSED_CAPA = """
    SELECT id FROM capa WHERE device_model_id = %s AND scope_kind = %s AND scope_value = %s AND fault_group = %s
        AND state = 'CLOSED' AND closed_at > %s ORDER BY closed_at DESC LIMIT 1
"""


def load_lately_closed_capa(conn: Connection, scope: CapaScope, since: datetime) -> int | None:
    """The CAPA of this scope that was closed last, if after `since`: its action was not effective."""
    row = conn.execute(
        LOAD_CLOSED_CAPA, (scope.device_model_id, scope.kind, scope.value, scope.fault_group, since)
    ).fetchone()
    return None if row is None else int(row[0])


# An order that turned out a false alarm, or was cancelled, stays a member that does not count, until that changes.
EXCLUDE_MEMBERS = """
    UPDATE capa_member cm SET excluded_reason = n.reason
    FROM capa q, work_order w, LATERAL (SELECT CASE WHEN w.outcome = 'FALSE_ALARM' THEN 'false_alarm'
        WHEN w.state = 'CANCELLED' THEN 'cancelled' END AS reason) n
    WHERE q.id = cm.capa_id AND w.id = cm.work_order_id AND q.state NOT IN ('REJECTED', 'CLOSED')
        AND cm.excluded_reason IS DISTINCT FROM n.reason
        AND (cm.excluded_reason IS NULL OR cm.excluded_reason IN ('false_alarm', 'cancelled'))
    RETURNING q.code, w.code, n.reason
"""


def exclude_false_members(conn: Connection, actor: Actor) -> Sequence[tuple[str, str, str | None]]:
    """(CAPA, work order, reason) of the members of live CAPAs that stopped counting, or count again (reason None)."""
    changed = conn.execute(EXCLUDE_MEMBERS).fetchall()
    record_audit(
        conn,
        actor,
        *(
            member_excluded(code, order, reason) if reason else member_included(code, order)
            for code, order, reason in changed
        ),
    )
    return changed
