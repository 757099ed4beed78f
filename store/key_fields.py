"""Serial, UDI and owner of a device, changed by two people; and every change of them that there was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.approval_request import ApprovalRequest, ApprovalSubject, ApprovalWish
from domain.audit import Actor
from domain.audit_master_data import key_fields_changed, serial_taken_over
from domain.errors import GuardRefusedError, NotFoundError
from domain.key_fields import DeviceKeys, KeyFieldFacts, find_key_field_refusal, find_payload_problems
from domain.udi import normalise_udi
from store.approval_requests import ApprovalHandler
from store.audit import record_audit
from store.device_claims import withdraw_claims
from store.fault_locks import lock_faults
from store.master_references import lock_master_data, name_source
from store.pool import Connection
from store.rejection_replays import request_replays_of_serials


@dataclass(frozen=True, slots=True)
class _Locked:
    id: int
    region: str
    keys: DeviceKeys
    facts: KeyFieldFacts


LOCK_DEVICE = """
    SELECT d.id, d.region, d.serial, d.udi, s.code, c.code, d.lifecycle, d.lot, m.udi_di, d.is_simulated,
        EXISTS (SELECT FROM device_account a WHERE a.device_id = d.id AND a.state = 'ACTIVE')
    FROM device d JOIN device_model m ON m.id = d.device_model_id LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
    WHERE d.serial = %s FOR NO KEY UPDATE OF d
"""
LOAD_DEVICE_ID = "SELECT id FROM device WHERE serial = %s"
LOAD_OPEN_ORDERS = """
    SELECT code FROM work_order WHERE device_id = %s AND type IN ('CORRECTIVE', 'PREDICTIVE')
        AND state NOT IN ('CLOSED', 'CANCELLED') ORDER BY id LIMIT 5
"""
IS_SERIAL_TAKEN = "SELECT EXISTS (SELECT FROM device WHERE serial = %s)"
LOAD_NEW_OWNER = "SELECT c.code, s.is_simulated FROM site s JOIN customer c ON c.id = s.customer_id WHERE s.code = %s"


def load_key_subject(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    """The device's key fields as they are, with the owner that it would get; nobody else changes them meanwhile.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such device; `guard` is a value of `domain.key_fields.KeyFieldGuard`.
    """
    found = _lock(conn, wish.entity_id, wish.payload)
    keys = found.keys
    values = {"serial": keys.serial, "udi": keys.udi, "site": keys.site, "customer": keys.customer}
    if "site" in wish.payload:
        values["new_customer"] = found.facts.new_customer
    return ApprovalSubject(values, found.region, keys.is_simulated)


CHANGE_KEYS = """
    UPDATE device SET serial = %(serial)s, udi = %(udi)s,
        site_id = CASE WHEN %(moves)s THEN (SELECT id FROM site WHERE code = %(site)s) ELSE site_id END,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""
# What the customer before had bought for it ends with the owner.
LEAVE_CONTRACTS = """
    DELETE FROM service_contract_device x USING service_contract k
    WHERE k.id = x.contract_id AND x.device_id = %(id)s
        AND k.customer_id IS DISTINCT FROM (SELECT customer_id FROM site WHERE code = %(site)s)
    RETURNING k.code
"""


