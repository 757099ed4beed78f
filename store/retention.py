"""Retention: days of readings are made before they are needed and dropped whole; scores and rejections go by rows."""

from datetime import date, datetime, timedelta

from store.pool import Connection
from store.readings import ensure_partitions

DAYS_AHEAD = 3
DROP_READINGS = "SELECT drop_readings_before(%s)"


def prepare_reading_days(conn: Connection, today: date) -> None:
    """Readings of yesterday up to three days ahead can be stored without waiting for a table to be made."""
    ensure_partitions(conn, (today + timedelta(days=n) for n in range(-1, DAYS_AHEAD + 1)))


def drop_old_readings(conn: Connection, first_kept: date) -> int:
    """How many whole days, all before `first_kept`, were dropped."""
    row = conn.execute(DROP_READINGS, (first_kept,)).fetchone()
    return 0 if row is None else int(row[0])


# By place in the table, so that the oldest of a big table are found and removed without a join on three columns.
REMOVE_SCORES = """
    DELETE FROM score_rollup WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM score_rollup WHERE minute < %s ORDER BY minute LIMIT %s))
"""


def remove_old_scores(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many minutes of scores, all before `first_kept` and the oldest first, were removed: at most `most`."""
    return conn.execute(REMOVE_SCORES, (first_kept, most)).rowcount


REMOVE_REJECTIONS = "SELECT remove_rejections_before(%s, %s)"


def remove_old_rejections(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many rejections, all received before `first_kept` and the oldest first, were removed: at most `most`."""
    row = conn.execute(REMOVE_REJECTIONS, (first_kept, most)).fetchone()
    return 0 if row is None else int(row[0])
