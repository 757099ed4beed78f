"""Deliveries to endpoints: claimed under a lease, they end with what came of each attempt.

At least once: a claim that ends with its process is void when its lease is over, and the event is sent again under the
same id. In order: an event of a record is claimed only when no earlier one of it waits for the same endpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_webhook import webhook_tested
from domain.webhook import TEST_TYPE, DeliveryState
from domain.webhook_schedule import AttemptResult
from store.audit import record_audit, to_jsonb
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Claim:
    """One event that this process is to send now, once. `attempts` are those that were made before."""

    id: int
    lease: UUID
    endpoint_id: int
    endpoint: str  # code
    url: str
    outbox_id: int
    event_id: UUID
    body: dict[str, Any]
    tries: int
    attempts: int


# Of each endpoint with room its own oldest, so that one with much to come keeps nobody else waiting; of its customer
# alone, whichever that was when the event was planned.
CLAIM_DELIVERIES = """
    WITH due AS (
        SELECT d.id FROM unnest(%(endpoints)s::bigint[], %(rooms)s::integer[]) AS r (endpoint_id, room)
        JOIN webhook_endpoint w ON w.id = r.endpoint_id AND w.state = 'ENABLED'
        CROSS JOIN LATERAL (
            SELECT q.id FROM webhook_delivery q JOIN outbox e ON e.id = q.outbox_id
            WHERE q.endpoint_id = w.id AND q.state = 'WAITING' AND q.due_at <= %(now)s
                AND (w.customer_id IS NULL OR w.customer_id = e.customer_id)
                AND (q.leased_until IS NULL OR q.leased_until <= %(now)s)
                AND NOT EXISTS (
                    SELECT FROM webhook_delivery p
                    WHERE p.endpoint_id = q.endpoint_id AND p.state = 'WAITING' AND p.entity = q.entity
                        AND p.entity_id = q.entity_id AND p.outbox_id < q.outbox_id)
            ORDER BY q.due_at, q.id LIMIT r.room FOR UPDATE OF q SKIP LOCKED
        ) d
    )
    UPDATE webhook_delivery d SET lease = %(lease)s, leased_until = %(until)s
    FROM due, outbox o, webhook_endpoint w
    WHERE d.id = due.id AND o.id = d.outbox_id AND w.id = d.endpoint_id
    RETURNING d.id, d.lease, d.endpoint_id, w.code AS endpoint, w.url, d.outbox_id, o.event_id, o.body, d.tries,
        d.attempts
"""
LOAD_DUE_ENDPOINTS = """
    SELECT w.id FROM webhook_endpoint w WHERE w.state = 'ENABLED' AND EXISTS (
        SELECT FROM webhook_delivery d WHERE d.endpoint_id = w.id AND d.state = 'WAITING' AND d.due_at <= %s)
    ORDER BY w.id
"""


def load_due_endpoints(conn: Connection, now: datetime) -> list[int]:
    """Enabled endpoints for which something is due, by id."""
    return [int(row[0]) for row in conn.execute(LOAD_DUE_ENDPOINTS, (now,)).fetchall()]


def claim_deliveries(conn: Connection, rooms: Mapping[int, int], now: datetime, lease: timedelta) -> list[Claim]:
    """What is due for these endpoints, at most so many for each, the oldest first; nobody else claims it before the
    lease is over."""
    if not rooms:
        return []
    values = {"endpoints": list(rooms), "rooms": list(rooms.values()), "now": now}
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        leased = values | {"lease": uuid4(), "until": now + lease}
        found = cursor.execute(CLAIM_DELIVERIES, leased, prepare=False).fetchall()
    return sorted(found, key=lambda claim: claim.outbox_id)


# Whoever had the lease before and was slow has lost it; that the receiver took the event counts all the same.
RECORD_RESULT = """
    UPDATE webhook_delivery SET attempts = attempts + 1, tries = tries + 1, last_status = %(status)s,
        last_error = %(error)s, state = %(state)s, lease = NULL, leased_until = NULL,
        due_at = coalesce(%(due_at)s, due_at), finished_at = CASE WHEN %(state)s <> 'WAITING' THEN %(at)s END
    WHERE id = %(id)s AND state = 'WAITING' AND (lease = %(lease)s OR %(state)s = 'DELIVERED')
    RETURNING attempts
