"""Firmware that reached devices lately: who was updated when, how their signals changed, when they breached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.firmware_release import Release
from store.pool import Connection

MODEL_WATCH_LOCK = 4_660_122  # any number, the same for all
TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"


def try_lock_model_watch(conn: Connection) -> bool:
    """Whether this connection is the one that watches releases, drift and outcomes; it is until it closes."""
    row = conn.execute(TAKE_LOCK, (MODEL_WATCH_LOCK,)).fetchone()
    return row is not None and bool(row[0])


@dataclass(frozen=True, slots=True)
class Update:
    """A device that came to another version: `previous_at` and `next_at` are its changes before and after this one."""

    device_model_id: int
    model: str
    version: str
    is_simulated: bool
    device_id: int
    customer_id: int | None
    region: str
    at: datetime
    previous: str
    previous_at: datetime | None
    next_at: datetime | None


# The first updates of each version are compared, so that later looks see the same devices for longer and some more.
LOAD_UPDATES = """
    WITH step AS (
        SELECT h.device_id, h.at, h.before, h.after, lag(h.at) OVER w AS previous_at, lead(h.at) OVER w AS next_at
        FROM device_history h
        WHERE h.field = 'firmware:main' AND h.device_id IN (
            SELECT device_id FROM device_history WHERE field = 'firmware:main' AND at > %(since)s)
        WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
    ), arrival AS (
        SELECT DISTINCT ON (device_id, after) * FROM step
        WHERE at > %(since)s AND at <= %(now)s AND before <> '' AND after <> '' AND before <> after
            AND (previous_at IS NULL OR at - previous_at >= %(before)s)
        ORDER BY device_id, after, at
    ), placed AS (
        SELECT d.device_model_id, m.key AS model, a.after AS version, d.is_simulated, a.device_id, s.customer_id,
            d.region, a.at, a.before AS previous, a.previous_at, a.next_at,
            row_number() OVER (
                PARTITION BY d.device_model_id, a.after, d.is_simulated ORDER BY a.at, a.device_id) AS place
        FROM arrival a JOIN device d ON d.id = a.device_id JOIN device_model m ON m.id = d.device_model_id
        LEFT JOIN site s ON s.id = d.site_id
        WHERE d.lifecycle <> 'REGISTERED'
    )
    SELECT device_model_id, model, version, is_simulated, device_id, customer_id, region, at, previous, previous_at,
        next_at
    FROM placed WHERE place <= %(most)s ORDER BY device_model_id, version, is_simulated, place
"""


def load_updates(
    conn: Connection, since: datetime, now: datetime, *, before_h: float, most: int
) -> dict[Release, list[Update]]:
    """By release the first `most` devices that came to it since then, having run the version before for `before_h`."""
    values = {"since": since, "now": now, "before": f"{before_h} hours", "most": most}
    releases: dict[Release, list[Update]] = {}
    with conn.cursor(row_factory=class_row(Update)) as cursor:
        for update in cursor.execute(LOAD_UPDATES, values):
            release = Release(update.device_model_id, update.model, update.version, update.is_simulated)
            releases.setdefault(release, []).append(update)
    return releases


LOAD_CONTROLS = """
    SELECT d.id FROM device d
    WHERE d.device_model_id = %(model)s AND d.is_simulated = %(is_simulated)s
        AND d.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED')
        AND NOT EXISTS (SELECT FROM device_history h
            WHERE h.device_id = d.id AND h.field = 'firmware:main' AND h.at >= %(since)s AND h.before <> '')
    ORDER BY md5(d.id::text) LIMIT %(most)s
