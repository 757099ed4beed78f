"""Firmware that reached devices lately: who was updated when, how their signals changed, and what was judged of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.firmware_release import Comparison, Judged, Measure, Release, Verdict
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


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """How far the comparison of a release is."""

    device_model_id: int
    model: str
    version: str
    is_simulated: bool
    first_update_at: datetime
    devices: int
    controls: int
    customers: int
    device_hours: float
    looks: int
    next_look_hours: float
    looked_at: datetime | None
    watched_at: datetime

    @property
    def release(self) -> Release:
        """The release that it is the state of."""
        return Release(self.device_model_id, self.model, self.version, self.is_simulated)


_SELECT_STATES = """
    SELECT r.device_model_id, m.key AS model, r.version, r.is_simulated, r.first_update_at, r.devices, r.controls,
        r.customers, r.device_hours, r.looks, r.next_look_hours, r.looked_at, r.watched_at
    FROM firmware_release r JOIN device_model m ON m.id = r.device_model_id
"""
LOAD_STATES = f"{_SELECT_STATES} WHERE r.watched_at >= %s"
LOAD_STATES_OF = f"{_SELECT_STATES} WHERE m.key = %s AND r.version = %s ORDER BY r.is_simulated"


def load_release_states(conn: Connection, since: datetime) -> dict[Release, ReleaseState]:
    """The releases that were watched since then."""
    with conn.cursor(row_factory=class_row(ReleaseState)) as cursor:
        return {state.release: state for state in cursor.execute(LOAD_STATES, (since,))}


def load_states_of_version(conn: Connection, model: str, version: str) -> list[ReleaseState]:
    """The release of that version on real devices, and that on simulated ones, of those that were ever watched."""
    with conn.cursor(row_factory=class_row(ReleaseState)) as cursor:
        return cursor.execute(LOAD_STATES_OF, (model, version)).fetchall()


RECORD_STATE = """
    INSERT INTO firmware_release (device_model_id, version, is_simulated, first_update_at, devices, controls, customers,
        device_hours, looks, next_look_hours, looked_at, watched_at)
    VALUES (%(device_model_id)s, %(version)s, %(is_simulated)s, %(first_update_at)s, %(devices)s, %(controls)s,
        %(customers)s, %(device_hours)s, %(looks)s, %(next_look_hours)s, %(looked_at)s, %(watched_at)s)
    ON CONFLICT (device_model_id, version, is_simulated) DO UPDATE SET
        first_update_at = least(firmware_release.first_update_at, excluded.first_update_at), devices = excluded.devices,
        controls = excluded.controls, customers = excluded.customers, device_hours = excluded.device_hours,
        looks = excluded.looks, next_look_hours = excluded.next_look_hours, looked_at = excluded.looked_at,
        watched_at = excluded.watched_at
"""


def record_release_states(conn: Connection, states: Iterable[ReleaseState]) -> None:
    """Writes how far these comparisons are."""
    rows = [
        {
            "device_model_id": s.device_model_id,
            "version": s.version,
            "is_simulated": s.is_simulated,
            "first_update_at": s.first_update_at,
            "devices": s.devices,
            "controls": s.controls,
            "customers": s.customers,
            "device_hours": s.device_hours,
            "looks": s.looks,
            "next_look_hours": s.next_look_hours,
            "looked_at": s.looked_at,
            "watched_at": s.watched_at,
        }
        for s in states
    ]
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(RECORD_STATE, rows)


_LINE_COLUMNS = ("measure", "subject", "unit", "devices", "controls", "before", "after", "effect", "low", "high", "p",
    "share", "monitor", "fault_group")  # fmt: skip
LOAD_JUDGED = """
    SELECT r.device_model_id, m.key, r.version, r.is_simulated, r.measure, r.subject, r.unit, r.devices, r.controls,
        r.before, r.after, r.effect, r.low, r.high, r.p, r.share, r.monitor, r.fault_group, r.p_valid, r.q, r.verdict,
        r.look, r.judged_at
    FROM firmware_regression r JOIN device_model m ON m.id = r.device_model_id
    JOIN firmware_release f USING (device_model_id, version, is_simulated)
    WHERE (%(since)s::timestamptz IS NULL OR f.watched_at >= %(since)s)
        AND (%(model)s::text IS NULL OR (m.key = %(model)s AND r.version = %(version)s))
    ORDER BY r.q, r.p_valid, r.measure, r.subject
