"""What names no registered device is kept up to a limit: a stranger that loops fills no disk, and hides no other one.

Beside the buckets of devices (`ingest.rate_limit`), in the same time and with the same credit for being away. There are
two: one of each name (the serial that nobody has registered, or else the topic), and one of all names together, for
who takes a new name with each message. What goes beyond is counted, value by value, and said with the first payload.
"""

from dataclasses import dataclass, replace

from domain.clock import MICROS_PER_SECOND, to_micros
from domain.counting import say_count
from domain.reading import Rejection, RejectionReason
from ingest.batch import Batch
from ingest.decode import MAX_MESSAGE_TEXT, clean_text
from ingest.device_table import DeviceTable

# A stranger that goes on is one row in so much time.
MERGE_US = 5 * MICROS_PER_SECOND
_EVERYBODY = ""  # no name is empty


@dataclass(frozen=True, slots=True)
class StrangerLimits:
    """Rejections a second that are kept for ever, and at once after a quiet time. A device that is put to use before
    anybody registers it sends a message a second, and what it stored meanwhile."""

    rate: float = 10.0
    burst: int = 3_000
    rate_of_all: float = 50.0
    burst_of_all: int = 50_000
    most_names: int = 10_000  # that have a bucket of their own


KEPT_OF_STRANGERS = StrangerLimits()


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_us: int
    credited_s: float


@dataclass(slots=True)
class _Run:
    """What was not kept of one name, or of all together, and is not said yet."""

    first: Rejection
    last_us: int
    rejections: int = 0
    values: int = 0


class StrangerLimit:
    """The two kinds of buckets. Not to be called by two threads at once."""

    def __init__(self, limits: StrangerLimits) -> None:
        self._limits = limits
        self._all: _Bucket | None = None
        self._by_name: dict[str, _Bucket] = {}
        self._runs: dict[str, _Run] = {}
        self._said_us: dict[str, int] = {}
        self._looked_us: int | None = None  # for names that are full again

    def apply(self, batch: Batch, table: DeviceTable, credit_s: float) -> Batch:
        """The batch without the rejections that go beyond a limit; their values stay counted as refused. `credit_s` is
        the sum of the time in which nobody listened."""
        kept: list[tuple[int, Rejection]] = []
        beyond: set[int] = set()
        for number, rejection in batch.rejections:
            if table.find_position(rejection.serial) != table.no_device:
                kept.append((number, rejection))
                continue
            full = self._charge(rejection.serial or rejection.topic, batch.received_us, credit_s)
            if full is None:
                kept.append((number, rejection))
            else:
                beyond.add(number)
                self._note(full, rejection, batch.received_us)
        if not beyond:
            return batch
        return replace(batch, rejections=kept, limited=sorted({*batch.limited, *beyond}))

    def take_said(self, now_us: int) -> list[Rejection]:
        """A rejection for each name that went beyond its limit and was not named a moment ago."""
        if not self._runs:
            return []
        # What was said in the future was said before the clock was set back.
        self._said_us = {name: at for name, at in self._said_us.items() if 0 <= now_us - at < MERGE_US}
        due = [name for name in self._runs if name not in self._said_us]
        self._said_us.update(dict.fromkeys(due, now_us))
        return [_describe(name, self._runs.pop(name), self._limits) for name in due]

    def take_rest(self) -> list[Rejection]:
        """A rejection for all that was not said yet, however short ago another one was."""
        runs, self._runs = self._runs, {}
        return [_describe(name, run, self._limits) for name, run in runs.items()]

    def _charge(self, name: str, now_us: int, credit_s: float) -> str | None:
        """None when it may be kept; else the name whose bucket is empty."""
        limits = self._limits
        if self._all is None:
            self._all = _Bucket(limits.burst_of_all, now_us, credit_s)
        _refill(self._all, limits.rate_of_all, limits.burst_of_all, now_us, credit_s)
        own = self._find_bucket(name, now_us, credit_s)
        if own is not None:
            _refill(own, limits.rate, limits.burst, now_us, credit_s)
            if own.tokens < 1:
                return name
        # One that loops takes nothing from the others' share by what is refused to it.
        if self._all.tokens < 1:
            return _EVERYBODY
        self._all.tokens -= 1
        if own is not None:
            own.tokens -= 1
        return None

    def _find_bucket(self, name: str, now_us: int, credit_s: float) -> _Bucket | None:
        """The name's own bucket; None when there are too many names, so that only the one of all counts."""
        bucket = self._by_name.get(name)
        if bucket is None:
            if len(self._by_name) >= self._limits.most_names:
                self._forget_full(now_us)
                if len(self._by_name) >= self._limits.most_names:
                    return None
            bucket = self._by_name[name] = _Bucket(self._limits.burst, now_us, credit_s)
        return bucket

    def _forget_full(self, now_us: int) -> None:
        """Forgets names that were quiet for so long that they are full again; now and then, for it looks at all."""
        if self._looked_us is not None and 0 <= now_us - self._looked_us < MERGE_US:
            return
        self._looked_us = now_us
        fill_us = int(self._limits.burst / self._limits.rate * MICROS_PER_SECOND)
        self._by_name = {n: b for n, b in self._by_name.items() if abs(now_us - b.at_us) < fill_us}

    def _note(self, name: str, rejection: Rejection, now_us: int) -> None:
        run = self._runs.get(name)
        if run is None:
            run = self._runs[name] = _Run(rejection, now_us)
        run.last_us = now_us
        run.rejections += 1
        run.values += rejection.weight


def _refill(bucket: _Bucket, rate: float, burst: int, now_us: int, credit_s: float) -> None:
    elapsed_s = max(0, now_us - bucket.at_us) / MICROS_PER_SECOND
    bucket.tokens = max(bucket.tokens, min(burst, bucket.tokens + rate * elapsed_s))
    bucket.tokens += rate * (credit_s - bucket.credited_s)
    # A clock that was set back is followed, or nothing would be kept for as long as that.
    bucket.at_us, bucket.credited_s = now_us, credit_s


def _describe(name: str, run: _Run, limits: StrangerLimits) -> Rejection:
    first = run.first
    if name == _EVERYBODY:
        rate = say_count(f"{limits.rate_of_all:g}", "time")
        limit = (
            f"all that names no registered device is kept up to {rate} a second together, "
            f"{limits.burst_of_all:,} at once"
        )
    else:
        rate = say_count(f"{limits.rate:g}", "time")
        limit = f"{name!r} is no registered device; it is kept {rate} a second, {limits.burst:,} at once"
    lasted_s = max(0, run.last_us - to_micros(first.received_at)) / MICROS_PER_SECOND
    detail = (
        f"{limit} after a quiet time; {run.rejections:,} with {say_count(run.values, 'value')} went beyond that within "
        f"{lasted_s:.1f} s, of which this is the first: {first.detail}"
    )
    return replace(
        first,
        serial=first.serial if name != _EVERYBODY else None,
        reason=RejectionReason.TOO_FAST,
        field=None,
        detail=clean_text(detail, MAX_MESSAGE_TEXT),
        weight=run.values,
    )
