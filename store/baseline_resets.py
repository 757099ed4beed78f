"""Work that was done on a device, told to scoring: from then on its learning detectors begin a new baseline.

It travels as a block without readings of the device's shard, so that it has one place in the order of all that scoring
hears: a restart or a replay hears it at the same place. The row of `baseline_reset` keeps which place that was.
"""

from datetime import datetime

import numpy as np

from domain.clock import to_micros
from domain.report import WorkReport
from domain.work_order import ResetReason, WorkOrder
from store.blocks import NewBlock, encode_block, record_blocks
from store.pool import Connection

LOAD_SHARD = "SELECT shard FROM device WHERE id = %s"
LOAD_HEAD = "SELECT head FROM shard WHERE shard = %s"
RECORD_RESET = """
    INSERT INTO baseline_reset (device_id, work_order_id, at, reason, shard, position)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


def record_baseline_reset(conn: Connection, order: WorkOrder, reason: ResetReason, now: datetime) -> None:
    """Makes the learning detectors of the order's device begin anew with their first reading of `now` or later.

    The device's shard stays locked until the transaction ends: call it last.
    """
    assert order.device_id is not None
    found = conn.execute(LOAD_SHARD, (order.device_id,)).fetchone()
    assert found is not None
    (shard,) = found
    now_us = to_micros(now)
    nothing = encode_block(
        np.empty(0, dtype=np.int32),
        np.empty(0, dtype=np.int64),
        np.empty(0, dtype=np.float64),
        np.empty(0, dtype=np.int16),
    )
    report = WorkReport(order.device_id, now_us, now_us, order.code)
    record_blocks(conn, [NewBlock(shard, now, 0, nothing, [report])])
    # The row is locked by now, so this is the position of the block just written.
    head = conn.execute(LOAD_HEAD, (shard,)).fetchone()
    assert head is not None
    conn.execute(RECORD_RESET, (order.device_id, order.id, now, reason.value, shard, head[0]))


# The first word of all that a device says of its firmware is no change.
LOAD_HISTORY_BEGIN = """
    SELECT greatest(
        (SELECT max(at) FROM baseline_reset WHERE device_id = %(device_id)s),
        (SELECT max(at) FROM device_history WHERE device_id = %(device_id)s AND field = 'firmware:main'
            AND before IS NOT NULL AND after IS NOT NULL)
    )
"""


def load_history_begin(conn: Connection, device_id: int) -> datetime | None:
    """Since when what is normal of the device is being learnt: the last new firmware or work; None: all along."""
    row = conn.execute(LOAD_HISTORY_BEGIN, {"device_id": device_id}).fetchone()
    return None if row is None else row[0]
