"""What people do to a work order: record, signature, audit and outbox change in the caller's one transaction."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.audit import Actor, RecordedSignature
from domain.audit_work_order import ENTITY, order_acknowledged, order_stepped
from domain.errors import GuardRefusedError
from domain.sentences import LANGUAGES
from domain.ticket_sentence import render_ticket
from domain.tickets import Priority
from domain.work_order import (
    Guard,
    InboxReason,
    Outcome,
    WorkOrder,
    WorkOrderState,
    find_reset_reason,
)
from domain.work_order_merge import FAULT_TYPES
from domain.work_order_signing import find_order_content
from domain.work_order_steps import (
    TransitionFacts,
    TransitionRequest,
    find_refusal,
)
from store.audit import record_audit
from store.baseline_resets import record_baseline_reset
from store.checklists import make_checklists
from store.fault_locks import lock_faults_of_orders
from store.monitor_flags import flag_false_alarming_monitors
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.signatures import load_signatures, record_signature
from store.sla_clocks import settle_clocks
from store.work_order_records import RecordFacts, load_record_facts, load_signed_records
from store.work_orders import find_changes, lock_work_order, update_work_orders

_S = WorkOrderState
# What other systems are told of; the other steps are theirs to read if they want.
EVENT_TYPES = {
    _S.ASSIGNED: "workorder.assigned",
    _S.ON_HOLD: "workorder.held",
    _S.WORK_DONE: "workorder.done",
    _S.CLOSED: "workorder.closed",
}


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What the guards and the events need beside the order itself."""

    serial: str | None
    device_model_id: int | None
    safety_critical: bool
    assignee_known: bool
    assignee_certified: bool
    is_quiet: bool
    has_other_open_order: bool


# Quiet is: the quiet period is over, nothing linked is active, and the device has reported since the work was done.
LOAD_SURROUNDINGS = """
    SELECT coalesce(d.serial, g.name, s.code) AS serial, d.device_model_id,
        coalesce(m.safety_critical, false) AS safety_critical,
        EXISTS (
            SELECT FROM app_user u
            WHERE u.id = %(assignee_id)s AND u.status = 'ACTIVE' AND 'technician' = ANY (u.roles)
        ) AS assignee_known,
        d.id IS NULL OR EXISTS (
            SELECT FROM technician_certificate c WHERE c.user_id = %(assignee_id)s AND c.device_model_id = m.id
                AND c.valid_until >= (%(now)s::timestamptz AT TIME ZONE 'UTC')::date
        ) AS assignee_certified,
        w.ready_to_verify_at IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
                WHERE wb.work_order_id = w.id AND b.state = 'ACTIVE')
            AND (d.id IS NULL
                OR (d.connectivity <> 'OFFLINE' AND d.last_seen_at >= coalesce(w.resolved_at, w.quiet_since)))
            AS is_quiet,
        w.type = ANY (%(fault_types)s) AND EXISTS (
            SELECT FROM work_order o WHERE o.device_id = w.device_id AND o.fault_group = w.fault_group
                AND (o.state NOT IN ('CLOSED', 'CANCELLED') OR o.merged_into_id IS NOT NULL)
                AND EXISTS (SELECT FROM work_order s WHERE s.id = surviving_order(o.id) AND s.id <> w.id
                    AND s.type = ANY (%(fault_types)s) AND s.state NOT IN ('CLOSED', 'CANCELLED'))
        ) AS has_other_open_order
    FROM work_order w
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = w.gateway_id LEFT JOIN site s ON s.id = w.site_id
    WHERE w.id = %(id)s
"""


