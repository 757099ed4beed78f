"""An installed base with years of service records for `benchmarks.service`, made by the server itself."""

from dataclasses import replace
from datetime import datetime
from importlib import resources

import psycopg

from benchmarks.service_audit import record_chain
from domain.profile import Profile
from domain.profile_file import parse_profile
from store.pool import open_connection
from store.profiles import record_profile

PROFILES = ("infusion_pump", "ventilator")
VARIANTS = 5  # models of each profile
TECHNICIANS = 200

# Rows are spread by multiplication with primes: every device, customer and model gets its share.
MAKE_BASE = """
    INSERT INTO customer (code, name, type, region)
        SELECT 'C-' || lpad(n::text, 4, '0'), 'Customer ' || n, (ARRAY['HOSPITAL', 'CLINIC', 'LAB'])[1 + n % 3],
            (ARRAY['EU', 'US', 'CN'])[1 + n % 3]
        FROM generate_series(1, {customers}) AS n;
    INSERT INTO site (customer_id, code, name, department, region)
        SELECT c.id, c.code || '-' || n, 'Site ' || n || ' of ' || c.name, 'ICU', c.region
        FROM customer c, generate_series(1, 2) AS n;
    INSERT INTO service_contract (code, customer_id, starts_on, ends_on)
        SELECT 'K-' || c.id, c.id, {day} - 300, {day} + (c.id % 400)::integer FROM customer c WHERE c.id % 4 > 0;
    INSERT INTO device (device_model_id, serial, lot, site_id, firmware, shard, connectivity, last_seen_at, region,
            lifecycle, installed_on, warranty_end, calibration_due)
        SELECT m.ids[1 + n % cardinality(m.ids)], 'D-' || lpad(n::text, 6, '0'), 'L' || n / 100, s.id,
            '2.4.' || n % 5, n % 4, 'ONLINE', {now}, s.region, 'IN_SERVICE', {day} - 700, {day} + n % 700,
                {day} + n % 365
        FROM generate_series(1, {devices}) AS n
        CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM device_model) AS m
        JOIN (SELECT id, region, row_number() OVER (ORDER BY id) - 1 AS place FROM site) AS s
            ON s.place = n * 31 % (2 * {customers});
    INSERT INTO device_history (device_id, field, before, after, at, source)
        SELECT d.id, 'firmware:main', '2.3.0', d.firmware, {now} - d.id % 300 * interval '1 day',
            'device' FROM device d;
    INSERT INTO app_user (name, full_name, password_hash, roles)
        SELECT 'tech-' || n, 'Technician ' || n, '!', '{{technician}}' FROM generate_series(1, {technicians}) AS n;
    INSERT INTO technician_certificate (user_id, device_model_id, valid_until)
        SELECT u.id, m.id, {day} + 100 FROM app_user u, device_model m
        WHERE u.name LIKE 'tech-%' AND (u.id + m.id) % 3 > 0;
    INSERT INTO technician_region (user_id, region)
        SELECT id, (ARRAY['EU', 'US', 'CN'])[1 + id % 3] FROM app_user WHERE name LIKE 'tech-%' AND id % 4 > 0;
"""
# The newest tenth is open, at most one order of a device; of the rest two years.
MAKE_ORDERS = """
    INSERT INTO work_order (code, type, source, priority, state, hold_reason, device_id, site_id, customer_id,
            contract_id, fault_group, title_code, title_params, assignee_id, breach_count, last_breach_at, quiet_since,
            reopen_count, outcome, failure_code, close_out, response_due_at, resolution_due_at, responded_at,
                resolved_at,
            inbox_reason, closed_at, cancel_reason, region, created_by, created_at, updated_at)
        SELECT 'WO-2026-' || lpad(n::text, 6, '0'), t.type, t.source, (ARRAY['P3', 'P2', 'P4', 'P3', 'P2', 'P3', 'P4',
            'P3', 'P1', 'P3'])[1 + n * 7 % 10], o.state, CASE o.state WHEN 'ON_HOLD' THEN 'PARTS' END, d.id, d.site_id,
            s.customer_id, k.id, g.keys[1 + n * 3 % cardinality(g.keys)], 'limit_high',
            jsonb_build_object('serial', d.serial, 'monitor', 'line_pressure_high', 'value', 1.5, 'limit', 1.2,
                'sensor', 'line_pressure', 'unit', 'bar'),
            CASE WHEN o.state NOT IN ('NEW', 'TRIAGED', 'CANCELLED') THEN a.ids[1 + n * 13 % cardinality(a.ids)] END,
            CASE t.source WHEN 'AUTOMATIC' THEN 2 ELSE 0 END, o.at + interval '1 hour',
            CASE WHEN n % 3 = 0 THEN o.at + interval '2 hours' END, (n % 40 = 0)::integer,
            CASE WHEN o.state IN ('WORK_DONE', 'CLOSED') THEN (ARRAY['CONFIRMED', 'CONFIRMED', 'NO_FAULT_FOUND',
                'CONFIRMED', 'SENSOR_FAULT', 'FALSE_ALARM', 'CONFIRMED'])[1 + n % 7] END,
            CASE WHEN o.state IN ('WORK_DONE', 'CLOSED') THEN g.keys[1 + n * 3 % cardinality(g.keys)] END,
            CASE WHEN o.state IN ('WORK_DONE', 'CLOSED') THEN jsonb_build_object('done_by_id',
                a.ids[1 + n * 13 % cardinality(a.ids)], 'done_by', 'Technician', 'done_at', o.at + interval '1 day',
                'work_performed', 'Replaced the pressure plate, ran the test of the line.', 'device_name', d.serial,
                'device_identification', d.serial, 'serviced_on', o.at::date, 'serviced_by', 'Technician',
                'test_data', '12 runs within 2 %') END,
            o.at + interval '8 hours', o.at + interval '3 days',
            CASE WHEN o.state NOT IN ('NEW', 'TRIAGED', 'CANCELLED') THEN o.at + interval '3 hours' END,
            CASE WHEN o.state IN ('WORK_DONE', 'CLOSED') THEN o.at + interval '1 day' END,
            CASE WHEN o.state = 'NEW' THEN 'NEW' WHEN o.is_open AND n % 9 = 0 THEN 'ESCALATED' END,
            CASE WHEN NOT o.is_open THEN o.at + interval '2 days' END,
            CASE WHEN o.state = 'CANCELLED' THEN 'a mistake' END, d.region, 'service_link', o.at,
                o.at + interval '1 hour'
        FROM generate_series(1, {orders}) AS n
        CROSS JOIN LATERAL (SELECT n > {orders} - {orders} / 10 AS is_open,
            CASE WHEN n <= {orders} - {orders} / 10 THEN CASE WHEN n % 15 = 0 THEN 'CANCELLED' ELSE 'CLOSED' END
                ELSE (ARRAY['NEW', 'ASSIGNED', 'IN_PROGRESS', 'NEW', 'TRIAGED', 'IN_PROGRESS', 'NEW', 'ON_HOLD',
                    'WORK_DONE', 'ASSIGNED'])[1 + n % 10] END AS state,
            {now} - interval '3 days' - ({orders} - n) * (interval '730 days' / {orders}) AS at) AS o
        CROSS JOIN LATERAL (SELECT (ARRAY['CORRECTIVE', 'CORRECTIVE', 'PREDICTIVE', 'CORRECTIVE', 'PREVENTIVE',
            'CORRECTIVE', 'CORRECTIVE', 'CALIBRATION', 'PREDICTIVE', 'CORRECTIVE'])[1 + n * 7 % 10] AS type,
            (ARRAY['AUTOMATIC', 'AUTOMATIC', 'AUTOMATIC', 'MANUAL', 'PLAN', 'AUTOMATIC', 'COMPLAINT', 'PLAN',
            'AUTOMATIC', 'AUTOMATIC'])[1 + n * 7 % 10] AS source) AS t
        JOIN device d ON d.id = 1 + n * 7919 % {devices} JOIN site s ON s.id = d.site_id
        LEFT JOIN service_contract k ON k.customer_id = s.customer_id
        JOIN (SELECT p.device_model_id, array_agg(x.body ->> 'key' ORDER BY x.place) AS keys FROM device_model_profile p
            CROSS JOIN LATERAL jsonb_array_elements(p.body -> 'fault_groups') WITH ORDINALITY AS x (body, place)
            GROUP BY 1) AS g ON g.device_model_id = d.device_model_id
        CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM app_user WHERE name LIKE 'tech-%') AS a;
    UPDATE work_order w SET parent_id = p.id FROM work_order p
        WHERE w.id % 50 IN (1, 2, 3) AND p.id = w.id - w.id % 50;
    UPDATE work_order w SET merged_into_id = s.id, cancel_reason = 'merged_into ' || s.code FROM work_order s
        WHERE w.state = 'CANCELLED' AND w.id % 60 = 0 AND s.id = w.id + 1;
    UPDATE work_order w SET recurrence_of = w.id - {devices} WHERE w.id % 33 = 0 AND w.id > {devices};
    SELECT setval('work_order_number', {orders});
"""
MAKE_BREACHES = """
    INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, first_seen,
            raised_at, last_seen, cleared_at, count, peak, score, firmware, reason_code, params, recorded_at)
        SELECT md5(w.id || '/' || k)::uuid, w.device_id, 'line_pressure_high', 1, 'LIMIT',
            (ARRAY['MAJOR', 'MINOR', 'CRITICAL'])[1 + (w.id + k) % 3], w.fault_group, b.state, b.at, b.at,
            b.at + interval '20 minutes', CASE b.state WHEN 'CLEARED' THEN b.at + interval '20 minutes' END, 3, 1.5,
                1.5,
            '2.4.0', 'limit_high', w.title_params, b.at
        FROM work_order w, generate_series(1, 2) AS k
        CROSS JOIN LATERAL (SELECT w.created_at + (k - 1) * interval '1 hour' AS at,
            CASE WHEN w.closed_at IS NULL AND w.id % 3 > 0 THEN 'ACTIVE' ELSE 'CLEARED' END AS state) AS b
        WHERE w.source = 'AUTOMATIC';
    INSERT INTO work_order_breach (work_order_id, breach_id, linked_at)
        SELECT w.id, md5(w.id || '/' || k)::uuid, w.created_at FROM work_order w, generate_series(1, 2) AS k
        WHERE w.source = 'AUTOMATIC' ORDER BY w.id;
    INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params, recorded_at)
        SELECT b.id, step, b.severity, b.raised_at, b.raised_at, 1.5, 'limit_high', b.params, b.raised_at
        FROM breach b, unnest(ARRAY['RAISED', 'CLEARED']) AS step WHERE step = 'RAISED' OR b.state = 'CLEARED'
        ORDER BY b.raised_at;
    INSERT INTO ticket_decision (transition_id, decided_at, decision, reason, params, work_order_id)
        SELECT t.id, t.recorded_at, CASE t.kind WHEN 'RAISED' THEN 'JOINED' ELSE 'QUIET' END,
            CASE t.kind WHEN 'RAISED' THEN 'joined_open_order' ELSE 'all_cleared' END, '{{}}', wb.work_order_id
        FROM breach_transition t JOIN work_order_breach wb ON wb.breach_id = t.breach_id;
    INSERT INTO work_order_note (work_order_id, at, author, body)
        SELECT id, created_at + interval '5 hours', 'tech-1', 'Spoke with the ward.' FROM work_order WHERE id % 3 = 0;
    INSERT INTO part_usage (work_order_id, order_version, item, description, quantity, state, requested_by,
        requested_at)
        SELECT id, 1, 'PN-' || id % 20, 'Pressure plate', 1, 'REQUESTED', 'tech-1', created_at FROM work_order
        WHERE id % 5 = 0;
"""
MAKE_CASES = """
    INSERT INTO complaint (code, state, received_at, severity, device_name, device_identification, reporter_name,
        details,
            device_id, customer_id, fault_group, work_order_id, joined_as, closed_at, region, created_by, created_at,
            updated_at)
        SELECT 'CO-2026-' || lpad(n::text, 6, '0'), c.state, w.created_at, (ARRAY['MINOR', 'MAJOR',
            'CRITICAL'])[1 + n % 3],
            'Pump', 'D-' || n, 'A nurse', 'The alarm came late.', w.device_id, w.customer_id, w.fault_group, w.id,
                'JOINED',
            CASE c.state WHEN 'CLOSED' THEN w.created_at + interval '9 days' END, w.region, 'tech-1', w.created_at,
            w.created_at
        FROM generate_series(1, {complaints}) AS n JOIN work_order w ON w.id = n * ({orders} / {complaints})
        CROSS JOIN LATERAL (SELECT CASE WHEN w.closed_at IS NOT NULL THEN 'CLOSED'
            ELSE (ARRAY['RECEIVED', 'INVESTIGATION', 'RESOLVED'])[1 + n % 3] END AS state) AS c;
    INSERT INTO vigilance_assessment (complaint_id, version, aware_at, harm, is_unanticipated, needs_remedial_action,
            jurisdictions, reason, assessed_by_id, assessed_by, assessed_at)
        SELECT c.id, 1, c.received_at, 'SERIOUS_INJURY', false, false, '{{EU,US}}', 'as told', u.id, u.name,
            c.received_at
        FROM complaint c, app_user u WHERE c.id % 5 = 0 AND u.name = 'tech-1';
    INSERT INTO vigilance_clock (assessment_id, jurisdiction, state, rule, time_zone, due_at, warn_at)
        SELECT a.id, j, CASE WHEN c.state = 'CLOSED' THEN 'NOT_REQUIRED' ELSE 'RUNNING' END, 'eu_serious_15', 'UTC',
            a.aware_at + interval '15 days', a.aware_at + interval '10 days'
        FROM vigilance_assessment a JOIN complaint c ON c.id = a.complaint_id, unnest(a.jurisdictions) AS j;
    INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group, trigger, statistics,
            created_at, updated_at, state_since, closed_at, effectiveness_verdict)
        SELECT 'CAPA-2026-' || lpad(n::text, 4, '0'), 'CORRECTIVE', s.state, m.ids[1 + n % cardinality(m.ids)], 'LOT',
            'L' || n, 'occlusion', 'COHORT', '{{}}', s.at, s.at, s.at, CASE WHEN s.state = 'CLOSED' THEN s.at END,
            CASE WHEN s.state = 'CLOSED' THEN 'MET' END
        FROM generate_series(1, {capas}) AS n
        CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM device_model) AS m
        CROSS JOIN LATERAL (SELECT CASE WHEN n % 10 = 0 THEN (ARRAY['PROPOSED', 'OPEN', 'INVESTIGATION', 'ACTION_PLAN'])
            [1 + n / 10 % 4] WHEN n % 10 < 4 THEN 'REJECTED' ELSE 'CLOSED' END AS state,
            {now} - n * (interval '700 days' / {capas}) AS at) AS s;
    INSERT INTO capa_member (capa_id, work_order_id)
        SELECT q.id, 1 + (q.id * 97 + k * 1009) % {orders} FROM capa q, generate_series(1,
            12) AS k ON CONFLICT DO NOTHING;
    INSERT INTO approval_request (code, kind, entity, entity_id, payload, subject, content_sha256, reason, state,
            asked_by_id, asked_by, asked_at, expires_at, decided_by_id, decided_by, decided_at)
        SELECT 'AR-2026-' || lpad(n::text, 6, '0'), (ARRAY['key_field_change', 'sla_waiver', 'plan_skip'])[1 + n % 3],
            'device', 'D-' || lpad((n % {devices})::text, 6, '0'), '{{"field": "lot"}}', '{{}}', md5(n::text),
                'a reason',
            CASE WHEN n % 20 = 0 THEN 'ASKED' ELSE 'GRANTED' END, u.id, u.name, {now}, {now} + interval '7 days',
            CASE WHEN n % 20 > 0 THEN v.id END, CASE WHEN n % 20 > 0 THEN v.name END,
                CASE WHEN n % 20 > 0 THEN {now} END
        FROM generate_series(1, {approvals}) AS n JOIN app_user u ON u.name = 'tech-1' JOIN app_user v ON v.name =
            'tech-2';
"""
MAKE_PLANS = """
    INSERT INTO field_action (code, kind, state, title, device_model_id, priority, needs_visit, max_attempts,
            install_attempts, waves, scope, halt_p, item_count, created_by, created_at, updated_at)
        SELECT 'FA-2026-' || lpad(n::text, 4, '0'), 'CORRECTION', (ARRAY['EXECUTING', 'CLOSED', 'CLOSED'])[1 + n % 3],
            'Replace the plate of lot L' || n, m.ids[1 + n % cardinality(m.ids)], 'P3', true, 3, 3,
            '[{{"share": 1.0, "serials": [], "soak_h": 24.0, "done_share": 0.9}}]', '{{}}', 0.01, 100, 'tech-1',
            {now} - n * interval '3 days', {now}
        FROM generate_series(1, {actions}) AS n
        CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM device_model) AS m;
    INSERT INTO field_action_item (field_action_id, device_id, wave, state, state_since)
        SELECT a.id, 1 + (a.id * 101 + k * 7) % {devices}, 1, (ARRAY['VERIFIED', 'NOTIFIED', 'REMEDIATED'])[1 + k % 3],
            {now} FROM field_action a, generate_series(1, 100) AS k ON CONFLICT DO NOTHING;
    INSERT INTO maintenance_plan (code, name, state, order_type, kind, anchor, device_model_id, every_count, every_unit,
            lead_days, priority, starts_on, created_by, created_at, updated_at)
        SELECT 'MP-' || lpad(n::text, 4, '0'), 'Every year ' || n, 'ACTIVE', 'PREVENTIVE', 'CALENDAR', 'FIXED',
            m.ids[1 + n % cardinality(m.ids)], 1, 'YEAR', 30, 'P4', {day} - 700, 'tech-1', {now}, {now}
        FROM generate_series(1, 20) AS n CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM device_model) AS m;
    INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, work_order_id, done_on, ended_at,
            is_simulated, created_at, updated_at)
        SELECT 'MO-' || row_number() OVER (ORDER BY w.id), p.id, w.device_id, w.id, 'DONE', w.created_at::date, w.id,
            w.closed_at::date, w.closed_at, false, w.created_at, w.closed_at
        FROM work_order w JOIN device d ON d.id = w.device_id
        JOIN LATERAL (SELECT id FROM maintenance_plan WHERE device_model_id = d.device_model_id ORDER BY id LIMIT 1) p
            ON true
        WHERE w.source = 'PLAN' AND w.state = 'CLOSED';
    INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, is_simulated, created_at, updated_at)
        SELECT 'MU-' || d.id || '-' || p.id, p.id, d.id, {orders} + 1, 'UPCOMING', {day} + (d.id % 365)::integer, false,
            {now}, {now}
        FROM device d JOIN maintenance_plan p ON p.device_model_id = d.device_model_id;
    INSERT INTO reminder (kind, subject, ends_on, device_id, customer_id, region, reminded_at)
        SELECT k, d.serial, {day} + (d.id % 60)::integer, d.id, s.customer_id, d.region, {now}
        FROM device d JOIN site s ON s.id = d.site_id, unnest(ARRAY['WARRANTY', 'CALIBRATION']) AS k;
"""
FILLED = (
    "work_order", "breach", "breach_transition", "complaint", "capa", "capa_member", "field_action",
    "field_action_item",
    "approval_request", "plan_occurrence", "maintenance_plan", "device",
)  # fmt: skip


