"""Events of a device in a stretch of time, of all sorts in one order: for the lane below its charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.lane import LaneEvent, LaneKind
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class LaneEvents:
    """The newest events of each sort, oldest first, and how many older ones there are that were left out."""

    events: list[LaneEvent]
    left_out: int


# When the device came to the customer who asks: what was done for another one before is not shown.
LOAD_OWN_SINCE = """
    SELECT max(at) FROM device_history WHERE device_id = %s AND field = 'customer'
"""
LOAD_LANE_EVENTS = """
    SELECT kind, at, until, subject, before, after, total FROM (
        SELECT *, count(*) OVER (PARTITION BY kind) AS total,
            row_number() OVER (PARTITION BY kind ORDER BY at DESC, subject) AS place
        FROM (
            SELECT 'FIRMWARE' AS kind, at, NULL::timestamptz AS until, substr(field, 10) AS subject,
                before, after
            FROM device_history
            WHERE device_id = %(device)s AND field LIKE 'firmware:%%' AND before IS NOT NULL AND after IS NOT NULL
                AND at >= %(since)s AND at < %(until)s
            UNION ALL
            SELECT upper(field), at, NULL, '', before, after FROM device_history
            WHERE device_id = %(device)s AND field IN ('site', 'lifecycle') AND at >= %(since)s AND at < %(until)s
            UNION ALL
            SELECT 'VISIT', v.arrived_at, v.left_at, w.code, NULL, v.outcome
            FROM work_order w JOIN work_order_visit v ON v.work_order_id = w.id
            WHERE w.device_id = %(device)s AND v.arrived_at >= %(since)s AND v.arrived_at < %(until)s
                AND (%(customer)s::bigint IS NULL OR w.customer_id = %(customer)s)
            UNION ALL
            SELECT 'ORDER', w.created_at,
                CASE WHEN w.state IN ('CLOSED', 'CANCELLED') THEN coalesce(w.closed_at, w.updated_at) END,
                w.code, w.fault_group, w.state
            FROM work_order w
            WHERE w.device_id = %(device)s AND w.created_at < %(until)s
                AND (w.state NOT IN ('CLOSED', 'CANCELLED') OR coalesce(w.closed_at, w.updated_at) > %(since)s)
                AND (%(customer)s::bigint IS NULL OR w.customer_id = %(customer)s)
            UNION ALL
            SELECT 'FAULT', first_seen, cleared_at, fault_group, NULL, severity FROM breach
            WHERE device_id = %(device)s AND state <> 'DISCARDED' AND first_seen < %(until)s
                AND coalesce(cleared_at, 'infinity') > %(since)s
                AND (%(customer)s::bigint IS NULL OR first_seen >= %(since)s)
            UNION ALL
            SELECT 'SHELVED', shelved_at, coalesce(ended_at, shelved_until), coalesce(fault_group, ''), NULL, NULL
            FROM shelving
            WHERE device_id = %(device)s AND shelved_at < %(until)s AND coalesce(ended_at, shelved_until) > %(since)s
                AND (%(customer)s::bigint IS NULL OR shelved_at >= %(since)s)
        ) AS found
        WHERE kind = ANY (%(kinds)s)
    ) AS ranked
    WHERE place <= %(limit)s ORDER BY at, kind, subject
"""


def load_lane_events(
    conn: Connection,
    device_id: int,
    since: datetime,
    until: datetime,
    *,
    kinds: Sequence[LaneKind],
    customer_id: int | None,
    limit: int = 200,
) -> LaneEvents:
    """What lies in [since, until) at least in part, at most `limit` of a sort.

    Parameters
    ----------
    kinds
        Those the caller may see (`domain.lane.find_shown_kinds`).
    customer_id
        The caller's own, who sees nothing of the time before the device was theirs; None sees all.
    """
    if customer_id is not None:
        row = conn.execute(LOAD_OWN_SINCE, (device_id,)).fetchone()
        since = max(since, row[0]) if row is not None and row[0] is not None else since
    values = {
        "device": device_id,
        "since": since,
        "until": until,
        "kinds": [kind.value for kind in kinds],
        "customer": customer_id,
        "limit": limit,
    }
    totals: dict[str, int] = {}
    events = []
    for kind, at, end, subject, before, after, total in conn.execute(LOAD_LANE_EVENTS, values):
        totals[kind] = total
        events.append(LaneEvent(LaneKind(kind), at, end, subject, before or "", after or ""))
    return LaneEvents(events, sum(totals.values()) - len(events))
