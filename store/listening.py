"""Notices between programs: a commit of one wakes the other. A notice may be lost, so nobody relies on one alone."""

from store.pool import Connection

CHANNELS = ("forewarn_block", "forewarn_transition", "forewarn_change", "forewarn_registry", "forewarn_device_notice")


def listen(conn: Connection, channel: str) -> None:
    """From now on the connection, which must be in autocommit, receives the notices of the channel.

    Raises
    ------
    ValueError
        There is no such channel.
    """
    if channel not in CHANNELS:
        raise ValueError(channel)
    conn.execute(f"LISTEN {channel}".encode())


def wait_for_notice(conn: Connection, timeout_s: float) -> bool:
    """Whether a notice came, now or since the last call; False after `timeout_s` seconds without one."""
    return any(True for _ in conn.notifies(timeout=timeout_s, stop_after=1))
