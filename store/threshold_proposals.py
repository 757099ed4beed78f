"""Proposed thresholds: made by the machine with their grounds, backtested; people decide, see `threshold_decisions`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_monitor import threshold_backtested, threshold_proposed
from domain.monitor_quality import Threshold
from domain.profile import Monitor, Profile
from store.audit import record_audit, to_jsonb
from store.model_jobs import open_job
from store.pool import Connection

ENTITY = "threshold_proposal"


@dataclass(frozen=True, slots=True)
class ThresholdProposal:
    """One proposed threshold; `basis` and `backtest` are what docs/how-to/monitor-quality.md says."""

    id: int
    code: str
    device_model_id: int
    model: str
    safety_critical: bool
    monitor: str
    profile_version: int
    state: str
    raise_at: float
    clear_at: float
    proposed_raise_at: float
    proposed_clear_at: float
    basis: Mapping[str, Any]
    backtest_job_id: int | None
    backtest_job_state: str | None
    backtest_error: str | None
    backtest: Mapping[str, Any] | None
    backtested_at: datetime | None
    endorsed_by_id: int | None
    endorsed_by: str | None
    endorsed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    made_version: int | None
    row_version: int
    created_at: datetime
    updated_at: datetime


SELECT_PROPOSALS = """
    SELECT t.id, t.code, t.device_model_id, m.key AS model, m.safety_critical, t.monitor, t.profile_version, t.state,
        t.raise_at, t.clear_at, t.proposed_raise_at, t.proposed_clear_at, t.basis, t.backtest_job_id,
        j.state AS backtest_job_state, coalesce(j.error, CASE WHEN j.state <> 'DONE' THEN NULL
            WHEN NOT (j.result ->> 'device_days')::float8 > 0 THEN 'No device-day was counted.'
            WHEN j.result -> 'uncovered' <> '[]' THEN concat_ws(': ', 'Not judged',
                j.result #>> '{uncovered,0,monitor}', j.result #>> '{uncovered,0,reason}') END) AS backtest_error,
        t.backtest, t.backtested_at, t.endorsed_by_id, t.endorsed_by, t.endorsed_at, t.decided_by, t.decided_at,
        t.reason, t.made_version, t.row_version, t.created_at, t.updated_at
    FROM threshold_proposal t JOIN device_model m ON m.id = t.device_model_id
    LEFT JOIN model_job j ON j.id = t.backtest_job_id
"""
LOAD_PROPOSAL = f"{SELECT_PROPOSALS} WHERE t.code = %s"
LIST_PROPOSALS = f"""
    {SELECT_PROPOSALS}
    WHERE (%(states)s::text[] = '{{}}' OR t.state = ANY (%(states)s))
        AND (%(model)s::text IS NULL OR m.key = %(model)s) AND (%(monitor)s::text IS NULL OR t.monitor = %(monitor)s)
    ORDER BY t.id DESC LIMIT %(limit)s
"""


def load_threshold_proposal(conn: Connection, code: str) -> ThresholdProposal | None:
    """The proposal of that code, or None."""
    with conn.cursor(row_factory=class_row(ThresholdProposal)) as cursor:
        return cursor.execute(LOAD_PROPOSAL, (code,)).fetchone()


def load_threshold_proposals(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    model: str | None = None,
    monitor: str | None = None,
    limit: int = 200,
) -> list[ThresholdProposal]:
    """Proposals, the newest first."""
    values = {"states": list(states), "model": model, "monitor": monitor, "limit": limit}
    with conn.cursor(row_factory=class_row(ThresholdProposal)) as cursor:
        return cursor.execute(LIST_PROPOSALS, values).fetchall()


# One open proposal a monitor; and none again for a threshold that was rejected, until the monitor is another.
PROPOSE = """
    INSERT INTO threshold_proposal (code, device_model_id, monitor, profile_version, state, raise_at, clear_at,
        proposed_raise_at, proposed_clear_at, basis, created_at, updated_at)
    SELECT 'TP-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('threshold_proposal_number'), 'FM9999999999990000'),
        m.id, %(monitor)s, %(profile_version)s, 'PROPOSED', %(raise_at)s, %(clear_at)s, %(proposed_raise_at)s,
        %(proposed_clear_at)s, %(basis)s, %(now)s, %(now)s
    FROM device_model m WHERE m.key = %(model)s
    ON CONFLICT DO NOTHING RETURNING code
"""
IS_KNOWN = """
    SELECT EXISTS (SELECT FROM threshold_proposal t JOIN device_model m ON m.id = t.device_model_id
        WHERE m.key = %(model)s AND t.monitor = %(monitor)s
            AND (t.state IN ('PROPOSED', 'BACKTESTED', 'ENDORSED')
                OR (t.state = 'REJECTED' AND t.raise_at = %(raise_at)s
                    AND (t.basis ->> 'in_vain')::integer * 2 > %(in_vain)s)))
"""


def propose_threshold(
    conn: Connection,
    actor: Actor,
    profile: Profile,
    monitor: Monitor,
    found: Threshold,
    basis: Mapping[str, Any],
    now: datetime,
) -> str | None:
    """The code of the new proposal, audited; None while one is open, or after this threshold was rejected until twice
    as many orders were in vain."""
    values: dict[str, Any] = {
        "model": profile.model,
        "monitor": monitor.key,
        "profile_version": profile.version,
        "raise_at": monitor.raise_at,
        "clear_at": monitor.raise_at if monitor.clear_at is None else monitor.clear_at,
        "proposed_raise_at": found.raise_at,
        "proposed_clear_at": found.clear_at,
        "basis": to_jsonb(basis),
        "in_vain": found.in_vain,
        "now": now,
    }
    known = conn.execute(IS_KNOWN, values).fetchone()
    if known is not None and known[0]:
        return None
    row = conn.execute(PROPOSE, values).fetchone()
    if row is None:
        return None
    after = {name: values[name] for name in ("model", "monitor", "raise_at", "proposed_raise_at", "proposed_clear_at")}
    record_audit(conn, actor, threshold_proposed(row[0], after | {"basis": basis}))
    return str(row[0])


ASK_FOR_BACKTEST = """
    UPDATE threshold_proposal SET backtest_job_id = %(job)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE code = %(code)s AND state = 'PROPOSED'
"""


def ask_for_backtest(conn: Connection, code: str, request: Mapping[str, Any], by: str, now: datetime) -> int:
    """The id of the job that was queued for the proposal: whoever runs backtests takes it from there."""
    job = open_job(conn, "backtest", request, by)
    conn.execute(ASK_FOR_BACKTEST, {"job": job, "code": code, "now": now})
    return job


# Locked before the first of them goes into the audit, whose head stays locked from then on.
LOAD_DONE = """
    SELECT t.code, j.result FROM threshold_proposal t JOIN model_job j ON j.id = t.backtest_job_id
    WHERE t.state = 'PROPOSED' AND j.state = 'DONE' AND (j.result ->> 'device_days')::float8 > 0
        AND j.result -> 'uncovered' = '[]'
    ORDER BY t.id FOR UPDATE OF t
"""


def attach_backtests(conn: Connection, actor: Actor, now: datetime) -> list[str]:
    """The codes of the proposals whose backtest has come, and judged the monitor: they can be decided now."""
    done = conn.execute(LOAD_DONE).fetchall()
    return [code for code, result in done if record_backtest(conn, actor, code, result, now)]


# Whose backtest says nothing of the monitor, failed or was called off; locked as above.
LOAD_WITHOUT_BACKTEST = """
    SELECT t.code, j.request FROM threshold_proposal t JOIN model_job j ON j.id = t.backtest_job_id
    WHERE t.state = 'PROPOSED' AND t.updated_at <= %s
        AND (j.state IN ('FAILED', 'CANCELLED') OR j.state = 'DONE' AND NOT (
            (j.result ->> 'device_days')::float8 > 0 AND j.result -> 'uncovered' = '[]'))
    ORDER BY t.id FOR UPDATE OF t
"""


def ask_again_for_backtests(conn: Connection, by: str, asked_before: datetime, now: datetime) -> list[str]:
    """The codes of the proposals for which another backtest was queued: that which was asked for before then found
    nothing to say, and readings have come since."""
    found = conn.execute(LOAD_WITHOUT_BACKTEST, (asked_before,)).fetchall()
    for code, request in found:
        ask_for_backtest(conn, code, request, by, now)
    return [code for code, _ in found]


RECORD_BACKTEST = """
    UPDATE threshold_proposal SET state = 'BACKTESTED', backtest = %(backtest)s, backtested_at = %(now)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE code = %(code)s AND state IN ('PROPOSED', 'BACKTESTED')
"""


def record_backtest(conn: Connection, actor: Actor, code: str, backtest: Mapping[str, Any], now: datetime) -> bool:
    """Attaches what the production evaluator made of the proposed threshold; False when it is decided already."""
    if conn.execute(RECORD_BACKTEST, {"backtest": to_jsonb(backtest), "now": now, "code": code}).rowcount == 0:
        return False
    record_audit(conn, actor, threshold_backtested(code, backtest))
    return True
