"""Replays of rejections: people ask for them here, ingest takes them from here and says what came of them.

A message is replayed as a whole, once: its rejections have one topic and one instant of receipt, and are locked and
settled together. Who asks twice, or while a replay is under way, changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_rejection import replay_requested
from domain.reading import RejectionReason
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.rejections import FILTER, IS_WHOLE, RejectionFilters, to_parameters

# One request marks no more than this; what is beyond waits for the next one.
MOST_REQUESTED = 10_000

# Why a rejection cannot be replayed. A row that stands for a message too large to be kept has a sibling that is whole,
# or nobody has it any more.
_REFUSAL = f"""CASE
    WHEN reason = '{RejectionReason.CONFLICT.value}' THEN 'conflict_stays'
    WHEN replay_requested_at IS NOT NULL AND replayed_at IS NULL THEN 'already_requested'
    WHEN replay_outcome ->> 'result' = 'replayed' THEN 'already_replayed'
    WHEN NOT ({IS_WHOLE}) AND NOT EXISTS (
        SELECT FROM rejection whole WHERE whole.received_at = r.received_at AND whole.topic = r.topic
            AND coalesce(whole.size = octet_length(whole.payload), octet_length(whole.payload) NOT IN (1024, 65536))
    ) THEN 'payload_not_kept'
END"""
# The conditions on the row itself are looked at again when another transaction had it: nothing is replayed twice.
REQUEST_REPLAYS = f"""
    WITH candidate AS (
        SELECT id, {_REFUSAL} AS refusal FROM rejection r
        WHERE {FILTER} AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
            AND (%(ids)s::bigint[] IS NOT NULL OR (
                reason <> '{RejectionReason.CONFLICT.value}'
                AND (replay_requested_at IS NULL OR (replayed_at IS NOT NULL
                    AND replay_outcome ->> 'result' IS DISTINCT FROM 'replayed'))))
        ORDER BY received_at, id LIMIT %(most)s + 1
    ), chosen AS (
        SELECT * FROM candidate WHERE refusal IS NULL ORDER BY id LIMIT %(most)s
    ), marked AS (
        UPDATE rejection r SET replay_requested_at = clock_timestamp(), replay_requested_by = %(by)s,
            replayed_at = NULL, replay_outcome = NULL
        FROM chosen
        WHERE r.id = chosen.id AND (replay_requested_at IS NULL OR replayed_at IS NOT NULL)
            AND replay_outcome ->> 'result' IS DISTINCT FROM 'replayed'
        RETURNING r.id
    )
    SELECT NULL AS refusal, (SELECT count(*) FROM marked) AS count, (SELECT count(*) FROM candidate) AS seen
    UNION ALL
    SELECT refusal, count(*), 0 FROM candidate WHERE refusal IS NOT NULL GROUP BY refusal ORDER BY 1 NULLS FIRST
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What became of asking. `has_more`: more match than one request marks; ask again."""

    requested: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    has_more: bool = False


def request_replays(
    conn: Connection,
    actor: Actor,
    filters: RejectionFilters,
    *,
    ids: Collection[int] | None = None,
    reason: str = "",
    most: int = MOST_REQUESTED,
) -> ReplayRequest:
    """Asks ingest to decode these rejections again, the oldest first, audited; by `ids` where they are given."""
    wanted = to_parameters(filters) | {"ids": None if ids is None else sorted(ids), "by": actor.name, "most": most}
    (_, requested, seen), *refused = conn.execute(REQUEST_REPLAYS, wanted).fetchall()
    request = ReplayRequest(int(requested), {str(why): int(n) for why, n, _ in refused}, int(seen) > most)
    if request.requested:
        asked = {name: value for name, value in to_parameters(filters).items() if value is not None}
        record_audit(conn, actor, replay_requested(request.requested, asked, ids, reason))
    return request


REQUEST_OF_SERIALS = """
    WITH chosen AS (
        SELECT id FROM rejection
        WHERE serial = ANY (%(serials)s) AND reason IN ('unknown_serial') AND replay_requested_at IS NULL
        ORDER BY received_at DESC, id DESC LIMIT %(most)s
    )
    UPDATE rejection r SET replay_requested_at = clock_timestamp(), replay_requested_by = %(by)s
    FROM chosen WHERE r.id = chosen.id AND r.replay_requested_at IS NULL
"""


def request_replays_of_serials(conn: Connection, actor_name: str, serials: Sequence[str]) -> int:
    """Asks for what was refused because nobody knew these serials, who are registered now; how many rejections that is.

    The newest of them, where there are more than one request marks. The caller says so in its own audit entry.
    """
    if not serials:
        return 0
    wanted = {"serials": list(serials), "by": actor_name, "most": MOST_REQUESTED}
    return conn.execute(REQUEST_OF_SERIALS, wanted).rowcount


# One process at a time replays: the others have live messages to attend to.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('forewarn replay', 0))"
LOAD_REQUESTED = """
    SELECT received_at, topic FROM (
        SELECT received_at, topic, replay_requested_at, id FROM rejection
        WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL
        ORDER BY replay_requested_at, id LIMIT %s
    ) requested GROUP BY received_at, topic ORDER BY min(replay_requested_at), min(id) LIMIT %s
