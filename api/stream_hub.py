"""One listener, many event streams: a change is read once per process and handed to every stream that may see it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from api.metrics import Metrics
from store.change_log import Change, follow_changes
from store.pool import DATABASE_GONE

log = logging.getLogger("forewarn.api.stream")
IDLE_S = 5.0
LONGEST_WAIT_S = 30.0
LOOK_MS = 40  # of this process for the look of each console: several times what it takes


class Subscription:
    """What waits for one stream. `None` in the queue ends it."""

    def __init__(self, customer_id: int | None, limit: int) -> None:
        self.customer_id = customer_id
        self.queue: asyncio.Queue[Change | None] = asyncio.Queue(limit)
        self.is_dropped = False

    def offer(self, change: Change) -> bool:
        """Puts the change into the queue if this stream may see it; False when the client is too slow to be kept."""
        if self.customer_id is not None and change.customer_id != self.customer_id:
            return True
        try:
            self.queue.put_nowait(change)
        except asyncio.QueueFull:
            return False
        return True

    def end(self) -> None:
        """Ends the stream; what still waits in the queue is given up, the client asks for it by Last-Event-ID."""
        self.is_dropped = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class StreamHub:
    """The one LISTEN connection of a process and its subscriptions; used from the event loop alone."""

    def __init__(self, url: str, metrics: Metrics, *, limit: int, queue: int) -> None:
        self._url = url
        self._metrics = metrics
        self._limit = limit
        self._queue = queue
        self._subscriptions: set[Subscription] = set()
        self._listening = asyncio.Event()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens as long as the block runs, and ends all streams after it."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._follow(), name="change listener")
        try:
            yield
        finally:
            self.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def is_full(self) -> bool:
        """No further stream is taken."""
        return self._is_closed or len(self._subscriptions) >= self._limit

    @property
    def look_after_ms(self) -> int:
        """Within how long a console that hears of a change looks, at a moment of its own: the longer, the more are
        open, so that all of them together do not keep the process from telling everybody."""
        return LOOK_MS * len(self._subscriptions)

    async def wait_until_listening(self, timeout_s: float) -> bool:
        """True as soon as changes are being followed; False when the database could not be reached in that time."""
        try:
            await asyncio.wait_for(self._listening.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def subscribe(self, customer_id: int | None) -> AsyncIterator[Subscription]:
        """A queue of every change from now on that this customer (None: everyone) may see."""
        subscription = Subscription(customer_id, self._queue)
        self._subscriptions.add(subscription)
        self._metrics.streams.set(len(self._subscriptions))
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._metrics.streams.set(len(self._subscriptions))

    def close(self) -> None:
        """Ends every stream now and takes no new one: an open stream must not hold up the end of the process."""
        self._is_closed = True
        for subscription in list(self._subscriptions):
            subscription.end()

    def close_soon(self) -> None:
        """`close`, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    async def _follow(self) -> None:
        wait_s = 0.5
        while True:
            try:
                async for changes in follow_changes(self._url, application="api stream", idle_s=IDLE_S):
                    self._listening.set()
                    wait_s = 0.5
                    self._hand_out(changes)
            except DATABASE_GONE as error:
                log.warning("the change log cannot be followed (%s); again in %.1f s", error, wait_s)
            # Changes may have been missed: streams end, and their clients come back with Last-Event-ID.
            self._listening.clear()
            for subscription in list(self._subscriptions):
                subscription.end()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _hand_out(self, changes: list[Change]) -> None:
        for change in changes:
            for subscription in list(self._subscriptions):
                if not subscription.is_dropped and not subscription.offer(change):
                    log.warning("an event stream was ended: %d changes waited for its client", self._queue)
                    self._metrics.streams_dropped.inc()
                    subscription.end()
