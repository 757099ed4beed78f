"""Events that are delivered again because somebody asks for it: one, or all of an endpoint since an instant."""

from datetime import datetime

from domain.audit import Actor
from domain.audit_webhook import deliveries_replayed, delivery_replayed
from domain.errors import GuardRefusedError, NotFoundError
from domain.webhook import TEST_TYPE, EndpointState, ReplayScope, WebhookGuard
from store.audit import record_audit
from store.pool import Connection
from store.webhooks import Endpoint

# The event's id is what it was, so that who has it knows it again; the schedule begins anew.
REPLAY_DELIVERY = """
    UPDATE webhook_delivery SET state = 'WAITING', tries = 0, replays = replays + 1, not_before = %(now)s,
        due_at = %(now)s, finished_at = NULL
    WHERE id = %(id)s AND state <> 'WAITING'
"""
LOCK_DELIVERY = """
    SELECT d.state, w.state, w.code, o.event_id,
        w.customer_id IS NOT NULL AND w.customer_id IS DISTINCT FROM o.customer_id
    FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id JOIN outbox o ON o.id = d.outbox_id
    WHERE d.id = %(id)s AND (%(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s)
    FOR UPDATE OF d
"""


def replay_delivery(
    conn: Connection, actor: Actor, delivery_id: int, *, customer_id: int | None, now: datetime
) -> None:
    """The event is delivered again, now, whether it was before or not.

    Raises
    ------
    NotFoundError
        There is no such delivery, or not for an endpoint of that customer.
    GuardRefusedError
        It waits already, its endpoint is not enabled, or is another customer's by now.
    """
    row = conn.execute(LOCK_DELIVERY, {"id": delivery_id, "customer_id": customer_id}).fetchone()
    if row is None:
        raise NotFoundError(str(delivery_id))
    state, endpoint_state, code, event_id, is_of_another = row
    _verify_enabled(endpoint_state)
    if is_of_another:
        raise GuardRefusedError(WebhookGuard.OTHER_CUSTOMER, "the endpoint is told of another customer's events by now")
    if state == "WAITING":
        raise GuardRefusedError(WebhookGuard.WAITING_ALREADY, "it waits already")
    conn.execute(REPLAY_DELIVERY, {"id": delivery_id, "now": now})
    record_audit(conn, actor, delivery_replayed(code, str(event_id)))


REPLAY_PLANNED = """
    UPDATE webhook_delivery d SET state = 'WAITING', tries = 0, replays = replays + 1, not_before = %(now)s,
        due_at = %(now)s, finished_at = NULL
    FROM outbox o, webhook_endpoint w
    WHERE d.endpoint_id = %(endpoint_id)s AND w.id = d.endpoint_id AND o.id = d.outbox_id
        AND (w.customer_id IS NULL OR w.customer_id = o.customer_id)
        AND o.created_at >= %(since)s AND o.type <> %(test)s
        AND (d.state = 'DEAD' OR (%(is_all)s AND d.state = 'DELIVERED'))
"""
# As planned, but whatever state the endpoint had: what happened while it was disabled, or not made yet, is asked for.
PLAN_MISSED = """
    INSERT INTO webhook_delivery (endpoint_id, outbox_id, entity, entity_id, not_before, due_at, created_at)
    SELECT w.id, o.id, o.entity, o.entity_id, %(now)s, %(now)s, %(now)s
    FROM webhook_endpoint w JOIN outbox o ON o.created_at >= %(since)s AND o.planned_at IS NOT NULL
        AND NOT o.is_simulated AND o.type <> %(test)s
        AND (w.event_types = '{}' OR o.type = ANY (w.event_types))
        AND (w.customer_id IS NULL OR w.customer_id = o.customer_id)
    WHERE w.id = %(endpoint_id)s
    ORDER BY o.id
    ON CONFLICT (outbox_id, endpoint_id) DO NOTHING
"""


def replay_since(
    conn: Connection, actor: Actor, endpoint: Endpoint, since: datetime, scope: ReplayScope, *, now: datetime
) -> int:
    """How many events since that instant are delivered to the endpoint again, in order, beside what waits already. The
    caller has locked it.

    Raises
    ------
    GuardRefusedError
        The endpoint is not enabled.
    """
    _verify_enabled(endpoint.state)
    values = {"endpoint_id": endpoint.id, "since": since, "now": now, "test": TEST_TYPE}
    count = conn.execute(REPLAY_PLANNED, values | {"is_all": scope is ReplayScope.ALL}).rowcount
    count += conn.execute(PLAN_MISSED, values).rowcount
    record_audit(conn, actor, deliveries_replayed(endpoint.code, since=since, scope=scope, count=count))
    return count


def _verify_enabled(state: str) -> None:
    if state == EndpointState.RETIRED:
        raise GuardRefusedError(WebhookGuard.RETIRED, "the endpoint is retired")
    if state != EndpointState.ENABLED:
        raise GuardRefusedError(WebhookGuard.NOT_ENABLED, "the endpoint is disabled; enable it first")
