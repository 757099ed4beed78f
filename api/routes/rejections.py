"""What arrived and could not be used: one by one, by cause, and again once the cause is mended."""

import base64
from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor, read_instant
from api.once import IdempotencyKey, change_once
from api.problems import GUARD_REFUSED, ProblemError, declare, not_found
from api.shapes.data_quality import (
    ReasonShape,
    RejectionDetail,
    RejectionGroupShape,
    RejectionShape,
    ReplayOne,
    ReplayOrder,
    ReplayRequestShape,
)
from api.shapes.pages import Day, Instant, Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.reading import RejectionReason
from domain.roles import Permission
from store.pool import Connection
from store.rejection_groups import load_rejection_groups
from store.rejection_queries import count_by_reason, count_rejections, load_rejection
from store.rejection_replays import request_replays
from store.rejections import RejectionFilters, StoredRejection, load_rejections

router = make_router("/rejections", tag="data quality")
Reader = Annotated[Caller, require(Permission.REJECTION_READ)]
Replayer = Annotated[Caller, require(Permission.REJECTION_REPLAY)]
WEEK = timedelta(days=6)
REFUSALS = {
    "conflict_stays": "Of two values for one time the first stays; the other one is only kept.",
    "already_requested": "It waits to be replayed already.",
    "already_replayed": "It was replayed already.",
    "payload_not_kept": "Only the beginning of its message was kept.",
}


@router.get("", summary="List rejections")
def list_rejections(
    caller: Reader,
    pool: Database,
    reason: RejectionReason | None = None,
    serial: str | None = None,
    field_pattern: Annotated[str | None, Query(description="As in the groups.", max_length=300)] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Received then or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Received before.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[RejectionShape]:
    """Rejections, newest first."""
    keys = read_cursor(cursor, [str, int])
    before = (read_instant(keys[0]), int(keys[1])) if keys else None
    filters = RejectionFilters(reason, serial, field_pattern, since, until)
    with pool.connection() as conn:
        found = load_rejections(conn, filters, before=before, limit=limit + 1)
        count = count_rejections(conn, filters) if total else None
    page = found[:limit]
    next_cursor = make_cursor([page[-1].received_at.isoformat(), page[-1].id]) if len(found) > limit else None
    return Page(items=[RejectionShape.model_validate(_fields(r)) for r in page], next_cursor=next_cursor, total=count)


@router.get("/reasons", summary="How often for which reason")
def list_reasons(caller: Reader, pool: Database, since: Annotated[Instant, Query(alias="from")]) -> Page[ReasonShape]:
    """What was refused since then, the most frequent reason first."""
    with pool.connection() as conn:
        return Page(items=[ReasonShape.model_validate(count) for count in count_by_reason(conn, since)])


@router.get("/groups", summary="Rejections by cause")
def list_groups(
    caller: Reader,
    pool: Database,
    since: Annotated[Day | None, Query(alias="from", description="First day (UTC); a week ago by default.")] = None,
    reason: RejectionReason | None = None,
    serial: str | None = None,
    limit: Limit = 100,
) -> Page[RejectionGroupShape]:
    """Causes, the one that was met last first. Some seconds behind the rejections themselves."""
    with pool.connection() as conn:
        first = since or now().date() - WEEK
        found = load_rejection_groups(conn, first, reason=reason, serial=serial, limit=limit)
    return Page(items=[RejectionGroupShape.model_validate(group) for group in found])


@router.post(
    "/replay", summary="Replay rejections", status_code=202, response_model=ReplayRequestShape, responses=declare()
)
def replay_rejections(
    caller: Replayer, pool: Database, request: Request, body: ReplayOrder, idempotency_key: IdempotencyKey = None
) -> Response:
    """Asks for the messages to be decoded again with what is registered now; good values are stored as of their first
    receipt. What is refused still stays, with the reason of then."""

    def work(conn: Connection) -> tuple[ReplayRequestShape, dict[str, str]]:
        filters = RejectionFilters(**body.to_filters())
        done = request_replays(conn, caller.actor, filters, ids=body.ids, reason=body.why)
        return ReplayRequestShape(requested=done.requested, left_out={**done.left_out}, has_more=done.has_more), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


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
    content = {"payload_base64": base64.b64encode(found.payload).decode(), "payload_text": text}
    return RejectionDetail.model_validate(_fields(found) | content)


@router.post(
    "/{rejection_id}/replay",
    summary="Replay one rejection",
    status_code=202,
    response_model=ReplayRequestShape,
    responses=declare(404, 409),
)
def replay_rejection(
    rejection_id: int,
    caller: Replayer,
    pool: Database,
    request: Request,
    body: ReplayOne | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Asks for this one's message to be decoded again; 409 names why it cannot be."""
    why = body or ReplayOne(why="")

    def work(conn: Connection) -> tuple[ReplayRequestShape, dict[str, str]]:
        if load_rejection(conn, rejection_id) is None:
            raise not_found("rejection", str(rejection_id), "rejection_id")
        done = request_replays(conn, caller.actor, RejectionFilters(), ids=[rejection_id], reason=why.why)
        if not done.requested:
            guard = next(iter(done.left_out), "already_requested")
            raise ProblemError(GUARD_REFUSED, REFUSALS[guard], guard=guard)
        return ReplayRequestShape(requested=done.requested, left_out={}, has_more=False), {}

    return change_once(pool, caller, request, idempotency_key, why, work, status=202)


_FIELDS = (
    "id",
    "received_at",
    "topic",
    "serial",
    "reason",
    "field",
    "detail",
    "size",
    "is_whole",
    "weight",
    "replay",
    "replay_requested_at",
    "replay_requested_by",
    "replayed_at",
    "replay_outcome",
)


def _fields(r: StoredRejection) -> dict[str, object]:
    return {name: getattr(r, name) for name in _FIELDS}
