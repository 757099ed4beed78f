"""Changes that take two people: asked and signed by one, granted and signed by another, carried out in the transaction
that grants them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.approval_request import (
    DECISIONS,
    RULES,
    ApprovalFacts,
    ApprovalGuard,
    ApprovalKind,
    ApprovalRequest,
    ApprovalState,
    ApprovalSubject,
    ApprovalWish,
    find_approval_content,
    find_approval_refusal,
    find_ask_refusal,
    find_decision_content,
    find_request_content,
    is_intact,
)
from domain.audit import Actor, RecordedSignature, Signature, find_content_sha256
from domain.audit_approval_request import ENTITY, approval_asked, approval_decided, approval_expired
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.signatures import load_signatures, record_signature


@dataclass(frozen=True, slots=True)
class ApprovalHandler:
    """What a kind of change is made of; one each in `store.approval_handlers`.

    find_payload_problems(entity_id, payload)
        Field -> what is wrong, of what is asked for; empty: it can be asked. Pure.
    load_subject(conn, wish)
        The record as it is now, locked until the transaction ends. Called when the change is asked for and again when
        it is granted; `values` that differ refuse the grant. Raises NotFoundError or GuardRefusedError where such a
        change of this record cannot be.
    carry_out(conn, actor, request, now)
        Makes the change, writes its own audit and outbox, and returns what came of it.
    """

    find_payload_problems: Callable[[str, Mapping[str, Any]], Mapping[str, str]]
    load_subject: Callable[[Connection, ApprovalWish], ApprovalSubject]
    carry_out: Callable[[Connection, Actor, ApprovalRequest, datetime], Mapping[str, Any]]


Handlers = Mapping[ApprovalKind, ApprovalHandler]
DECISION_ENTITY = "approval_decision"  # what a signature of the second person is on

_COLUMNS = """r.id, r.code, r.kind, r.entity, r.entity_id, r.payload, r.subject, r.content_sha256, r.reason, r.state,
    r.asked_by_id, r.asked_by, r.asked_at, r.expires_at, r.decided_by_id, r.decided_by, r.decided_at, r.decision_reason,
    r.outcome, r.region, r.is_simulated, r.row_version, r.created_at, r.updated_at"""
# What is hashed is what the database will give back: it writes some numbers otherwise than they came.
LOAD_AS_STORED = "SELECT %s::jsonb, %s::jsonb"
ASK = f"""
    INSERT INTO approval_request AS r (code, kind, entity, entity_id, payload, subject, content_sha256, reason, state,
        asked_by_id, asked_by, asked_at, expires_at, region, is_simulated, created_at, updated_at)
    VALUES ('AR-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('approval_request_number'), 'FM9999999999000000'),
        %(kind)s, %(entity)s, %(entity_id)s, %(payload)s, %(subject)s, %(content_sha256)s, %(reason)s, 'ASKED',
        %(asked_by_id)s, %(asked_by)s, %(now)s, %(expires_at)s, %(region)s, %(is_simulated)s, %(now)s, %(now)s)
    RETURNING {_COLUMNS}
