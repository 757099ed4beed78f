"""Distributions of readings and scores by day, and how far they moved: histograms, drift by day, alerts said once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from store.outbox import OutboxEvent, record_events
from store.pool import Connection

EVENT_TYPE = "model.drift"


@dataclass(frozen=True, slots=True)
class DriftKey:
    """Whose distribution: a sensor (`input`) or a monitor (`score`) of a device model; firmware "" is all versions."""

    device_model_id: int
    is_simulated: bool
    kind: str
    subject: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of one day between `edges`, one more than these: below the first, ..., at or above the last."""

    key: DriftKey
    day: date
    devices: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


# Devices are taken by the hash of their id: always the same ones, of all sites.
LOAD_FLEETS = """
    SELECT device_model_id, is_simulated, array_agg(id ORDER BY md5(id::text)) FROM device
    WHERE lifecycle IN ('INSTALLED', 'IN_SERVICE') GROUP BY device_model_id, is_simulated
    ORDER BY device_model_id, is_simulated
"""


def load_fleets(conn: Connection, most: int) -> dict[tuple[int, bool], list[int]]:
    """Of each device model, real and simulated apart, at most so many devices in service."""
    return {(model, simulated): ids[:most] for model, simulated, ids in conn.execute(LOAD_FLEETS)}


LOAD_FIRST_HOUR = """
    SELECT min(h.bucket) FROM series s CROSS JOIN LATERAL (
        SELECT bucket FROM reading_1h WHERE series_id = s.id AND bucket >= %s ORDER BY bucket LIMIT 1
    ) h WHERE s.device_id = ANY (%s)
"""


def load_first_hour(conn: Connection, device_ids: Sequence[int], since: datetime) -> datetime | None:
    """The first hour since then that one of these devices has readings of; None: there is none."""
    row = conn.execute(LOAD_FIRST_HOUR, (since, list(device_ids))).fetchone()
    return None if row is None else row[0]


# Firmware is that of the device at the end of the day: a device that was updated on it counts for the new one.
_DEVICES = """
    WITH known AS MATERIALIZED (
        SELECT d.id, main_firmware_of(d.id, %(end)s) AS firmware FROM unnest(%(devices)s::bigint[]) AS d (id)
    )
"""
LOAD_INPUT_SAMPLES = f"""
    {_DEVICES}
    SELECT s.sensor, d.id, d.firmware, h.sum / h.n AS value
    FROM known d JOIN series s ON s.device_id = d.id
    JOIN reading_1h h ON h.series_id = s.id AND h.bucket >= %(begin)s AND h.bucket < %(end)s AND h.n > 0
"""  # noqa: S608
LOAD_SCORE_SAMPLES = f"""
    {_DEVICES}
    SELECT r.detector, d.id, d.firmware, max(r.max_score)::float8 AS value
    FROM known d JOIN series s ON s.device_id = d.id
    JOIN score_rollup r ON r.series_id = s.id AND r.detector = ANY (%(subjects)s)
        AND r.minute >= %(begin)s AND r.minute < %(end)s
    GROUP BY r.detector, d.id, d.firmware, date_bin('1 hour', r.minute, '1970-01-01 00:00:00+00')
"""  # noqa: S608
Sample = tuple[str, int, str, float]  # subject, device, firmware, value


def load_input_samples(conn: Connection, device_ids: Sequence[int], begin: datetime, end: datetime) -> list[Sample]:
    """The mean of every hour and sensor of these devices in [begin, end)."""
    values = {"devices": list(device_ids), "begin": begin, "end": end}
    return conn.execute(LOAD_INPUT_SAMPLES, values, prepare=False).fetchall()


def load_score_samples(
    conn: Connection, device_ids: Sequence[int], monitors: Sequence[str], begin: datetime, end: datetime
) -> list[Sample]:
    """The largest score of every hour, monitor and device in [begin, end)."""
    values = {"devices": list(device_ids), "subjects": list(monitors), "begin": begin, "end": end}
    return conn.execute(LOAD_SCORE_SAMPLES, values, prepare=False).fetchall()


