"""The audit chain: insert only, each event hashed over itself and the one before."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.audit import GENESIS, Actor, AuditEntry, AuditEvent, find_event_hash
from store.pool import Connection

MAX_PROBLEMS = 100
# How far from its place a moved event is still told from a changed one.
REORDERED_WITHIN = 500

# The trigger gives seq, at, prev_hash and hash; unnest keeps the order of the entries.
RECORD_AUDIT = """
    INSERT INTO audit_event (seq, at, actor, role, permission, action, entity, entity_id, before, after, reason,
        request_id, prev_hash, hash)
    SELECT 0, now(), %(actor)s, %(role)s, %(permission)s, e.action, e.entity, e.entity_id, e.before, e.after, e.reason,
        %(request_id)s, '', ''
    FROM unnest(%(actions)s::text[], %(entities)s::text[], %(ids)s::text[], %(befores)s::jsonb[], %(afters)s::jsonb[],
        %(reasons)s::text[]) WITH ORDINALITY AS e (action, entity, entity_id, before, after, reason, place)
    ORDER BY e.place
"""


def record_audit(conn: Connection, actor: Actor, *entries: AuditEntry) -> None:
    """Adds the entries to the chain in the caller's transaction; last in it, as the head is locked until commit."""
    if not entries:
        return
    conn.execute(
        RECORD_AUDIT,
        {
            "actor": actor.name,
            "role": actor.role,
            "permission": actor.permission,
            "request_id": actor.request_id,
            "actions": [e.action for e in entries],
            "entities": [e.entity for e in entries],
            "ids": [e.entity_id for e in entries],
            "befores": [to_jsonb(e.before) for e in entries],
            "afters": [to_jsonb(e.after) for e in entries],
            "reasons": [e.reason for e in entries],
        },
    )


def to_jsonb(value: Any) -> Jsonb | None:
    """A JSON value for a jsonb column: instants as RFC 3339, enumerations as their values; None stays NULL."""
    return None if value is None else Jsonb(value, dumps=_dump)


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


_COLUMNS = """e.seq, e.at, e.actor, e.role, e.permission, e.action, e.entity, e.entity_id, e.before, e.after, e.reason,
    e.request_id, e.prev_hash, e.hash"""
_NO_SEQ = 2**63 - 1
# Times never go back along the chain, so a time is a range of numbers: nothing outside it is read.
LOAD_AUDIT_EVENTS = f"""
    SELECT {_COLUMNS} FROM audit_event e
    WHERE (%(before_seq)s::bigint IS NULL OR e.seq < %(before_seq)s)
        AND (%(entity)s = '' OR e.entity = %(entity)s) AND (%(entity_id)s = '' OR e.entity_id = %(entity_id)s)
        AND (%(actor)s = '' OR e.actor = %(actor)s) AND (%(action)s = '' OR e.action = %(action)s)
        AND (%(since)s::timestamptz IS NULL OR (e.at >= %(since)s AND e.seq >= coalesce(
            (SELECT f.seq FROM audit_event f WHERE f.at >= %(since)s ORDER BY f.at, f.seq LIMIT 1), {_NO_SEQ})))
        AND (%(until)s::timestamptz IS NULL OR (e.at < %(until)s AND e.seq < coalesce(
            (SELECT u.seq FROM audit_event u WHERE u.at >= %(until)s ORDER BY u.at, u.seq LIMIT 1), {_NO_SEQ})))
    ORDER BY e.seq DESC LIMIT %(limit)s
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; an empty text or None means all."""

    entity: str = ""
    entity_id: str = ""
    actor: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


def load_audit_events(
    conn: Connection, wanted: AuditFilter = AuditFilter(), *, before_seq: int | None = None, limit: int = 100
) -> list[AuditEvent]:
    """Events newest first; the `seq` of the last one is the cursor for the next page."""
    with conn.cursor(row_factory=class_row(AuditEvent)) as cursor:
        return cursor.execute(
            LOAD_AUDIT_EVENTS,
            {
                "before_seq": before_seq,
                "entity": wanted.entity,
                "entity_id": wanted.entity_id,
                "actor": wanted.actor,
                "action": wanted.action,
                "since": wanted.since,
                "until": wanted.until,
                "limit": limit,
            },
        ).fetchall()


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """One place where the chain does not hold: `changed`, `removed`, `reordered`, `broken_link` or `truncated`."""

    seq: int
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What proving the chain found. It holds when `problems` is empty."""

    checked: int
    head_seq: int
    head_hash: str
    problems: list[AuditProblem] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Every event is there, in order and unchanged, up to the head."""
        return not self.problems


# One statement, so that head and events are of one moment.
LOAD_CHAIN = """
    SELECT h.seq, h.hash, e.seq, e.at, e.actor, e.role, e.permission, e.action, e.entity, e.entity_id, e.before::text,
        e.after::text, e.reason, e.request_id, e.prev_hash, e.hash
    FROM audit_head h LEFT JOIN audit_event e ON true ORDER BY e.seq
"""


def verify_chain(conn: Connection) -> AuditReport:
    """Proves the chain without trusting the database's own hashing: every text is rebuilt and hashed here.

    Finds events that were changed, removed, reordered or cut off at the end. Reads with a server-side cursor, so the
    chain may be longer than memory.
    """
    problems: list[AuditProblem] = []
    checked, last_seq, last_hash = 0, 0, GENESIS
    head_seq, head_hash = 0, GENESIS
    with conn.transaction(), conn.cursor(name="audit_chain") as cursor:
        cursor.itersize = 5_000
        cursor.execute(LOAD_CHAIN)
        for row in cursor:
            head_seq, head_hash, seq, at, *texts, prev_hash, own_hash = row
            if seq is None:
                break
            checked += 1
            if len(problems) < MAX_PROBLEMS:
                problems += _find_problems(seq, at, texts, prev_hash, own_hash, last_seq, last_hash)
            last_seq, last_hash = seq, own_hash
    if (last_seq, last_hash) != (head_seq, head_hash):
        detail = f"the chain ends at {last_seq}; the head says {head_seq} with another hash"
        problems.append(AuditProblem(last_seq, "truncated", detail))
    return AuditReport(checked, head_seq, head_hash, problems)


def _find_problems(
    seq: int, at: datetime, texts: Sequence[str | None], prev_hash: str, own_hash: str, last_seq: int, last_hash: str
) -> list[AuditProblem]:
    found = []
    if seq != last_seq + 1:
        found.append(AuditProblem(last_seq + 1, "removed", f"no events between {last_seq} and {seq}"))
    elif prev_hash != last_hash:
        found.append(AuditProblem(seq, "broken_link", f"event {seq} does not follow on event {last_seq} as it stands"))
    instant = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def is_recorded_as(number: int) -> bool:
        return find_event_hash((str(number), instant, *texts, prev_hash)) == own_hash

    if not is_recorded_as(seq):
        nearby = range(max(1, seq - REORDERED_WITHIN), seq + REORDERED_WITHIN + 1)
        place = next((number for number in nearby if is_recorded_as(number)), None)
        if place is None:
            found.append(AuditProblem(seq, "changed", f"event {seq} is not what was recorded"))
        else:
            found.append(AuditProblem(seq, "reordered", f"event {seq} was recorded as event {place}"))
    return found
