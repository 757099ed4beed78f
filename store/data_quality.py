"""What is known of devices whose days are to be judged, and the verdicts: rows, and alerts that are said once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from psycopg.rows import class_row

from domain.data_quality import AlertKind, DayCounts, DayQuality, StateChange
from store.outbox import OutboxEvent, record_events
from store.pool import Connection

EVENT_TYPE = "dataquality.alert"


@dataclass(frozen=True, slots=True)
class DueDevice:
    """A device that is to be judged. The last three are of its last time; None: it was never judged."""

    id: int
    serial: str
    model: str
    lifecycle: str
    connectivity: str
    installed_on: date | None
    is_simulated: bool
    late: int  # late values that came today and yesterday
    first_observed_at: datetime | None
    judged_at: datetime | None
    past_judged_at: datetime | None
    late_then: int | None


# A device that has never sent anything owes nothing. One that is out of service for good counts as long as it sends.
LOAD_DUE_DEVICES = """
    SELECT d.id, d.serial, m.key AS model, d.lifecycle, d.connectivity, d.installed_on, d.is_simulated,
        l.late, q.first_observed_at, q.judged_at, q.past_judged_at, q.late AS late_then
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN data_quality_state q ON q.device_id = d.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(late), 0)::bigint AS late, count(*) AS days FROM device_day
        WHERE device_id = d.id AND day >= %(yesterday)s
    ) l
    WHERE (q.judged_at IS NULL OR q.judged_at <= %(before)s
            OR (q.judged_at <= %(new_before)s AND q.first_observed_at > %(new_since)s))
        AND (l.days > 0 OR (d.lifecycle <> 'DECOMMISSIONED' AND d.last_seen_at IS NOT NULL))
    ORDER BY q.judged_at NULLS FIRST, d.id LIMIT %(limit)s
"""


def load_due_devices(
    conn: Connection, before: datetime, new_before: datetime, new_since: datetime, yesterday: date, limit: int
) -> list[DueDevice]:
    """Devices that were judged at `before` or longer ago, those that wait longest first; of those whose first reading
    is younger than `new_since`, already the ones judged at `new_before`."""
    wanted = {
        "before": before,
        "new_before": new_before,
        "new_since": new_since,
        "yesterday": yesterday,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(DueDevice)) as cursor:
        return cursor.execute(LOAD_DUE_DEVICES, wanted).fetchall()


LOAD_FIRST_OBSERVED = """
    SELECT device_id, min(first_at) FROM (
        SELECT s.device_id, (SELECT r.observed_at FROM reading r WHERE r.series_id = s.id
            ORDER BY r.observed_at LIMIT 1) AS first_at
        FROM series s WHERE s.device_id = ANY (%s)
    ) firsts WHERE first_at IS NOT NULL GROUP BY device_id
"""


def load_first_observed(conn: Connection, device_ids: Sequence[int]) -> dict[int, datetime]:
    """When each of these devices took the oldest reading that is stored, of those that have one."""
    return dict(conn.execute(LOAD_FIRST_OBSERVED, (list(device_ids),)).fetchall()) if device_ids else {}


LOAD_CHANGES = """
    SELECT device_id, field, at, before, after FROM device_history
    WHERE device_id = ANY (%s) AND field IN ('lifecycle', 'connectivity') AND at >= %s ORDER BY at, id
"""


def load_changes(
    conn: Connection, device_ids: Sequence[int], since: datetime
) -> dict[tuple[int, str], list[StateChange]]:
    """Changes of `lifecycle` and `connectivity` since then, the oldest first, by device and field."""
    changes: dict[tuple[int, str], list[StateChange]] = {}
    for device_id, name, at, before, after in conn.execute(LOAD_CHANGES, (list(device_ids), since)):
        changes.setdefault((device_id, name), []).append(StateChange(at, before, after))
    return changes


LOAD_SERIES = "SELECT id, device_id, sensor FROM series WHERE device_id = ANY (%s)"


def load_series_of(conn: Connection, device_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By device: the series of each of its sensors."""
    series: dict[int, dict[str, int]] = {}
    for series_id, device_id, sensor in conn.execute(LOAD_SERIES, (list(device_ids),)):
        series.setdefault(device_id, {})[sensor] = series_id
    return series


LOAD_COUNTED = """
    SELECT device_id, day, received, duplicates, inconsistent, implausible, seq_back FROM device_day
    WHERE device_id = ANY (%s) AND day >= %s
"""


def load_counted(conn: Connection, device_ids: Sequence[int], since: date) -> dict[tuple[int, date], DayCounts]:
    """What ingestion counted of these devices, by device and day of receipt."""
    return {(row[0], row[1]): DayCounts(*row[2:]) for row in conn.execute(LOAD_COUNTED, (list(device_ids), since))}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged day of one device. `limits` are those of its model's profile, by kind; `values` what exceeds them."""

    device: DueDevice
    day: date
    quality: DayQuality
    received: int
    skew_s: float | None
    least_completeness: float
    judged_until: datetime
    is_over: bool
    limits: Mapping[AlertKind, float] = field(default_factory=dict)

    def find_value(self, kind: AlertKind) -> float:
        """The figure that the alert of this kind is about."""
        values = {
            AlertKind.MISSING: self.quality.missing_ratio,
            AlertKind.DUPLICATE: self.quality.duplicate_ratio,
            AlertKind.INCONSISTENT: self.quality.inconsistent_ratio,
            AlertKind.IMPLAUSIBLE: self.quality.implausible_ratio,
            AlertKind.CLOCK_SKEW: self.skew_s,
        }
        return values[kind] or 0.0


