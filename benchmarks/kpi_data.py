"""Two years of a service organisation for the key figures: devices, orders with clocks, visits and breaches."""

from datetime import datetime
from typing import Any

import psycopg

# Rows are made by the database itself; what differs from row to row follows from its number, so that every run is the
# same. Orders are spread over two years, one in fifty open; one in thirty was reopened; half are confirmed.
# Nobody follows the changes of a benchmark.
QUIETLY = """
    ALTER TABLE work_order DISABLE TRIGGER USER; ALTER TABLE breach DISABLE TRIGGER USER;
    ALTER TABLE breach_transition DISABLE TRIGGER USER;
"""
MAKE_FLEET = """
    INSERT INTO customer (code, name, type)
    SELECT 'C-' || n, 'Hospital ' || n, 'HOSPITAL' FROM generate_series(1, 200) n;
    INSERT INTO site (customer_id, code, name) SELECT id, 'S-' || id, 'Ward' FROM customer;
    INSERT INTO device_model (key, manufacturer, name, udi_di, safety_critical, current_version)
    SELECT 'M-' || n, 'Maker', '{}', n::text, n = 1, 1 FROM generate_series(1, 5) n;
    INSERT INTO app_user (name, full_name, password_hash, roles) VALUES ('tech', 'Tech', 'x', '{technician}');
"""
MAKE_DEVICES = """
    INSERT INTO device (device_model_id, serial, lot, udi, made_on, site_id, installed_on, firmware, shard, region,
        created_at, lifecycle_since)
    SELECT 1 + n %% 5, 'K-' || n, 'L' || n %% 40, 'u' || n, '2022-01-01', 1 + n %% 200, '2022-02-01', '1.' || n %% 4, 0,
        'R' || n %% 6, %(now)s - interval '3 years', %(now)s - interval '3 years'
    FROM generate_series(1, %(devices)s) n
"""
MAKE_HISTORY = """
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT id, %(now)s - (id %% 700) * interval '1 day', 'firmware:main', '1.0', firmware, 'device' FROM device
    WHERE id %% 2 = 0
"""
MAKE_ORDERS = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, site_id, customer_id, fault_group,
        title_code, title_params, outcome, failure_code, close_out, responded_at, resolved_at, closed_at, version,
        reopen_count, region, created_by, created_at, updated_at)
    SELECT 'WO-' || n, (ARRAY['CORRECTIVE', 'CORRECTIVE', 'PREDICTIVE', 'PREVENTIVE'])[1 + n %% 4],
        CASE WHEN n %% 4 = 3 THEN 'PLAN' WHEN n %% 3 = 0 THEN 'MANUAL' ELSE 'AUTOMATIC' END, 'P' || 1 + n %% 4,
        CASE WHEN o.is_open THEN 'IN_PROGRESS' ELSE 'CLOSED' END, d.id, d.site_id, s.customer_id,
        'group-' || n / %(devices)s, 'limit_high', jsonb_build_object('serial', d.serial, 'value', n, 'limit', 3),
        CASE WHEN NOT o.is_open THEN (ARRAY['CONFIRMED', 'CONFIRMED', 'NO_FAULT_FOUND', 'FALSE_ALARM'])[1 + n / 4 %% 4]
        END, NULL, CASE WHEN NOT o.is_open THEN jsonb_build_object('serviced_on', o.at::date, 'serviced_by', 'Tech',
            'work_performed', repeat('replaced the motor ', 8), 'test_data', repeat('0.9 A ', 12)) END,
        o.at + (1 + n %% 9) * interval '1 hour',
        CASE WHEN NOT o.is_open THEN o.at + (12 + n %% 80) * interval '1 hour' END,
        CASE WHEN NOT o.is_open THEN o.at + (30 + n %% 80) * interval '1 hour' END, o.version, o.version - 1, d.region,
        'service-link', o.at, o.at
    FROM generate_series(1, %(orders)s) n
    CROSS JOIN LATERAL (SELECT %(now)s - (n * 730.0 / %(orders)s) * interval '1 day' AS at, n %% 50 = 0 OR
        n * 730.0 / %(orders)s < 6 AS is_open, CASE WHEN n %% 30 = 0 THEN 2 ELSE 1 END AS version) o
    JOIN device d ON d.id = 1 + n %% %(devices)s JOIN site s ON s.id = d.site_id