LOAD_EDGES = """
    SELECT DISTINCT ON (device_model_id, is_simulated, kind, subject) subject, edges FROM distribution_day
    WHERE device_model_id = %s AND is_simulated = %s AND kind = %s
    ORDER BY device_model_id, is_simulated, kind, subject, day DESC
"""


def load_edges(
    conn: Connection, device_model_id: int, kind: str, *, is_simulated: bool
) -> dict[str, tuple[float, ...]]:
    """By subject the edges that its days are counted between."""
    rows = conn.execute(LOAD_EDGES, (device_model_id, is_simulated, kind))
    return {subject: tuple(edges) for subject, edges in rows}


RECORD_HISTOGRAM = """
    INSERT INTO distribution_day (device_model_id, is_simulated, kind, subject, firmware, day, devices, edges, counts)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (device_model_id, is_simulated, kind, subject, firmware, day)
        DO UPDATE SET devices = excluded.devices, edges = excluded.edges, counts = excluded.counts
"""


def record_histograms(conn: Connection, histograms: Sequence[Histogram]) -> None:
    """Writes these days, anew where they are there."""
    with conn.cursor() as cursor:
        cursor.executemany(
            RECORD_HISTOGRAM,
            [
                (
                    h.key.device_model_id,
                    h.key.is_simulated,
                    h.key.kind,
                    h.key.subject,
                    h.key.firmware,
                    h.day,
                    h.devices,
                    list(h.edges),
                    list(h.counts),
                )
                for h in histograms
            ],
        )


LOAD_HISTOGRAMS = """
    SELECT kind, subject, firmware, day, devices, edges, counts FROM distribution_day
    WHERE device_model_id = %s AND is_simulated = %s AND day >= %s AND day <= %s
    ORDER BY kind, subject, firmware, day
"""


def load_histograms(
    conn: Connection, device_model_id: int, first: date, last: date, *, is_simulated: bool
) -> list[Histogram]:
    """Every histogram of the model from the first to the last day, both included, in order of day."""
    rows = conn.execute(LOAD_HISTOGRAMS, (device_model_id, is_simulated, first, last))
    return [
        Histogram(
            DriftKey(device_model_id, is_simulated, kind, subject, firmware), day, devices, tuple(edges), tuple(counts)
        )
        for kind, subject, firmware, day, devices, edges, counts in rows
    ]


LOAD_LAST_DAY = "SELECT max(day) FROM distribution_day WHERE device_model_id = %s AND is_simulated = %s"


def load_last_day(conn: Connection, device_model_id: int, *, is_simulated: bool) -> date | None:
    """The newest day of the model that was counted."""
    row = conn.execute(LOAD_LAST_DAY, (device_model_id, is_simulated)).fetchone()
    return None if row is None else row[0]


@dataclass(frozen=True, slots=True)
class DriftDay:
    """How far the week up to `day` is from the reference."""

    device_model_id: int
    model: str
    is_simulated: bool
    kind: str
    subject: str
    firmware: str
    day: date
    psi: float
    usual_psi: float
    devices: int
    n: int
    reference_n: int
    state: str

    @property
    def key(self) -> DriftKey:
        """Whose drift it is."""
        return DriftKey(self.device_model_id, self.is_simulated, self.kind, self.subject, self.firmware)


