"""What devices and work orders say of the items of running actions, and the devices whose breaches are compared."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, dict_row

from domain.field_action import FieldAction
from domain.field_action_item import FieldActionItem
from store.field_action_items import to_item
from store.pool import Connection

FIELD_ACTION_LOCK = 4_660_124  # any number, the same for all
TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"


def try_lock_field_actions(conn: Connection) -> bool:
    """Whether this connection is the one that follows field actions; it is until it closes."""
    row = conn.execute(TAKE_LOCK, (FIELD_ACTION_LOCK,)).fetchone()
    return row is not None and bool(row[0])


LOAD_LIVE = """
    SELECT code FROM field_action WHERE state IN ('NOTIFYING', 'EXECUTING', 'EFFECTIVENESS') ORDER BY id
"""


def load_live_actions(conn: Connection) -> list[str]:
    """The codes of all actions whose items are followed."""
    return [str(row[0]) for row in conn.execute(LOAD_LIVE)]


@dataclass(frozen=True, slots=True)
class ReportedItem:
    """An item of a campaign of which its device, or its notice, says something new."""

    item: FieldActionItem
    version: str | None  # what the component runs by the device's newest report
    reported_at: datetime | None  # of that report, by the device's time
    failures: int  # since the campaign executes: FAILED reports of the wanted version, and times that it left it again
    last_error: str | None
    is_told: bool  # the broker has its notice


# Read without a lock, so that a quiet campaign costs its look alone; what is found is looked at again under the lock.
LOAD_REPORTED_ITEMS = """
    SELECT i.id, i.field_action_id, i.device_id, d.serial, i.wave, i.state, i.state_since, i.attempts,
        i.install_failures, i.notified_at, i.acknowledged_at, i.scheduled_for, i.remediated_at, i.remediated_by_id,
        i.verified_at, i.evidence, i.reason, i.work_order_id, w.code AS work_order_code, w.state AS work_order_state,
        s.customer_id, d.region, d.is_simulated, i.row_version, step.version AS running_version, step.observed_at,
        failed.failures, failed.last_error, coalesce(n.is_told, false) AS is_told
    FROM field_action_item i JOIN device d ON d.id = i.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN work_order w ON w.id = i.work_order_id
    LEFT JOIN LATERAL (
        SELECT f.version, f.observed_at FROM firmware_step f
        WHERE f.device_id = i.device_id AND f.component = %(component)s
        ORDER BY f.observed_at DESC, f.id DESC LIMIT 1
    ) step ON true
    CROSS JOIN LATERAL (
        SELECT (count(*) + (
                SELECT count(*) FROM device_history h
                WHERE h.device_id = i.device_id AND h.field = 'firmware:' || %(component)s AND h.before = %(version)s
                    AND h.at >= %(since)s AND NOT EXISTS (
                        SELECT FROM firmware_report f WHERE f.device_id = h.device_id AND f.component = %(component)s
                            AND f.observed_at = h.at AND f.state = 'FAILED')
            ))::integer AS failures, max(r.error) AS last_error
        FROM firmware_report r
        WHERE r.device_id = i.device_id AND r.component = %(component)s AND r.state = 'FAILED'
            AND r.version = %(version)s AND r.received_at >= %(since)s
    ) failed
    LEFT JOIN LATERAL (
        SELECT true AS is_told FROM device_notice n
        WHERE n.device_id = i.device_id AND n.field_action_id = i.field_action_id AND n.wanted IS NOT NULL
            AND n.published_revision = n.revision
    ) n ON true
    WHERE i.field_action_id = %(id)s AND (
        (i.state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED', 'UNREACHABLE') AND (
            step.version = %(version)s OR failed.failures <> i.install_failures))
        OR (i.state IN ('REMEDIATED', 'VERIFIED') AND step.version IS DISTINCT FROM %(version)s)
        OR (i.state = 'IDENTIFIED' AND n.is_told))
    ORDER BY i.id LIMIT %(limit)s
