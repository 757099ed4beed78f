"""One listener, many event streams: changes are read once per process, made into events once for all who may hear the
same, and handed to every stream that is told something."""

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from api.change_news import Audience, News
from api.metrics import Metrics
from api.shared_views import SharedView, Shown
from store.change_log import ChangeBatch, follow_changes
from store.pool import DATABASE_GONE

log = logging.getLogger("forewarn.api.stream")
IDLE_S = 5.0
PACE_S = 0.2  # between two looks at the log: what comes in the meantime is told together
LONGEST_WAIT_S = 30.0
ENDS_WITHIN_S = 1.0
LOOK_MS = 40  # of this process for the look of each console: several times what it takes


class Subscription:
    """What waits for one stream. `None` in the queue ends it."""

    def __init__(self, audience: Audience, limit: int) -> None:
        self.audience = audience
        self.queue: asyncio.Queue[News | bytes | None] = asyncio.Queue()
        self.is_dropped = False
        self._limit = limit
        self._waiting = 0  # bytes; what the news hold in common with other streams counts for each

    def offer(self, news: News | bytes) -> bool:
        """Puts the news into the queue if they tell this stream something; False when its client is too slow."""
        size = len(news if isinstance(news, bytes) else news.tell(self.audience))
        if not size:
            return True
        if self._waiting and self._waiting + size > self._limit:
            return False
        self._waiting += size
        self.queue.put_nowait(news)
        return True

    async def take(self) -> News | bytes | None:
        """The next news, as soon as there are some; None at the end."""
        news = await self.queue.get()
        if news is not None:
            self._waiting -= len(news if isinstance(news, bytes) else news.tell(self.audience))
        return news

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
        self._views: dict[Hashable, SharedView] = {}
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
            # To be cancelled twice: the first time it asks the server to stop what it does, and waits for its answer.
            for _ in range(2):
                task.cancel()
                await asyncio.wait([task], timeout=ENDS_WITHIN_S)

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
    async def subscribe(self, audience: Audience) -> AsyncIterator[Subscription]:
        """A queue of every change that is found from now on, as far as these may hear of it."""
        subscription = Subscription(audience, self._queue)
        self._subscriptions.add(subscription)
        self._metrics.streams.set(len(self._subscriptions))
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._metrics.streams.set(len(self._subscriptions))

    @asynccontextmanager
    async def showing(self, subscription: Subscription, shown: Shown | None) -> AsyncIterator[None]:
        """The stream is told what its page shows, and whatever becomes of it, as long as the block runs."""
        if shown is None:
            yield
            return
        view = self._views.get(shown.key)
        if view is None:
            view = self._views[shown.key] = SharedView(shown, lambda: len(self._views))
        view.join(id(subscription), lambda event: self._offer(subscription, event))
        try:
            yield
        finally:
            view.leave(id(subscription))
            if view.is_unseen:
                view.close()
                del self._views[shown.key]

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
                async for batch in follow_changes(self._url, application="api stream", idle_s=IDLE_S, pace_s=PACE_S):
                    self._hand_out(batch)
                    self._listening.set()
                    wait_s = 0.5
            except DATABASE_GONE as error:
                log.warning("the change log cannot be followed (%s); again in %.1f s", error, wait_s)
            # Changes may have been missed: streams end, and their clients come back with Last-Event-ID.
            self._listening.clear()
            for subscription in list(self._subscriptions):
                subscription.end()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _hand_out(self, batch: ChangeBatch) -> None:
        if not batch.changes:
            return
        news = News(batch)
        for subscription in list(self._subscriptions):
            self._offer(subscription, news)
        for view in self._views.values():
            view.hear(news)

    def _offer(self, subscription: Subscription, news: News | bytes) -> None:
        if not subscription.is_dropped and not subscription.offer(news):
            log.warning("an event stream was ended: more than %d bytes waited for its client", self._queue)
            self._metrics.streams_dropped.inc()
            subscription.end()
