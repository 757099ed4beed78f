"""The lock of a fault's key (device and fault group): whoever looks for its open order and opens one else holds it.

Machine and people take it alike, before they lock any order, so that of two who come at one instant the second one sees
what the first one opened. It lasts until the transaction ends.
"""

from collections.abc import Collection

from domain.working_set import Key
from store.pool import Connection

FAULT_KEY_LOCK = 4_660_127
# So many locks there are at most, however many keys a batch has: the server's table of locks is small. Two keys that
# share one wait for each other without need, for the milliseconds of a batch.
FAULT_KEY_LOCKS = 1024

# In the order of their numbers, so that two who want several of them wait and do not deadlock. Where an order of the
# key went up in one of another key, that key is part of it.
LOCK_FAULT_KEYS = """
    SELECT pg_advisory_xact_lock(%(class)s, numbered.n) FROM (
        SELECT DISTINCT (hashtextextended(k.fault_group, k.device_id) & (%(locks)s - 1))::integer AS n FROM (
            SELECT * FROM unnest(%(devices)s::bigint[], %(groups)s::text[]) AS k (device_id, fault_group)
            UNION ALL
            SELECT s.device_id, s.fault_group
            FROM unnest(%(devices)s::bigint[], %(groups)s::text[]) AS k (device_id, fault_group)
            JOIN work_order o USING (device_id, fault_group)
            JOIN work_order s ON s.id = surviving_order(o.id) AND s.device_id IS NOT NULL
            WHERE o.merged_into_id IS NOT NULL
        ) AS k ORDER BY n
    ) AS numbered
"""


def lock_fault_keys(conn: Connection, keys: Collection[Key]) -> None:
    """These keys, and those of the orders that their orders went up in, are the caller's until its transaction ends.

    The caller has locked no order yet.
    """
    if not keys:
        return
    values = {
        "class": FAULT_KEY_LOCK,
        "locks": FAULT_KEY_LOCKS,
        "devices": [device_id for device_id, _ in keys],
        "groups": [fault_group for _, fault_group in keys],
    }
    # A merge takes the locks of both its keys. One that was committed while the first round waited is seen by the
    # second, and there is no third: from now on nobody can merge these.
    for _ in range(2):
        conn.execute(LOCK_FAULT_KEYS, values)


LOAD_KEYS_OF_ORDERS = """
    SELECT device_id, fault_group FROM work_order WHERE code = ANY (%s) AND device_id IS NOT NULL
"""


def lock_keys_of_orders(conn: Connection, codes: Collection[str]) -> None:
    """The keys of these orders are the caller's until its transaction ends; what has no device has no key."""
    rows = conn.execute(LOAD_KEYS_OF_ORDERS, (list(codes),)).fetchall()
    lock_fault_keys(conn, [(device_id, fault_group) for device_id, fault_group in rows])
