"""What this process counted or listed a moment ago, so that a look soon after does not ask the database for it again.

Only for what may be a little old where it says so or does not matter: never for rows, versions and what is decided by.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Set
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Protocol, TypeVar

Answer = TypeVar("Answer")
MOST = 50  # answers at once: those asked for last. One may be some megabytes: of 2,000 customers two and a half


class Viewer(Protocol):
    """Who asks, as far as it decides what may be seen."""

    @property
    def customer_id(self) -> int | None: ...
    @property
    def permissions(self) -> Set[str]: ...


class RecentAnswers:
    """Answers by what was asked, each with the time it was made at; bounded, and for all threads of the process.

    An answer is for those alone who have the same rights and see the rows of the same customer, if of one: who has lost
    a right, or became another customer's, gets none that was made before.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, tuple[datetime, datetime, Any]] = OrderedDict()  # made, good until

    def find(
        self,
        key: Hashable,
        make: Callable[[], Answer],
        *,
        who: Viewer,
        at: datetime,
        lasts: timedelta,
        anew: bool = False,
    ) -> tuple[datetime, Answer]:
        """When the answer was made, and the answer: the last one for the like of `who` if it is younger than `lasts`,
        else what `make` gives now. With `anew` it is made in any case. An exception of `make` leaves nothing behind."""
        key = (key, who.customer_id, frozenset(who.permissions))
        with self._lock:
            made = self._answers.get(key)
            if made is not None and not anew and made[0] <= at < made[1]:
                self._answers.move_to_end(key)
                return made[0], made[2]
        found = make()
        with self._lock:
            for old in [one for one, (_, until, _) in self._answers.items() if until <= at]:
                del self._answers[old]
            self._answers[key] = at, at + lasts, found
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return at, found
