"""What people decide about proposed thresholds: through the guards, signed, audited, applied in one transaction."""

from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor, Signature
from domain.audit_monitor import threshold_decided
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.monitor_quality import move_threshold
from domain.threshold_proposal import SIGNED, ProposalFacts, ProposalState, find_proposal_refusal
from store.audit import record_audit
from store.pool import Connection
from store.profiles import load_profile, record_profile
from store.signatures import record_signature
from store.threshold_proposals import ENTITY, SELECT_PROPOSALS, ThresholdProposal, load_threshold_proposal

# The device model first: nobody else gives it another profile while this one is decided.
LOCK_DEVICE_MODEL = """
    SELECT FROM device_model WHERE id = (SELECT device_model_id FROM threshold_proposal WHERE code = %s) FOR UPDATE
"""
LOCK_PROPOSAL = f"{SELECT_PROPOSALS} WHERE t.code = %s FOR UPDATE OF t"
DECIDE = """
    UPDATE threshold_proposal SET state = %(state)s, reason = %(reason)s,
        endorsed_by_id = CASE WHEN %(state)s = 'ENDORSED' THEN %(by_id)s::bigint ELSE endorsed_by_id END,
        endorsed_by = CASE WHEN %(state)s = 'ENDORSED' THEN %(by)s ELSE endorsed_by END,
        endorsed_at = CASE WHEN %(state)s = 'ENDORSED' THEN %(now)s::timestamptz ELSE endorsed_at END,
        decided_by_id = CASE WHEN %(state)s <> 'ENDORSED' THEN %(by_id)s::bigint END,
        decided_by = CASE WHEN %(state)s <> 'ENDORSED' THEN %(by)s END,
        decided_at = CASE WHEN %(state)s <> 'ENDORSED' THEN %(now)s::timestamptz END,
        made_version = %(made_version)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def record_proposal_decision(
    conn: Connection,
    actor: Actor,
    code: str,
    to: ProposalState,
    *,
    reason: str,
    signature: Signature | None,
    expected_row_version: int | None,
    now: datetime,
) -> ThresholdProposal:
    """The proposal as a person decided it. Accepting applies the profile's next version in the same transaction.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such proposal, or it has moved since the caller saw it.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.threshold_proposal.ProposalGuard`.
    """
    conn.execute(LOCK_DEVICE_MODEL, (code,))
    with conn.cursor(row_factory=class_row(ThresholdProposal)) as cursor:
        proposal = cursor.execute(LOCK_PROPOSAL, (code,)).fetchone()
    if proposal is None:
        raise NotFoundError(code)
    if expected_row_version is not None and proposal.row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {proposal.row_version}, not {expected_row_version}.")
    profile = load_profile(conn, proposal.model)
    assert profile is not None
    monitor = profile.find_monitor(proposal.monitor)
    facts = ProposalFacts(
        state=ProposalState(proposal.state),
        safety_critical=proposal.safety_critical,
        endorsed_by_id=proposal.endorsed_by_id,
        actor_id=actor.user_id,
        has_signature=signature is not None and signature.signer_id == actor.user_id,
        monitor_is_same=monitor is not None
        and monitor.raise_at == proposal.raise_at
        and (monitor.raise_at if monitor.clear_at is None else monitor.clear_at) == proposal.clear_at,
    )
    refusal = find_proposal_refusal(to, facts, reason=reason)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    made_version = None
    if to is ProposalState.ACCEPTED:
        made = move_threshold(profile, proposal.monitor, proposal.proposed_raise_at, proposal.proposed_clear_at)
        record_profile(conn, made, actor.name, actor=actor, reason=reason)
        made_version = made.version
    values = {"id": proposal.id, "state": to, "reason": reason, "by": actor.name, "by_id": actor.user_id}
    conn.execute(DECIDE, values | {"made_version": made_version, "now": now})
    decided = load_threshold_proposal(conn, code)
    assert decided is not None
    if to in SIGNED and signature is not None:
        content = {
            "code": code,
            "state": to,
            "monitor": proposal.monitor,
            "raise_at": proposal.proposed_raise_at,
            "clear_at": proposal.proposed_clear_at,
            "basis": proposal.basis,
            "backtest": proposal.backtest,
        }
        record_signature(conn, ENTITY, proposal.id, decided.row_version, content, signature, now)
    record_audit(conn, actor, threshold_decided(code, proposal.state, to, made_version, reason))
    return decided