"""  # noqa: S608


def ask_approval(
    conn: Connection, actor: Actor, wish: ApprovalWish, handlers: Handlers, signature: Signature | None, now: datetime
) -> ApprovalRequest:
    """The recorded question, signed by who asks; the change itself waits for another person.

    `find_payload_problems` of its handler was empty. The caller has just checked the asker's password again.

    Raises
    ------
    NotFoundError
        There is no such record.
    GuardRefusedError
        `guard` is a value of `domain.approval_request.ApprovalGuard`, or of the record that is to be changed.
    """
    rule = RULES[wish.kind]
    handler = handlers.get(wish.kind)
    if handler is None:
        raise GuardRefusedError(ApprovalGuard.KIND_NOT_OFFERED, f"{wish.kind} cannot be asked for here")
    refusal = find_ask_refusal(
        wish,
        actor_id=actor.user_id,
        signer_id=None if signature is None else signature.signer_id,
        meaning="" if signature is None else signature.meaning,
        permission=actor.permission,
    )
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    assert actor.user_id is not None
    assert signature is not None
    subject = handler.load_subject(conn, wish)
    payload, values = _load_as_stored(conn, wish.payload, subject.values)
    content = find_approval_content(wish.kind, rule.entity, wish.entity_id, payload, values, actor.user_id)
    row = {
        "kind": wish.kind,
        "entity": rule.entity,
        "entity_id": wish.entity_id,
        "payload": to_jsonb(payload),
        "subject": to_jsonb(values),
        "content_sha256": find_content_sha256(content),
        "reason": wish.reason,
        "asked_by_id": actor.user_id,
        "asked_by": actor.name,
        "now": now,
        "expires_at": now + rule.stands_for,
        "region": subject.region,
        "is_simulated": subject.is_simulated,
    }
    try:
        with conn.transaction(), conn.cursor(row_factory=class_row(ApprovalRequest)) as cursor:
            request = cursor.execute(ASK, row).fetchone()
    except UniqueViolation as error:
        detail = f"this is asked for {wish.entity_id} already, and not decided yet"
        raise GuardRefusedError(ApprovalGuard.ASKED_ALREADY, detail) from error
    assert request is not None
    record_signature(conn, ENTITY, request.id, 1, content, signature, now)
    record_audit(conn, actor, approval_asked(request))
    return request


def _load_as_stored(
    conn: Connection, payload: Mapping[str, Any], subject: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    row = conn.execute(LOAD_AS_STORED, (to_jsonb(payload), to_jsonb(subject))).fetchone()
    assert row is not None
    return row[0], row[1]


LOAD_REQUEST = f"SELECT {_COLUMNS} FROM approval_request r WHERE r.code = %s"  # noqa: S608
LOCK_REQUEST = LOAD_REQUEST + " FOR UPDATE"
DECIDE = f"""
    UPDATE approval_request r SET state = %(state)s, decided_by_id = %(by_id)s, decided_by = %(by)s,
        decided_at = %(now)s, decision_reason = %(reason)s, outcome = %(outcome)s, row_version = r.row_version + 1,
        updated_at = %(now)s
    WHERE r.id = %(id)s RETURNING {_COLUMNS}
