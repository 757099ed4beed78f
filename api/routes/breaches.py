"""Breaches with their evidence, acknowledging one, and shelving a device."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, not_ours, read_cursor, read_instant
from api.masking import mask_shape
from api.once import IdempotencyKey, change, change_once
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.devices import find_device
from api.shapes.breaches import (
    BreachDetail,
    BreachShape,
    DecisionShape,
    EvidenceShape,
    NewShelving,
    ShelvingShape,
)
from api.shapes.pages import Instant, Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.roles import Permission
from domain.sentences import LANGUAGES, render
from store.breach_queries import (
    Breach,
    BreachFilters,
    count_breaches,
    load_breach,
    load_breaches,
    load_evidence,
    record_breach_acknowledgement,
)
from store.pool import Connection
from store.shelvings import load_shelvings, record_shelving
from store.work_order_pages import load_breach_decisions

router = make_router(tag="breaches")
Reader = Annotated[Caller, require(Permission.BREACH_READ)]
Acknowledger = Annotated[Caller, require(Permission.BREACH_ACKNOWLEDGE)]
Shelver = Annotated[Caller, require(Permission.DEVICE_SHELVE)]
LONGEST_SHELVING = timedelta(days=90)


@router.get("/breaches", summary="List breaches")
def list_breaches(
    caller: Reader,
    pool: Database,
    device: Annotated[str | None, Query(description="Serial.")] = None,
    state: Literal["ACTIVE", "CLEARED", "DISCARDED"] | None = None,
    severity: Literal["INFO", "MINOR", "MAJOR", "CRITICAL"] | None = None,
    kind: Literal["LIMIT", "ANOMALY", "FORECAST", "DEVICE_CODE", "OFFLINE", "STALE"] | None = None,
    monitor: str | None = None,
    fault_group: str | None = None,
    since: Annotated[Instant | None, Query(alias="from", description="Raised then or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Raised before.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[BreachShape]:
    """Breaches, the last found first."""
    filters = BreachFilters(caller.customer_id, device, state, severity, kind, monitor, fault_group, since, until)
    keys = read_cursor(cursor, [str, str])
    before = _read_place(keys) if keys else None
    with pool.connection() as conn:
        found = load_breaches(conn, filters, before=before, limit=limit + 1)
        count = count_breaches(conn, filters) if total else None
    page = found[:limit]
    next_cursor = make_cursor([page[-1].recorded_at.isoformat(), str(page[-1].id)]) if len(found) > limit else None
    items = [mask_shape("breach", BreachShape.model_validate(b), caller) for b in page]
    return Page(items=items, next_cursor=next_cursor, total=count)


@router.get("/breaches/{breach_id}", summary="One breach", responses=declare(404))
def read_breach(breach_id: UUID, caller: Reader, pool: Database) -> BreachDetail:
    """The breach, what happened in words, and what was decided on each of its steps."""
    with pool.connection() as conn:
        return _describe(conn, _find_breach(conn, breach_id, caller), caller)


@router.get("/breaches/{breach_id}/evidence", summary="Frozen evidence", responses=declare(404))
def read_evidence(breach_id: UUID, caller: Reader, pool: Database) -> EvidenceShape:
    """What was frozen when the breach was raised; 404 names `evidence` where none was stored."""
    with pool.connection() as conn:
        breach = _find_breach(conn, breach_id, caller)
        evidence = load_evidence(conn, breach.id)
    if evidence is None:
        raise not_found("evidence of breach", str(breach_id), "evidence")
    return EvidenceShape(
        breach_id=breach.id,
        sha256=evidence.sha256,
        frozen_at=evidence.frozen_at,
        completeness=breach.completeness,
        body=evidence.body,
    )


@router.post("/breaches/{breach_id}/acknowledge", summary="Say that one has seen a breach", responses=declare(404))
def acknowledge_breach(breach_id: UUID, caller: Acknowledger, pool: Database) -> BreachDetail:
    """Notes who has seen it, once: the first name stays. It clears nothing and closes nothing."""

    def work(conn: Connection) -> BreachDetail:
        _find_breach(conn, breach_id, caller)
        record_breach_acknowledgement(conn, caller.actor, breach_id)
        return _describe(conn, _find_breach(conn, breach_id, caller), caller)

    return change(pool, work)


@router.post(
    "/devices/{serial}/shelvings",
    summary="Shelve a device",
    status_code=201,
    response_model=ShelvingShape,
    responses=declare(404),
)
def shelve_device(
    serial: str,
    caller: Shelver,
    pool: Database,
    request: Request,
    body: NewShelving,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """From now until the given time breaches of the device, or of one fault group of it, are recorded only."""
    at = now()
    if not at < body.until <= at + LONGEST_SHELVING:
        raise ProblemError(INVALID, fields={"until": "must be in the future, and at most 90 days from now"})

    def work(conn: Connection) -> tuple[ShelvingShape, dict[str, str]]:
        find_device(conn, serial, caller)
        made = record_shelving(
            conn,
            caller.actor,
            serial,
            fault_group=body.fault_group,
            reason=body.reason,
            until=body.until,
            now=at,
        )
        shelving = next(s for s in load_shelvings(conn, now=at, customer_id=None, serial=serial) if s.id == made)
        return ShelvingShape.model_validate(shelving), {}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/devices/{serial}/shelvings", summary="Shelvings of a device", responses=declare(404))
def list_shelvings(serial: str, caller: Reader, pool: Database, current: bool = True) -> Page[ShelvingShape]:
    """The shelvings that hold now, or all of them with `current=false`."""
    with pool.connection() as conn:
        find_device(conn, serial, caller)
        found = load_shelvings(conn, now=now(), customer_id=caller.customer_id, serial=serial, current_only=current)
    return Page(items=[mask_shape("shelving", ShelvingShape.model_validate(s), caller) for s in found])


def shape_decisions(rows: list[object]) -> list[DecisionShape]:
    """Decisions as the contract has them."""
    return [
        DecisionShape.model_validate({n: getattr(r, n) for n in _DECISION_FIELDS}, by_alias=True, by_name=True)
        for r in rows
    ]


_DECISION_FIELDS = (
    "transition_kind",
    "severity",
    "at",
    "decided_at",
    "decision",
    "reason",
    "params",
    "work_order_code",
)


def _find_breach(conn: Connection, breach_id: UUID, caller: Caller) -> Breach:
    breach = load_breach(conn, breach_id, customer_id=caller.customer_id)
    if breach is None:
        raise not_found("breach", str(breach_id), "breach_id")
    return breach


def _describe(conn: Connection, breach: Breach, caller: Caller) -> BreachDetail:
    values = mask_shape("breach", BreachShape.model_validate(breach), caller).model_dump()
    sentence = {language: render(breach.reason_code, breach.params, language) for language in LANGUAGES}
    decisions = shape_decisions([*load_breach_decisions(conn, breach.id)])
    return BreachDetail.model_validate(values | {"sentence": sentence, "decisions": decisions}, by_name=True)


def _read_place(keys: list[str | int]) -> tuple[datetime, UUID]:
    try:
        return read_instant(keys[0]), UUID(str(keys[1]))
    except ValueError:
        raise not_ours() from None
