"""What devices say of themselves, once each, and what follows from it: firmware, connectivity, last sign of life."""

from collections.abc import Sequence

from domain.clock import from_micros
from domain.connectivity import Word
from domain.report import EventReport, FirmwareReport, FirmwareState, StatusReport
from store.connectivity import DeviceSeen as DeviceSeen
from store.connectivity import record_readings, record_word
from store.pool import Connection

RECORD_FIRMWARE_REPORT = """
    INSERT INTO firmware_report (device_id, observed_at, received_at, component, version, state, previous, error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING id
"""
LOCK_DEVICE = "SELECT FROM device WHERE id = %s FOR NO KEY UPDATE"
# Nothing to mend where the newest report of all only says again what runs.
MEND_FIRMWARE = """
    SELECT mend_firmware(%(device_id)s, %(component)s)
    WHERE %(version)s IS DISTINCT FROM (
        SELECT s.version FROM firmware_step s
        WHERE s.device_id = %(device_id)s AND s.component = %(component)s AND s.id <> %(id)s
        ORDER BY s.observed_at DESC, s.id DESC LIMIT 1
    ) OR EXISTS (
        SELECT FROM firmware_report f
        WHERE f.device_id = %(device_id)s AND f.component = %(component)s AND f.state IN ('UPDATED', 'FAILED')
            AND f.observed_at > %(observed_at)s
    )
"""


def record_firmware_report(conn: Connection, report: FirmwareReport) -> bool:
    """Whether this report is new. What the device runs and what its history says of it follow from all reports by the
    device's own time, in whatever order they come; see `domain.firmware`."""
    # Of two reports of one device the second waits here, and then sees the first.
    conn.execute(LOCK_DEVICE, (report.device_id,))
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
    rolls_back = report.state is FirmwareState.FAILED and report.previous is not None
    if report.state is FirmwareState.UPDATED or rolls_back:
        version = report.previous if rolls_back else report.version
        key = {"device_id": report.device_id, "component": report.component, "observed_at": observed_at}
        conn.execute(MEND_FIRMWARE, key | {"version": version, "id": inserted[0]})
    return True


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
    INSERT INTO status_report (device_id, observed_at, received_at, state, is_repeat)
    SELECT %(device_id)s, %(observed_at)s, %(received_at)s, %(state)s, %(unless_known)s
    WHERE NOT %(unless_known)s OR %(state)s IS DISTINCT FROM (
        SELECT s.state FROM status_report s WHERE s.device_id = %(device_id)s
        ORDER BY s.received_at DESC, s.id DESC LIMIT 1
    )
    ON CONFLICT DO NOTHING RETURNING id
"""


def record_status(conn: Connection, report: StatusReport, *, unless_known: bool) -> bool:
    """Whether this status is new; the device's connectivity follows from it and all else that is known, see
    `domain.connectivity`.

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
    record_word(conn, report.device_id, Word(report.state, report.observed_us, report.received_us, unless_known))
    return True


RECORD_LAST_SEEN = """
    UPDATE device SET last_seen_at = greatest(device.last_seen_at, seen.received_at)
    FROM (
        SELECT device.id, seen.received_at
        FROM device JOIN unnest(%s::bigint[], %s::timestamptz[]) AS seen (id, received_at) USING (id)
        ORDER BY device.id FOR NO KEY UPDATE OF device
    ) AS seen
    WHERE device.id = seen.id
"""


def record_seen(conn: Connection, seen: Sequence[DeviceSeen]) -> None:
    """Moves the last sign of life of these devices forward, each device once; one that was away may be back by it."""
    if not seen:
        return
    record_readings(conn, seen)
    conn.execute(RECORD_LAST_SEEN, ([s.device_id for s in seen], [from_micros(s.received_us) for s in seen]))
