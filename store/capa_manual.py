"""CAPAs that people propose: from an audit, a complaint, a near miss, or what could go wrong elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.audit import Actor
from domain.audit_capa import capa_proposed
from domain.capa import CapaGuard, CapaKind, CapaScope, CapaState, CapaTrigger
from domain.errors import GuardRefusedError, NotFoundError
from store.audit import record_audit, to_jsonb
from store.capas import ENTITY, Capa, load_capa
from store.outbox import OutboxEvent, record_events
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ManualCapa:
    """What a person proposes. `work_orders` are the codes of those that it is about."""

    kind: CapaKind
    scope: CapaScope
    reason: str
    work_orders: tuple[str, ...] = ()
    is_simulated: bool = False
    region: str = ""


LOAD_MODEL = "SELECT id FROM device_model WHERE key = %s"
LOAD_DEVICE = "SELECT id FROM device WHERE serial = %s AND device_model_id = %s"
LOAD_ORDERS = "SELECT id, code FROM work_order WHERE code = ANY (%s) ORDER BY id"
# The unique index is the arbiter: where a live CAPA of the scope exists, nothing is inserted.
RECORD_CAPA = """
    INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group, trigger, statistics,
        author_ids, is_simulated, region, state_since, created_at, updated_at)
    VALUES (
        'CAPA-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('capa_number'), 'FM9999999999990000'),
        %(kind)s, 'PROPOSED', %(device_model_id)s, %(scope_kind)s, %(scope_value)s, %(fault_group)s, %(trigger)s,
        %(statistics)s, ARRAY[%(author)s]::bigint[], %(is_simulated)s, %(region)s, %(now)s, %(now)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING id, code
"""
ADD_MEMBERS = """
    INSERT INTO capa_member (capa_id, work_order_id, added_at) SELECT %s, unnest(%s::bigint[]), %s
"""
LOAD_LIVE = """
    SELECT code FROM capa WHERE device_model_id = %(device_model_id)s AND scope_kind = %(scope_kind)s
        AND scope_value = %(scope_value)s AND fault_group = %(fault_group)s AND state NOT IN ('REJECTED', 'CLOSED')
"""


def load_model_id(conn: Connection, key: str) -> int | None:
    """The id of the device model of that key, or None."""
    row = conn.execute(LOAD_MODEL, (key,)).fetchone()
    return None if row is None else int(row[0])


def is_device_of(conn: Connection, serial: str, device_model_id: int) -> bool:
    """Whether there is such a device of the model."""
    return conn.execute(LOAD_DEVICE, (serial, device_model_id)).fetchone() is not None


def propose_capa(conn: Connection, actor: Actor, wanted: ManualCapa, *, now: datetime) -> Capa:
    """The CAPA as that person proposed it; another one decides whether it is opened. Audit and outbox go along.

    Raises
    ------
    NotFoundError
        There is no such work order.
    GuardRefusedError
        A program proposes this way, or a live CAPA has this scope already.
    """
    if actor.user_id is None:
        raise GuardRefusedError(CapaGuard.PERSON_NEEDED, "programs propose by their rules; this way is for people")
    orders = conn.execute(LOAD_ORDERS, (list(wanted.work_orders),)).fetchall()
    missing = {*wanted.work_orders} - {code for _, code in orders}
    if missing:
        raise NotFoundError(f"work order {', '.join(sorted(missing))}")
    scope = wanted.scope
    values: dict[str, Any] = {
        "kind": wanted.kind,
        "device_model_id": scope.device_model_id,
        "scope_kind": scope.kind,
        "scope_value": scope.value,
        "fault_group": scope.fault_group,
        "trigger": CapaTrigger.MANUAL,
        "statistics": to_jsonb({"reason": wanted.reason, "proposed_by": actor.name}),
        "author": actor.user_id,
        "is_simulated": wanted.is_simulated,
        "region": wanted.region,
        "now": now,
    }
    live = conn.execute(LOAD_LIVE, values).fetchone()
    row = None if live is not None else conn.execute(RECORD_CAPA, values).fetchone()
    if row is None:
        named = conn.execute(LOAD_LIVE, values).fetchone()
        detail = "a live CAPA has this scope already" + ("" if named is None else f": {named[0]}")
        raise GuardRefusedError(CapaGuard.SCOPE_TAKEN, detail)
    capa_id, code = row
    ids = [order_id for order_id, _ in orders]
    conn.execute(ADD_MEMBERS, (capa_id, ids, now))
    data = {
        "code": code,
        "state": CapaState.PROPOSED,
        "kind": wanted.kind,
        "scope_kind": scope.kind,
        "scope_value": scope.value,
        "fault_group": scope.fault_group,
        "trigger": CapaTrigger.MANUAL,
        "reason": wanted.reason,
    }
    record_events(conn, OutboxEvent("capa.proposed", code, ENTITY, code, now, data, wanted.is_simulated))
    record_audit(conn, actor, capa_proposed(code, data, ids))
    capa = load_capa(conn, code)
    assert capa is not None
    return capa