def record_transition(
    conn: Connection,
    actor: Actor,
    code: str,
    request: TransitionRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> WorkOrder:
    """The order in its new state; record, signature, audit and outbox are written in the caller's transaction.

    The caller has proved who the actor is and, for a signature, checked the password again just now.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such order, or it has moved since the caller saw it.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.work_order.Guard`.
    """
    if request.to is _S.TRIAGED:  # perhaps it is opened again, and nobody may open another one meanwhile
        lock_faults_of_orders(conn, [code])
    before = lock_work_order(conn, code, expected_row_version)
    around = _load_surroundings(conn, before, request, now)
    records = load_record_facts(conn, before) if request.to in (_S.WORK_DONE, _S.VERIFIED) else None
    refusal = find_refusal(request, _find_facts(before, around, records, actor), actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    after = settle_clocks(conn, before, _find_next(before, request, actor, now), now)
    try:
        with conn.transaction():
            update_work_orders(conn, [after])
    except UniqueViolation as error:
        # Between the look and the step the machine opened another order of the key.
        raise GuardRefusedError(Guard.OPEN_ORDER_OF_KEY, "another order for this fault was opened just now") from error
    after = replace(after, row_version=before.row_version + 1)
    if request.signature is not None:
        content = find_order_content(after, load_signed_records(conn, after.id))
        record_signature(conn, ENTITY, after.id, after.version, content, request.signature, now)
    was, becomes = find_changes(before, after)
    if request.test_evidence:
        becomes["test_evidence"] = request.test_evidence
    reopened = before.state is _S.CLOSED
    entries = [order_stepped(code, before.state, request.to, was, becomes, request.reason)]
    event_type = "workorder.reopened" if reopened else EVENT_TYPES.get(request.to)
    if event_type is not None:
        record_events(conn, make_order_event(event_type, after, around.serial, now))
    if after.state is _S.ASSIGNED:
        entries += make_checklists(conn, after, now)
    if after.state is _S.CLOSED and after.outcome is Outcome.FALSE_ALARM:
        entries += flag_false_alarming_monitors(conn, after.id, now)
    record_audit(conn, actor, *entries)
    if after.state is _S.WORK_DONE and after.device_id is not None:
        reset = find_reset_reason(after.type, after.outcome)
        if reset is not None:
            record_baseline_reset(conn, after, reset, now)
    return after


def make_order_event(event_type: str, order: WorkOrder, subject: str | None, at: datetime, **more: Any) -> OutboxEvent:
    """The outbox event of one order: its code, state, clocks and its sentence, no personal data."""
    data = {
        "code": order.code,
        "type": order.type,
        "state": order.state,
        "priority": order.priority,
        "fault_group": order.fault_group,
        "summary": {lang: render_ticket(order.title_code, order.title_params, lang) for lang in LANGUAGES},
        "serial": subject if order.device_id is not None else None,
        "customer_id": order.customer_id,
        "response_due_at": order.response_due_at,
        "resolution_due_at": order.resolution_due_at,
        "outcome": order.outcome,
        "failure_code": order.failure_code,
        "version": order.version,
        **more,
    }
    return OutboxEvent(event_type, subject or order.code, "work_order", order.code, at, data, order.is_simulated)


def _load_surroundings(conn: Connection, order: WorkOrder, request: TransitionRequest, now: datetime) -> _Surroundings:
    assignee_id = request.assignee_id if request.to is _S.ASSIGNED else order.assignee_id
    with conn.cursor(row_factory=class_row(_Surroundings)) as cursor:
        values = {"assignee_id": assignee_id, "id": order.id, "now": now, "fault_types": list(FAULT_TYPES)}
        found = cursor.execute(LOAD_SURROUNDINGS, values).fetchone()
    assert found is not None
    return found


def _find_facts(order: WorkOrder, around: _Surroundings, records: RecordFacts | None, actor: Actor) -> TransitionFacts:
    return TransitionFacts(
        state=order.state,
        actor_id=actor.user_id,
        assignee_id=order.assignee_id,
        safety_critical=around.safety_critical,
        assignee_known=around.assignee_known,
        assignee_certified=around.assignee_certified,
        done_by_id=(order.close_out or {}).get("done_by_id"),
        is_quiet=around.is_quiet,
        has_other_open_order=around.has_other_open_order,
        open_parts=0 if records is None else records.open_parts,
        unanswered=() if records is None else tuple(records.unanswered),
        is_visit_under_way=records is not None and records.is_visit_under_way,
    )


def _find_next(order: WorkOrder, request: TransitionRequest, actor: Actor, now: datetime) -> WorkOrder:
    """The order after the step. A person has looked at it, so it leaves the inbox."""
    after = replace(order, state=request.to, hold_reason=None, inbox_reason=None, updated_at=now)
    if request.to is _S.TRIAGED and order.state is _S.CLOSED:
        return reopen(after, None, None)
    if request.to is _S.TRIAGED:
        return replace(after, assignee_id=None)
    if request.to is _S.ASSIGNED:
        return replace(after, assignee_id=request.assignee_id, responded_at=order.responded_at or now)
    if request.to is _S.IN_PROGRESS and order.state in (_S.WORK_DONE, _S.VERIFIED):
        return replace(after, resolved_at=None, outcome=None, failure_code=None)
    if request.to is _S.ON_HOLD:
        return replace(after, hold_reason=request.hold_reason)
    if request.to is _S.WORK_DONE:
        assert request.close_out is not None
        record = asdict(request.close_out) | {"done_by_id": actor.user_id, "done_by": actor.name, "done_at": now}
        failure_code = request.failure_code.strip() or None
        return replace(after, close_out=record, outcome=request.outcome, failure_code=failure_code, resolved_at=now)
    if request.to is _S.CLOSED:
        return replace(after, closed_at=now)
    if request.to is _S.CANCELLED:
        return replace(after, cancel_reason=request.reason, closed_at=now)
    return after


def reopen(order: WorkOrder, response_due_at: datetime | None, resolution_due_at: datetime | None) -> WorkOrder:
    """A closed order as it stands when it is opened again: a new version with new clocks, nobody assigned.

    What was recorded and signed of the version before stays in the audit chain and with its signature.
    """
    return replace(
        order,
        state=_S.TRIAGED,
        version=order.version + 1,
        reopen_count=order.reopen_count + 1,
        assignee_id=None,
        outcome=None,
        failure_code=None,
        close_out=None,
        closed_at=None,
        resolved_at=None,
        responded_at=None,
        response_due_at=response_due_at,
        resolution_due_at=resolution_due_at,
        response_breached=False,
        resolution_breached=False,
        quiet_since=None,
        ready_to_verify_at=None,
    )


def load_order_signatures(conn: Connection, order: WorkOrder) -> list[RecordedSignature]:
    """The order's signatures, oldest first, each with whether it still stands for the order as it is now."""
    return load_signatures(
        conn,
        ENTITY,
        order.id,
        lambda: find_order_content(order, load_signed_records(conn, order.id)),
        order.version,
    )


def record_acknowledgement(
    conn: Connection, actor: Actor, code: str, *, expected_row_version: int | None, now: datetime
) -> WorkOrder:
    """The order taken out of the inbox without a step: a person has seen that it was raised or came back.

    Raises
    ------
    GuardRefusedError
        The order is NEW: that one is triaged or cancelled, not acknowledged.
    """
    before = lock_work_order(conn, code, expected_row_version)
    if before.state is _S.NEW:
        raise GuardRefusedError(Guard.NO_SUCH_TRANSITION, "a new order is triaged or cancelled, not acknowledged")
    if before.inbox_reason is None:
        return before
    after = replace(before, inbox_reason=None, updated_at=now)
    update_work_orders(conn, [after])
    record_audit(conn, actor, order_acknowledged(code, *find_changes(before, after)))
    return replace(after, row_version=before.row_version + 1)


def escalate(
    order: WorkOrder, priority: Priority, response_due_at: datetime | None, resolution_due_at: datetime | None
) -> WorkOrder:
    """The order at a higher priority with its new clocks, back in the inbox unless it is new there anyway."""
    return replace(
        order,
        priority=priority,
        response_due_at=response_due_at,
        resolution_due_at=resolution_due_at,
        inbox_reason=order.inbox_reason or InboxReason.ESCALATED,
    )
