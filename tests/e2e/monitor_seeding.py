"""What is known of the pumps' monitors: outcomes, drift, and a threshold that waits for its decision."""

from datetime import datetime

from store.pool import Connection
from store.profiles import load_profile
from tests.support.monitors import find_watched, make_monitors


def make_pump_monitors(conn: Connection, model: str, orders: list[str], serials: tuple[str, ...], now: datetime) -> str:
    """The address of the page of the monitor whose threshold is proposed."""
    profile = load_profile(conn, model)
    assert profile is not None
    row = conn.execute("SELECT id FROM device_model WHERE key = %s", (model,)).fetchone()
    assert row is not None
    make_monitors(conn, profile, row[0], orders, serials, now)
    return f"/monitors/{model}/{find_watched(profile).key}"
