"""The stream of changes, as server-sent events: what the console follows, and whoever else wants to."""

import asyncio
import re
from collections.abc import AsyncIterator
from time import monotonic
from typing import Annotated

import orjson
from fastapi import APIRouter, Header
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.auth import Caller, require
from api.problems import INVALID, UNAVAILABLE, ProblemError, declare
from api.settings import ApiSettings
from api.state import ApiState, State
from api.stream_hub import Subscription
from domain.roles import Permission
from store.change_log import BATCH, Change, Position, load_changes, load_now, reaches_back

router = APIRouter(prefix="/events", tags=["events"])
Follower = Annotated[Caller, require(Permission.DEVICE_READ)]
_EVENT_ID = re.compile(r"(\d{1,19})-(\d{1,19})")
EXAMPLE = 'id: 7421-15\nevent: work_order\ndata: {"id":"WO-2026-000123","version":3}\n\n'
# Which right one needs to hear of a change; a change of anything else is told to nobody.
RIGHTS = {
    "work_order": Permission.WORK_ORDER_READ,
    "capa": Permission.CAPA_READ,
    "complaint": Permission.COMPLAINT_READ,
    "breach": Permission.BREACH_READ,
    "device": Permission.DEVICE_READ,
    "approval_request": Permission.APPROVAL_REQUEST_READ,
    "field_action": Permission.FIELD_ACTION_READ,
    "firmware_record": Permission.FIELD_ACTION_READ,
}


@router.get(
    "/stream",
    summary="Follow changes",
    response_class=StreamingResponse,
    responses=declare(
        422,
        ok={
            "description": "An endless stream.",
            "content": {"text/event-stream": {"example": EXAMPLE}},  # a schema here would be one of the whole stream
        },
    ),
)
async def follow_events(
    caller: Follower,
    state: State,
    last_event_id: Annotated[str | None, Header(description="The `id` of the last event that was seen.")] = None,
) -> StreamingResponse:
    """One event for each change of a work order, CAPA, breach or device that the caller may see, in order, once.

    `event` is the kind of record, `data` its id and version. With `Last-Event-ID` the stream goes on where it ended;
    an event `reset` says that it was too long ago, so read anew what you show, best at some moment of the next
    `look_after` milliseconds. Lines that begin with `:` are only
    to keep the connection open. A client that reads too slowly is disconnected and may come back.
    """
    position = read_event_id(last_event_id)
    if state.hub.is_full or not await state.hub.wait_until_listening(5.0):
        raise ProblemError(UNAVAILABLE, "No further stream can be opened now.", headers={"Retry-After": "5"})
    return StreamingResponse(
        make_stream(state, caller, position),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


def read_event_id(text: str | None) -> Position | None:
    """The position that an event's id says, or None where there is none.

    Raises
    ------
    ProblemError
        422: it is no id of ours.
    """
    if not text:
        return None
    match = _EVENT_ID.fullmatch(text.strip())
    if match is None or int(match[1]) >= 2**63 or int(match[2]) >= 2**63:
        raise ProblemError(INVALID, fields={"Last-Event-ID": "is no id of this stream"})
    return Position(int(match[1]), int(match[2]))


async def make_stream(state: ApiState, caller: Caller, after: Position | None) -> AsyncIterator[bytes]:
    """The bytes of one stream, until the client goes or the hub ends it.

    The subscription begins before the table is read: what becomes final in between stands in both and is sent once.
    """
    async with state.hub.subscribe(caller.customer_id) as subscription:
        is_reset = after is not None and not await run_in_threadpool(_reaches_back, state, after)
        if after is None or is_reset:
            after = await run_in_threadpool(_load_now, state)
            data = orjson.dumps({"look_after": state.hub.look_after_ms})
            yield write_event("reset" if is_reset else "ready", after, data)
        else:
            while True:
                missed = await run_in_threadpool(_load_missed, state, caller, after)
                for change in missed:
                    after = change.position
                    if may_hear(caller, change):
                        yield write_change(change)
                if len(missed) < BATCH:
                    break
            yield b": caught up\n\n"
        async for news in _drain(subscription, state.settings):
            if news is None:
                yield b": still here\n\n"
            elif news.position > after:
                after = news.position
                if may_hear(caller, news):
                    yield write_change(news)


def may_hear(caller: Caller, change: Change) -> bool:
    """The caller may read records of that kind, and this one is no other customer's."""
    right = RIGHTS.get(change.entity)
    is_own = caller.customer_id is None or change.customer_id == caller.customer_id
    return right is not None and caller.may(right) and is_own


def write_change(change: Change) -> bytes:
    """The event of one change."""
    data = {"id": change.entity_id, "version": change.row_version, "at": change.at}
    return write_event(change.entity, change.position, orjson.dumps(data))


def write_event(name: str, position: Position, data: bytes) -> bytes:
    """One event as the standard wants it."""
    return b"id: %d-%d\nevent: %s\ndata: %s\n\n" % (position.xid, position.id, name.encode(), data)


async def _drain(subscription: Subscription, settings: ApiSettings) -> AsyncIterator[Change | None]:
    """Changes as they come, None after each quiet time; ends with the subscription, or when the stream's time is up."""
    deadline = monotonic() + settings.stream_minutes * 60
    while monotonic() < deadline:
        try:
            change = await asyncio.wait_for(subscription.queue.get(), settings.stream_heartbeat_s)
        except TimeoutError:
            yield None
            continue
        if change is None:
            return
        yield change


def _reaches_back(state: ApiState, after: Position) -> bool:
    with state.pool.connection() as conn:
        return reaches_back(conn, after)


def _load_now(state: ApiState) -> Position:
    with state.pool.connection() as conn:
        return load_now(conn)


def _load_missed(state: ApiState, caller: Caller, after: Position) -> list[Change]:
    with state.pool.connection() as conn:
        return load_changes(conn, after, customer_id=caller.customer_id)