"""  # noqa: S608


def decide_approval(
    conn: Connection,
    actor: Actor,
    code: str,
    to: ApprovalState,
    handlers: Handlers,
    *,
    reason: str,
    signature: Signature | None,
    expected_row_version: int | None,
    now: datetime,
) -> ApprovalRequest:
    """The request as a person decided it. A granted change is carried out here, or nothing is recorded at all.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such request, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.approval_request.ApprovalGuard`, or of the record that is to be changed.
    """
    with conn.cursor(row_factory=class_row(ApprovalRequest)) as cursor:
        request = cursor.execute(LOCK_REQUEST, (code,)).fetchone()
    if request is None:
        raise NotFoundError(code)
    if expected_row_version is not None and request.row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {request.row_version}, not {expected_row_version}.")
    kind = ApprovalKind(request.kind)
    handler = handlers.get(kind)
    is_same = to is not ApprovalState.GRANTED or request.state != ApprovalState.ASKED
    if not is_same and handler is not None:
        subject = handler.load_subject(conn, _find_wish(request))
        is_same = _load_as_stored(conn, {}, subject.values)[1] == request.subject
    facts = ApprovalFacts(
        kind=kind,
        state=ApprovalState(request.state),
        asked_by_id=request.asked_by_id,
        expires_at=request.expires_at,
        actor_id=actor.user_id,
        signer_id=None if signature is None else signature.signer_id,
        meaning="" if signature is None else signature.meaning,
        is_intact=is_intact(request),
        subject_is_same=is_same,
    )
    refusal = find_approval_refusal(to, facts, permission=actor.permission, reason=reason, now=now)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    if handler is None and to is ApprovalState.GRANTED:
        raise GuardRefusedError(ApprovalGuard.KIND_NOT_OFFERED, f"{kind} cannot be carried out here")
    if signature is not None and to in DECISIONS:
        content = find_decision_content(request, to)
        record_signature(conn, DECISION_ENTITY, request.id, 1, content, signature, now)
    outcome = None
    if to is ApprovalState.GRANTED and handler is not None:
        outcome = handler.carry_out(conn, actor, request, now)
    values = {"id": request.id, "state": to, "by_id": actor.user_id, "by": actor.name, "now": now, "reason": reason}
    with conn.cursor(row_factory=class_row(ApprovalRequest)) as cursor:
        decided = cursor.execute(DECIDE, values | {"outcome": to_jsonb(outcome)}).fetchone()
    assert decided is not None
    record_audit(conn, actor, approval_decided(request, to, reason, outcome))
    return decided


def _find_wish(request: ApprovalRequest) -> ApprovalWish:
    return ApprovalWish(ApprovalKind(request.kind), request.entity_id, request.payload, request.reason)


EXPIRE = """
    UPDATE approval_request SET state = 'EXPIRED', row_version = row_version + 1, updated_at = %(now)s
    WHERE id IN (SELECT id FROM approval_request WHERE state = 'ASKED' AND expires_at <= %(now)s
        ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING code, kind, asked_by, expires_at
"""


def expire_approval_requests(conn: Connection, actor: Actor, now: datetime) -> list[str]:
    """The codes of the requests that nobody decided in time and that expire by this call."""
    expired = sorted(conn.execute(EXPIRE, {"now": now}).fetchall())
    record_audit(conn, actor, *(approval_expired(*row) for row in expired))
    return [row[0] for row in expired]


def load_request_signatures(conn: Connection, request: ApprovalRequest) -> list[RecordedSignature]:
    """The signatures of both people, the asker's first, each with whether it still stands for this request."""
    asked = load_signatures(conn, ENTITY, request.id, find_request_content(request))
    decision = find_decision_content(request, ApprovalState(request.state))
    return asked + load_signatures(conn, DECISION_ENTITY, request.id, decision)


LIST_REQUESTS = f"""
    SELECT {_COLUMNS} FROM approval_request r
    WHERE r.kind = ANY (%(kinds)s) AND (%(states)s::text[] = '{{}}' OR r.state = ANY (%(states)s))
        AND (%(entity)s = '' OR r.entity = %(entity)s) AND (%(entity_id)s = '' OR r.entity_id = %(entity_id)s)
        AND (%(asked_by)s = '' OR r.asked_by = %(asked_by)s)
        AND (%(before_id)s::bigint IS NULL OR r.id < %(before_id)s)
    ORDER BY r.id DESC LIMIT %(limit)s
"""  # noqa: S608


def load_approval_request(conn: Connection, code: str) -> ApprovalRequest | None:
    """The request of that code, or None."""
    with conn.cursor(row_factory=class_row(ApprovalRequest)) as cursor:
        return cursor.execute(LOAD_REQUEST, (code,)).fetchone()


def load_approval_requests(
    conn: Connection,
    *,
    kinds: Sequence[ApprovalKind],
    states: Sequence[ApprovalState] = (),
    entity: str = "",
    entity_id: str = "",
    asked_by: str = "",
    before_id: int | None = None,
    limit: int = 100,
) -> list[ApprovalRequest]:
    """Requests of these kinds, the newest first."""
    values = {
        "kinds": list(kinds),
        "states": list(states),
        "entity": entity,
        "entity_id": entity_id,
        "asked_by": asked_by,
        "before_id": before_id,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(ApprovalRequest)) as cursor:
        return cursor.execute(LIST_REQUESTS, values).fetchall()
