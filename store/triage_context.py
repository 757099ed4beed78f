"""What the ticket rules look at for a batch of transitions: one query each for the whole batch, orders locked."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, dict_row

from domain.work_order import WorkOrder
from domain.working_set import CurrentShelving, Key
from store.pool import Connection
from store.work_orders import WORK_ORDER_COLUMNS, to_work_order

HAVE_MOVED = """
    SELECT EXISTS (SELECT FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS k (device_id, lifecycle, site_id)
        JOIN device d ON d.id = k.device_id WHERE d.lifecycle <> k.lifecycle OR d.site_id IS DISTINCT FROM k.site_id)
"""


def have_moved(conn: Connection, devices: Collection[tuple[int, str, int | None]]) -> bool:
    """Whether one of these devices, each with its life-cycle and site as somebody saw them, is another by now."""
    columns = [list(column) for column in zip(*devices, strict=True)] or [[], [], []]
    row = conn.execute(HAVE_MOVED, columns).fetchone()
    return row is not None and bool(row[0])


# Locked in id order, so that two who want several of them wait and do not deadlock.
LOCK_OPEN_ORDERS = f"""
    SELECT {WORK_ORDER_COLUMNS} FROM work_order w WHERE w.state NOT IN ('CLOSED', 'CANCELLED') AND w.id IN (
        SELECT o.id FROM unnest(%(devices)s::bigint[], %(groups)s::text[]) AS k (device_id, fault_group)
            JOIN work_order o USING (device_id, fault_group) WHERE o.state NOT IN ('CLOSED', 'CANCELLED')
        UNION SELECT surviving_order(o.id) FROM unnest(%(devices)s::bigint[], %(groups)s::text[])
            AS k (device_id, fault_group) JOIN work_order o USING (device_id, fault_group)
            WHERE o.merged_into_id IS NOT NULL
        UNION SELECT work_order_id FROM work_order_breach WHERE breach_id = ANY (%(breaches)s)
        UNION SELECT o.id FROM work_order o WHERE o.gateway_id = ANY (%(gateways)s) AND o.device_id IS NULL
            AND o.state NOT IN ('CLOSED', 'CANCELLED')
        UNION SELECT o.id FROM work_order o WHERE o.site_id = ANY (%(sites)s) AND o.device_id IS NULL
            AND o.gateway_id IS NULL AND o.state NOT IN ('CLOSED', 'CANCELLED'))
    ORDER BY w.id FOR UPDATE
"""  # noqa: S608


def lock_open_orders(
    conn: Connection,
    keys: Collection[Key],
    breach_ids: Sequence[UUID] = (),
    gateway_ids: Sequence[int] = (),
    site_ids: Sequence[int] = (),
) -> list[WorkOrder]:
    """The open orders of these keys, breaches, gateways and sites, locked until the transaction ends, in id order."""
    values = {
        "devices": [k[0] for k in keys],
        "groups": [k[1] for k in keys],
        "breaches": list(breach_ids),
        "gateways": list(gateway_ids),
        "sites": list(site_ids),
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        return [to_work_order(row) for row in cursor.execute(LOCK_OPEN_ORDERS, values)]


# Where an order of the key went up in one of another key, that one takes in what comes.
LOAD_SURVIVORS = """
    SELECT k.device_id, k.fault_group, s.id
    FROM unnest(%s::bigint[], %s::text[]) AS k (device_id, fault_group)
    JOIN work_order o USING (device_id, fault_group)
    JOIN work_order s ON s.id = surviving_order(o.id)
    WHERE o.merged_into_id IS NOT NULL AND s.state NOT IN ('CLOSED', 'CANCELLED') ORDER BY s.id
"""


def load_survivors(conn: Connection, keys: Collection[Key]) -> list[tuple[Key, int]]:
    """(key, open order) of keys whose own order went up in another one, which `lock_open_orders` has locked."""
    rows = conn.execute(LOAD_SURVIVORS, ([k[0] for k in keys], [k[1] for k in keys]))
    return [((device_id, fault_group), order_id) for device_id, fault_group, order_id in rows]


# Of the customer where the device stands now: what was done for the one before is not taken up again. What went up in
# another order was done with that one; not where that one's own fault has an order again by now.
LOAD_CLOSED_ORDERS = f"""
    SELECT k.device_id AS of_device, k.fault_group AS of_fault_group, {WORK_ORDER_COLUMNS}
    FROM unnest(%s::bigint[], %s::text[]) AS k (device_id, fault_group)
    CROSS JOIN LATERAL (
        SELECT o.* FROM (
            SELECT o.id FROM work_order o WHERE o.device_id = k.device_id AND o.fault_group = k.fault_group
                AND o.state = 'CLOSED'
            UNION SELECT s.id FROM work_order m JOIN work_order s ON s.id = surviving_order(m.id)
            WHERE m.device_id = k.device_id AND m.fault_group = k.fault_group AND m.merged_into_id IS NOT NULL
                AND s.state = 'CLOSED' AND NOT EXISTS (
                    SELECT FROM work_order x WHERE x.device_id = s.device_id AND x.fault_group = s.fault_group
                        AND x.type IN ('CORRECTIVE', 'PREDICTIVE') AND x.state NOT IN ('CLOSED', 'CANCELLED'))
        ) AS past JOIN work_order o ON o.id = past.id
        WHERE o.type IN ('CORRECTIVE', 'PREDICTIVE') AND o.customer_id IS NOT DISTINCT FROM (
            SELECT s.customer_id FROM device d JOIN site s ON s.id = d.site_id WHERE d.id = k.device_id)
        ORDER BY o.closed_at DESC, o.id DESC LIMIT 1
    ) w
