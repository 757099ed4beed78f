"""One rejection, and how many there are: what readers ask beside the list of store.rejections."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection
from store.rejections import COLUMNS, FILTER, RejectionFilters, StoredRejection, to_parameters

LOAD_REJECTION = f"SELECT {COLUMNS} FROM rejection WHERE id = %s"  # noqa: S608


def load_rejection(conn: Connection, rejection_id: int) -> StoredRejection | None:
    """The rejection of that id with its payload."""
    with conn.cursor(row_factory=class_row(StoredRejection)) as cursor:
        return cursor.execute(LOAD_REJECTION, (rejection_id,)).fetchone()


COUNT_REJECTIONS = f"SELECT count(*) FROM rejection WHERE {FILTER}"  # noqa: S608


def count_rejections(conn: Connection, filters: RejectionFilters) -> int:
    """How many rejections the filters match."""
    row = conn.execute(COUNT_REJECTIONS, to_parameters(filters)).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often something was refused for one reason."""

    reason: str
    count: int
    serials: int
    newest_at: datetime


COUNT_BY_REASON = """
    SELECT reason, count(*) AS count, count(DISTINCT serial) AS serials, max(received_at) AS newest_at
    FROM rejection WHERE received_at >= %s GROUP BY reason ORDER BY count DESC, reason
"""


def count_by_reason(conn: Connection, since: datetime) -> list[ReasonCount]:
    """What was refused since then, the most frequent reason first."""
    with conn.cursor(row_factory=class_row(ReasonCount)) as cursor:
        return cursor.execute(COUNT_BY_REASON, (since,)).fetchall()
