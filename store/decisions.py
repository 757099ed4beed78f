"""Transitions that nobody has decided, and the decisions on them: one row each, committed with what they caused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.reading import ReadingFlag
from domain.tickets import HEARD_AGAIN, READING_KINDS, DecisionKind, TicketReason, UndecidedTransition
from store.audit import to_jsonb
from store.pool import Connection

# Somebody else inserted the same key at this moment: what was rolled back is decided again from what stands now.
RACED = (UniqueViolation,)

# Any number will do, as long as every triaging process takes the same one.
TRIAGE_LOCK = 4_660_117

TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"


def try_lock_triage(conn: Connection) -> bool:
    """Whether this connection is now the one that triages; it is until it closes, however it ends."""
    row = conn.execute(TAKE_LOCK, (TRIAGE_LOCK,)).fetchone()
    return row is not None and bool(row[0])


# A transaction that has not committed within the hour has long been cancelled, so no lower number appears later.
RECORD_DECIDED_TO = """
    UPDATE triage_state SET decided_to = found.id
    FROM (
        SELECT least(
            (SELECT max(t.id) FROM breach_transition t
                WHERE t.id > s.decided_to AND t.recorded_at < now() - interval '1 hour'),
            (SELECT min(t.id) - 1 FROM breach_transition t
                WHERE t.id > s.decided_to AND NOT EXISTS (SELECT FROM ticket_decision d WHERE d.transition_id = t.id))
        ) AS id
        FROM triage_state s
    ) AS found
    WHERE found.id > decided_to
"""


def record_decided_to(conn: Connection) -> None:
    """Moves up to which transition every one is decided, so that counting those that wait looks at few."""
    conn.execute(RECORD_DECIDED_TO)


_SELECT = """
    SELECT t.id, t.breach_id, t.kind, t.severity, t.at, t.received_at, t.recorded_at, t.reason_code, t.params,
        b.kind AS breach_kind, b.state AS breach_state, b.monitor, b.fault_group, b.firmware, d.id AS device_id,
        d.serial, d.device_model_id, m.safety_critical, d.lifecycle, d.lifecycle_since, d.gateway_id, g.name AS gateway,
        d.site_id, s.code AS site_code, s.customer_id, k.id AS contract_id, d.region, b.is_simulated
"""
_TABLES = """
    JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = d.gateway_id LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN LATERAL (
        SELECT c.id FROM service_contract c WHERE c.customer_id = s.customer_id AND c.status = 'ACTIVE'
            AND (%(now)s::timestamptz AT TIME ZONE 'UTC')::date BETWEEN c.starts_on AND c.ends_on
            AND contract_covers(c, d.id)
        ORDER BY c.ends_on DESC LIMIT 1
    ) k ON true
"""
LOAD_UNDECIDED = f"""
    {_SELECT}, NULL AS earlier_reason
    FROM (
        SELECT t.* FROM breach_transition t
        WHERE t.id > %(after)s AND t.id <> ALL (%(skipped)s::bigint[])
            AND NOT EXISTS (SELECT FROM ticket_decision y WHERE y.transition_id = t.id)
        ORDER BY t.id LIMIT %(limit)s
    ) t {_TABLES} ORDER BY t.id
