"""How good monitors are, by what orders found; drift; and thresholds that the machine proposes and people decide."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey
from api.preconditions import IfMatch, make_etag
from api.problems import declare, not_found
from api.routes.device_models import find_profile
from api.shapes.monitors import (
    DriftShape,
    MonitorDetail,
    MonitorFlagShape,
    Monitors,
    MonitorShape,
    ProposalStep,
    ProposalTransition,
    QualityShape,
    RuleShape,
    ThresholdProposalDetail,
    ThresholdProposalShape,
)
from api.shapes.pages import Page
from api.signing import make_signature
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.monitor_quality import Budget
from domain.profile import Monitor, Profile
from domain.roles import Permission
from domain.threshold_proposal import SIGNED, TRANSITIONS, ProposalState, find_next_states
from store.drift import DriftDay, load_drift
from store.monitor_flags import MonitorFlag, load_monitor_flags
from store.monitor_quality import MonitorQuality, load_quality
from store.pool import Connection
from store.profiles import load_profiles
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import (
    ENTITY,
    ThresholdProposal,
    load_threshold_proposal,
    load_threshold_proposals,
)

router = make_router(tag="monitors")
# Figures over the devices of all customers.
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
RECENT = timedelta(days=2)
PAST = timedelta(days=60)
OPEN = (ProposalState.PROPOSED, ProposalState.BACKTESTED, ProposalState.ENDORSED)


@router.get("/monitors", summary="Monitors and how good they are", responses=declare(404))
def list_monitors(caller: Reader, pool: Database, model: str | None = None) -> Monitors:
    """Every monitor of every current profile: precision by outcomes of orders, alarm budget, flag, drift, proposal."""
    with pool.connection() as conn:
        profiles = list(load_profiles(conn).values()) if model is None else [find_profile(conn, model)]
        quality = load_quality(conn, model=model)
        flags = load_monitor_flags(conn)
        drift = load_drift(conn, (now() - RECENT).date(), model=model, states=("WATCH", "DRIFT"))
        proposals = load_threshold_proposals(conn, states=OPEN, model=model)
    return Monitors(
        items=[_describe(p, m, quality, flags, drift, proposals) for p in profiles for m in p.monitors],
        detectors=[
            RuleShape(model=q.model, rule=q.rule, quality=_describe_quality(q)) for q in quality if q.monitor == ""
        ],
    )


@router.get("/monitors/{model}/{monitor}", summary="One monitor", responses=declare(404))
def read_monitor(model: str, monitor: str, caller: Reader, pool: Database) -> MonitorDetail:
    """The monitor with its past: drift of its scores and sensors, thresholds that were proposed."""
    with pool.connection() as conn:
        profile = find_profile(conn, model)
        found = profile.find_monitor(monitor)
        if found is None:
            raise not_found("monitor", f"{model} {monitor}", "monitor")
        quality = load_quality(conn, model=model)
        flags = load_monitor_flags(conn)
        days = load_drift(conn, (now() - PAST).date(), model=model, subjects=(monitor, *found.sensors))
        proposals = load_threshold_proposals(conn, model=model, monitor=monitor)
    recent = [d for d in days if d.day >= (now() - RECENT).date() and d.state != "STABLE"]
    shown = _describe(profile, found, quality, flags, recent, [p for p in proposals if p.state in OPEN])
    return MonitorDetail(
        **shown.model_dump(),
        proposals=[ThresholdProposalShape.model_validate(p) for p in proposals],
        drift_days=[DriftShape.model_validate(d) for d in days],
    )


@router.get("/threshold-proposals", summary="Thresholds that were proposed", responses=declare(404))
def list_proposals(
    caller: Reader,
    pool: Database,
    state: Annotated[list[ProposalState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    model: str | None = None,
) -> Page[ThresholdProposalShape]:
    """The newest 200."""
    with pool.connection() as conn:
        if model is not None:
            find_profile(conn, model)
        found = load_threshold_proposals(conn, states=[s.value for s in state], model=model)
    return Page(items=[ThresholdProposalShape.model_validate(p) for p in found])


@router.get("/threshold-proposals/{code}", summary="One proposed threshold", responses=declare(404))
def read_proposal(code: str, caller: Reader, pool: Database, response: Response) -> ThresholdProposalDetail:
    """What it was made from, its backtest, and the steps that are possible."""
    with pool.connection() as conn:
        proposal = _find_proposal(conn, code)
    response.headers["ETag"] = make_etag(proposal.row_version)
    return _describe_proposal(proposal, caller)


@router.post(
    "/threshold-proposals/{code}/transitions",
    summary="Decide on a threshold",
    response_model=ThresholdProposalDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def decide_proposal(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ProposalTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Endorses, accepts or rejects; 409 names the guard that refused. Accepting applies the profile's next version."""
    with pool.connection() as conn:
        _find_proposal(conn, code)
    signature = make_signature(pool, caller, body.password, body.meaning) if body.to in SIGNED else None

    def work(conn: Connection) -> tuple[ThresholdProposalDetail, dict[str, str]]:
        proposal = record_proposal_decision(
            conn,
            caller.actor,
            code,
            body.to,
            reason=body.reason,
            signature=signature,
            expected_row_version=version,
            now=now(),
        )
        return _describe_proposal(proposal, caller), {"ETag": make_etag(proposal.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: _find_proposal(conn, code).row_version,
    )


def _find_proposal(conn: Connection, code: str) -> ThresholdProposal:
    proposal = load_threshold_proposal(conn, code)
    if proposal is None:
        raise not_found("threshold proposal", code, "code")
    return proposal


def _describe_proposal(proposal: ThresholdProposal, caller: Caller) -> ThresholdProposalDetail:
    state = ProposalState(proposal.state)
    steps = [
        ProposalStep(to=to, allowed=caller.may(TRANSITIONS[state, to]), permission=TRANSITIONS[state, to].value)
        for to in find_next_states(state, safety_critical=proposal.safety_critical)
    ]
    return ThresholdProposalDetail(**ThresholdProposalShape.model_validate(proposal).model_dump(), next_steps=steps)


def _describe(
    profile: Profile,
    monitor: Monitor,
    quality: Sequence[MonitorQuality],
    flags: Sequence[MonitorFlag],
    drift: Sequence[DriftDay],
    proposals: Sequence[ThresholdProposal],
) -> MonitorShape:
    key = (profile.model, monitor.key)
    flag = next((f for f in flags if (f.model, f.monitor) == key), None)
    proposal = next((p for p in proposals if (p.model, p.monitor) == key), None)
    newest: dict[tuple[object, ...], DriftDay] = {}
    for day in drift:
        of_scores = day.kind == "score" and day.subject == monitor.key
        of_inputs = day.kind == "input" and day.subject in monitor.sensors
        if day.model == profile.model and (of_scores or of_inputs):
            newest.setdefault((day.is_simulated, day.kind, day.subject, day.firmware), day)
    return MonitorShape(
        model=profile.model,
        monitor=monitor.key,
        rule=monitor.rule.value,
        fault_group=monitor.fault_group,
        severity=monitor.severity.value,
        raise_at=monitor.raise_at,
        clear_at=monitor.clear_at,
        quality=[_describe_quality(q) for q in quality if (q.model, q.monitor) == key],
        flag=None if flag is None else MonitorFlagShape.model_validate(flag),
        drift=[DriftShape.model_validate(d) for d in newest.values()],
        proposal=None if proposal is None else ThresholdProposalShape.model_validate(proposal),
    )


def _describe_quality(quality: MonitorQuality) -> QualityShape:
    budget = Budget(quality.tickets, quality.device_days, quality.allowed_rate)
    known = {name: value for name, value in asdict(quality).items() if name in QualityShape.model_fields}
    return QualityShape(**known, ticket_rate=budget.rate)
