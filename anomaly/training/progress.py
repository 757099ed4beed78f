"""How far long work is, and how long the rest will take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One word of progress: share 0..1, estimated seconds left (None: not known yet), and what is being done."""

    share: float
    seconds_left: float | None
    message: str


Tell = Callable[[Step], None]


@dataclass(slots=True)
class Progress:
    """Turns shares of work into words of progress, at most one each `every_s`; the clock is a parameter."""

    tell: Tell
    clock: Callable[[], float] = time.monotonic
    every_s: float = 1.0
    _began: float = field(init=False)
    _said: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._began = self.clock()

    def note(self, share: float, message: str) -> None:
        """Says how far it is, unless that was said just now; the whole is always said."""
        now = self.clock()
        share = min(max(share, 0.0), 1.0)
        if share < 1.0 and now - self._said < self.every_s:
            return
        self._said = now
        spent = now - self._began
        left = None if share <= 0.0 else spent * (1.0 - share) / share
        self.tell(Step(share, left, message))


def tell_nobody(step: Step) -> None:
    """For work that nobody waits for."""
