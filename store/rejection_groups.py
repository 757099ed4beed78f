"""Rejections by cause: counted behind their writers, so that whoever asks reads some rows and not every rejection."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from store.pool import Connection

# What strangers send is bounded here as well: a thousand serials of a cause, and a thousand causes of a reason and day.
MOST_SERIALS = 1_000
MOST_PATTERNS = 1_000
OTHERS = "*"

# In the order of transactions older than every one under way, as in store.change_log: nothing can appear before them.
LOCK_FOLD = "SELECT xid::text, id FROM rejection_fold FOR UPDATE"
LOAD_UNFOLDED = """
    SELECT xid::text, id, received_at, (received_at AT TIME ZONE 'UTC')::date AS day, reason,
        rejection_field_pattern(field, serial) AS field_pattern, coalesce(serial, '') AS serial
    FROM rejection
    WHERE (xid, id) > (%s::xid8, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %s
"""
LOAD_KNOWN_SERIALS = """
    SELECT day, reason, field_pattern, array_agg(serial) FROM rejection_group
    WHERE (day, reason) IN (SELECT * FROM unnest(%s::date[], %s::text[])) GROUP BY day, reason, field_pattern
"""
RECORD_GROUPS = """
    INSERT INTO rejection_group AS g (day, reason, field_pattern, serial, count, first_at, last_at, example_id)
    SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
        %s::timestamptz[], %s::bigint[])
    ON CONFLICT (day, reason, field_pattern, serial) DO UPDATE SET
        count = g.count + excluded.count,
        first_at = least(g.first_at, excluded.first_at),
        last_at = greatest(g.last_at, excluded.last_at),
        example_id = CASE WHEN excluded.last_at >= g.last_at THEN excluded.example_id ELSE g.example_id END
"""
RECORD_TOTALS = """
    INSERT INTO rejection_total AS t (reason, count) SELECT * FROM unnest(%s::text[], %s::bigint[])
    ON CONFLICT (reason) DO UPDATE SET count = t.count + excluded.count
"""
MOVE_FOLD = "UPDATE rejection_fold SET xid = %s::xid8, id = %s"


@dataclass(slots=True)
class _Gathered:
    count: int
    first_at: datetime
    last_at: datetime
    example_id: int


_Key = tuple[date, str, str, str]


def fold_rejections(conn: Connection, most: int) -> int:
    """How many rejections, at most `most`, were counted into their groups; each is counted once, in one transaction."""
    place = conn.execute(LOCK_FOLD).fetchone()
    if place is None:
        return 0
    rows = conn.execute(LOAD_UNFOLDED, (*place, most)).fetchall()
    if not rows:
        return 0
    days_and_reasons = sorted({(day, reason) for _, _, _, day, reason, _, _ in rows})
    wanted = [[day for day, _ in days_and_reasons], [reason for _, reason in days_and_reasons]]
    known: dict[tuple[date, str], dict[str, set[str]]] = defaultdict(dict)
    for day, reason, pattern, serials in conn.execute(LOAD_KNOWN_SERIALS, wanted):
        known[day, reason][pattern] = set(serials)
    groups: dict[_Key, _Gathered] = {}
    totals: dict[str, int] = defaultdict(int)
    for _, row_id, received_at, day, reason, pattern, serial in rows:
        key = (day, reason, *_find_place(known[day, reason], pattern, serial))
        gathered = groups.setdefault(key, _Gathered(0, received_at, received_at, row_id))
        gathered.count += 1
        gathered.first_at = min(gathered.first_at, received_at)
        if received_at >= gathered.last_at:
            gathered.last_at, gathered.example_id = received_at, row_id
        totals[reason] += 1
    keys = sorted(groups)  # one order for all writers: none waits for the other in a circle
    columns = [list(column) for column in zip(*keys, strict=True)]
    values = [groups[key] for key in keys]
    conn.execute(
        RECORD_GROUPS,
        (
            *columns,
            [v.count for v in values],
            [v.first_at for v in values],
            [v.last_at for v in values],
            [v.example_id for v in values],
        ),
    )
    conn.execute(RECORD_TOTALS, (sorted(totals), [totals[reason] for reason in sorted(totals)]))
    conn.execute(MOVE_FOLD, (rows[-1][0], rows[-1][1]))
    return len(rows)


def _find_place(known: dict[str, set[str]], pattern: str, serial: str) -> tuple[str, str]:
    """Under which pattern and serial it is counted; what is new beyond the bounds goes to all the others."""
    if pattern not in known and len(known) >= MOST_PATTERNS:
        pattern = OTHERS
    serials = known.setdefault(pattern, set())
    if serial not in serials and len(serials) >= MOST_SERIALS:
        serial = OTHERS
    serials.add(serial)
    return pattern, serial


@dataclass(frozen=True, slots=True)
class RejectionGroup:
    """One cause. `open` is what has not been replayed; `serials` counts those that are known, the others as one."""

    reason: str
    field_pattern: str
    count: int
    open: int
    serials: int
    some_serials: list[str]
    first_at: datetime
    last_at: datetime
    example_id: int
    example_detail: str | None  # None: retention has removed it


LOAD_GROUPS = """
    SELECT g.*, r.detail AS example_detail FROM (
        SELECT reason, field_pattern, sum(count)::bigint AS count,
            greatest(sum(count) - sum(replayed), 0)::bigint AS open,
            count(DISTINCT serial) FILTER (WHERE serial <> '') AS serials,
            coalesce((array_agg(DISTINCT serial) FILTER (WHERE serial NOT IN ('', '*')))[:5], '{}') AS some_serials,
            min(first_at) AS first_at, max(last_at) AS last_at,
            (array_agg(example_id ORDER BY last_at DESC))[1] AS example_id
        FROM rejection_group
        WHERE day >= %(since)s
            AND (%(reason)s::text IS NULL OR reason = %(reason)s)
            AND (%(serial)s::text IS NULL OR serial = %(serial)s)
        GROUP BY reason, field_pattern HAVING sum(count) > 0
        ORDER BY max(last_at) DESC, reason, field_pattern
        LIMIT %(limit)s
    ) g LEFT JOIN rejection r ON r.id = g.example_id
    ORDER BY g.last_at DESC, g.reason, g.field_pattern
"""


def load_rejection_groups(
    conn: Connection, since: date, *, reason: str | None = None, serial: str | None = None, limit: int = 100
) -> list[RejectionGroup]:
    """Causes of what was refused since that day (UTC), the one that was met last first; some seconds behind."""
    wanted = {"since": since, "reason": reason, "serial": serial, "limit": limit}
    with conn.cursor(row_factory=class_row(RejectionGroup)) as cursor:
        return cursor.execute(LOAD_GROUPS, wanted).fetchall()


COUNT_REASONS = "SELECT reason, count FROM rejection_total ORDER BY reason"


def count_reasons(conn: Connection) -> dict[str, int]:
    """How often each reason was met since the beginning: never less, whatever retention removes."""
    return {reason: int(count) for reason, count in conn.execute(COUNT_REASONS)}


REMOVE_GROUPS = """
    DELETE FROM rejection_group WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rejection_group WHERE day < %s ORDER BY day LIMIT %s))
"""


def remove_old_groups(conn: Connection, first_kept: date, most: int) -> int:
    """How many rows, all of before `first_kept` and the oldest first, were removed: at most `most`."""
    return conn.execute(REMOVE_GROUPS, (first_kept, most)).rowcount