def make_service_data(
    owner_url: str, app_url: str, now: datetime, *, orders: int, audit: int, devices: int, customers: int
) -> None:
    """Fills a migrated, empty database; what triggers would tell consoles of every row is left out.

    Raises
    ------
    ValueError
        There are more open orders than devices.
    """
    if orders // 10 > devices:
        raise ValueError("a tenth of the orders is open, at most one of a device")
    with psycopg.connect(owner_url, autocommit=True) as conn:
        record_chain(conn, now, audit, orders)
    with open_connection(app_url, application="benchmark") as conn:
        for name in PROFILES:
            text = resources.files("profiles").joinpath(f"{name}.yaml").read_text("utf-8")
            profile = parse_profile(text, f"{name}.yaml")
            assert isinstance(profile, Profile)
            for n in range(VARIANTS):
                record_profile(conn, replace(profile, model=f"{profile.model}-{n}"), "benchmark")
    sizes = {
        "now": f"'{now.isoformat()}'::timestamptz",
        "day": f"'{now.date().isoformat()}'::date",
        "orders": orders,
        "devices": devices,
        "customers": customers,
        "technicians": TECHNICIANS,
        "complaints": max(1, orders // 5),
        "capas": max(1, orders // 100),
        "approvals": max(1, orders // 10),
        "actions": max(1, orders // 400),
    }
    with psycopg.connect(owner_url, autocommit=True) as conn:
        for table in FILLED:
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        for statement in (MAKE_BASE, MAKE_ORDERS, MAKE_BREACHES, MAKE_CASES, MAKE_PLANS):
            conn.execute(statement.format(**sizes).encode())
        for table in FILLED:
            conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        conn.execute("VACUUM ANALYZE")  # as autovacuum does while nobody looks
