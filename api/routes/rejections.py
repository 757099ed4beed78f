"""What arrived and could not be used."""

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor, read_instant
from api.problems import declare, not_found
from api.shapes.pages import Page, Shape
from api.state import Database
from domain.reading import RejectionReason
from domain.roles import Permission
from store.rejection_queries import count_by_reason, count_rejections, load_rejection
from store.rejections import RejectionFilters, StoredRejection, load_rejections

router = APIRouter(prefix="/rejections", tags=["data quality"])
Reader = Annotated[Caller, require(Permission.REJECTION_READ)]


class RejectionShape(Shape):
    """One refused message, or part of one."""

    id: int
    received_at: datetime
    topic: str
    serial: str | None
    reason: str = Field(examples=["unknown_sensor"])
    field: str | None = Field(examples=["values.flow"])
    detail: str
    size: int = Field(description="Bytes of the payload.")


class RejectionDetail(RejectionShape):
    """One refused message with its payload."""

    payload_base64: str
    payload_text: str | None = Field(description="Where it is UTF-8.")


class ReasonShape(Shape):
    """How often something was refused for one reason."""

    reason: str
    count: int
    serials: int
    newest_at: datetime


@router.get("", summary="List rejections")
def list_rejections(
    caller: Reader,
    pool: Database,
    reason: RejectionReason | None = None,
    serial: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[RejectionShape]:
    """Rejections, newest first."""
    keys = read_cursor(cursor, [str, int])
    before = (read_instant(keys[0]), int(keys[1])) if keys else None
    filters = RejectionFilters(reason=reason, serial=serial)
    with pool.connection() as conn:
        found = load_rejections(conn, filters, before=before, limit=limit + 1)
        count = count_rejections(conn, filters) if total else None
    page = found[:limit]
    next_cursor = make_cursor([page[-1].received_at.isoformat(), page[-1].id]) if len(found) > limit else None
    return Page(items=[RejectionShape(**_fields(r)) for r in page], next_cursor=next_cursor, total=count)


@router.get("/reasons", summary="How often for which reason")
def list_reasons(
    caller: Reader, pool: Database, since: Annotated[AwareDatetime, Query(alias="from")]
) -> Page[ReasonShape]:
    """What was refused since then, the most frequent reason first."""
    with pool.connection() as conn:
        return Page(items=[ReasonShape.model_validate(count) for count in count_by_reason(conn, since)])


@router.get("/{rejection_id}", summary="One rejection", responses=declare(404))
def read_rejection(rejection_id: int, caller: Reader, pool: Database) -> RejectionDetail:
    """The rejection with its payload, exactly as it came, and as text where it is UTF-8."""
    with pool.connection() as conn:
        found = load_rejection(conn, rejection_id)
    if found is None:
        raise not_found("rejection", str(rejection_id), "rejection_id")
    try:
        text: str | None = found.payload.decode()
    except UnicodeDecodeError:
        text = None
    return RejectionDetail(**_fields(found), payload_base64=base64.b64encode(found.payload).decode(), payload_text=text)


def _fields(r: StoredRejection) -> dict[str, object]:
    values = {name: getattr(r, name) for name in ("id", "received_at", "topic", "serial", "reason", "field", "detail")}
    return values | {"size": len(r.payload)}
