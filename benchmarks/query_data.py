"""A fleet and a year of readings for `benchmarks.queries`, made by the server itself."""

from datetime import datetime, timedelta
from importlib import resources

import psycopg

from domain.profile import Profile
from domain.profile_file import parse_profile
from store.decisions import record_decided_to
from store.migrate import load_flavour
from store.pool import open_connection
from store.profiles import record_profile
from store.rollup_refresh import refresh_rollups

MAKE_FLEET = """
    INSERT INTO customer (code, name, type, region)
        SELECT 'C-' || n, 'Customer ' || n, 'HOSPITAL', 'EU' FROM generate_series(1, 50) AS n;
    INSERT INTO site (customer_id, code, name, department)
        SELECT c.id, c.code || '-' || n, 'Site ' || n, 'ICU' FROM customer c, generate_series(1, 4) AS n;
    INSERT INTO device (device_model_id, serial, lot, site_id, firmware, shard, connectivity, last_seen_at)
        SELECT m.id, 'Q-' || lpad(n::text, 6, '0'), 'L' || n / 100, s.ids[1 + n % cardinality(s.ids)],
            '2.4.' || n % 3, n % 4, 'ONLINE', {now}
        FROM generate_series(1, {devices}) AS n, device_model m, (SELECT array_agg(id) AS ids FROM site) AS s;
    INSERT INTO series (device_id, sensor)
        SELECT d.id, s ->> 'key' FROM device d, device_model_profile p, jsonb_array_elements(p.body -> 'sensors') AS s;
"""
MAKE_TROUBLE = """
    INSERT INTO breach (id, device_id, series_id, monitor, profile_version, kind, severity, fault_group, state,
            first_seen, raised_at, last_seen, count, peak, score, reason_code, params)
        SELECT gen_random_uuid(), d.id, NULL, 'm' || n % 5, 1, 'LIMIT',
            (ARRAY['MINOR', 'MAJOR', 'CRITICAL'])[1 + n % 3],
            'group' || n, CASE WHEN n % 20 = 0 THEN 'ACTIVE' ELSE 'CLEARED' END,
            at, at, at, 3, 1.0, 1.0, 'limit', '{{}}'
        FROM generate_series(1, {breaches}) AS n
        CROSS JOIN LATERAL (SELECT {now} - n * interval '3 minutes' AS at) AS t
        JOIN device d ON d.id = 1 + n * 7 % {devices};
    INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params, recorded_at)
        SELECT id, step, severity, raised_at, raised_at, 1.0, 'limit', '{{}}', raised_at
        FROM breach, unnest(ARRAY['RAISED', 'CLEARED']) AS step ORDER BY raised_at;
    INSERT INTO ticket_decision (transition_id, decision, reason, params)
        SELECT id, 'NOTHING', 'benchmark', '{{}}' FROM breach_transition;
    INSERT INTO work_order (code, type, source, priority, state, device_id, site_id, fault_group, title_code,
            title_params, created_by)
        SELECT 'WO-2026-' || lpad(n::text, 6, '0'), 'CORRECTIVE', 'AUTOMATIC', 'P2',
            CASE WHEN n % 5 = 0 THEN 'NEW' ELSE 'CLOSED' END, d.id, d.site_id, 'group' || n, 'limit', '{{}}', 'machine'
        FROM generate_series(1, {breaches} / 10) AS n JOIN device d ON d.id = 1 + n * 7 % {devices};
"""
# As readings arrive: in order of time, all series in turn. Values have two decimals, as devices send them.
MAKE_READINGS = """
    INSERT INTO reading (series_id, observed_at, value)
    SELECT s.id, t, round((50 + 10 * sin(extract(epoch FROM t) / 7000 + s.id) + random())::numeric, 2)
    FROM generate_series(%s::timestamptz, %s, %s) AS t
    CROSS JOIN (SELECT id FROM series WHERE device_id <= %s ORDER BY id) AS s
"""


COMPRESS = "SELECT compress_chunk(c, true) FROM show_chunks(%s, older_than => %s) AS c"


def make_data(
    owner_url: str, app_url: str, now: datetime, *, days: int, devices: int, history_devices: int, interval_s: int
) -> None:
    """Fills a migrated, empty database: a fleet whose every series has the last half hour by the minute, and for some
    devices whole days; then rolls it up, and compresses it where there is a columnstore."""
    text = resources.files("profiles").joinpath("infusion_pump.yaml").read_text("utf-8")
    profile = parse_profile(text, "infusion_pump.yaml")
    assert isinstance(profile, Profile)
    with open_connection(app_url, application="benchmark") as conn:
        record_profile(conn, profile, "benchmark")
    sizes = {"devices": devices, "breaches": 15 * devices, "now": f"'{now.isoformat()}'::timestamptz"}
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(MAKE_FLEET.format(**sizes).encode())
        conn.execute(MAKE_TROUBLE.format(**sizes).encode())
        begin = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        step = timedelta(seconds=interval_s)
        while begin < now:
            end = min(begin + timedelta(days=1), now) - timedelta(microseconds=1)
            conn.execute("SELECT ensure_reading_partitions(ARRAY[%s::date])", (begin.date(),))
            conn.execute(MAKE_READINGS, (begin, end, step, history_devices))
            begin += timedelta(days=1)
        conn.execute(
            MAKE_READINGS.replace("WHERE device_id <= %s", "WHERE device_id > %s"),
            (now - timedelta(minutes=30), now, timedelta(minutes=1), history_devices),
        )
        conn.execute("UPDATE series SET last_observed_at = %s", (now - timedelta(minutes=1),))
        if load_flavour(conn) == "timescaledb-community":
            conn.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (now,))
            before = now - timedelta(days=3)
            for table in ("reading", "reading_1m", "reading_1h"):
                conn.execute(COMPRESS, (table, before))
    with open_connection(app_url, application="benchmark", autocommit=True) as conn:
        record_decided_to(conn)
        if load_flavour(conn) != "timescaledb-community":
            refresh_rollups(conn, now, lambda: True)
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")  # as autovacuum does while nobody looks
