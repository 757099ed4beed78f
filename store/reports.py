"""What devices say of themselves, once each, and what follows from it: firmware, connectivity, last sign of life."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.clock import from_micros
from domain.report import ConnectionState, EventReport, FirmwareReport, FirmwareState, StatusReport
from store.pool import Connection

RECORD_FIRMWARE_REPORT = """
    INSERT INTO firmware_report (device_id, observed_at, received_at, component, version, state, previous, error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING id
"""
# Only the newest word on a component counts: a report that was held back changes nothing.
LOAD_FIRMWARE_BEFORE = """
    SELECT (
        SELECT f.version FROM firmware_report f
        WHERE f.device_id = %(device_id)s AND f.component = %(component)s AND f.state = 'UPDATED' AND f.id <> %(id)s
        ORDER BY f.observed_at DESC, f.id DESC LIMIT 1
    ) AS before
    WHERE NOT EXISTS (
        SELECT FROM firmware_report f
        WHERE f.device_id = %(device_id)s AND f.component = %(component)s AND f.state = 'UPDATED' AND f.id <> %(id)s
            AND f.observed_at > %(observed_at)s
    )
"""
UPDATE_FIRMWARE = """
    UPDATE device SET firmware = %(version)s, row_version = row_version + 1, updated_at = now()
    FROM (SELECT id, firmware AS before FROM device WHERE id = %(device_id)s FOR UPDATE) AS old
    WHERE device.id = old.id AND device.firmware <> %(version)s RETURNING old.before
"""
RECORD_HISTORY = """
    INSERT INTO device_history (device_id, at, field, before, after, source) VALUES (%s, %s, %s, %s, %s, 'device')
"""


def record_firmware_report(conn: Connection, report: FirmwareReport) -> bool:
    """Whether this report is new. What the newest finished update of a component says is what the device runs then."""
    observed_at = from_micros(report.observed_us)
    inserted = conn.execute(
        RECORD_FIRMWARE_REPORT,
        (
            report.device_id,
            observed_at,
            from_micros(report.received_us),
            report.component,
            report.version,
            report.state.value,
            report.previous,
            report.error,
        ),
    ).fetchone()
    if inserted is None:
        return False
    if report.state is FirmwareState.UPDATED:
        key = {"device_id": report.device_id, "component": report.component, "observed_at": observed_at}
        newest = conn.execute(LOAD_FIRMWARE_BEFORE, key | {"id": inserted[0]}).fetchone()
        if newest is not None:
            _record_firmware(conn, report, before=newest[0])
    return True


def _record_firmware(conn: Connection, report: FirmwareReport, before: str | None) -> None:
    if report.component == "main":
        row = conn.execute(UPDATE_FIRMWARE, {"version": report.version, "device_id": report.device_id}).fetchone()
        if row is None:
            return
        before = row[0]
    elif before == report.version:
        return
    at = from_micros(report.observed_us)
    field = f"firmware:{report.component}"
    conn.execute(RECORD_HISTORY, (report.device_id, at, field, before or None, report.version))


RECORD_EVENT = """
    INSERT INTO device_event (device_id, observed_at, received_at, code, severity, message)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING id
"""


def record_event(conn: Connection, report: EventReport) -> bool:
    """Whether this event is new; it is stored then."""
    values = (
        report.device_id,
        from_micros(report.observed_us),
        from_micros(report.received_us),
        report.code,
        report.severity.value,
        report.message,
    )
    return conn.execute(RECORD_EVENT, values).fetchone() is not None


RECORD_STATUS = """
    INSERT INTO status_report (device_id, observed_at, received_at, state)
    SELECT %(device_id)s, %(observed_at)s, %(received_at)s, %(state)s
    WHERE NOT %(unless_known)s OR %(state)s IS DISTINCT FROM (
        SELECT s.state FROM status_report s WHERE s.device_id = %(device_id)s ORDER BY s.observed_at DESC LIMIT 1
    )
    ON CONFLICT DO NOTHING RETURNING id
"""
UPDATE_CONNECTIVITY = """
    UPDATE device SET connectivity = %(connectivity)s, connectivity_since = %(at)s
    FROM (SELECT id, connectivity AS before FROM device WHERE id = %(device_id)s FOR UPDATE) AS old
    WHERE device.id = old.id AND (device.connectivity_since IS NULL OR device.connectivity_since <= %(at)s)
    RETURNING old.before
"""


def record_status(conn: Connection, report: StatusReport, *, unless_known: bool) -> bool:
    """Whether this status is new; the device's connectivity follows it, unless something newer was known.

    `unless_known`: one that repeats the last (a retained message, sent again to whoever subscribes) is not new.
    """
    values = {
        "device_id": report.device_id,
        "observed_at": from_micros(report.observed_us),
        "received_at": from_micros(report.received_us),
        "state": report.state.value,
        "unless_known": unless_known,
    }
    if conn.execute(RECORD_STATUS, values).fetchone() is None:
        return False
    connectivity = "ONLINE" if report.state is ConnectionState.ONLINE else "OFFLINE"
    change = {"device_id": report.device_id, "connectivity": connectivity, "at": values["observed_at"]}
    row = conn.execute(UPDATE_CONNECTIVITY, change).fetchone()
    if row is not None and row[0] != connectivity:
        conn.execute(RECORD_HISTORY, (report.device_id, values["observed_at"], "connectivity", row[0], connectivity))
    return True


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """The newest sign of life of one device: when it was received, and when its newest reading was taken."""

    device_id: int
    received_us: int
    observed_us: int


# A reading that was taken and received after the device was said to be offline shows that it is back.
RECORD_SEEN = """
    WITH seen AS (
        SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS seen (id, received_at, observed_at)
    ), old AS (
        SELECT device.id, connectivity AS before, connectivity_since AS since FROM device JOIN seen USING (id)
        ORDER BY device.id FOR NO KEY UPDATE OF device
    ), updated AS (
        UPDATE device SET
            last_seen_at = greatest(device.last_seen_at, seen.received_at),
            connectivity = CASE WHEN comes_back THEN 'ONLINE' ELSE device.connectivity END,
            connectivity_since = CASE WHEN comes_back THEN seen.received_at ELSE device.connectivity_since END
        FROM seen JOIN old USING (id), LATERAL (
            SELECT old.before <> 'ONLINE'
                AND (old.since IS NULL OR (seen.received_at > old.since AND seen.observed_at > old.since)) AS comes_back
        ) AS judged
        WHERE device.id = seen.id
        RETURNING device.id, old.before, comes_back, seen.received_at
    )
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT id, received_at, 'connectivity', before, 'ONLINE', 'device' FROM updated WHERE comes_back
"""


def record_seen(conn: Connection, seen: Sequence[DeviceSeen]) -> None:
    """Moves the last sign of life of these devices forward, each device once; an offline one may be online by it."""
    if not seen:
        return
    conn.execute(
        RECORD_SEEN,
        (
            [s.device_id for s in seen],
            [from_micros(s.received_us) for s in seen],
            [from_micros(s.observed_us) for s in seen],
        ),
    )