"""


def load_reported_items(conn: Connection, action: FieldAction, *, limit: int) -> list[ReportedItem]:
    """Items of the campaign that are no longer as their devices say, in the order of their ids."""
    values = {
        "id": action.id,
        "component": action.component,
        "version": action.firmware_version,
        "since": action.executing_at or action.created_at,
        "limit": limit,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        return [
            ReportedItem(
                to_item(row),
                row["running_version"],
                row["observed_at"],
                row["failures"],
                row["last_error"],
                row["is_told"],
            )
            for row in cursor.execute(LOAD_REPORTED_ITEMS, values)
        ]


@dataclass(frozen=True, slots=True)
class VisitedItem:
    """An item whose work order has moved."""

    item: FieldActionItem
    resolved_at: datetime | None
    done_by_id: int | None


LOAD_VISITED_ITEMS = """
    SELECT i.id, i.field_action_id, i.device_id, d.serial, i.wave, i.state, i.state_since, i.attempts,
        i.install_failures, i.notified_at, i.acknowledged_at, i.scheduled_for, i.remediated_at, i.remediated_by_id,
        i.verified_at, i.evidence, i.reason, i.work_order_id, w.code AS work_order_code, w.state AS work_order_state,
        s.customer_id, d.region, d.is_simulated, i.row_version, w.resolved_at,
        (w.close_out ->> 'done_by_id')::bigint AS done_by_id
    FROM field_action_item i JOIN device d ON d.id = i.device_id JOIN work_order w ON w.id = i.work_order_id
    LEFT JOIN site s ON s.id = d.site_id
    WHERE i.field_action_id = %(id)s AND (
        (i.state IN ('ACKNOWLEDGED', 'SCHEDULED', 'UNREACHABLE') AND w.state IN ('WORK_DONE', 'VERIFIED', 'CLOSED'))
        OR (i.state = 'REMEDIATED' AND w.state IN ('VERIFIED', 'CLOSED'))
        OR (i.state = 'SCHEDULED' AND w.state = 'CANCELLED')
        OR (i.state IN ('REMEDIATED', 'VERIFIED')
            AND w.state IN ('TRIAGED', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD')))
    ORDER BY i.id LIMIT %(limit)s
"""


def load_visited_items(conn: Connection, action: FieldAction, *, limit: int) -> list[VisitedItem]:
    """Items of a recall or correction that are no longer as their work orders say, in the order of their ids."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return [
            VisitedItem(to_item(row), row["resolved_at"], row["done_by_id"])
            for row in cursor.execute(LOAD_VISITED_ITEMS, {"id": action.id, "limit": limit})
        ]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A device that came to what the action does: when, from when on it can be compared, and until when."""

    device_id: int
    at: datetime
    known_since: datetime  # it ran the version before, and was known at all
    until: datetime | None  # it left the version again; None: it has not


# A device that rolled back is among them: it may be the one for which the campaign must stop.
LOAD_UPGRADED = """
    SELECT i.device_id, v.since AS at, v.until,
        greatest(d.created_at, (SELECT max(p.since) FROM firmware_interval p
            WHERE p.device_id = i.device_id AND p.component = %(component)s AND p.since < v.since)) AS known_since
    FROM field_action_item i JOIN device d ON d.id = i.device_id
    CROSS JOIN LATERAL (
        SELECT v.since, v.until FROM firmware_interval v
        WHERE v.device_id = i.device_id AND v.component = %(component)s AND v.version = %(version)s
            AND v.since >= %(since)s
        ORDER BY v.since LIMIT 1
    ) v
    WHERE i.field_action_id = %(id)s AND d.created_at < v.since
    ORDER BY v.since, i.device_id LIMIT %(limit)s
"""
LOAD_REMEDIATED = """
    SELECT i.device_id, i.remediated_at AS at, d.created_at AS known_since, NULL::timestamptz AS until
    FROM field_action_item i JOIN device d ON d.id = i.device_id
    WHERE i.field_action_id = %(id)s AND i.state IN ('REMEDIATED', 'VERIFIED') AND d.created_at < i.remediated_at
    ORDER BY i.remediated_at, i.device_id LIMIT %(limit)s
"""
# Devices of the action that are not upgraded, and whose firmware has not changed in all the time that is compared.
LOAD_WAITING = """
    SELECT i.device_id FROM field_action_item i
    WHERE i.field_action_id = %(id)s
        AND i.state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED', 'UNREACHABLE')
        AND NOT EXISTS (SELECT FROM firmware_step f
            WHERE f.device_id = i.device_id AND f.component = %(component)s AND f.observed_at >= %(since)s
                AND f.version = %(version)s)
    ORDER BY md5(i.device_id::text) LIMIT %(limit)s
"""


def load_upgraded(conn: Connection, action: FieldAction, since: datetime, *, limit: int) -> list[Upgraded]:
    """The first devices of the campaign that came to its version since then, by their own reports."""
    values = {
        "id": action.id,
        "component": action.component,
        "version": action.firmware_version,
        "since": since,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(Upgraded)) as cursor:
        return cursor.execute(LOAD_UPGRADED, values).fetchall()


def load_remediated(conn: Connection, action: FieldAction, *, limit: int) -> list[Upgraded]:
    """The devices of the action that count as done."""
    with conn.cursor(row_factory=class_row(Upgraded)) as cursor:
        return cursor.execute(LOAD_REMEDIATED, {"id": action.id, "limit": limit}).fetchall()


def load_waiting(conn: Connection, action: FieldAction, since: datetime, *, limit: int) -> list[int]:
    """Devices of the campaign that never came to its version since then: what others are compared with."""
    values = {
        "id": action.id,
        "component": action.component,
        "version": action.firmware_version,
        "since": since,
        "limit": limit,
    }
    return [int(row[0]) for row in conn.execute(LOAD_WAITING, values)]