def record_key_fields(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    """The device has the key fields that were asked for; its history names the request.

    Raises
    ------
    NotFoundError, GuardRefusedError
        As of `load_key_subject`.
    """
    payload = request.payload
    found = _lock(conn, request.entity_id, payload)
    keys = found.keys
    serial = str(payload.get("serial", keys.serial))
    udi = normalise_udi(payload["udi"]) if "udi" in payload else keys.udi
    moves, site = "site" in payload, payload.get("site")
    name_source(conn, f"approval:{request.code}", now)
    values = {"id": found.id, "serial": serial, "udi": udi, "moves": moves, "site": site, "now": now}
    conn.execute(CHANGE_KEYS, values)
    before: dict[str, Any] = {"serial": keys.serial, "udi": keys.udi, "site": keys.site, "customer": keys.customer}
    after: dict[str, Any] = {"serial": serial, "udi": udi}
    after |= {"site": site, "customer": found.facts.new_customer} if moves else {}
    outcome: dict[str, Any] = {"changed": [name for name in after if after[name] != before[name]]}
    if moves:
        left = [code for (code,) in conn.execute(LEAVE_CONTRACTS, values).fetchall()]
        outcome |= {"left_contracts": sorted(left)} if left else {}
    entries = [
        key_fields_changed(
            keys.serial,
            {name: before[name] for name in outcome["changed"]},
            {name: after[name] for name in outcome["changed"]},
            request.code,
            request.reason,
        )
    ]
    if serial != keys.serial:
        withdraw_claims(conn, found.id)
        replays = request_replays_of_serials(conn, actor.name, [serial])
        outcome |= {"replays_requested": replays} if replays else {}
        entries.append(serial_taken_over(serial, keys.serial, request.code))
    record_audit(conn, actor, *entries)
    return outcome


def _lock(conn: Connection, serial: str, payload: Mapping[str, Any]) -> _Locked:
    lock_master_data(conn)
    if "site" in payload:  # nobody opens an order of the owner who is to be another one
        lock_faults(conn, [device_id for (device_id,) in conn.execute(LOAD_DEVICE_ID, (serial,))])
    row = conn.execute(LOCK_DEVICE, (serial,)).fetchone()
    if row is None:
        raise NotFoundError(f"(device {serial!r})")
    device_id, region, *rest = row
    keys = DeviceKeys(*rest)
    is_taken = payload.get("serial", keys.serial) != keys.serial and _find_one(conn, IS_SERIAL_TAKEN, payload["serial"])
    site = payload.get("site")
    owner = None if site is None else conn.execute(LOAD_NEW_OWNER, (site,)).fetchone()
    facts = KeyFieldFacts(
        is_serial_taken=bool(is_taken),
        is_site_known=site is None or owner is not None,
        new_customer=None if owner is None else owner[0],
        new_is_simulated=None if owner is None else owner[1],
        open_orders=tuple(code for (code,) in conn.execute(LOAD_OPEN_ORDERS, (device_id,)))
        if "site" in payload
        else (),
    )
    refusal = find_key_field_refusal(keys, payload, facts)
    if refusal is not None:
        raise GuardRefusedError(*refusal)
    return _Locked(device_id, region, keys, facts)


def _find_one(conn: Connection, query: str, value: object) -> bool:
    row = conn.execute(query.encode(), (value,)).fetchone()
    return row is not None and bool(row[0])


KEY_FIELD_CHANGE = ApprovalHandler(find_payload_problems, load_key_subject, record_key_fields)


@dataclass(frozen=True, slots=True)
class KeyFieldEntry:
    """One change of a key field. Of one that two people made: who asked, who granted, why, and the audit's event."""

    id: int
    at: datetime
    field: str
    before: str | None
    after: str | None
    source: str
    approval_request: str | None
    reason: str | None
    asked_by: str | None
    decided_by: str | None
    audit_seq: int | None


LOAD_KEY_HISTORY = """
    SELECT h.id, h.at, h.field, h.before, h.after, h.source, r.code AS approval_request, r.reason, r.asked_by,
        r.decided_by, (SELECT e.seq FROM audit_event e WHERE e.entity = 'approval_request' AND e.entity_id = r.code
            AND e.action = 'approval_request.granted' LIMIT 1) AS audit_seq
    FROM device_history h LEFT JOIN approval_request r ON h.source = 'approval:' || r.code
    WHERE h.device_id = %(device_id)s AND h.field IN ('serial', 'udi', 'customer', 'site')
        AND (%(before_id)s::bigint IS NULL OR h.id < %(before_id)s)
    ORDER BY h.id DESC LIMIT %(limit)s
"""


def load_key_history(
    conn: Connection, device_id: int, *, before_id: int | None = None, limit: int = 100
) -> list[KeyFieldEntry]:
    """Changes of serial, UDI, owner and site of the device, the newest first."""
    values = {"device_id": device_id, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(KeyFieldEntry)) as cursor:
        return cursor.execute(LOAD_KEY_HISTORY, values).fetchall()
