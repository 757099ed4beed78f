"""What could not be used, kept with its payload, newest first for readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import class_row

from domain.reading import Rejection
from store.pool import Connection

COPY_REJECTIONS = """
    COPY rejection (received_at, topic, serial, reason, field, detail, payload, weight, size, content_type) FROM STDIN
"""


def record_rejections(conn: Connection, rejections: Sequence[Rejection]) -> None:
    """Stores every one of them; texts must be free of NUL and lone surrogates."""
    if not rejections:
        return
    with conn.cursor().copy(COPY_REJECTIONS) as copy:
        for r in rejections:
            size = len(r.payload) if r.size is None else r.size
            copy.write_row(
                (
                    r.received_at,
                    r.topic,
                    r.serial,
                    r.reason.value,
                    r.field,
                    r.detail,
                    r.payload,
                    r.weight,
                    size,
                    r.content_type,
                )
            )


ReplayState = Literal["open", "requested", "replayed", "still_refused"]


@dataclass(frozen=True, slots=True)
class StoredRejection:
    """One rejection as stored. `size` is that of the message as it came, of which `payload` may be the beginning."""

    id: int
    received_at: datetime
    topic: str
    serial: str | None
    reason: str
    field: str | None
    detail: str
    payload: bytes
    weight: int
    size: int
    is_whole: bool
    replay: ReplayState
    replay_requested_at: datetime | None
    replay_requested_by: str | None
    replayed_at: datetime | None
    replay_outcome: dict[str, Any] | None


# Rows of before sizes were kept say it by their length alone: it is one of the two that payloads are cut at, or not.
IS_WHOLE = "coalesce(size = octet_length(payload), octet_length(payload) NOT IN (1024, 65536))"
REPLAY_STATE = """CASE WHEN replay_requested_at IS NULL THEN 'open' WHEN replayed_at IS NULL THEN 'requested'
    WHEN replay_outcome ->> 'result' = 'replayed' THEN 'replayed' ELSE 'still_refused' END"""
COLUMNS = f"""id, received_at, topic, serial, reason, field, detail, payload, weight,
    coalesce(size, octet_length(payload)) AS size, {IS_WHOLE} AS is_whole, {REPLAY_STATE} AS replay,
    replay_requested_at, replay_requested_by, replayed_at, replay_outcome"""


@dataclass(frozen=True, slots=True)
class RejectionFilters:
    """Which rejections; None means all. `field_pattern` is that of a group: `values.flow`, `*[*].ts`, or empty."""

    reason: str | None = None
    serial: str | None = None
    field_pattern: str | None = None
    since: datetime | None = None
    until: datetime | None = None


FILTER = """
    (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(serial)s::text IS NULL OR serial = %(serial)s)
    AND (%(field_pattern)s::text IS NULL OR rejection_field_pattern(field, serial) = %(field_pattern)s)
    AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
"""
LOAD_REJECTIONS = f"""
    SELECT {COLUMNS} FROM rejection
    WHERE {FILTER}
        AND (%(before_at)s::timestamptz IS NULL OR (received_at, id) < (%(before_at)s, %(before_id)s::bigint))
    ORDER BY received_at DESC, id DESC
    LIMIT %(limit)s
"""  # noqa: S608


def to_parameters(filters: RejectionFilters) -> dict[str, Any]:
    """The parameters of FILTER."""
    return {name: getattr(filters, name) for name in RejectionFilters.__slots__}


def load_rejections(
    conn: Connection,
    filters: RejectionFilters = RejectionFilters(),
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[StoredRejection]:
    """The newest rejections, or those before the one whose `(received_at, id)` is given."""
    place = {
        "before_at": before[0] if before else None,
        "before_id": before[1] if before else None,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(StoredRejection)) as cursor:
        return cursor.execute(LOAD_REJECTIONS, to_parameters(filters) | place).fetchall()
