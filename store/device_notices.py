"""What each device is to be told, and what the broker was last given: the second follows the first.

A row says what the broker is to keep (`wanted`) and counts up with every change (`revision`). The publisher takes the
rows whose published revision is another one; publishing twice does no harm, as the message is retained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.field_action import FieldAction
from domain.field_action_item import OPEN_ITEM_STATES
from store.audit import to_jsonb
from store.outbox import OutboxEvent, record_events
from store.pool import Connection

NOTICE_LOCK = 4_660_125  # any number, the same for all
TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"


def try_lock_notices(conn: Connection) -> bool:
    """Whether this connection is the one that publishes; it is until it closes. Two could overtake each other."""
    row = conn.execute(TAKE_LOCK, (NOTICE_LOCK,)).fetchone()
    return row is not None and bool(row[0])


_OPEN = [state.value for state in OPEN_ITEM_STATES]
# Devices of open waves that have not installed it, and where it has not failed too often.
SET_NOTICES = """
    INSERT INTO device_notice AS n (device_id, field_action_id, wanted, wanted_at)
    SELECT i.device_id, i.field_action_id, %(payload)s, %(now)s
    FROM field_action_item i
    WHERE i.field_action_id = %(id)s AND %(is_telling)s AND i.wave <= %(current_wave)s AND i.state = ANY (%(open)s)
        AND i.install_failures < %(install_attempts)s
        AND (%(devices)s::bigint[] IS NULL OR i.device_id = ANY (%(devices)s))
        AND NOT EXISTS (SELECT FROM device_notice k WHERE k.device_id = i.device_id
            AND k.field_action_id = i.field_action_id AND k.wanted = %(payload)s::jsonb)
    ORDER BY i.device_id
    ON CONFLICT (device_id) DO UPDATE SET field_action_id = excluded.field_action_id, wanted = excluded.wanted,
        revision = n.revision + 1, wanted_at = excluded.wanted_at, attempts = 0, last_error = ''
    RETURNING device_id
"""
CLEAR_NOTICES = """
    UPDATE device_notice n SET wanted = NULL, revision = n.revision + 1, wanted_at = %(now)s, attempts = 0,
        last_error = ''
    FROM field_action_item i
    WHERE n.field_action_id = %(id)s AND n.wanted IS NOT NULL AND i.field_action_id = n.field_action_id
        AND i.device_id = n.device_id AND (%(devices)s::bigint[] IS NULL OR n.device_id = ANY (%(devices)s))
        AND NOT (%(is_telling)s AND i.wave <= %(current_wave)s AND i.state = ANY (%(open)s)
            AND i.install_failures < %(install_attempts)s)
    RETURNING n.device_id
"""
LOAD_SERIALS = "SELECT id, serial, is_simulated FROM device WHERE id = ANY (%s::bigint[]) ORDER BY id"


def find_notice_payload(action: FieldAction) -> dict[str, Any]:
    """What a device is told: which action, which version, how to know the right image, and not before when."""
    payload: dict[str, Any] = {
        "action": action.code,
        "component": action.component,
        "version": action.firmware_version,
        "sha256": action.firmware_sha256,
    }
    if action.firmware_url:
        payload["url"] = action.firmware_url
    if action.not_before is not None:
        payload["not_before"] = action.not_before
    return payload


def refresh_notices(
    conn: Connection, action: FieldAction, now: datetime, devices: Sequence[int] | None = None
) -> tuple[int, int]:
    """Brings what the devices of a campaign are to be told up to where it stands: how many are told now, how many no
    more. Events go along. The caller holds the action's lock, and has written action and items.

    `devices`: those whose items changed, where the action itself did not; None: all of the action.
    """
    if action.firmware_id is None or (devices is not None and not devices):
        return 0, 0
    is_telling = action.state == "EXECUTING" and not action.is_halted and action.firmware_state == "RELEASED"
    values = {
        "id": action.id,
        "payload": to_jsonb(find_notice_payload(action)),
        "is_telling": is_telling,
        "current_wave": action.current_wave,
        "open": _OPEN,
        "install_attempts": action.install_attempts,
        "devices": None if devices is None else list(devices),
        "now": now,
    }
    cleared = [int(row[0]) for row in conn.execute(CLEAR_NOTICES, values)]
    told = [int(row[0]) for row in conn.execute(SET_NOTICES, values)]
    for ids, what in ((told, "issued"), (cleared, "withdrawn")):
        _tell(conn, action, ids, what, now)
    if told or cleared:
        conn.execute("SELECT pg_notify('forewarn_device_notice', '')")
    return len(told), len(cleared)


def _tell(conn: Connection, action: FieldAction, device_ids: Sequence[int], what: str, now: datetime) -> None:
    if not device_ids:
        return
    data = {
        "action": action.code,
        "component": action.component,
        "version": action.firmware_version,
        "sha256": action.firmware_sha256,
        "notice": what,
    }
    record_events(
        conn,
        *(
            OutboxEvent(
                "firmware.notice",
                serial,
                "field_action",
                action.code,
                now,
                data | {"serial": serial},
                is_simulated or action.is_simulated,
            )
            for _, serial, is_simulated in conn.execute(LOAD_SERIALS, (list(device_ids),)).fetchall()
        ),
    )


@dataclass(frozen=True, slots=True)
class DeviceNotice:
    """What the broker is to be given for a device; `wanted` None empties its topic."""

    device_id: int
    serial: str
    gateway: str  # that it is behind now; empty: none
    published_serial: str  # below whose topics it was published last; empty: nowhere
    published_gateway: str
    wanted: dict[str, Any] | None
    revision: int


_COLUMNS = """
    SELECT n.device_id, d.serial, coalesce(g.name, '') AS gateway, n.published_serial, n.published_gateway,
        n.wanted, n.revision
    FROM device_notice n JOIN device d ON d.id = n.device_id LEFT JOIN gateway g ON g.id = d.gateway_id