"""
# In the order of ids, as whoever asks for replays locks them.
LOCK_MESSAGES = f"""
    SELECT id, received_at, topic, serial, reason, field, weight, payload, content_type, {IS_WHOLE} AS is_whole,
        replay_requested_at IS NOT NULL AND replayed_at IS NULL AS is_requested, replay_requested_by
    FROM rejection r
    WHERE (received_at, topic) IN (SELECT * FROM unnest(%s::timestamptz[], %s::text[]))
        AND reason <> '{RejectionReason.CONFLICT.value}' AND replay_outcome ->> 'result' IS DISTINCT FROM 'replayed'
    ORDER BY id FOR UPDATE
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class OpenRejection:
    """One rejection of a message that is to be replayed; not every one of a message needs to have been asked for."""

    id: int
    received_at: datetime
    topic: str
    serial: str | None
    reason: str
    field: str | None
    weight: int
    payload: bytes
    content_type: str
    is_whole: bool
    is_requested: bool
    replay_requested_by: str | None


def lock_requested(conn: Connection, messages: int) -> list[list[OpenRejection]]:
    """What waits longest, message by message with all that is still refused of each; locked until the commit.

    At most `messages` of them; none while another process replays.
    """
    locked = conn.execute(TRY_LOCK).fetchone()
    if locked is None or not locked[0]:
        return []
    wanted = conn.execute(LOAD_REQUESTED, (4 * messages, messages)).fetchall()
    if not wanted:
        return []
    with conn.cursor(row_factory=class_row(OpenRejection)) as cursor:
        rows = cursor.execute(LOCK_MESSAGES, ([at for at, _ in wanted], [topic for _, topic in wanted])).fetchall()
    by_place: dict[tuple[datetime, str], list[OpenRejection]] = {key: [] for key in wanted}
    for row in rows:
        by_place[row.received_at, row.topic].append(row)
    found = [message for place in by_place.values() for message in _split_messages(place)]
    return [message for message in found if any(row.is_requested for row in message)]


def _split_messages(rows: list[OpenRejection]) -> list[list[OpenRejection]]:
    """Rejections of one topic and instant by their message: nearly always one, as every message has its microsecond."""
    messages: dict[bytes, list[OpenRejection]] = {}
    for row in rows:
        if row.is_whole:
            messages.setdefault(bytes(row.payload), []).append(row)
    for row in rows:
        if not row.is_whole:
            begin = bytes(row.payload)
            messages.setdefault(next((whole for whole in messages if whole.startswith(begin)), begin), []).append(row)
    return [*messages.values()]


COUNT_WAITING = """
    SELECT count(*) FROM (
        SELECT FROM rejection WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL LIMIT %s
    ) waiting
"""


def count_waiting(conn: Connection, most: int = 100_000) -> int:
    """How many rejections wait to be replayed, counted up to `most`."""
    row = conn.execute(COUNT_WAITING, (most,)).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class Settled:
    """What a replay made of one rejection. `outcome` has at least `result`: `replayed` or `still_refused`."""

    id: int
    weight: int  # values that are still refused
    outcome: Mapping[str, Any]


RECORD_SETTLED = """
    UPDATE rejection r SET weight = s.weight, replayed_at = clock_timestamp(), replay_outcome = s.outcome,
        replay_requested_at = coalesce(r.replay_requested_at, clock_timestamp()),
        replay_requested_by = coalesce(r.replay_requested_by, s.by)
    FROM unnest(%s::bigint[], %s::integer[], %s::jsonb[], %s::text[]) AS s (id, weight, outcome, by)
    WHERE r.id = s.id
"""
RECORD_REPLAYED_GROUPS = """
    INSERT INTO rejection_group AS g (day, reason, field_pattern, serial, replayed, first_at, last_at, example_id)
    SELECT (received_at AT TIME ZONE 'UTC')::date, reason, rejection_field_pattern(field, serial),
        coalesce(serial, ''), count(*), min(received_at), max(received_at), max(id)
    FROM rejection WHERE id = ANY (%s) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (day, reason, field_pattern, serial) DO UPDATE SET replayed = g.replayed + excluded.replayed
"""


def record_settled(conn: Connection, settled: Sequence[Settled], by: str) -> None:
    """Says what came of each of these; those that nobody had asked for were mended along with others, `by` whom."""
    if not settled:
        return
    conn.execute(
        RECORD_SETTLED,
        (
            [s.id for s in settled],
            [s.weight for s in settled],
            [to_jsonb(s.outcome) for s in settled],
            [by] * len(settled),
        ),
    )
    replayed = [s.id for s in settled if s.outcome["result"] == "replayed"]
    if replayed:
        conn.execute(RECORD_REPLAYED_GROUPS, (replayed,))
