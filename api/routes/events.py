"""The stream of changes, as server-sent events: what the console follows, and whoever else wants to."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Annotated

import orjson
from fastapi import Header
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.auth import Caller, require
from api.change_news import Audience, News, find_audience, write_event
from api.problems import INVALID, UNAVAILABLE, ProblemError, declare
from api.settings import ApiSettings
from api.shared_views import Shown
from api.state import ApiState, State
from api.stream_hub import Subscription
from api.versioned_router import make_router
from domain.change_position import Position, parse_position
from domain.roles import Permission
from store.change_log import ChangeBatch, load_changes, load_now, reaches_back

router = make_router("/events", tag="events")
Follower = Annotated[Caller, require(Permission.DEVICE_READ)]
EXAMPLE = 'id: 7421:7424:7422\nevent: work_order\ndata: {"id":"WO-2026-000123","version":3}\n\n'


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
    """One event for each change of a work order, CAPA, breach or device that the caller may see, as they are committed,
    once; of several of one record within a fifth of a second only the last one.

    `event` is the kind of record, `data` its id and version. With `Last-Event-ID` the stream goes on where it ended;
    an event `reset` says that it was too long ago, so read anew what you show, best at some moment of the next
    `look_after` milliseconds. Lines that begin with `:` are only
    to keep the connection open. A client that reads too slowly is disconnected and may come back.
    """
    return await open_stream(state, caller, last_event_id)


async def open_stream(
    state: ApiState, caller: Caller, last_event_id: str | None, shown: Shown | None = None
) -> StreamingResponse:
    """The stream of that caller, with what its page shows if it is one that is told.

    Raises
    ------
    ProblemError
        422: the id is none of ours. 503: too many are open, or the database cannot be reached.
    """
    position = read_event_id(last_event_id)
    if state.hub.is_full or not await state.hub.wait_until_listening(5.0):
        raise ProblemError(UNAVAILABLE, "No further stream can be opened now.", headers={"Retry-After": "5"})
    return StreamingResponse(
        make_stream(state, caller, position, shown),
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
    position = parse_position(text.strip())
    if position is None:
        raise ProblemError(INVALID, fields={"Last-Event-ID": "is no id of this stream"})
    return position


async def make_stream(
    state: ApiState, caller: Caller, after: Position | None, shown: Shown | None = None
) -> AsyncIterator[bytes]:
    """The bytes of one stream, until the client goes or the hub ends it.

    The subscription begins before the table is read: what is committed in between stands in both and is sent once.
    """
    # A page that says what it shows hears of nothing else: ten thousand devices that come back are none of its news.
    audience = find_audience(caller.permissions, caller.customer_id) if shown is None else shown.audience
    async with state.hub.subscribe(audience) as subscription:
        is_return, is_more = after is not None, True
        while after is not None and is_more:
            batch = await run_in_threadpool(_load_missed, state, caller, after)
            if batch is None:
                after = None
                break
            is_more, after = batch.begin.part is not None or not batch.is_whole, batch.end
            if missed := News(batch).tell(audience):
                yield missed
        if after is None:
            after = await run_in_threadpool(_load_now, state)
            data = orjson.dumps({"look_after": state.hub.look_after_ms})
            yield write_event("reset" if is_return else "ready", after, data)
        else:
            yield b": caught up\n\n"
        async with state.hub.showing(subscription, shown):
            async for news in _drain(subscription, state.settings):
                if told := news if isinstance(news, bytes) else _tell(news, audience, after):
                    yield told


def _tell(news: News, audience: Audience, after: Position) -> bytes:
    """What this stream is told by the news: the same as all others, but for what it has caught up with by itself."""
    return news.tell(audience) if news.batch.begin.is_past(after) else news.tell_since(audience, after)


async def _drain(subscription: Subscription, settings: ApiSettings) -> AsyncIterator[News | bytes]:
    """News as they come, a comment after each quiet time; ends with the subscription, or when its time is up."""
    deadline = monotonic() + settings.stream_minutes * 60
    while monotonic() < deadline:
        try:
            async with asyncio.timeout(settings.stream_heartbeat_s):
                news = await subscription.take()
        except TimeoutError:
            yield b": still here\n\n"
            continue
        if news is None:
            return
        yield news


def _load_now(state: ApiState) -> Position:
    with state.pool.connection() as conn:
        return load_now(conn)


def _load_missed(state: ApiState, caller: Caller, after: Position) -> ChangeBatch | None:
    """What changed after that position; None where not all of it is kept any more."""
    with state.pool.connection() as conn:
        if not reaches_back(conn, after):
            return None
        batch = load_changes(conn, after, customer_id=caller.customer_id)
        # Once more: old ones are removed meanwhile, and who reads slowly is long at it.
        return batch if reaches_back(conn, after) else None
