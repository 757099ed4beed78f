"""The lock of a device's faults: who looks for an open order of the device and opens, reopens or merges one holds it.

Machine and people take it alike, before they lock any order, so that of two who come at one instant the second one
sees what the first one did. It is the device's and not the fault group's, as an order of one group may go up in one of
another. It lasts until the transaction ends.
"""

from collections.abc import Collection

from store.pool import Connection

FAULT_LOCK = 4_660_127
# So many locks there are at most, however many devices a batch has: the server's table of locks is small. Two devices
# that share one wait for each other without need, for the milliseconds of a batch.
FAULT_LOCKS = 1_024

# In the order of their numbers, so that two who want several of them wait and do not deadlock.
LOCK_FAULTS = """
    SELECT pg_advisory_xact_lock(%s, numbered.n) FROM (
        SELECT DISTINCT (d.id %% %s)::integer AS n FROM unnest(%s::bigint[]) AS d (id) ORDER BY n
    ) AS numbered
"""


def lock_faults(conn: Connection, device_ids: Collection[int]) -> None:
    """The faults of these devices are the caller's until its transaction ends. It has locked no order yet."""
    if device_ids:
        conn.execute(LOCK_FAULTS, (FAULT_LOCK, FAULT_LOCKS, list(device_ids)))


LOAD_DEVICES_OF_ORDERS = "SELECT device_id FROM work_order WHERE code = ANY (%s) AND device_id IS NOT NULL"


def lock_faults_of_orders(conn: Connection, codes: Collection[str]) -> None:
    """The faults of the devices of these orders are the caller's until its transaction ends."""
    lock_faults(conn, [device_id for (device_id,) in conn.execute(LOAD_DEVICES_OF_ORDERS, (list(codes),))])
