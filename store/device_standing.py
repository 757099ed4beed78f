"""A device at a glance: how complete its data were lately."""

from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One judged day (UTC)."""

    day: date
    completeness: float | None
    least_completeness: float
    duplicate_ratio: float | None
    skew_s: float | None
    alerts: list[str]


LOAD_QUALITY_LINES = """
    SELECT day, completeness, least_completeness, duplicate_ratio, skew_s, alerts FROM data_quality_day
    WHERE device_id = %s ORDER BY day DESC LIMIT %s
"""


def load_quality_lines(conn: Connection, device_id: int, days: int) -> list[QualityLine]:
    """The last judged days of the device, newest first."""
    with conn.cursor(row_factory=class_row(QualityLine)) as cursor:
        return cursor.execute(LOAD_QUALITY_LINES, (device_id, days)).fetchall()