RECORD_DRIFT = """
    INSERT INTO drift_day (device_model_id, is_simulated, kind, subject, firmware, day, psi, usual_psi, devices, n,
        reference_n, state, judged_at)
    VALUES (%(device_model_id)s, %(is_simulated)s, %(kind)s, %(subject)s, %(firmware)s, %(day)s, %(psi)s,
        %(usual_psi)s, %(devices)s, %(n)s, %(reference_n)s, %(state)s, %(now)s)
    ON CONFLICT (device_model_id, is_simulated, kind, subject, firmware, day) DO UPDATE SET
        psi = excluded.psi, usual_psi = excluded.usual_psi, devices = excluded.devices, n = excluded.n,
        reference_n = excluded.reference_n, state = excluded.state, judged_at = excluded.judged_at
"""
RECORD_ALERT = """
    INSERT INTO drift_alert (device_model_id, is_simulated, kind, subject, firmware, psi, raised_at)
    VALUES (%(device_model_id)s, %(is_simulated)s, %(kind)s, %(subject)s, %(firmware)s, %(psi)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING id
"""
END_ALERT = """
    UPDATE drift_alert SET ended_at = %(now)s
    WHERE device_model_id = %(device_model_id)s AND is_simulated = %(is_simulated)s AND kind = %(kind)s
        AND subject = %(subject)s AND firmware = %(firmware)s AND ended_at IS NULL
"""


def record_drift(conn: Connection, days: Sequence[DriftDay], now: datetime) -> list[DriftDay]:
    """Writes these days and returns those that are said now: a drift is said once, and again only after it was over.

    An alert's row and its event (`model.drift`) are there together or not at all, in the caller's transaction.
    """
    said = []
    for day in days:
        values = {name: getattr(day, name) for name in DriftDay.__dataclass_fields__} | {"now": now}
        conn.execute(RECORD_DRIFT, values)
        if day.state == "DRIFT":
            if conn.execute(RECORD_ALERT, values).fetchone() is not None:
                said.append(day)
        elif day.state == "STABLE":
            conn.execute(END_ALERT, values)
    record_events(conn, *(_to_event(day, now) for day in said))
    return said


def _to_event(day: DriftDay, now: datetime) -> OutboxEvent:
    entity_id = f"{day.model}/{day.subject}"
    data = {
        "model": day.model,
        "kind": day.kind,
        "subject": day.subject,
        "firmware": day.firmware,
        "day": day.day,
        "psi": round(day.psi, 4),
        "usual_psi": round(day.usual_psi, 4),
        "devices": day.devices,
    }
    return OutboxEvent(EVENT_TYPE, entity_id, "monitor", entity_id, now, data, day.is_simulated)


LOAD_DRIFT = """
    SELECT r.device_model_id, m.key AS model, r.is_simulated, r.kind, r.subject, r.firmware, r.day, r.psi, r.usual_psi,
        r.devices, r.n, r.reference_n, r.state
    FROM drift_day r JOIN device_model m ON m.id = r.device_model_id
    WHERE r.day >= %(since)s AND (%(model)s::text IS NULL OR m.key = %(model)s)
        AND (%(subjects)s::text[] IS NULL OR r.subject = ANY (%(subjects)s))
        AND (%(states)s::text[] IS NULL OR r.state = ANY (%(states)s))
    ORDER BY r.day DESC, r.psi DESC, r.kind, r.subject, r.firmware LIMIT %(limit)s
"""


def load_drift(
    conn: Connection,
    since: date,
    *,
    model: str | None = None,
    subjects: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
    limit: int = 2_000,
) -> list[DriftDay]:
    """Days since then, the newest first and of each the farthest first."""
    values = {
        "since": since,
        "model": model,
        "subjects": None if subjects is None else list(subjects),
        "states": None if states is None else list(states),
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(DriftDay)) as cursor:
        return cursor.execute(LOAD_DRIFT, values).fetchall()


REMOVE_HISTOGRAMS = "DELETE FROM distribution_day WHERE day < %s"
REMOVE_DRIFT = "DELETE FROM drift_day WHERE day < %s"


def remove_old_drift(conn: Connection, first_kept: date) -> None:
    """Days before are forgotten; alerts stay."""
    conn.execute(REMOVE_HISTOGRAMS, (first_kept,))
    conn.execute(REMOVE_DRIFT, (first_kept,))