"""


def load_controls(conn: Connection, release: Release, since: datetime, *, most: int) -> list[int]:
    """Devices of the model whose firmware has not changed since then: always the same ones of those there are."""
    values = {"model": release.device_model_id, "is_simulated": release.is_simulated, "since": since, "most": most}
    return [int(row[0]) for row in conn.execute(LOAD_CONTROLS, values)]


@dataclass(frozen=True, slots=True)
class Windows:
    """The hours of one device that are compared: [before_from, before_to) with [after_from, after_to). Breaches up to
    `updated_at` count as before."""

    device_id: int
    updated_at: datetime
    before_from: datetime
    before_to: datetime
    after_from: datetime
    after_to: datetime


@dataclass(frozen=True, slots=True)
class SignalChange:
    """How one signal of one device changed, hours of the day against the same hours of the days before.

    `spread_change` is None where readings came at another pace, as the range of an hour grows with their number.
    """

    device_id: int
    sensor: str
    hours: int  # after the update, with a counterpart before it
    level_before: float
    level_change: float
    spread_before: float | None
    spread_change: float | None


# Per series two index scans and at most 24 rows of either side; only one row of it leaves the database.
LOAD_SIGNAL_CHANGES = """
    SELECT w.device_id, s.sensor, sum(l.hours)::integer AS hours,
        (sum(l.hours * u.level) / sum(l.hours))::float8 AS level_before,
        (sum(l.hours * (l.level - u.level)) / sum(l.hours))::float8 AS level_change,
        CASE WHEN bool_and(l.pace BETWEEN 0.67 * u.pace AND 1.5 * u.pace)
            THEN sum(l.hours * u.spread) / sum(l.hours) END AS spread_before,
        CASE WHEN bool_and(l.pace BETWEEN 0.67 * u.pace AND 1.5 * u.pace)
            THEN sum(l.hours * (l.spread - u.spread)) / sum(l.hours) END AS spread_change
    FROM unnest(%(devices)s::bigint[], %(before_from)s::timestamptz[], %(before_to)s::timestamptz[],
        %(after_from)s::timestamptz[], %(after_to)s::timestamptz[])
        AS w (device_id, before_from, before_to, after_from, after_to)
    JOIN series s ON s.device_id = w.device_id
    CROSS JOIN LATERAL (
        SELECT extract(hour FROM r.bucket AT TIME ZONE 'UTC')::integer AS hour, count(*)::integer AS hours,
            avg(r.sum / r.n) AS level, avg(r.maximum - r.minimum) AS spread, avg(r.n)::float8 AS pace
        FROM reading_1h r
        WHERE r.series_id = s.id AND r.bucket >= w.after_from AND r.bucket < w.after_to AND r.n > 0
        GROUP BY 1
    ) l
    JOIN LATERAL (
        SELECT extract(hour FROM r.bucket AT TIME ZONE 'UTC')::integer AS hour,
            avg(r.sum / r.n) AS level, avg(r.maximum - r.minimum) AS spread, avg(r.n)::float8 AS pace
        FROM reading_1h r
        WHERE r.series_id = s.id AND r.bucket >= w.before_from AND r.bucket < w.before_to AND r.n > 0
        GROUP BY 1
    ) u ON u.hour = l.hour
    GROUP BY w.device_id, s.sensor
"""


def load_signal_changes(conn: Connection, windows: Sequence[Windows]) -> list[SignalChange]:
    """How every signal of these devices changed, of those with hours on both sides."""
    with conn.cursor(row_factory=class_row(SignalChange)) as cursor:
        return cursor.execute(LOAD_SIGNAL_CHANGES, _to_columns(windows), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class FirstBreaches:
    """When a device first breached in a fault group before and after, within its windows; None: it did not."""

    device_id: int
    fault_group: str
    before: datetime | None
    after: datetime | None


# Missing data (OFFLINE, STALE) are no fault of the device; an episode may begin some time before it is raised.
LOAD_FIRST_BREACHES = """
    SELECT w.device_id, b.fault_group,
        min(b.raised_at) FILTER (WHERE b.raised_at < w.updated_at) AS before,
        min(b.raised_at) FILTER (WHERE b.raised_at >= w.updated_at) AS after
    FROM unnest(%(devices)s::bigint[], %(updated_at)s::timestamptz[], %(before_from)s::timestamptz[],
        %(after_to)s::timestamptz[]) AS w (device_id, updated_at, before_from, after_to)
    JOIN breach b ON b.device_id = w.device_id AND b.first_seen >= w.before_from - interval '1 day'
        AND b.raised_at >= w.before_from AND b.raised_at < w.after_to
    WHERE b.kind NOT IN ('OFFLINE', 'STALE')
    GROUP BY w.device_id, b.fault_group
"""


def load_first_breaches(conn: Connection, windows: Sequence[Windows]) -> list[FirstBreaches]:
    """The first breach of each device and fault group in its windows, before its update and after it."""
    with conn.cursor(row_factory=class_row(FirstBreaches)) as cursor:
        return cursor.execute(LOAD_FIRST_BREACHES, _to_columns(windows), prepare=False).fetchall()


def _to_columns(windows: Sequence[Windows]) -> dict[str, list[object]]:
    return {
        "devices": [w.device_id for w in windows],
        "updated_at": [w.updated_at for w in windows],
        "before_from": [w.before_from for w in windows],
        "before_to": [w.before_to for w in windows],
        "after_from": [w.after_from for w in windows],
        "after_to": [w.after_to for w in windows],
    }


LOAD_ORDERS = """
    SELECT DISTINCT w.id FROM work_order w
    JOIN unnest(%s::bigint[], %s::timestamptz[]) AS u (device_id, at) ON u.device_id = w.device_id
    WHERE w.fault_group = %s AND coalesce(w.last_breach_at, w.created_at) >= u.at AND w.state <> 'CANCELLED'
        AND w.outcome IS DISTINCT FROM 'FALSE_ALARM' AND w.type IN ('CORRECTIVE', 'PREDICTIVE')
    ORDER BY w.id
"""


def load_orders_after(conn: Connection, updates: Sequence[Update], fault_group: str) -> tuple[int, ...]:
    """The work orders of these devices for that fault group with a breach after their update."""
    rows = conn.execute(LOAD_ORDERS, ([u.device_id for u in updates], [u.at for u in updates], fault_group))
    return tuple(int(row[0]) for row in rows)