"""  # noqa: S608


def load_undecided(
    conn: Connection, *, after: int, skipped: Sequence[int] = (), now: datetime, limit: int
) -> list[UndecidedTransition]:
    """Transitions above the id `after` that have no decision and are not among `skipped`, in id order.

    Ids of concurrent writers commit out of order: `after` must be an id below which everything has long been committed.
    """
    values = {"after": after, "skipped": list(skipped), "now": now, "limit": limit}
    return _load(conn, LOAD_UNDECIDED, values)


# A decision that was put off, on a breach that is still active, and nothing suppresses it any more. What work on a
# device causes (a calibration shows the sensors what no patient does) clears when the device is in use again, and that
# has to be heard first: a breach of readings waits until the signal was judged for a while since.
LOAD_PUT_OFF = f"""
    {_SELECT}, y.reason AS earlier_reason
    FROM ticket_decision y JOIN breach_transition t ON t.id = y.transition_id {_TABLES}
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    CROSS JOIN LATERAL (SELECT make_interval(
        secs => 3600 * coalesce((p.body #>> '{{tickets,maintenance_timeout_h}}')::float8, 8)) AS timeout) policy
    CROSS JOIN LATERAL (
        SELECT greatest(
            d.lifecycle_since + CASE WHEN d.lifecycle = 'UNDER_MAINTENANCE' THEN policy.timeout ELSE interval '0' END,
            (SELECT max(coalesce(h.ended_at, h.shelved_until)) FROM shelving h
                WHERE h.device_id = d.id AND coalesce(h.fault_group, b.fault_group) = b.fault_group)
        ) AS since
    ) free
    WHERE y.reason IN ('shelved', 'under_maintenance') AND b.state = 'ACTIVE' AND free.since <= %(now)s
        AND (NOT b.kind = ANY (%(of_readings)s) OR EXISTS (
            SELECT FROM series x WHERE x.device_id = d.id AND x.id = coalesce(b.series_id, x.id)
                AND x.last_observed_at >= free.since + %(heard)s
                AND EXISTS (SELECT FROM reading r WHERE r.series_id = x.id AND r.observed_at >= free.since
                    AND r.observed_at <= x.last_observed_at - %(heard)s AND r.flags & %(not_scored)s = 0)))
    ORDER BY t.id LIMIT %(limit)s
"""  # noqa: S608


def load_put_off(conn: Connection, *, now: datetime, limit: int) -> list[UndecidedTransition]:
    """Transitions whose shelving or maintenance is over while their breach goes on, in id order; those of readings when
    what they are about was heard for `HEARD_AGAIN` since."""
    values = {
        "now": now,
        "limit": limit,
        "of_readings": list(READING_KINDS),
        "heard": HEARD_AGAIN,
        "not_scored": int(ReadingFlag.BAD | ReadingFlag.LATE),
    }
    return _load(conn, LOAD_PUT_OFF, values)


LOAD_FAILED = f"""
    {_SELECT}, y.reason AS earlier_reason
    FROM ticket_decision y JOIN breach_transition t ON t.id = y.transition_id {_TABLES}
    WHERE y.reason = 'triage_failed' AND t.id > %(after)s ORDER BY t.id LIMIT %(limit)s
"""


def load_failed(conn: Connection, *, after: int, now: datetime, limit: int) -> list[UndecidedTransition]:
    """Transitions above the id `after` whose triage failed, in id order."""
    return _load(conn, LOAD_FAILED, {"after": after, "now": now, "limit": limit})


def _load(conn: Connection, query: str, values: dict[str, Any]) -> list[UndecidedTransition]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_transition(row) for row in cursor.execute(query, values)]


def _to_transition(row: dict[str, Any]) -> UndecidedTransition:
    return UndecidedTransition(
        **row
        | {
            "kind": TransitionKind(row["kind"]),
            "severity": Severity(row["severity"]),
            "breach_kind": BreachKind(row["breach_kind"]),
            "breach_state": BreachState(row["breach_state"]),
            "earlier_reason": None if row["earlier_reason"] is None else TicketReason(row["earlier_reason"]),
        }
    )


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """One decision as it is stored."""

    transition_id: int
    decision: DecisionKind
    reason: TicketReason
    params: dict[str, Any]
    work_order_id: int | None


RECORD_DECISIONS = """
    INSERT INTO ticket_decision (transition_id, decided_at, decision, reason, params, work_order_id)
    SELECT e.transition_id, %(now)s, e.decision, e.reason, e.params, e.work_order_id
    FROM unnest(%(transitions)s::bigint[], %(decisions)s::text[], %(reasons)s::text[], %(params)s::jsonb[],
        %(orders)s::bigint[]) AS e (transition_id, decision, reason, params, work_order_id)
    ON CONFLICT (transition_id) DO UPDATE SET decided_at = excluded.decided_at, decision = excluded.decision,
        reason = excluded.reason, params = excluded.params, work_order_id = excluded.work_order_id
        WHERE ticket_decision.reason IN ('shelved', 'under_maintenance', 'triage_failed')
    RETURNING transition_id
"""


def record_decisions(conn: Connection, decisions: Sequence[RecordedDecision], now: datetime) -> bool:
    """Whether all of them were recorded: False when another process has decided one of them for good.

    Then the caller rolls back what it did for them.
    """
    if not decisions:
        return True
    values = {
        "now": now,
        "transitions": [d.transition_id for d in decisions],
        "decisions": [d.decision for d in decisions],
        "reasons": [d.reason for d in decisions],
        "params": [to_jsonb(d.params) for d in decisions],
        "orders": [d.work_order_id for d in decisions],
    }
    return len(conn.execute(RECORD_DECISIONS, values).fetchall()) == len(decisions)


LOAD_FLOOR = """
    SELECT coalesce((SELECT min(t.id) - 1 FROM breach_transition t
        WHERE NOT EXISTS (SELECT FROM ticket_decision y WHERE y.transition_id = t.id)),
        (SELECT max(id) FROM breach_transition), 0)
"""


def load_decided_floor(conn: Connection) -> int:
    """The id up to which everything that is committed now has a decision."""
    row = conn.execute(LOAD_FLOOR).fetchone()
    return 0 if row is None else int(row[0])
