"""When an event is tried again: the delays of Standard Webhooks, longer where the receiver asks for it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Before the first attempt, the second, ...; after the last one the event is given up.
DELAYS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# Up to this share more, so that what failed together does not come back together. Never less.
JITTER = 0.2
MAX_RETRY_AFTER = timedelta(hours=24)
GONE = 410


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of one attempt. `error` is a value of `domain.webhook.DeliveryError`; empty: delivered."""

    at: datetime
    duration_ms: int
    status: int | None = None
    error: str = ""
    detail: str = ""
    address: str = ""
    response: str = ""
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        """The receiver has it."""
        return not self.error

    @property
    def is_gone(self) -> bool:
        """The receiver wants no event any more."""
        return self.status == GONE


def find_next_attempt(
    tries: int, at: datetime, *, spread: float, retry_after: timedelta | None = None
) -> datetime | None:
    """When to try again after `tries` attempts, the last of which ended at `at`; None: not again.

    `spread`, in [0, 1), is chance: up to JITTER of the delay is added by it. What the receiver asks for counts where
    it is longer, up to MAX_RETRY_AFTER.
    """
    if tries >= len(DELAYS):
        return None
    delay = DELAYS[tries] * (1 + JITTER * spread)
    if retry_after is not None:
        delay = max(delay, min(retry_after, MAX_RETRY_AFTER))
    return at + delay


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for: seconds, or an HTTP date. None: nothing that can be used."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text)) if len(text) < 10 else MAX_RETRY_AFTER
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(at - now, timedelta(0))
