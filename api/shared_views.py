"""What many open pages would ask for after the same change: looked up once for all that get the same answer, and told
by their streams. A change of one order does not make two hundred pages ask."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.change_news import Audience, News, write_event
from store.pool import DATABASE_GONE, RETRYABLE

log = logging.getLogger("forewarn.api.stream")
PACE_S = 0.5  # between two looks of one view
LOOK_S = 0.04  # of this process for each look: several times what it takes
STALEST_S = 1.0  # a look that is overtaken by a change is told even so where none was for this long


@dataclass(frozen=True, slots=True)
class Shown:
    """What one page shows. Pages with the same key are told the same: it holds whatever the answer depends on, whose
    rows somebody may see above all."""

    key: Hashable
    audience: Audience  # what they hear of is what may change the answer
    load: Callable[[], bytes]  # JSON; runs in a thread


class SharedView:
    """One answer for all streams that show the same; used from the event loop alone."""

    def __init__(self, shown: Shown, count_views: Callable[[], int]) -> None:
        self._shown = shown
        self._count_views = count_views
        self._offers: dict[int, Callable[[bytes], object]] = {}
        self._newcomers: set[int] = set()
        self._told = b""
        self._heard = asyncio.Event()
        self._is_looking = False
        self._task = asyncio.create_task(self._follow(), name="shared view")

    @property
    def is_unseen(self) -> bool:
        """No stream shows it."""
        return not self._offers

    @property
    def is_busy(self) -> bool:
        """It looks, or is about to."""
        return self._is_looking or self._heard.is_set()

    def join(self, name: int, offer: Callable[[bytes], object]) -> None:
        """That stream is told what there is, soon, and whatever becomes of it."""
        self._offers[name] = offer
        self._newcomers.add(name)
        self._heard.set()

    def leave(self, name: int) -> None:
        """That stream is told no more."""
        self._offers.pop(name, None)
        self._newcomers.discard(name)

    def hear(self, news: News) -> None:
        """Looks again where the news may have changed what is shown."""
        if news.tell(self._shown.audience):
            self._heard.set()

    def close(self) -> None:
        """Looks no more."""
        self._task.cancel()

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        told_at = clock()
        while True:
            await self._heard.wait()
            self._heard.clear()
            self._is_looking = True
            looked_at = clock()
            try:
                event = write_event("rows", None, await run_in_threadpool(self._shown.load))
            except (*DATABASE_GONE, *RETRYABLE) as error:
                log.warning("what open pages show could not be looked up, again soon: %s", error)
                self._heard.set()
            except Exception:  # what is asked for cannot be answered: it may be after the next change
                log.exception("what open pages show could not be looked up")
            else:
                if not self._heard.is_set() or clock() - told_at > STALEST_S:
                    told_at = clock()
                    self._tell(event)
            self._is_looking = False
            pace_s = max(PACE_S, LOOK_S * self._count_views())
            await asyncio.sleep(max(0.0, looked_at + pace_s - clock()))

    def _tell(self, event: bytes) -> None:
        names = self._newcomers if event == self._told else set(self._offers)
        self._told, self._newcomers = event, set()
        for name in names:
            self._offers[name](event)