"""


def load_judged(
    conn: Connection, *, since: datetime | None = None, model: str | None = None, version: str = ""
) -> dict[Release, list[Judged]]:
    """What was judged of the releases watched since then, or of one version: the most certain differences first."""
    judged: dict[Release, list[Judged]] = {}
    for row in conn.execute(LOAD_JUDGED, {"since": since, "model": model, "version": version}):
        values = dict(zip(_LINE_COLUMNS, row[4:18], strict=True))
        line = Comparison(**values | {"measure": Measure(row[4]), "verdict": Verdict(row[20])})
        judged.setdefault(Release(*row[:4]), []).append(
            Judged(line, p_valid=row[18], q=row[19], verdict=Verdict(row[20]), look=row[21], judged_at=row[22])
        )
    return judged


RECORD_JUDGED = """
    INSERT INTO firmware_regression (device_model_id, version, is_simulated, measure, subject, unit, devices, controls,
        before, after, effect, low, high, p, p_valid, q, share, monitor, fault_group, verdict, look, judged_at)
    VALUES (%(device_model_id)s, %(version)s, %(is_simulated)s, %(measure)s, %(subject)s, %(unit)s, %(devices)s,
        %(controls)s, %(before)s, %(after)s, %(effect)s, %(low)s, %(high)s, %(p)s, %(p_valid)s, %(q)s, %(share)s,
        %(monitor)s, %(fault_group)s, %(verdict)s, %(look)s, %(judged_at)s)
    ON CONFLICT (device_model_id, version, is_simulated, measure, subject) DO UPDATE SET
        unit = excluded.unit, devices = excluded.devices, controls = excluded.controls, before = excluded.before,
        after = excluded.after, effect = excluded.effect, low = excluded.low, high = excluded.high, p = excluded.p,
        p_valid = excluded.p_valid, q = excluded.q, share = excluded.share, monitor = excluded.monitor,
        fault_group = excluded.fault_group, verdict = excluded.verdict, look = excluded.look,
        judged_at = excluded.judged_at
"""


def record_judged(conn: Connection, release: Release, judged: Sequence[Judged]) -> None:
    """Writes the newest comparison of the release, line by line."""
    rows = [
        {
            "device_model_id": release.device_model_id,
            "version": release.version,
            "is_simulated": release.is_simulated,
            "measure": j.line.measure,
            "subject": j.line.subject,
            "unit": j.line.unit,
            "devices": j.line.devices,
            "controls": j.line.controls,
            "before": j.line.before,
            "after": j.line.after,
            "effect": j.line.effect,
            "low": j.line.low,
            "high": j.line.high,
            "p": j.line.p,
            "p_valid": j.p_valid,
            "q": j.q,
            "share": j.line.share,
            "monitor": j.line.monitor,
            "fault_group": j.line.fault_group,
            "verdict": j.verdict,
            "look": j.look,
            "judged_at": j.judged_at,
        }
        for j in judged
    ]
    with conn.cursor() as cursor:
        cursor.executemany(RECORD_JUDGED, rows)


LOAD_PROPOSED = """
    SELECT fault_group, capa_code FROM firmware_regression_proposal
    WHERE device_model_id = %s AND version = %s AND is_simulated = %s ORDER BY fault_group
"""


def load_proposed(conn: Connection, release: Release) -> Mapping[str, str]:
    """By fault group the CAPA that this release led to."""
    key = (release.device_model_id, release.version, release.is_simulated)
    return dict(conn.execute(LOAD_PROPOSED, key).fetchall())


RECORD_PROPOSED = """
    INSERT INTO firmware_regression_proposal (device_model_id, version, is_simulated, fault_group, capa_code,
        proposed_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


def record_proposed(conn: Connection, release: Release, fault_group: str, code: str, now: datetime) -> None:
    """From now on this release is not proposed again for the fault group."""
    key = (release.device_model_id, release.version, release.is_simulated)
    conn.execute(RECORD_PROPOSED, (*key, fault_group, code, now))


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
