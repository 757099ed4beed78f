"""When a device is to be calibrated next: what its calibration plans say."""

from collections.abc import Collection

from domain.audit import AuditEntry
from domain.audit_plan import calibration_due_moved
from store.pool import Connection

MOVE_CALIBRATION_DUE = """
    WITH wanted AS (
        SELECT o.device_id, min(o.due_on) AS due_on FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id
        WHERE o.device_id = ANY (%s) AND p.order_type = 'CALIBRATION' AND o.state IN ('UPCOMING', 'DUE', 'OVERDUE')
            AND o.due_on IS NOT NULL AND (p.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)
        GROUP BY o.device_id
    ), old AS (
        SELECT d.id, d.serial, d.calibration_due AS before, w.due_on FROM device d JOIN wanted w ON w.device_id = d.id
        WHERE d.calibration_due IS DISTINCT FROM w.due_on ORDER BY d.id FOR NO KEY UPDATE OF d
    )
    UPDATE device d SET calibration_due = old.due_on, row_version = d.row_version + 1, updated_at = now()
    FROM old WHERE d.id = old.id RETURNING old.serial, old.before, old.due_on
"""


def follow_calibration(conn: Connection, device_ids: Collection[int]) -> list[AuditEntry]:
    """When a device is to be calibrated is what its calibration plans say; without any it stays as it was written."""
    if not device_ids:
        return []
    rows = conn.execute(MOVE_CALIBRATION_DUE, (sorted(device_ids),)).fetchall()
    return [calibration_due_moved(*row) for row in sorted(rows, key=lambda row: str(row[0]))]
