"""What was delivered, or waits, or was given up: for people and for receivers' systems."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint; `event` is its body, in `load_delivery` alone."""

    id: int
    webhook: str  # code
    webhook_name: str
    event_id: UUID
    type: str
    subject: str
    entity: str
    entity_id: str
    happened_at: datetime
    state: str
    attempts: int
    replays: int
    due_at: datetime
    is_held: bool  # its endpoint is disabled, or an earlier event of the record waits
    last_status: int | None
    last_error: str
    created_at: datetime
    finished_at: datetime | None
    event: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; empty: all. `customer_id` is a limit: endpoints of that customer alone, and no event of whose
    they were before."""

    customer_id: int | None
    webhook: str = ""
    state: str = ""
    type: str = ""
    event_id: UUID | None = None
    subject: str = ""


_COLUMNS = """
    SELECT d.id, w.code AS webhook, w.name AS webhook_name, o.event_id, o.type, o.subject, o.entity, o.entity_id,
        o.created_at AS happened_at, d.state, d.attempts, d.replays, d.due_at,
        d.state = 'WAITING' AND (w.state <> 'ENABLED' OR EXISTS (
            SELECT FROM webhook_delivery p WHERE p.endpoint_id = d.endpoint_id AND p.state = 'WAITING'
                AND p.entity = d.entity AND p.entity_id = d.entity_id AND p.outbox_id < d.outbox_id)) AS is_held,
        d.last_status, d.last_error, d.created_at, d.finished_at
"""
_FROM = """
    FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id JOIN outbox o ON o.id = d.outbox_id
"""
_MATCHES = """
    WHERE (%(customer_id)s::bigint IS NULL OR (w.customer_id = %(customer_id)s AND o.customer_id = %(customer_id)s))
        AND (%(webhook)s = '' OR w.code = %(webhook)s) AND (%(state)s = '' OR d.state = %(state)s)
        AND (%(type)s = '' OR o.type = %(type)s) AND (%(event_id)s::uuid IS NULL OR o.event_id = %(event_id)s)
        AND (%(subject)s = '' OR o.subject = %(subject)s)
"""
LOAD_DELIVERIES = f"""
    {_COLUMNS}, NULL::jsonb AS event {_FROM} {_MATCHES}
        AND (%(before_id)s::bigint IS NULL OR d.id < %(before_id)s)
    ORDER BY d.id DESC LIMIT %(limit)s
"""
COUNT_DELIVERIES = f"SELECT count(*) {_FROM} {_MATCHES}"
LOAD_DELIVERY = f"""
    {_COLUMNS}, o.body AS event {_FROM}
    WHERE d.id = %(id)s
        AND (%(customer_id)s::bigint IS NULL OR (w.customer_id = %(customer_id)s AND o.customer_id = %(customer_id)s))
"""


def load_deliveries(
    conn: Connection, wanted: DeliveryFilter, *, before_id: int | None = None, limit: int
) -> list[Delivery]:
    """Deliveries, the newest first, without what was sent."""
    values = _describe(wanted) | {"before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        # Planned for what is asked: by endpoint, by state, or all.
        return cursor.execute(LOAD_DELIVERIES, values, prepare=False).fetchall()


def count_deliveries(conn: Connection, wanted: DeliveryFilter) -> int:
    """How many match in all."""
    row = conn.execute(COUNT_DELIVERIES, _describe(wanted), prepare=False).fetchone()
    return 0 if row is None else int(row[0])


def load_delivery(conn: Connection, delivery_id: int, *, customer_id: int | None) -> Delivery | None:
    """One delivery with what is sent, if the endpoint and the event are that customer's (None: anybody's)."""
    with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(LOAD_DELIVERY, {"id": delivery_id, "customer_id": customer_id}).fetchone()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `error` is a value of `domain.webhook.DeliveryError`; empty: delivered."""

    number: int
    at: datetime
    duration_ms: int
    address: str
    status: int | None
    error: str
    detail: str
    response: str


LOAD_ATTEMPTS = """
    SELECT number, at, duration_ms, address, status, error, detail, response
    FROM webhook_attempt WHERE delivery_id = %s ORDER BY number DESC LIMIT %s
"""


def load_attempts(conn: Connection, delivery_id: int, *, limit: int = 100) -> list[Attempt]:
    """The attempts of a delivery, the newest first."""
    with conn.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(LOAD_ATTEMPTS, (delivery_id, limit)).fetchall()


COUNT_MISSED = """
    SELECT count(*) FROM webhook_endpoint w JOIN outbox o ON o.created_at >= w.state_since AND NOT o.is_simulated
        AND o.type <> %(test)s AND (w.event_types = '{}' OR o.type = ANY (w.event_types))
        AND (w.customer_id IS NULL OR w.customer_id = o.customer_id)
    WHERE w.id = %(id)s AND w.state = 'DISABLED'
        AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.outbox_id = o.id AND d.endpoint_id = w.id)
"""


def count_missed(conn: Connection, endpoint_id: int) -> int:
    """How many events that a disabled endpoint wants happened since it is disabled."""
    row = conn.execute(COUNT_MISSED, {"id": endpoint_id, "test": "webhook.test"}).fetchone()
    return 0 if row is None else int(row[0])


def _describe(wanted: DeliveryFilter) -> dict[str, Any]:
    return {
        "customer_id": wanted.customer_id,
        "webhook": wanted.webhook,
        "state": wanted.state,
        "type": wanted.type,
        "event_id": wanted.event_id,
        "subject": wanted.subject,
    }
