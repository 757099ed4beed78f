"""Complaints as rows: one that comes in, one that is put right, and the work order that takes care of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor
from domain.audit_complaint import complaint_changed, complaint_linked, complaint_received
from domain.breach import Severity
from domain.complaint import Complaint, ComplaintGuard, ComplaintSeverity, ComplaintState
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.tickets import Priority, find_priority
from domain.work_order import WorkOrderSource, WorkOrderType
from store.audit import record_audit, to_jsonb
from store.complaint_devices import DeviceOfComplaint, load_device_of_complaint, load_serial
from store.manual_orders import report_fault
from store.pool import Connection

COMPLAINT_COLUMNS = ", ".join(f"c.{f.name}" for f in fields(Complaint))
# What a person may put right as long as the complaint is not closed.
CHANGEABLE = (
    "severity",
    "device_name",
    "device_identification",
    "reporter_name",
    "reporter_address",
    "reporter_phone",
    "details",
    "correction",
    "reply",
    "fault_group",
)


@dataclass(frozen=True, slots=True)
class ComplaintDraft:
    """A complaint as it came in. `serial` and `fault_group`, where both are known, say which work order is its."""

    received_at: datetime
    severity: ComplaintSeverity
    details: str
    device_name: str = ""
    device_identification: str = ""
    reporter_name: str = ""
    reporter_address: str = ""
    reporter_phone: str = ""
    correction: str = ""
    reply: str = ""
    serial: str | None = None
    fault_group: str | None = None
    customer_code: str | None = None  # where no device is known
    is_simulated: bool = False  # likewise
    external_refs: tuple[Mapping[str, str], ...] = ()


def to_complaint(row: Mapping[str, Any]) -> Complaint:
    """The record of a row that has COMPLAINT_COLUMNS (more are let be)."""
    values = {f.name: row[f.name] for f in fields(Complaint)}
    values |= {"state": ComplaintState(row["state"]), "severity": ComplaintSeverity(row["severity"])}
    return Complaint(**values)


LOCK_REFERENCE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 4660121))"
LOAD_BY_REFERENCES = f"""
    SELECT {COMPLAINT_COLUMNS} FROM complaint c WHERE c.id IN (
        SELECT r.complaint_id FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (system, type, external_id)
        JOIN complaint_reference r USING (system, type, external_id))
    ORDER BY c.id LIMIT 1
"""  # noqa: S608
RECORD_REFERENCES = """
    INSERT INTO complaint_reference (system, type, external_id, complaint_id)
    SELECT k.*, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS k ON CONFLICT DO NOTHING
"""
LOAD_CUSTOMER = "SELECT id, region, is_simulated FROM customer WHERE code = %s"
RECORD_COMPLAINT = f"""
    INSERT INTO complaint AS c (code, state, received_at, severity, device_name, device_identification, reporter_name,
        reporter_address, reporter_phone, details, correction, reply, device_id, customer_id, fault_group,
        external_refs, region, is_simulated, created_by, created_at, updated_at)
    VALUES ('CMP-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('complaint_number'), 'FM9999999999000000'),
        'RECEIVED', %(received_at)s, %(severity)s, %(device_name)s, %(device_identification)s, %(reporter_name)s,
        %(reporter_address)s, %(reporter_phone)s, %(details)s, %(correction)s, %(reply)s, %(device_id)s,
        %(customer_id)s, %(fault_group)s, %(external_refs)s, %(region)s, %(is_simulated)s, %(created_by)s, %(now)s,
        %(now)s)
    RETURNING {COMPLAINT_COLUMNS}
"""  # noqa: S608


def load_complaint_by_references(conn: Connection, refs: Sequence[Mapping[str, str]]) -> Complaint | None:
    """The complaint that another system calls by one of these references."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_BY_REFERENCES.encode(), _split_references(refs)).fetchone()
    return None if row is None else to_complaint(row)


def record_complaint(conn: Connection, actor: Actor, draft: ComplaintDraft, now: datetime) -> tuple[Complaint, bool]:
    """The complaint that was received, and whether it is new: one whose reference is known already is the same one,
    and stays as it is. Where device and fault group are known, it joins or opens a work order.

    Raises
    ------
    NotFoundError
        There is no device of that serial, or no such customer.
    """
    for ref in sorted("\x1f".join((r["system"], r["type"], r["id"])) for r in draft.external_refs):
        conn.execute(LOCK_REFERENCE, (ref,))
    known = load_complaint_by_references(conn, draft.external_refs) if draft.external_refs else None
    if known is not None:
        return known, False
    values = {f.name: getattr(draft, f.name) for f in fields(draft)}
    values |= {"external_refs": to_jsonb(list(draft.external_refs)), "created_by": actor.name, "now": now}
    values |= {"device_id": None, "customer_id": None, "region": ""}
    device = None if draft.serial is None else load_device_of_complaint(conn, draft.serial, now)
    if device is not None:
        values |= {"device_id": device.id, "customer_id": device.customer_id, "region": device.region}
        values |= {"is_simulated": device.is_simulated, "device_name": draft.device_name or device.name}
        values["device_identification"] = draft.device_identification or device.udi or device.serial
    elif draft.customer_code is not None:
        customer = conn.execute(LOAD_CUSTOMER, (draft.customer_code,)).fetchone()
        if customer is None:
            raise NotFoundError(draft.customer_code)
        values |= {"customer_id": customer[0], "region": customer[1]}
        values["is_simulated"] = draft.is_simulated or customer[2]
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(RECORD_COMPLAINT.encode(), values).fetchone()
    assert row is not None
    complaint = to_complaint(row)
    conn.execute(RECORD_REFERENCES, (complaint.id, *_split_references(draft.external_refs)))
    order = None
    if device is not None and complaint.fault_group is not None:
        complaint, order = _link(conn, actor, complaint, device, now)
    record_audit(conn, actor, complaint_received(complaint, order))
    return complaint, True