"""
COUNT_ATTEMPT = "UPDATE webhook_delivery SET attempts = attempts + 1 WHERE id = %s RETURNING attempts"
RECORD_ATTEMPT = """
    INSERT INTO webhook_attempt (delivery_id, number, at, duration_ms, address, status, error, detail, response)
    VALUES (%(id)s, %(number)s, %(at)s, %(duration_ms)s, %(address)s, %(status)s, %(error)s, %(detail)s, %(response)s)
"""
# Later events of the record are not looked at again before the earlier one is due, and come at once when it is over.
PUSH_FOLLOWERS = """
    UPDATE webhook_delivery f SET due_at = d.due_at FROM webhook_delivery d
    WHERE d.id = %s AND f.endpoint_id = d.endpoint_id AND f.state = 'WAITING' AND f.entity = d.entity
        AND f.entity_id = d.entity_id AND f.outbox_id > d.outbox_id AND f.due_at < d.due_at
"""
PULL_FOLLOWER = """
    UPDATE webhook_delivery SET due_at = greatest(not_before, %(now)s) WHERE id = (
        SELECT f.id FROM webhook_delivery d JOIN webhook_delivery f ON f.endpoint_id = d.endpoint_id
            AND f.state = 'WAITING' AND f.entity = d.entity AND f.entity_id = d.entity_id AND f.outbox_id > d.outbox_id
        WHERE d.id = %(id)s ORDER BY f.outbox_id LIMIT 1) AND tries = 0
"""


def record_result(conn: Connection, claim: Claim, result: AttemptResult, next_at: datetime | None) -> None:
    """Writes the attempt and what became of the delivery: delivered, to be tried again at `next_at`, or given up."""
    if result.is_delivered:
        state = DeliveryState.DELIVERED
    else:
        state = DeliveryState.DEAD if next_at is None else DeliveryState.WAITING
    values = {"id": claim.id, "lease": claim.lease, "state": state, "due_at": next_at, "at": result.at}
    values |= {"status": result.status, "error": result.error}
    with conn.transaction():
        row = conn.execute(RECORD_RESULT, values).fetchone()
        is_lost = row is None
        if row is None:
            row = conn.execute(COUNT_ATTEMPT, (claim.id,)).fetchone()
        if row is None:  # its endpoint's old deliveries were removed meanwhile
            return
        attempt = {"duration_ms": result.duration_ms, "address": result.address, "detail": result.detail}
        conn.execute(RECORD_ATTEMPT, values | attempt | {"response": result.response, "number": row[0]})
        if is_lost:
            return
        if state is DeliveryState.WAITING:
            conn.execute(PUSH_FOLLOWERS, (claim.id,))
        else:
            conn.execute(PULL_FOLLOWER, {"id": claim.id, "now": result.at})


HOLD_DELIVERY = """
    UPDATE webhook_delivery SET attempts = attempts + 1, tries = 0, last_status = %(status)s, last_error = %(error)s,
        lease = NULL, leased_until = NULL
    WHERE id = %(id)s AND lease = %(lease)s AND state = 'WAITING' RETURNING attempts
"""


def hold_delivery(conn: Connection, claim: Claim, result: AttemptResult) -> None:
    """Writes the attempt; the event goes on waiting with all its tries, for an endpoint that is being disabled."""
    values = {"id": claim.id, "lease": claim.lease, "status": result.status, "error": result.error}
    row = conn.execute(HOLD_DELIVERY, values).fetchone()
    if row is None:
        return
    attempt = {"at": result.at, "duration_ms": result.duration_ms, "address": result.address, "detail": result.detail}
    conn.execute(RECORD_ATTEMPT, values | attempt | {"response": result.response, "number": row[0]})


RELEASE_CLAIMS = """
    UPDATE webhook_delivery SET lease = NULL, leased_until = NULL
    WHERE id = ANY (%(ids)s) AND lease = ANY (%(leases)s) AND state = 'WAITING'
