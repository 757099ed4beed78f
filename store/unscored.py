"""Which monitors nobody judges, since their detector raised on them: their silence says nothing."""

from collections.abc import Sequence

from store.pool import Connection, transaction

REMOVE_UNSCORED = """
    DELETE FROM unscored_monitor u WHERE u.shard = %(shard)s AND NOT EXISTS (
        SELECT FROM unnest(%(devices)s::bigint[], %(monitors)s::text[]) AS still (device_id, monitor)
        WHERE still.device_id = u.device_id AND still.monitor = u.monitor)
"""
RECORD_UNSCORED = """
    INSERT INTO unscored_monitor (device_id, monitor, shard, reason)
    SELECT device_id, monitor, %(shard)s, reason
    FROM unnest(%(devices)s::bigint[], %(monitors)s::text[], %(reasons)s::text[]) AS new (device_id, monitor, reason)
    ON CONFLICT (device_id, monitor) DO UPDATE SET shard = excluded.shard, reason = excluded.reason
"""


def replace_unscored(conn: Connection, shard: int, unscored: Sequence[tuple[int, str, str]]) -> None:
    """Makes these (device id, monitor, reason) all that is not judged on the shard; what stays keeps its instant."""
    values = {
        "shard": shard,
        "devices": [device for device, _, _ in unscored],
        "monitors": [monitor for _, monitor, _ in unscored],
        "reasons": [reason.replace("\0", "") for _, _, reason in unscored],
    }
    with transaction(conn):
        conn.execute(REMOVE_UNSCORED, values)
        if unscored:
            conn.execute(RECORD_UNSCORED, values)
