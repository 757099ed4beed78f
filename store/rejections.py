"""What could not be used, kept with its payload, newest first for readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.reading import Rejection
from store.pool import Connection

COPY_REJECTIONS = "COPY rejection (received_at, topic, serial, reason, field, detail, payload) FROM STDIN"


def record_rejections(conn: Connection, rejections: Sequence[Rejection]) -> None:
    """Stores every one of them; texts must be free of NUL and lone surrogates."""
    if not rejections:
        return
    with conn.cursor().copy(COPY_REJECTIONS) as copy:
        for r in rejections:
            copy.write_row((r.received_at, r.topic, r.serial, r.reason.value, r.field, r.detail, r.payload))


@dataclass(frozen=True, slots=True)
class StoredRejection:
    """One rejection as stored."""

    id: int
    received_at: datetime
    topic: str
    serial: str | None
    reason: str
    field: str | None
    detail: str
    payload: bytes


LOAD_REJECTIONS = """
    SELECT id, received_at, topic, serial, reason, field, detail, payload FROM rejection
    WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
        AND (%(serial)s::text IS NULL OR serial = %(serial)s)
        AND (%(before_at)s::timestamptz IS NULL OR (received_at, id) < (%(before_at)s, %(before_id)s::bigint))
    ORDER BY received_at DESC, id DESC
    LIMIT %(limit)s
"""


def load_rejections(
    conn: Connection,
    *,
    reason: str | None = None,
    serial: str | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[StoredRejection]:
    """The newest rejections, or those before the one whose `(received_at, id)` is given."""
    filters = {
        "reason": reason,
        "serial": serial,
        "before_at": before[0] if before else None,
        "before_id": before[1] if before else None,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(StoredRejection)) as cursor:
        return cursor.execute(LOAD_REJECTIONS, filters).fetchall()