"""  # noqa: S608


def load_last_closed_orders(conn: Connection, keys: Collection[Key]) -> dict[Key, WorkOrder]:
    """The order of each key that was closed last for the device's present customer, where there is one; of another key
    where the key's own went up in it."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_CLOSED_ORDERS, ([k[0] for k in keys], [k[1] for k in keys]))
        return {(row["of_device"], row["of_fault_group"]): to_work_order(row) for row in rows}


# Of an order that lives for months only the links that matter now.
LOAD_LINKS = """
    SELECT wb.work_order_id, wb.breach_id, b.state = 'ACTIVE'
    FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
    WHERE wb.work_order_id = ANY (%s) AND (b.state = 'ACTIVE' OR wb.breach_id = ANY (%s))
"""


def load_links(conn: Connection, order_ids: Sequence[int], breach_ids: Sequence[UUID]) -> list[tuple[int, UUID, bool]]:
    """(order, breach, whether the breach is active) of these orders: active breaches, and those of the batch."""
    return conn.execute(LOAD_LINKS, (list(order_ids), list(breach_ids))).fetchall()


RECORD_LINKS = """
    INSERT INTO work_order_breach (work_order_id, breach_id) SELECT * FROM unnest(%s::bigint[], %s::uuid[])
    ON CONFLICT DO NOTHING
"""


def record_links(conn: Connection, links: Sequence[tuple[int, UUID]]) -> None:
    """Links each breach to its order; a link that is there stays as it is."""
    conn.execute(RECORD_LINKS, ([order_id for order_id, _ in links], [breach_id for _, breach_id in links]))


COUNT_EPISODES = """
    SELECT q.transition_id, count(b.id)::integer
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        AS q (transition_id, device_id, fault_group, since, until)
    LEFT JOIN breach b ON b.device_id = q.device_id AND b.fault_group = q.fault_group AND b.severity <> 'INFO'
        AND b.state <> 'DISCARDED' AND b.raised_at > q.since AND b.raised_at <= q.until
    GROUP BY q.transition_id
"""


def count_episodes(conn: Connection, wanted: Sequence[tuple[int, int, str, datetime, datetime]]) -> dict[int, int]:
    """Episodes above INFO of (transition, device, fault group) raised in (since, until], by transition."""
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*wanted, strict=True)]
    return dict(conn.execute(COUNT_EPISODES, columns).fetchall())


LOAD_SHELVINGS = """
    SELECT device_id, fault_group, reason, shelved_until FROM shelving
    WHERE device_id = ANY (%s) AND ended_at IS NULL AND shelved_until > %s ORDER BY shelved_until
"""


def load_current_shelvings(conn: Connection, device_ids: Sequence[int], now: datetime) -> list[CurrentShelving]:
    """The shelvings of these devices that hold at `now`, the one that ends last at the end."""
    with conn.cursor(row_factory=class_row(CurrentShelving)) as cursor:
        return cursor.execute(LOAD_SHELVINGS, (list(device_ids), now)).fetchall()


LOAD_GATEWAY_OFFLINE = """
    SELECT d.gateway_id, d.id, b.id FROM device d JOIN breach b ON b.device_id = d.id
    WHERE d.gateway_id = ANY (%s) AND b.state = 'ACTIVE' AND b.kind = 'OFFLINE'
"""


def load_gateway_offline(conn: Connection, gateway_ids: Sequence[int]) -> list[tuple[int, int, UUID]]:
    """(gateway, device, breach) of every device behind these gateways that is offline now."""
    if not gateway_ids:
        return []
    return conn.execute(LOAD_GATEWAY_OFFLINE, (list(gateway_ids),)).fetchall()


# first_seen bounds the index scan: an episode is raised within a day of its first reading, or it is no storm.
LOAD_SITE_BREACHES = """
    SELECT d.site_id, b.raised_at, d.id, b.id, b.state = 'ACTIVE' FROM device d JOIN breach b ON b.device_id = d.id
    WHERE d.site_id = ANY (%(sites)s) AND b.first_seen > %(since)s::timestamptz - interval '1 day'
        AND b.raised_at > %(since)s AND b.raised_at <= %(until)s AND b.severity IN ('MAJOR', 'CRITICAL')
    ORDER BY b.raised_at
"""


def load_site_breaches(
    conn: Connection, site_ids: Sequence[int], since: datetime, until: datetime
) -> list[tuple[int, datetime, int, UUID, bool]]:
    """(site, raised_at, device, breach, active) of MAJOR and CRITICAL breaches there in (since, until], by time."""
    if not site_ids:
        return []
    return conn.execute(LOAD_SITE_BREACHES, {"sites": list(site_ids), "since": since, "until": until}).fetchall()


ADOPT_CHILDREN = """
    UPDATE work_order SET parent_id = %(parent)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id <> %(parent)s AND parent_id IS NULL AND device_id IS NOT NULL AND state NOT IN ('CLOSED', 'CANCELLED')
        AND fault_group = coalesce(%(fault_group)s, fault_group)
        AND id IN (SELECT work_order_id FROM work_order_breach WHERE breach_id = ANY (%(breaches)s))
    RETURNING id, code
"""


def adopt_children(
    conn: Connection, parent_id: int, breach_ids: Sequence[UUID], fault_group: str | None, now: datetime
) -> list[tuple[int, str]]:
    """(id, code) of the open orders of these breaches that are children of the parent from now on."""
    values = {"parent": parent_id, "breaches": list(breach_ids), "fault_group": fault_group, "now": now}
    return conn.execute(ADOPT_CHILDREN, values).fetchall()
