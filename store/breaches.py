"""Breaches, their transitions and their frozen evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.breach import BreachTransition, TransitionKind
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ActiveBreach:
    """An open breach, as scoring needs it to go on with it."""

    id: UUID
    device_id: int
    series_id: int | None
    monitor: str
    profile_version: int
    kind: str
    severity: str
    fault_group: str
    first_seen: datetime
    last_seen: datetime
    count: int
    peak: float
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawWindow:
    """Which readings of a series belong to the evidence of a breach, and how many at most."""

    breach_id: UUID
    series_id: int
    since: datetime
    until: datetime
    most: int


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """Evidence of one breach, to be frozen."""

    breach_id: UUID
    body: dict[str, Any]
    sha256: str


LOAD_ACTIVE_BREACHES = """
    SELECT b.id, b.device_id, b.series_id, b.monitor, b.profile_version, b.kind, b.severity, b.fault_group,
        b.first_seen, b.last_seen, b.count, b.peak, b.params
    FROM breach b JOIN device d ON d.id = b.device_id
    WHERE b.state = 'ACTIVE' AND d.shard = %s ORDER BY b.first_seen, b.id
"""


def load_active_breaches(conn: Connection, shard: int) -> list[ActiveBreach]:
    """The open breaches of all devices of a shard."""
    with conn.cursor(row_factory=class_row(ActiveBreach)) as cursor:
        return cursor.execute(LOAD_ACTIVE_BREACHES, (shard,)).fetchall()


LOAD_RAISED_BY = "SELECT id, device_id, profile_version, monitor FROM breach WHERE id = ANY (%s)"


def load_raised_by(conn: Connection, breach_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int, str]]:
    """Who raised each of those breaches: (id of the device, version of its profile, key of the monitor)."""
    rows = conn.execute(LOAD_RAISED_BY, (list(breach_ids),)).fetchall()
    return {breach: (device, version, monitor) for breach, device, version, monitor in rows}


# A replay names the same breach: what is there already stays. An older step never overwrites a newer one.
OPEN_BREACH = """
    INSERT INTO breach (id, device_id, series_id, monitor, profile_version, kind, severity, fault_group, state,
        first_seen, raised_at, last_seen, count, peak, score, firmware, reason_code, params, is_simulated)
    SELECT %(id)s, d.id, %(series_id)s, %(monitor)s, %(profile_version)s, %(breach_kind)s, %(severity)s,
        %(fault_group)s, 'ACTIVE', %(first_seen)s, %(at)s, %(at)s, %(count)s, %(peak)s, %(score)s,
        coalesce(nullif(main_firmware_of(d.id, %(first_seen)s), ''), d.firmware), %(reason_code)s, %(params)s,
        d.is_simulated
    FROM device d WHERE d.id = %(device_id)s
    ON CONFLICT (id) DO NOTHING
"""
ESCALATE_BREACH = """
    UPDATE breach SET severity = %(severity)s, last_seen = %(at)s, count = %(count)s, peak = %(peak)s,
        score = %(score)s
    WHERE id = %(id)s AND state = 'ACTIVE' AND last_seen <= %(at)s
"""
CLEAR_BREACH = """
    UPDATE breach SET state = 'CLEARED', cleared_at = %(at)s, last_seen = %(at)s, severity = %(severity)s,
        count = greatest(count, %(count)s), peak = %(peak)s
    WHERE id = %(id)s AND state = 'ACTIVE'
"""
RECORD_TRANSITION = """
    INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params)
    SELECT %(id)s, %(kind)s, %(severity)s, %(at)s, %(received_at)s, %(score)s, %(reason_code)s, %(params)s
    WHERE EXISTS (SELECT FROM breach WHERE id = %(id)s)
    ON CONFLICT (breach_id, kind, at) DO NOTHING
"""
_STEPS = {
    TransitionKind.RAISED: OPEN_BREACH,
    TransitionKind.ESCALATED: ESCALATE_BREACH,
    TransitionKind.CLEARED: CLEAR_BREACH,
}


def record_transitions(conn: Connection, transitions: Sequence[BreachTransition]) -> None:
    """Applies each transition to its breach and keeps it, in this order; one that is known already changes nothing.
    A breach names the firmware that the device ran when it was first seen."""
    with conn.pipeline():
        for t in transitions:
            named = {
                "id": t.breach_id,
                "kind": t.kind.value,
                "device_id": t.device_id,
                "series_id": t.series_id,
                "monitor": t.monitor,
                "profile_version": t.profile_version,
                "breach_kind": t.breach_kind.value,
                "severity": t.severity.value,
                "fault_group": t.fault_group,
                "first_seen": t.first_seen,
                "at": t.at,
                "received_at": t.received_at,
                "count": t.count,
                "peak": t.peak,
                "score": t.score,
                "reason_code": t.reason_code,
                "params": Jsonb(t.params),
            }
            conn.execute(_STEPS[t.kind], named)
            conn.execute(RECORD_TRANSITION, named)


# Of a longer window every k-th reading stays, the last one always: counted back from the end.
LOAD_RAW_WINDOWS = """
    SELECT w.breach_id, w.series_id, r.observed_us, r.value
    FROM unnest(%(breaches)s::uuid[], %(series)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[],
        %(most)s::int[]) AS w (breach_id, series_id, since, until, most)
    CROSS JOIN LATERAL (
        SELECT (extract(epoch FROM observed_at) * 1000000)::bigint AS observed_us, value,
            row_number() OVER (ORDER BY observed_at DESC) - 1 AS back, count(*) OVER () AS total
        FROM reading WHERE series_id = w.series_id AND observed_at BETWEEN w.since AND w.until
    ) AS r
    WHERE r.back %% greatest(1, ((r.total + w.most - 1) / w.most)) = 0
    ORDER BY w.breach_id, w.series_id, r.observed_us
"""


def load_raw_windows(conn: Connection, windows: Sequence[RawWindow]) -> dict[tuple[UUID, int], list[tuple[int, float]]]:
    """(microseconds since 1970, value) of the stored readings in each window, thinned evenly to at most `most`."""
    found: dict[tuple[UUID, int], list[tuple[int, float]]] = {(w.breach_id, w.series_id): [] for w in windows}
    if not windows:
        return found
    arguments = {
        "breaches": [w.breach_id for w in windows],
        "series": [w.series_id for w in windows],
        "since": [w.since for w in windows],
        "until": [w.until for w in windows],
        "most": [w.most for w in windows],
    }
    for breach_id, series_id, observed_us, value in conn.execute(LOAD_RAW_WINDOWS, arguments):
        found[breach_id, series_id].append((observed_us, value))
    return found


RECORD_EVIDENCE = """
    INSERT INTO evidence (breach_id, body, sha256) SELECT %(id)s, %(body)s, %(sha256)s
    WHERE EXISTS (SELECT FROM breach WHERE id = %(id)s)
    ON CONFLICT (breach_id) DO NOTHING
"""


def record_evidence(conn: Connection, evidence: Sequence[NewEvidence]) -> None:
    """Freezes the evidence of each breach; what was frozen before stays as it is."""
    with conn.pipeline():
        for e in evidence:
            conn.execute(RECORD_EVIDENCE, {"id": e.breach_id, "body": Jsonb(e.body), "sha256": e.sha256})
