"""Proposed CAPAs: a pattern becomes a proposal, or joins the one that stands for it already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.audit import Actor
from domain.audit_capa import capa_joined, capa_proposed
from domain.capa import CapaScope, CapaState, CapaTrigger
from domain.errors import RowVersionConflictError
from store.audit import record_audit, to_jsonb
from store.outbox import OutboxEvent, record_events
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class CapaProposal:
    """What the machine proposes: the scope, why, with which figures, on which work orders."""

    scope: CapaScope
    trigger: CapaTrigger
    statistics: Mapping[str, Any]
    work_order_ids: tuple[int, ...]
    is_simulated: bool
    region: str = ""
    ineffective_of: int | None = None


# The unique index is the arbiter: where a live CAPA of the scope exists, nothing is inserted.
OPEN_CAPA = """
    INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group, trigger, statistics,
        ineffective_of, is_simulated, region, created_at, updated_at)
    VALUES (
        'CAPA-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('capa_number'), 'FM9999999999990000'),
        'CORRECTIVE', 'PROPOSED', %(device_model_id)s, %(scope_kind)s, %(scope_value)s, %(fault_group)s, %(trigger)s,
        %(statistics)s, %(ineffective_of)s, %(is_simulated)s, %(region)s, %(now)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING id, code
"""
LOCK_LIVE_CAPA = """
    SELECT id, code, state, statistics FROM capa
    WHERE device_model_id = %(device_model_id)s AND scope_kind = %(scope_kind)s AND scope_value = %(scope_value)s
        AND fault_group = %(fault_group)s AND state NOT IN ('REJECTED', 'CLOSED') FOR UPDATE
"""
ADD_MEMBERS = """
    INSERT INTO capa_member (capa_id, work_order_id, added_at) SELECT %(id)s, unnest(%(orders)s::bigint[]), %(now)s
    ON CONFLICT DO NOTHING RETURNING work_order_id
"""
# What a comparison of firmware found stays beside the cohort's figures, whichever of the two came first.
UPDATE_STATISTICS = """
    UPDATE capa SET statistics = %(statistics)s::jsonb || CASE WHEN statistics ? 'regression'
            THEN jsonb_build_object('regression', statistics -> 'regression') ELSE '{}' END,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""
ADD_REGRESSION = """
    UPDATE capa SET statistics = statistics || jsonb_build_object('regression', %(statistics)s::jsonb -> 'regression'),
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def open_or_join_capa(conn: Connection, actor: Actor, proposal: CapaProposal, now: datetime) -> tuple[str, bool]:
    """The code of the live CAPA of the scope, and whether this call proposed it.

    One that is live already gets the work orders that it has not, and fresh statistics while it is still PROPOSED; that
    of a firmware regression adds its comparison to those that are there, once. When there is nothing new, nothing is
    written. Audit and outbox are written in the caller's transaction.
    """
    scope = proposal.scope
    values: dict[str, Any] = {
        "device_model_id": scope.device_model_id,
        "scope_kind": scope.kind,
        "scope_value": scope.value,
        "fault_group": scope.fault_group,
        "trigger": proposal.trigger,
        "statistics": to_jsonb(proposal.statistics),
        "ineffective_of": proposal.ineffective_of,
        "is_simulated": proposal.is_simulated,
        "region": proposal.region,
        "now": now,
        "orders": list(proposal.work_order_ids),
    }
    # Looked up first: an insert that conflicts would burn a number at every evaluation.
    live = conn.execute(LOCK_LIVE_CAPA, values).fetchone()
    if live is None:
        opened = conn.execute(OPEN_CAPA, values).fetchone()
        if opened is not None:
            conn.execute(ADD_MEMBERS, values | {"id": opened[0]})
            _tell_of_proposal(conn, actor, proposal, opened[1], now)
            return str(opened[1]), True
        live = conn.execute(LOCK_LIVE_CAPA, values).fetchone()
        if live is None:
            raise RowVersionConflictError("the CAPA of this scope was decided at this moment")
    capa_id, code, state, statistics = live
    added = [row[0] for row in conn.execute(ADD_MEMBERS, values | {"id": capa_id})]
    compares = proposal.trigger is CapaTrigger.FIRMWARE_REGRESSION and "regression" not in statistics
    if compares:
        conn.execute(ADD_REGRESSION, values | {"id": capa_id})
    if added or compares:
        before: dict[str, Any] = {"events": statistics.get("events")}
        after: dict[str, Any] = {"work_order_ids": added}
        if compares:
            after["regression"] = proposal.statistics["regression"]
        if (
            added
            and state == CapaState.PROPOSED
            and proposal.trigger in (CapaTrigger.COHORT, CapaTrigger.COHORT_NO_BASELINE)
        ):
            conn.execute(UPDATE_STATISTICS, values | {"id": capa_id})
            after |= {"events": proposal.statistics.get("events")}
        record_audit(conn, actor, capa_joined(code, before, after))
    return str(code), False


def _tell_of_proposal(conn: Connection, actor: Actor, proposal: CapaProposal, code: str, now: datetime) -> None:
    scope = proposal.scope
    data = {
        "code": code,
        "state": CapaState.PROPOSED,
        "scope_kind": scope.kind,
        "scope_value": scope.value,
        "fault_group": scope.fault_group,
        "trigger": proposal.trigger,
        "statistics": proposal.statistics,
        "is_ineffective_again": proposal.ineffective_of is not None,
    }
    record_events(conn, OutboxEvent("capa.proposed", code, "capa", code, now, data, proposal.is_simulated))
    record_audit(conn, actor, capa_proposed(code, data, proposal.work_order_ids))