"""


def release_claims(conn: Connection, claims: Sequence[Claim]) -> None:
    """Gives back what was not sent; any process may take it at once."""
    if claims:
        values = {"ids": [claim.id for claim in claims], "leases": list({claim.lease for claim in claims})}
        conn.execute(RELEASE_CLAIMS, values)


CANCEL_DELIVERIES = """
    UPDATE webhook_delivery SET state = 'CANCELLED', finished_at = %s, lease = NULL, leased_until = NULL
    WHERE endpoint_id = %s AND state = 'WAITING'
"""


def cancel_deliveries(conn: Connection, endpoint_id: int, now: datetime) -> None:
    """What waits for the endpoint is not sent any more."""
    conn.execute(CANCEL_DELIVERIES, (now, endpoint_id))


CANCEL_OF_OTHERS = """
    UPDATE webhook_delivery d SET state = 'CANCELLED', finished_at = %(now)s, lease = NULL, leased_until = NULL
    FROM outbox o
    WHERE d.endpoint_id = %(endpoint_id)s AND d.state = 'WAITING' AND o.id = d.outbox_id
        AND o.customer_id IS DISTINCT FROM %(customer_id)s
"""


def cancel_deliveries_of_others(conn: Connection, endpoint_id: int, customer_id: int, now: datetime) -> None:
    """What waits for the endpoint and is not that customer's is not sent any more."""
    conn.execute(CANCEL_OF_OTHERS, {"endpoint_id": endpoint_id, "customer_id": customer_id, "now": now})


HASTEN_DELIVERIES = """
    UPDATE webhook_delivery SET due_at = greatest(not_before, %(now)s), tries = 0
    WHERE endpoint_id = %(endpoint_id)s AND state = 'WAITING' AND (due_at > %(now)s OR tries > 0)
"""


def hasten_deliveries(conn: Connection, endpoint_id: int, now: datetime) -> None:
    """What waits for the endpoint is tried now, with all its tries before it."""
    conn.execute(HASTEN_DELIVERIES, {"endpoint_id": endpoint_id, "now": now})


RECORD_TEST = """
    WITH event AS (
        INSERT INTO outbox (event_id, type, subject, entity, entity_id, body, is_simulated, planned_at, customer_id)
        SELECT %(event_id)s, %(type)s, %(code)s, 'webhook', %(event_id)s::text,
            %(body)s || jsonb_build_object('source', 'urn:forewarn:' || i.id), false, %(now)s, w.customer_id
        FROM installation i JOIN webhook_endpoint w ON w.id = %(endpoint_id)s RETURNING id, entity, entity_id
    )
    INSERT INTO webhook_delivery (endpoint_id, outbox_id, entity, entity_id, not_before, due_at, created_at)
    SELECT %(endpoint_id)s, id, entity, entity_id, %(now)s, %(now)s, %(now)s FROM event RETURNING id
"""


def record_test(conn: Connection, actor: Actor, endpoint_id: int, code: str, *, now: datetime) -> int:
    """The id of the delivery of an event that is made for this endpoint alone, to try it."""
    event_id = uuid4()
    body = {
        "specversion": "1.0",
        "id": event_id,
        "type": TEST_TYPE,
        "subject": code,
        "time": now,
        "datacontenttype": "application/json",
        "data": {"webhook": code},
    }
    values = {"event_id": event_id, "type": TEST_TYPE, "code": code, "body": to_jsonb(body), "now": now}
    row = conn.execute(RECORD_TEST, values | {"endpoint_id": endpoint_id}).fetchone()
    assert row is not None
    record_audit(conn, actor, webhook_tested(code, str(event_id)))
    return int(row[0])


REMOVE_DELIVERIES = """
    DELETE FROM webhook_delivery WHERE id = ANY (ARRAY(
        SELECT id FROM webhook_delivery WHERE state <> 'WAITING' AND finished_at < %s ORDER BY finished_at LIMIT %s))
"""


def remove_old_deliveries(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many deliveries that ended before `first_kept` were removed, with their attempts, the oldest first."""
    return conn.execute(REMOVE_DELIVERIES, (first_kept, most)).rowcount
