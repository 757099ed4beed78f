"""What was said to customers and to who has a device, written once, and what came of it for the items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row, dict_row

from domain.audit import Actor
from domain.audit_field_action import communication_recorded
from domain.errors import GuardRefusedError, NotFoundError
from domain.field_action import FieldAction, FieldActionState
from domain.field_action_item import FieldActionItem, ItemGuard, ItemState
from store.audit import record_audit
from store.device_notices import refresh_notices
from store.field_action_items import LIST_ITEMS, ItemChange, to_item, update_items
from store.pool import Connection

_S = ItemState


class Channel(StrEnum):
    """By which way. Values stand in the database and never change."""

    EMAIL = "EMAIL"
    PHONE = "PHONE"
    LETTER = "LETTER"
    VISIT = "VISIT"
    PORTAL = "PORTAL"
    DEVICE = "DEVICE"
    OTHER = "OTHER"


class ContactResult(StrEnum):
    """What came of it. Values stand in the database and never change."""

    SENT = "SENT"  # on its way, nobody has answered
    REACHED = "REACHED"  # somebody has it
    ACKNOWLEDGED = "ACKNOWLEDGED"  # somebody confirms to have understood it
    NO_ANSWER = "NO_ANSWER"
    UNDELIVERABLE = "UNDELIVERABLE"
    REFUSED = "REFUSED"  # reached, and will not have it done
    FAILED = "FAILED"  # of a device: it did not install

    @property
    def is_failure(self) -> bool:
        """Nobody was reached: an attempt that counts."""
        return self in (ContactResult.NO_ANSWER, ContactResult.UNDELIVERABLE)


@dataclass(frozen=True, slots=True)
class NewCommunication:
    """What was said: to a customer about all of its devices, or about one device."""

    channel: Channel
    result: ContactResult
    at: datetime
    customer: str = ""  # code
    serial: str = ""
    contact: str = ""  # who was spoken to
    text: str = ""


RECORD_COMMUNICATION = """
    INSERT INTO field_action_communication (field_action_id, item_id, customer_id, at, channel, by, contact, text,
        result, is_simulated)
    VALUES (%(field_action_id)s, %(item_id)s, %(customer_id)s, %(at)s, %(channel)s, %(by)s, %(contact)s, %(text)s,
        %(result)s, %(is_simulated)s)
    RETURNING id