RECORD_DAYS = """
    INSERT INTO data_quality_day (day, device_id, expected, present, missing_ratio, completeness, received,
        duplicate_ratio, inconsistent_ratio, implausible_ratio, skew_s, least_completeness, alerts, judged_until,
        is_over, judged_at)
    VALUES (%(day)s, %(device_id)s, %(expected)s, %(present)s, %(missing)s, %(completeness)s, %(received)s,
        %(duplicate)s, %(inconsistent)s, %(implausible)s, %(skew_s)s, %(least)s, %(alerts)s, %(until)s, %(is_over)s,
        %(now)s)
    ON CONFLICT (day, device_id) DO UPDATE SET
        expected = excluded.expected, present = excluded.present, missing_ratio = excluded.missing_ratio,
        completeness = excluded.completeness, received = excluded.received,
        duplicate_ratio = excluded.duplicate_ratio, inconsistent_ratio = excluded.inconsistent_ratio,
        implausible_ratio = excluded.implausible_ratio,
        skew_s = coalesce(excluded.skew_s, data_quality_day.skew_s),
        least_completeness = excluded.least_completeness, alerts = excluded.alerts,
        judged_until = excluded.judged_until, is_over = excluded.is_over, judged_at = excluded.judged_at
"""
RECORD_ALERTS = """
    INSERT INTO data_quality_alert (device_id, day, kind, value, most, raised_at)
    SELECT * FROM unnest(%s::bigint[], %s::date[], %s::text[], %s::float8[], %s::float8[], %s::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING device_id, day, kind
"""


def record_verdicts(conn: Connection, verdicts: Sequence[Verdict], now: datetime) -> int:
    """Writes these days, the newest word on each, and says every alert that was not said before; how many those were.

    All in the caller's transaction: an alert's row and its event are there together or not at all. A day that came to
    be within its limits again keeps the alert that was said, and shows none any more.
    """
    if not verdicts:
        return 0
    ordered = sorted(verdicts, key=lambda v: (v.day, v.device.id))
    with conn.cursor() as cursor:
        cursor.executemany(RECORD_DAYS, [_to_row(verdict, now) for verdict in ordered])
    over = [(v.device.id, v.day, kind, v) for v in ordered for kind in v.quality.alerts]
    over.sort(key=lambda alert: alert[:3])
    if not over:
        return 0
    columns = (
        [device_id for device_id, _, _, _ in over],
        [day for _, day, _, _ in over],
        [kind.value for _, _, kind, _ in over],
        [v.find_value(kind) for _, _, kind, v in over],
        [v.limits[kind] for _, _, kind, v in over],
        [now] * len(over),
    )
    new = {(device_id, day, AlertKind(kind)) for device_id, day, kind in conn.execute(RECORD_ALERTS, columns)}
    events = [_to_event(v, kind, now) for device_id, day, kind, v in over if (device_id, day, kind) in new]
    record_events(conn, *events)
    return len(events)


def _to_row(verdict: Verdict, now: datetime) -> dict[str, object]:
    quality = verdict.quality
    return {
        "day": verdict.day,
        "device_id": verdict.device.id,
        "expected": quality.expected,
        "present": quality.present,
        "missing": quality.missing_ratio,
        "completeness": quality.completeness,
        "received": verdict.received,
        "duplicate": quality.duplicate_ratio,
        "inconsistent": quality.inconsistent_ratio,
        "implausible": quality.implausible_ratio,
        "skew_s": verdict.skew_s,
        "least": verdict.least_completeness,
        "alerts": [kind.value for kind in quality.alerts],
        "until": verdict.judged_until,
        "is_over": verdict.is_over,
        "now": now,
    }


def _to_event(verdict: Verdict, kind: AlertKind, now: datetime) -> OutboxEvent:
    return OutboxEvent(
        type=EVENT_TYPE,
        subject=verdict.device.serial,
        entity="device",
        entity_id=verdict.device.serial,
        at=now,
        data={
            "day": verdict.day,
            "kind": kind.value,
            "value": round(verdict.find_value(kind), 6),
            "limit": verdict.limits[kind],
            "model": verdict.device.model,
            "expected": verdict.quality.expected,
            "present": verdict.quality.present,
            "received": verdict.received,
        },
        is_simulated=verdict.device.is_simulated,
    )


RECORD_STATES = """
    INSERT INTO data_quality_state AS q (device_id, first_observed_at, judged_at, late, past_judged_at)
    SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::timestamptz[])
    ON CONFLICT (device_id) DO UPDATE SET
        first_observed_at = coalesce(q.first_observed_at, excluded.first_observed_at),
        judged_at = excluded.judged_at, late = excluded.late, past_judged_at = excluded.past_judged_at
"""


@dataclass(frozen=True, slots=True)
class JudgedState:
    """That a device was judged, and what it was judged by."""

    device_id: int
    first_observed_at: datetime | None
    late: int
    past_judged_at: datetime


def record_judged(conn: Connection, states: Sequence[JudgedState], now: datetime) -> None:
    """These devices were judged at `now`: the others are next."""
    ordered = sorted(states, key=lambda state: state.device_id)
    conn.execute(
        RECORD_STATES,
        (
            [s.device_id for s in ordered],
            [s.first_observed_at for s in ordered],
            [now] * len(ordered),
            [s.late for s in ordered],
            [s.past_judged_at for s in ordered],
        ),
    )


REMOVE_DAYS = """
    DELETE FROM data_quality_day WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM data_quality_day WHERE day < %s ORDER BY day LIMIT %s))
"""


def remove_old_quality_days(conn: Connection, first_kept: date, most: int) -> int:
    """How many judged days, all before `first_kept` and the oldest first, were removed: at most `most`."""
    return conn.execute(REMOVE_DAYS, (first_kept, most)).rowcount
