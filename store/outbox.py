"""Events for other systems: CloudEvents 1.0, written in the transaction of the change they tell of, delivered later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from store.audit import to_jsonb
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """What happened to one record. `type` is one of service.md's, e.g. workorder.opened; no personal data in `data`."""

    type: str
    subject: str  # the device serial; of a record without a device, its own code
    entity: str
    entity_id: str
    at: datetime
    data: Mapping[str, Any]
    is_simulated: bool


# Whose record it is of is looked up now: who has the device later is not told of what was before.
RECORD_EVENTS = """
    INSERT INTO outbox (event_id, type, subject, entity, entity_id, body, is_simulated, customer_id)
    SELECT e.event_id, e.body ->> 'type', e.body ->> 'subject', e.entity, e.entity_id,
        e.body || jsonb_build_object('id', e.event_id, 'source', (SELECT 'urn:forewarn:' || id FROM installation))
            || CASE WHEN u.code IS NULL THEN '{}' ELSE jsonb_build_object('customer', u.code) END,
        e.is_simulated, u.id
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::boolean[]) WITH ORDINALITY
        AS e (event_id, entity, entity_id, body, is_simulated, place)
    LEFT JOIN customer u ON u.id = CASE
        WHEN e.entity = 'work_order' THEN (SELECT w.customer_id FROM work_order w WHERE w.code = e.entity_id)
        WHEN e.entity = 'complaint' THEN (SELECT c.customer_id FROM complaint c WHERE c.code = e.entity_id)
        WHEN e.entity = 'field_action_item' THEN (e.body #>> '{data,customer_id}')::bigint
        WHEN e.entity IN ('breach', 'device', 'field_action') THEN (
            SELECT s.customer_id FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = e.body ->> 'subject')
        END
    ORDER BY e.place
"""


def record_events(conn: Connection, *events: OutboxEvent) -> None:
    """Puts the events into the outbox, in order, in the caller's transaction; simulated ones are flagged and stay."""
    if not events:
        return
    conn.execute(
        RECORD_EVENTS,
        (
            [uuid4() for _ in events],
            [e.entity for e in events],
            [e.entity_id for e in events],
            [to_jsonb(_find_body(e)) for e in events],
            [e.is_simulated for e in events],
        ),
    )


def _find_body(event: OutboxEvent) -> dict[str, Any]:
    body = {
        "specversion": "1.0",
        "type": event.type,
        "subject": event.subject,
        "time": event.at,
        "datacontenttype": "application/json",
        "data": event.data,
    }
    # An extension attribute: a receiver that gets one by a mistake of settings can still tell.
    return body | {"simulated": True} if event.is_simulated else body