"""
MAKE_CLOCKS = """
    INSERT INTO sla_clock (work_order_id, version, clock, state, started_at, allowed_s, used_s, due_at, met_at,
        breached_at)
    SELECT w.id, v, c.clock, CASE WHEN w.id %% 7 = 0 THEN 'BREACHED' WHEN c.at IS NULL THEN 'RUNNING' ELSE 'MET' END,
        w.created_at, 86400, 3600, w.created_at + interval '1 day', c.at,
        CASE WHEN w.id %% 7 = 0 THEN w.created_at + interval '1 day' END
    FROM work_order w CROSS JOIN generate_series(1, w.version) v
    CROSS JOIN LATERAL (VALUES ('RESPONSE', w.responded_at), ('RESOLUTION', w.resolved_at)) AS c (clock, at)
"""
MAKE_SIGNATURES = """
    INSERT INTO signature (entity, entity_id, entity_version, content, content_sha256, signer_id, printed_name, meaning,
        signed_at)
    SELECT 'work_order', w.id, 1, t.content, encode(sha256(convert_to(t.content, 'UTF8')), 'hex'), 1, 'Tech', 'closed',
        w.created_at + interval '20 hours'
    FROM work_order w CROSS JOIN LATERAL (SELECT jsonb_build_object('outcome', 'CONFIRMED', 'resolved_at',
        w.created_at + interval '10 hours')::text AS content) t
    WHERE w.version > 1
"""
MAKE_VISITS = """
    INSERT INTO work_order_visit (work_order_id, order_version, technician_id, arrived_at, left_at, outcome)
    SELECT w.id, 1, 1, w.created_at + interval '10 hours' + v * interval '3 hours',
        w.created_at + interval '11 hours' + v * interval '3 hours', 'COMPLETED'
    FROM work_order w CROSS JOIN generate_series(1, 1 + (w.id %% 5 = 0)::integer) v
    WHERE w.type = 'CORRECTIVE' AND w.resolved_at IS NOT NULL
"""
MAKE_BREACHES = """
    INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, first_seen,
        raised_at, last_seen, cleared_at, count, peak, score, firmware, reason_code, params)
    SELECT md5('b' || w.id || '-' || k)::uuid, w.device_id, 'monitor-' || w.id %% 8, 1,
        (ARRAY['LIMIT', 'ANOMALY', 'FORECAST', 'DEVICE_CODE'])[1 + (w.id + k) %% 4],
        CASE WHEN w.id %% 10 = 0 THEN 'CRITICAL' ELSE 'MAJOR' END, w.fault_group,
        CASE WHEN w.state = 'CLOSED' THEN 'CLEARED' ELSE 'ACTIVE' END, b.at - interval '1 minute', b.at, b.at,
        CASE WHEN w.state = 'CLOSED' THEN b.at + interval '4 hours' END, 3, 9, 1, '1.2', 'limit_high', '{}'
    FROM work_order w CROSS JOIN generate_series(0, 1) k
    CROSS JOIN LATERAL (SELECT w.created_at - (30 - k * 29) * interval '1 minute' AS at) b
    WHERE w.source = 'AUTOMATIC'
"""
MAKE_LINKS = """
    INSERT INTO work_order_breach (work_order_id, breach_id)
    SELECT w.id, md5('b' || w.id || '-' || k)::uuid FROM work_order w CROSS JOIN generate_series(0, 1) k
    WHERE w.source = 'AUTOMATIC'
"""
MAKE_TRANSITIONS = """
    INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params)
    SELECT id, 'RAISED', severity, raised_at, raised_at, 1, 'limit_high', '{}' FROM breach
"""


def make_service_data(owner_url: str, now: datetime, *, orders: int, devices: int) -> None:
    """So many orders of so many devices in the two years before `now`, and what belongs to them."""
    values: dict[str, Any] = {"now": now, "orders": orders, "devices": devices}
    with psycopg.connect(owner_url) as conn:
        conn.execute(QUIETLY.encode())
        conn.execute(MAKE_FLEET.encode())
        for step in (
            MAKE_DEVICES, MAKE_HISTORY, MAKE_ORDERS, MAKE_CLOCKS, MAKE_SIGNATURES, MAKE_VISITS, MAKE_BREACHES,
            MAKE_LINKS, MAKE_TRANSITIONS,
        ):  # fmt: skip
            conn.execute(step.encode(), values)
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
