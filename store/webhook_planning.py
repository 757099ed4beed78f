"""From the outbox to deliveries: which endpoint is told of which event, in the order of each record's events."""

from datetime import datetime

from store.pool import Connection

# Of transactions under way at once one plans: else the later of two events could be planned, and delivered, before
# the earlier one.
LOCK_PLANNING = "SELECT pg_try_advisory_xact_lock(hashtextextended('forewarn webhook planning', 0))"
_UNPLANNED = "planned_at IS NULL AND NOT is_simulated"
_ENDPOINTS = """
    SELECT w.id, w.state_since, w.event_types, w.customer_id, w.delay_s
    FROM webhook_endpoint w WHERE w.state = 'ENABLED' AND EXISTS (SELECT FROM events) ORDER BY w.id FOR SHARE
"""
_WANTS = """
    w.state_since <= v.created_at AND (w.event_types = '{}' OR v.type = ANY (w.event_types))
    AND (w.customer_id IS NULL OR w.customer_id = v.customer_id)
"""
# What waits behind another event of its record is not looked at before that one is due. That one is locked: whoever
# ends it now sees what is planned behind it, or is seen to have ended it. So are the endpoints, and before deliveries:
# whoever retires one, or gives it to another customer, cancels what was planned, or is seen to have done it.
_MAKE = f"""
    INSERT INTO webhook_delivery (endpoint_id, outbox_id, entity, entity_id, not_before, due_at, created_at)
    SELECT w.id, v.id, v.entity, v.entity_id, t.at, greatest(t.at, f.due_at), %(now)s
    FROM events v JOIN endpoints w ON {_WANTS}
    CROSS JOIN LATERAL (SELECT v.created_at + make_interval(secs => w.delay_s) AS at) t
    LEFT JOIN LATERAL (
        SELECT d.due_at FROM webhook_delivery d
        WHERE d.endpoint_id = w.id AND d.state = 'WAITING' AND d.entity = v.entity AND d.entity_id = v.entity_id
        ORDER BY d.outbox_id LIMIT 1 FOR SHARE
    ) f ON true
    ORDER BY v.id, w.id
"""  # noqa: S608 - constants
PLAN_OLDEST = f"""
    WITH events AS (
        SELECT o.id, o.type, o.entity, o.entity_id, o.customer_id, o.created_at
        FROM outbox o WHERE {_UNPLANNED} ORDER BY o.id LIMIT %(limit)s
    ), endpoints AS MATERIALIZED ({_ENDPOINTS}), planned AS (
        UPDATE outbox SET planned_at = %(now)s WHERE id IN (SELECT id FROM events)
    ), made AS ({_MAKE})
    SELECT count(*) FROM events
"""  # noqa: S608 - constants
# The newest, but for those of records of which somebody wants an earlier event: that one is planned first, when its
# turn comes. Events of one record commit in order, so an earlier one is seen here. Earlier ones that nobody wants are
# planned along, so that they cannot come later after all, when an endpoint is changed; where those are many, the record
# waits for its turn as well, and a round stays short.
MOST_EARLIER, MOST_ALONG = 100, 5_000  # of one record, and in one round
PLAN_NEWEST = f"""
    WITH newest AS MATERIALIZED (
        SELECT o.id, o.type, o.entity, o.entity_id, o.customer_id, o.created_at
        FROM outbox o WHERE {_UNPLANNED} ORDER BY o.id DESC LIMIT %(limit)s
    ), endpoints AS MATERIALIZED ({_ENDPOINTS.replace("FROM events", "FROM newest")}), records AS MATERIALIZED (
        SELECT r.entity, r.entity_id, e.ids, e.is_wanted,
            sum(cardinality(e.ids)) OVER (ORDER BY r.last_id DESC) AS along
        FROM (SELECT entity, entity_id, max(id) AS last_id FROM newest GROUP BY entity, entity_id) r
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(v.id), '{{}}') AS ids,
                coalesce(bool_or(EXISTS (SELECT FROM endpoints w WHERE {_WANTS})), false) AS is_wanted
            FROM (
                SELECT o.id, o.type, o.customer_id, o.created_at FROM outbox o
                WHERE {_UNPLANNED} AND o.entity = r.entity AND o.entity_id = r.entity_id
                    AND o.id < (SELECT min(id) FROM newest)
                ORDER BY o.id LIMIT {MOST_EARLIER + 1}
            ) v
        ) e
    ), free AS MATERIALIZED (
        SELECT entity, entity_id, ids FROM records
        WHERE NOT is_wanted AND cardinality(ids) <= {MOST_EARLIER} AND along <= {MOST_ALONG}
    ), events AS MATERIALIZED (
        SELECT n.* FROM newest n JOIN free r ON r.entity = n.entity AND r.entity_id = n.entity_id
    ), planned AS (
        UPDATE outbox SET planned_at = %(now)s
        WHERE id IN (SELECT id FROM events UNION ALL SELECT unnest(ids) FROM free)
    ), made AS ({_MAKE})
    SELECT count(*) FROM events
"""  # noqa: S608 - constants


def plan_deliveries(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """How many events of the outbox were planned: each gets a delivery for every enabled endpoint that wants it and was
    there when it happened. 0 as well while another process plans.

    The oldest first. Where there are more of them than `limit`, as after an upgrade, the newest are planned beside
    them: what happens now waits for no backlog but that of its own record.
    """
    with conn.transaction():
        locked = conn.execute(LOCK_PLANNING).fetchone()
        if locked is None or not locked[0]:
            return 0
        planned = _plan(conn, PLAN_OLDEST, now, limit)
        return planned + (_plan(conn, PLAN_NEWEST, now, limit) if planned == limit else 0)


def _plan(conn: Connection, query: str, now: datetime, limit: int) -> int:
    # Planned for what the table has grown to by now: it may have been empty a moment ago.
    row = conn.execute(query.encode(), {"now": now, "limit": limit}, prepare=False).fetchone()
    return 0 if row is None else int(row[0])
