"""Proposes CAPAs: counts the cases of the last weeks, asks the cohort statistic, and writes what it proposes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.profile import TicketPolicy
from service_link.batch_plan import MACHINE
from service_link.cohort import Baseline, Case, Cohort, Exposure, describe, find_proposals, is_enough
from service_link.working_set import DEFAULT_POLICY
from store.capa_proposals import CapaProposal, open_or_join_capa
from store.cohorts import (
    CaseRow,
    SingleCause,
    count_hypotheses,
    exclude_false_members,
    load_baseline,
    load_cases,
    load_exposures,
    load_lately_closed_capa,
    load_single_causes,
)
from store.pool import Connection

# A cohort whose cases are the same is looked at again after this long: its device-days have grown.
LOOK_AGAIN = timedelta(hours=1)
GroupKey = tuple[int, str, bool]  # device model, fault group, simulated
Signature = frozenset[tuple[int, str]]


@dataclass(slots=True)
class QualityWatch:
    """What was evaluated last, so that a group without news costs nothing. Lost with the process, harmlessly."""

    evaluated: dict[GroupKey, tuple[Signature, datetime]] = field(default_factory=dict)


def propose_capas(
    conn: Connection, watch: QualityWatch, policies: Mapping[int, TicketPolicy], now: datetime
) -> list[str]:
    """The codes of the CAPAs proposed by this call. Each cohort's proposals commit together."""
    with conn.transaction():
        exclude_false_members(conn, MACHINE)
    proposed = []
    with conn.transaction():
        cohorts = _load_news(conn, watch, policies, now)
        hypotheses = count_hypotheses(conn) if cohorts else 0
        for finding in find_proposals([cohort for cohort, _ in cohorts], hypotheses):
            cohort, region = next(
                (c, r)
                for c, r in cohorts
                if (c.device_model_id, c.fault_group) == (finding.scope.device_model_id, finding.scope.fault_group)
                and any(case.work_order_id == finding.cases[0].work_order_id for case in c.cases)
            )
            proposal = CapaProposal(
                scope=finding.scope,
                trigger=finding.trigger,
                statistics=describe(finding, cohort),
                work_order_ids=tuple(case.work_order_id for case in finding.cases),
                is_simulated=cohort.is_simulated,
                region=region,
                ineffective_of=_find_ineffective(conn, finding.scope, cohort.policy, now),
            )
            code, is_new = open_or_join_capa(conn, MACHINE, proposal, now)
            proposed += [code] if is_new else []
    for cohort, _ in cohorts:
        key = (cohort.device_model_id, cohort.fault_group, cohort.is_simulated)
        watch.evaluated[key] = (_sign(cohort.cases), now)
    with conn.transaction():
        proposed += _propose_single(conn, policies, now)
    return proposed


def _load_news(
    conn: Connection, watch: QualityWatch, policies: Mapping[int, TicketPolicy], now: datetime
) -> list[tuple[Cohort, str]]:
    """The cohorts that have enough devices and customers and news since they were evaluated, each with its region."""
    longest = max((p.capa_window_days for p in policies.values()), default=DEFAULT_POLICY.capa_window_days)
    groups: dict[GroupKey, list[CaseRow]] = defaultdict(list)
    for row in load_cases(conn, now - timedelta(days=longest)):
        since = now - timedelta(days=policies.get(row.device_model_id, DEFAULT_POLICY).capa_window_days)
        if row.opened_at > since:
            groups[row.device_model_id, row.fault_group, row.is_simulated].append(row)
    found = []
    for key, rows in groups.items():
        policy = policies.get(key[0], DEFAULT_POLICY)
        cases = tuple(Case(r.work_order_id, r.device_id, r.customer_id, r.lot, r.firmware, r.opened_at) for r in rows)
        known = watch.evaluated.get(key)
        is_known = known is not None and known[0] == _sign(cases) and now - known[1] < LOOK_AGAIN
        if not is_enough(cases, policy) or is_known:
            continue
        regions = {r.region for r in rows}
        found.append((_load_cohort(conn, key, cases, policy, now), regions.pop() if len(regions) == 1 else ""))
    return found


def _load_cohort(
    conn: Connection, key: GroupKey, cases: tuple[Case, ...], policy: TicketPolicy, now: datetime
) -> Cohort:
    model_id, fault_group, is_simulated = key
    since = now - timedelta(days=policy.capa_window_days)
    exposures = load_exposures(conn, model_id, since=since, until=now, is_simulated=is_simulated)
    baseline = load_baseline(conn, model_id, fault_group, until=since, is_simulated=is_simulated)
    return Cohort(
        device_model_id=model_id,
        fault_group=fault_group,
        cases=cases,
        exposures=tuple(Exposure(*e) for e in exposures),
        baseline=Baseline(*baseline),
        policy=policy,
        is_simulated=is_simulated,
    )


def _sign(cases: tuple[Case, ...]) -> Signature:
    return frozenset((case.work_order_id, case.firmware) for case in cases)


def _propose_single(conn: Connection, policies: Mapping[int, TicketPolicy], now: datetime) -> list[str]:
    """One order alone: a confirmed CRITICAL on a safety-critical model, or the second reopening."""
    proposed = []
    for cause in load_single_causes(conn, now - timedelta(days=DEFAULT_POLICY.capa_window_days)):
        policy = policies.get(cause.device_model_id, DEFAULT_POLICY)
        scope = CapaScope(cause.device_model_id, ScopeKind.DEVICE, cause.serial, cause.fault_group)
        proposal = CapaProposal(
            scope=scope,
            trigger=_find_trigger(cause),
            statistics={
                "devices": 1,
                "customers": 1,
                "events": 1,
                "order": cause.code,
                "reopen_count": cause.reopen_count,
            },
            work_order_ids=(cause.work_order_id,),
            is_simulated=cause.is_simulated,
            region=cause.region,
            ineffective_of=_find_ineffective(conn, scope, policy, now),
        )
        code, is_new = open_or_join_capa(conn, MACHINE, proposal, now)
        proposed += [code] if is_new else []
    return proposed


def _find_trigger(cause: SingleCause) -> CapaTrigger:
    return CapaTrigger.CONFIRMED_CRITICAL if cause.is_confirmed_critical else CapaTrigger.SECOND_REOPENING


def _find_ineffective(conn: Connection, scope: CapaScope, policy: TicketPolicy, now: datetime) -> int | None:
    return load_lately_closed_capa(conn, scope, now - timedelta(days=policy.capa_ineffective_days))
