"""What customers are owed and what happened to devices, beside what `seeding` makes: contracts, a complaint, a recall,
plans, calibration that is overdue, contacts, a device that moved."""

from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from domain.field_action_scope import ONE_WAVE, ScopeQuery
from store.pool import Connection

CONTACTS = {
    "C-RUIJIN": [{"name": "Zhang Wei", "role": "biomedical engineering", "phone": "+86 21 5550 0100"}],
    "C-LINDENTAL": [
        {"name": "Jana Vogt", "role": "Medizintechnik", "phone": "+49 30 5550 0100", "email": "vogt@lindental.example"}
    ],
    "C-MERCY": [{"name": "Ruth Adler", "role": "biomed", "phone": "+1 312 555 0100"}],
}
CONTRACT = """
    INSERT INTO service_contract (code, customer_id, coverage, starts_on, ends_on, remind_days)
    SELECT %s, id, %s, %s, %s, 60 FROM customer WHERE code = %s
"""
COMPLAINT = """
    INSERT INTO complaint (code, state, received_at, severity, details, reporter_name, device_id, customer_id,
        fault_group, created_by, created_at, updated_at)
    SELECT 'CMP-2026-' || to_char(nextval('complaint_number'), 'FM000000'), 'INVESTIGATION', %(at)s, 'MAJOR',
        'The pump stopped during an infusion.', 'Jana Vogt', d.id, s.customer_id, 'occlusion', 'mara', %(at)s, %(at)s
    FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = %(serial)s
"""
ACTION = """
    INSERT INTO field_action (code, kind, title, state, device_model_id, priority, needs_visit, max_attempts,
        install_attempts, waves, scope, halt_p, created_by, created_at, updated_at)
    SELECT 'FA-2026-000001', 'RECALL', 'Replace the drive clutch of lot L2401', 'DRAFT', min(device_model_id), 'P2',
        true, 3, 3, %(waves)s, %(scope)s, 0.01, 'mara', %(at)s, %(at)s FROM device
    RETURNING id
"""
ITEM = """
    INSERT INTO field_action_item (field_action_id, device_id, wave, state, state_since, notified_at)
    SELECT %s, id, 1, %s, %s, %s FROM device WHERE serial = %s
"""
PLAN = """
    INSERT INTO maintenance_plan (code, name, state, order_type, kind, anchor, device_model_id, every_count, every_unit,
        lead_days, priority, starts_on, created_by, created_at, updated_at)
    SELECT 'MP-2026-' || to_char(nextval('maintenance_plan_number'), 'FM000000'), 'Yearly safety check', 'ACTIVE',
        'PREVENTIVE', 'CALENDAR', 'FIXED', min(device_model_id),
        1, 'YEAR', 30, 'P3', %(today)s, 'mara', %(at)s, %(at)s FROM device
    RETURNING id
"""
OCCURRENCE = """
    INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, is_simulated, created_at, updated_at)
    SELECT 'PO-2026-' || lpad(id::text, 6, '0'), %(plan)s, id, 1, %(state)s, %(due)s, false, %(at)s, %(at)s
    FROM device WHERE serial = %(serial)s
"""
HISTORY = """
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT id, %s, %s, %s, %s, %s FROM device WHERE serial = %s
"""
REPORTED = """
    WITH reporter AS (SELECT id, %(at)s AS at FROM device WHERE serial = %(serial)s),
    alarm AS (INSERT INTO device_event (device_id, observed_at, received_at, code, severity, message)
        SELECT id, at, at, 'E0815', 'MINOR', '' FROM reporter)
    INSERT INTO status_report (device_id, observed_at, received_at, state) SELECT id, at, at, 'offline' FROM reporter
"""


def make_owed(conn: Connection, serials: tuple[str, ...], now: datetime) -> None:
    """All of it; the first customer's contract ends soon and the last one has none."""
    today = now.date()
    for code, contacts in CONTACTS.items():
        conn.execute("UPDATE customer SET contacts = %s, type = 'HOSPITAL' WHERE code = %s", (Jsonb(contacts), code))
    for code, coverage, days, customer in (
        ("K-2025-001", "FULL", 25, "C-RUIJIN"),
        ("K-2025-002", "PREVENTIVE", 400, "C-LINDENTAL"),
    ):
        until = today + timedelta(days=days)
        conn.execute(CONTRACT, (code, coverage, today - timedelta(days=340), until, customer))
    conn.execute(COMPLAINT, {"at": now - timedelta(days=2), "serial": serials[1]})
    overdue = today - timedelta(days=12)
    conn.execute("UPDATE device SET calibration_due = %s WHERE serial = ANY (%s)", (overdue, list(serials[3:5])))
    make_work_to_do(conn, serials, now)
    moved = now - timedelta(days=120)
    for field, before, after in (("site", "S-MERCY-ER", "S-RUIJIN-ICU"), ("customer", "C-MERCY", "C-RUIJIN")):
        conn.execute(HISTORY, (moved, field, before, after, "user:mara", serials[0]))
    began = now - timedelta(days=380)
    conn.execute(HISTORY, (began, "lifecycle", "INSTALLED", "IN_SERVICE", "import:setup", serials[0]))
    conn.execute(HISTORY, (began, "connectivity", "UNKNOWN", "ONLINE", "device", serials[0]))
    conn.execute(REPORTED, {"at": began, "serial": serials[0]})


def make_work_to_do(conn: Connection, serials: tuple[str, ...], now: datetime) -> None:
    """A recall that two of three devices wait for, and a plan of which one occurrence is overdue."""
    notified = now - timedelta(days=9)
    scope = ScopeQuery("INF-200", lots=("L2401",))
    values = {"waves": Jsonb([wave.to_json() for wave in ONE_WAVE]), "scope": Jsonb(scope.to_json()), "at": notified}
    ((action,),) = conn.execute(ACTION, values).fetchall()
    for serial, state in zip(serials, ("NOTIFIED", "UNREACHABLE", "REMEDIATED"), strict=False):
        conn.execute(ITEM, (action, state, notified, notified, serial))
    conn.execute("UPDATE field_action SET state = 'NOTIFYING' WHERE id = %s", (action,))  # its items are frozen now
    ((plan,),) = conn.execute(PLAN, {"today": now.date(), "at": now}).fetchall()
    for serial, state, days in ((serials[0], "OVERDUE", -6), (serials[3], "DUE", 4), (serials[1], "UPCOMING", 21)):
        due = now.date() + timedelta(days=days)
        conn.execute(OCCURRENCE, {"plan": plan, "state": state, "due": due, "at": now, "serial": serial})
