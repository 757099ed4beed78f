"""The audit chain: reading it, and proving it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.masking import mask_shape, verify_filter
from api.problems import FORBIDDEN, ProblemError
from api.shapes.pages import Instant, Page, Shape
from api.state import Database
from api.versioned_router import make_router
from domain.audit import AuditEvent
from domain.masking import mask_json
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events, verify_chain

router = make_router("/audit", tag="audit")
Auditor = Annotated[Caller, require(Permission.AUDIT_READ)]


class AuditShape(Shape):
    """One change that somebody made."""

    seq: int
    at: datetime
    actor: str | None = Field(description="null: hidden from your roles.")
    role: str
    permission: str
    action: str = Field(examples=["workorder.assigned"])
    entity: str
    entity_id: str
    before: dict[str, Any] | None = Field(description="People of customers are `[masked]` where your roles hide them.")
    after: dict[str, Any] | None
    reason: str
    request_id: str
    prev_hash: str
    hash: str


class ChainProblem(Shape):
    """One place where the chain does not hold."""

    seq: int
    kind: str
    detail: str


class ChainReport(Shape):
    """What proving the chain found."""

    holds: bool
    checked: int
    head_seq: int
    head_hash: str
    problems: list[ChainProblem]


def verify_all_customers(caller: Caller) -> None:
    """Returns when the caller sees the records of all customers: the audit is about all of them.

    Raises
    ------
    ProblemError
        403: it works for one customer alone.
    """
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "The audit is about all customers; this account works for one alone.")


@router.get("", summary="Read the audit")
def list_audit(
    caller: Auditor,
    pool: Database,
    entity: str = "",
    entity_id: str = "",
    actor: str = "",
    action: str = "",
    since: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditShape]:
    """Events, newest first."""
    verify_all_customers(caller)
    keys = read_cursor(cursor, [int])
    verify_filter("audit", "actor", actor, caller)
    wanted = AuditFilter(entity, entity_id, actor, action, since, until)
    with pool.connection() as conn:
        found = load_audit_events(conn, wanted, before_seq=int(keys[0]) if keys else None, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[shape_event(event, caller) for event in page],
        next_cursor=make_cursor([page[-1].seq]) if len(found) > limit else None,
    )


def shape_event(event: AuditEvent, caller: Caller) -> AuditShape:
    """The event as the contract has it, with people masked whom the caller does not see."""
    shape = mask_shape("audit", AuditShape.model_validate(event), caller)
    seen = {name: mask_json(getattr(shape, name), caller.permissions) for name in ("before", "after")}
    return shape.model_copy(update=seen)


@router.get("/verify", summary="Prove the chain")
def verify_audit(caller: Auditor, pool: Database) -> ChainReport:
    """Hashes every event anew and says where the chain does not hold. It reads all of it."""
    verify_all_customers(caller)
    with pool.connection() as conn:
        return ChainReport.model_validate(verify_chain(conn))