"""
# A device that came behind another gateway, or got another serial, is told there, and the topic before is emptied.
LOAD_PENDING = f"""
    {_COLUMNS}
    WHERE (n.published_revision <> n.revision OR (n.wanted IS NOT NULL
            AND (coalesce(g.name, '') <> n.published_gateway OR d.serial <> n.published_serial)))
        AND n.device_id > %(after)s
    ORDER BY n.device_id LIMIT %(limit)s
"""
# What was emptied lately as well: a broker that was killed comes back with its last save, and with what was withdrawn.
LOAD_KEPT = f"""
    {_COLUMNS}
    WHERE (n.wanted IS NOT NULL OR n.wanted_at > now() - interval '1 day') AND n.device_id > %(after)s
    ORDER BY n.device_id LIMIT %(limit)s
"""


def load_pending_notices(conn: Connection, *, after: int = 0, limit: int = 500) -> list[DeviceNotice]:
    """Notices that the broker does not have as they are wanted, by device id."""
    with conn.cursor(row_factory=class_row(DeviceNotice)) as cursor:
        return cursor.execute(LOAD_PENDING, {"after": after, "limit": limit}).fetchall()


def load_kept_notices(conn: Connection, *, after: int = 0, limit: int = 500) -> list[DeviceNotice]:
    """All that the broker is to keep, or was to forget within a day, by device id: given again at every connect."""
    with conn.cursor(row_factory=class_row(DeviceNotice)) as cursor:
        return cursor.execute(LOAD_KEPT, {"after": after, "limit": limit}).fetchall()


RECORD_PUBLISHED = """
    UPDATE device_notice n SET published_revision = t.revision, published_serial = t.serial,
        published_gateway = t.gateway, published_at = %(now)s, attempts = n.attempts + 1, last_error = ''
    FROM unnest(%(devices)s::bigint[], %(revisions)s::bigint[], %(serials)s::text[], %(gateways)s::text[])
        AS t (device_id, revision, serial, gateway)
    WHERE n.device_id = t.device_id
"""


def record_published(conn: Connection, notices: Sequence[DeviceNotice], now: datetime) -> None:
    """The broker acknowledged these, as they were then; one that was changed meanwhile stays pending."""
    if not notices:
        return
    conn.execute(
        RECORD_PUBLISHED,
        {
            "devices": [n.device_id for n in notices],
            "revisions": [n.revision for n in notices],
            "serials": [n.serial if n.wanted is not None else "" for n in notices],
            "gateways": [n.gateway if n.wanted is not None else "" for n in notices],
            "now": now,
        },
    )


RECORD_FAILED = """
    UPDATE device_notice SET attempts = attempts + 1, last_error = %(error)s
    WHERE device_id = ANY (%(devices)s::bigint[])
"""


def record_unpublished(conn: Connection, device_ids: Sequence[int], error: str) -> None:
    """The broker did not take these: they stay pending, with why."""
    conn.execute(RECORD_FAILED, {"devices": list(device_ids), "error": error[:500]})


COUNT_NOTICES = """
    SELECT count(*) FILTER (WHERE published_revision <> revision), count(*) FILTER (WHERE wanted IS NOT NULL),
        min(wanted_at) FILTER (WHERE published_revision <> revision)
    FROM device_notice
"""


@dataclass(frozen=True, slots=True)
class NoticeCounts:
    """How many notices wait for the broker, how many it keeps, and since when the oldest waits."""

    waiting: int
    kept: int
    oldest_waiting_at: datetime | None


def count_notices(conn: Connection) -> NoticeCounts:
    """How far the publisher is."""
    row = conn.execute(COUNT_NOTICES).fetchone()
    assert row is not None
    return NoticeCounts(*row)