def _split_references(refs: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str], list[str]]:
    return [r["system"] for r in refs], [r["type"] for r in refs], [r["id"] for r in refs]


def _link(
    conn: Connection, actor: Actor, complaint: Complaint, device: DeviceOfComplaint, now: datetime
) -> tuple[Complaint, str]:
    """The complaint with the order that takes care of it, and the order's code."""
    assert complaint.fault_group is not None
    order, result = report_fault(
        conn,
        actor,
        device.serial,
        type_=WorkOrderType.CORRECTIVE,
        priority=find_complaint_priority(
            complaint.severity, safety_critical=device.safety_critical, under_contract=device.under_contract
        ),
        fault_group=complaint.fault_group,
        description=f"{complaint.code}: {complaint.details}",
        now=now,
        source=WorkOrderSource.COMPLAINT,
    )
    linked = replace(complaint, work_order_id=order.id, joined_as=result.value, updated_at=now)
    return update_complaint(conn, linked), order.code


def find_complaint_priority(severity: ComplaintSeverity, *, safety_critical: bool, under_contract: bool) -> Priority:
    """The priority that a breach of that severity would have."""
    return find_priority(Severity(severity.value), safety_critical=safety_critical, under_contract=under_contract)


LOAD_COMPLAINT = f"SELECT {COMPLAINT_COLUMNS} FROM complaint c WHERE c.code = %s"  # noqa: S608
LOCK_COMPLAINT = LOAD_COMPLAINT + " FOR UPDATE"


def load_complaint(conn: Connection, code: str) -> Complaint | None:
    """The complaint of that code, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_COMPLAINT.encode(), (code,)).fetchone()
    return None if row is None else to_complaint(row)


def lock_complaint(conn: Connection, code: str, expected_row_version: int | None) -> Complaint:
    """The complaint, locked until the transaction ends.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it has moved since the caller saw it.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOCK_COMPLAINT.encode(), (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    if expected_row_version is not None and row["row_version"] != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row['row_version']}, not {expected_row_version}.")
    return to_complaint(row)


_WRITTEN = (
    *CHANGEABLE, "state", "version", "device_id", "customer_id", "work_order_id", "joined_as", "investigated",
    "investigation", "not_investigated_reason", "investigation_decided_by_id", "investigation_decided_by", "closed_at",
    "region", "is_simulated", "updated_at",
)  # fmt: skip
UPDATE_COMPLAINT = f"""
    UPDATE complaint c SET {", ".join(f"{name} = %({name})s" for name in _WRITTEN)}, row_version = c.row_version + 1
    WHERE c.id = %(id)s RETURNING {COMPLAINT_COLUMNS}
"""  # noqa: S608


def update_complaint(conn: Connection, complaint: Complaint) -> Complaint:
    """The complaint as it was written, one row version on. The caller holds its lock and writes the audit."""
    values = {name: getattr(complaint, name) for name in (*_WRITTEN, "id")}
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(UPDATE_COMPLAINT.encode(), values).fetchone()
    assert row is not None
    return to_complaint(row)


def change_complaint(
    conn: Connection,
    actor: Actor,
    code: str,
    changes: Mapping[str, Any],
    *,
    serial: str | None,
    reason: str,
    expected_row_version: int | None,
    now: datetime,
) -> Complaint:
    """The complaint with these of its CHANGEABLE fields changed and, by `serial`, its device named. As soon as device
    and fault group are known it joins or opens a work order; that link stays.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such complaint or device, or the complaint has moved since the caller saw it.
    GuardRefusedError
        It is closed, or has its work order already and another device or fault group is named.
    """
    before = lock_complaint(conn, code, expected_row_version)
    if before.state is ComplaintState.CLOSED:
        raise GuardRefusedError(ComplaintGuard.CLOSED, "a closed complaint is reopened before it is changed")
    after = replace(before, **{n: v for n, v in changes.items() if n in CHANGEABLE}, updated_at=now)
    device = None if serial is None else load_device_of_complaint(conn, serial, now)
    if device is not None:
        after = replace(
            after,
            device_id=device.id,
            customer_id=device.customer_id,
            region=device.region,
            is_simulated=device.is_simulated,
            device_name=after.device_name or device.name,
            device_identification=after.device_identification or device.udi or device.serial,
        )
    is_other = (after.device_id, after.fault_group) != (before.device_id, before.fault_group)
    if is_other and before.work_order_id is not None:
        detail = "it has its work order: device and fault group stay as they are"
        raise GuardRefusedError(ComplaintGuard.LINKED_ALREADY, detail)
    names = [n for n in (*CHANGEABLE, "device_id") if getattr(before, n) != getattr(after, n)]
    if not names:
        return before
    after = update_complaint(conn, after)
    entries = [
        complaint_changed(code, {n: getattr(before, n) for n in names}, {n: getattr(after, n) for n in names}, reason)
    ]
    if after.work_order_id is None and after.device_id is not None and after.fault_group is not None:
        found = device or load_device_of_complaint(conn, load_serial(conn, after.device_id), now)
        after, order = _link(conn, actor, after, found, now)
        entries.append(complaint_linked(code, order, after.joined_as or ""))
    record_audit(conn, actor, *entries)
    return after