"""


def record_communication(
    conn: Connection, actor: Actor, action: FieldAction, said: NewCommunication, *, now: datetime
) -> int:
    """The id of what was recorded, with its consequences for the items that it is about: told, acknowledged, one more
    failed attempt, and UNREACHABLE after the last one. The caller holds the action's lock.

    Raises
    ------
    NotFoundError
        The customer has no device in the action, or the device is not in it.
    GuardRefusedError
        The action is not running.
    """
    is_check = action.state is FieldActionState.EFFECTIVENESS
    if not action.state.is_running and not is_check:
        raise GuardRefusedError(ItemGuard.ACTION_NOT_RUNNING, f"the action is {action.state}")
    values = {"field_action_id": action.id, "states": [], "wave": None, "region": "", "customer_id": None}
    values |= {"serial": said.serial, "customer": said.customer, "after_id": None, "limit": None}
    with conn.cursor(row_factory=dict_row) as cursor:
        items = [to_item(row) for row in cursor.execute(LIST_ITEMS, values)]
    if not items:
        raise NotFoundError(f"{said.serial or said.customer} in {action.code}")
    about_one = items[0] if said.serial else None
    row = conn.execute(
        RECORD_COMMUNICATION,
        {
            "field_action_id": action.id,
            "item_id": about_one.id if about_one is not None else None,
            "customer_id": items[0].customer_id,
            "at": said.at,
            "channel": said.channel,
            "by": actor.name,
            "contact": said.contact,
            "text": said.text,
            "result": said.result,
            "is_simulated": action.is_simulated,
        },
    ).fetchone()
    assert row is not None
    # What is asked afterwards, to see whether the action arrived, moves no device any more.
    changes = [] if is_check else find_contact_changes(items, said.result, action.max_attempts, now)
    entries = update_items(conn, action, changes, now)
    refresh_notices(conn, action, now, [change.after.device_id for change in changes])
    told = communication_recorded(action.code, int(row[0]), said.channel, said.result, len(items))
    record_audit(conn, actor, told, *entries)
    return int(row[0])


def record_failed_updates(
    conn: Connection, action: FieldAction, item: FieldActionItem, count: int, error: str, now: datetime
) -> None:
    """Notes in the trail that an update failed at the device, so often since the last note."""
    conn.execute(
        RECORD_COMMUNICATION,
        {
            "field_action_id": action.id,
            "item_id": item.id,
            "customer_id": item.customer_id,
            "at": now,
            "channel": Channel.DEVICE,
            "by": item.serial,
            "contact": "",
            "text": f"{action.firmware_version} failed or was left again: {count}{'; ' if error else ''}{error}",
            "result": ContactResult.FAILED,
            "is_simulated": action.is_simulated,
        },
    )


def find_contact_changes(
    items: Sequence[FieldActionItem], result: ContactResult, max_attempts: int, now: datetime
) -> list[ItemChange]:
    """What the result of talking to somebody means for these items."""
    changes = []
    for item in items:
        after = item
        if result.is_failure:
            if item.state.is_open:
                after = replace(item, attempts=item.attempts + 1)
                # Who has agreed to it, or has an appointment, is given up by a person.
                if after.attempts >= max_attempts and item.state in (_S.IDENTIFIED, _S.NOTIFIED):
                    after = replace(after, state=_S.UNREACHABLE, state_since=now)
        elif result is ContactResult.ACKNOWLEDGED:
            if item.state.is_open and item.attempts:
                after = replace(item, attempts=0)
            if item.state in (_S.IDENTIFIED, _S.NOTIFIED, _S.UNREACHABLE):
                notified = item.notified_at or now
                after = replace(
                    item, state=_S.ACKNOWLEDGED, state_since=now, notified_at=notified, acknowledged_at=now, attempts=0
                )
        elif result in (ContactResult.SENT, ContactResult.REACHED, ContactResult.REFUSED):
            reached = result is not ContactResult.SENT
            if reached and item.attempts and (item.state.is_open or item.state is _S.UNREACHABLE):
                after = replace(after, attempts=0)
            if item.state is _S.IDENTIFIED or (reached and item.state is _S.UNREACHABLE):
                after = replace(after, state=_S.NOTIFIED, state_since=now, notified_at=item.notified_at or now)
        if after is not item:
            changes.append(ItemChange(item, replace(after, row_version=item.row_version + 1), result.value))
    return changes


@dataclass(frozen=True, slots=True)
class Communication:
    """One thing that was said. `contact` is personal data."""

    id: int
    at: datetime
    channel: str
    by: str
    contact: str
    text: str
    result: str
    serial: str | None
    customer_code: str | None
    recorded_at: datetime


LOAD_COMMUNICATIONS = """
    SELECT m.id, m.at, m.channel, m.by, m.contact, m.text, m.result, d.serial, c.code AS customer_code, m.recorded_at
    FROM field_action_communication m
    LEFT JOIN field_action_item i ON i.id = m.item_id LEFT JOIN device d ON d.id = i.device_id
    LEFT JOIN customer c ON c.id = m.customer_id
    WHERE m.field_action_id = %(id)s AND (%(customer)s = '' OR c.code = %(customer)s)
        AND (%(customer_id)s::bigint IS NULL OR m.customer_id = %(customer_id)s)
        AND (%(serial)s = '' OR d.serial = %(serial)s OR (m.item_id IS NULL AND m.customer_id = (
            SELECT s.customer_id FROM device x JOIN site s ON s.id = x.site_id WHERE x.serial = %(serial)s)))
        AND (%(before_id)s::bigint IS NULL OR m.id < %(before_id)s)
    ORDER BY m.id DESC LIMIT %(limit)s
"""


def load_communications(
    conn: Connection,
    field_action_id: int,
    *,
    customer: str = "",
    serial: str = "",
    customer_id: int | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Communication]:
    """The trail, newest first; of a serial what was said about it and about all devices of who has it."""
    values = {"id": field_action_id, "customer": customer, "serial": serial, "customer_id": customer_id}
    with conn.cursor(row_factory=class_row(Communication)) as cursor:
        return cursor.execute(LOAD_COMMUNICATIONS, values | {"before_id": before_id, "limit": limit}).fetchall()
