"""Monitors whose orders were closed as false alarms too often: rule 7, the feedback from people to the detector."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import AuditEntry
from domain.audit_monitor import monitor_flagged
from store.pool import Connection
from store.ticket_policies import load_ticket_policy


@dataclass(frozen=True, slots=True)
class MonitorFlag:
    """One monitor of one profile version that cried wolf; a new profile version starts without a flag."""

    model: str
    monitor: str
    profile_version: int
    false_alarms: int
    flagged_at: datetime


# Every monitor behind this order, with the closed false alarms that it was behind.
LOAD_FALSE_ALARMS = """
    SELECT d.device_model_id, m.key AS model, b.monitor, b.profile_version,
        count(DISTINCT w.id)::integer AS false_alarms
    FROM work_order w JOIN work_order_breach wb ON wb.work_order_id = w.id JOIN breach b ON b.id = wb.breach_id
    JOIN device d ON d.id = b.device_id JOIN device_model m ON m.id = d.device_model_id
    WHERE w.state = 'CLOSED' AND w.outcome = 'FALSE_ALARM' AND (d.device_model_id, b.monitor, b.profile_version) IN (
        SELECT d2.device_model_id, b2.monitor, b2.profile_version FROM work_order_breach wb2
        JOIN breach b2 ON b2.id = wb2.breach_id JOIN device d2 ON d2.id = b2.device_id WHERE wb2.work_order_id = %s)
    GROUP BY d.device_model_id, m.key, b.monitor, b.profile_version ORDER BY b.monitor
"""
RECORD_FLAG = """
    INSERT INTO monitor_flag (device_model_id, monitor, profile_version, false_alarms, flagged_at)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING true
"""
COUNT_ON = """
    UPDATE monitor_flag SET false_alarms = %s WHERE device_model_id = %s AND monitor = %s AND profile_version = %s
"""


def flag_false_alarming_monitors(conn: Connection, work_order_id: int, now: datetime) -> list[AuditEntry]:
    """Flags each monitor behind this closed order that reached its policy's number; the audit entries of new flags."""
    entries = []
    for model_id, model, monitor, version, false_alarms in conn.execute(LOAD_FALSE_ALARMS, (work_order_id,)).fetchall():
        if false_alarms < load_ticket_policy(conn, model_id).false_alarms_flag_monitor:
            continue
        if conn.execute(RECORD_FLAG, (model_id, monitor, version, false_alarms, now)).fetchone() is None:
            conn.execute(COUNT_ON, (false_alarms, model_id, monitor, version))
        else:
            entries.append(monitor_flagged(model, monitor, version, false_alarms))
    return entries


LOAD_FLAGS = """
    SELECT m.key AS model, f.monitor, f.profile_version, f.false_alarms, f.flagged_at
    FROM monitor_flag f JOIN device_model m ON m.id = f.device_model_id
    WHERE %(current_only)s IS FALSE OR f.profile_version = m.current_version
    ORDER BY f.flagged_at DESC
"""


def load_monitor_flags(conn: Connection, *, current_only: bool = True) -> list[MonitorFlag]:
    """The flagged monitors, newest first; those of earlier profile versions only if asked for."""
    with conn.cursor(row_factory=class_row(MonitorFlag)) as cursor:
        return cursor.execute(LOAD_FLAGS, {"current_only": current_only}).fetchall()
