"""Where a follower of the change log stands: which transactions were over when it looked, not how far ids had come.

Transactions commit in another order than they take numbers, so no single number says what was seen. A snapshot does: a
change that a later look finds and an earlier snapshot did not know to be over is new, whatever else is under way.
"""

import itertools
import re
from dataclasses import dataclass
from functools import total_ordering

BIGGEST = 2**63  # above every transaction number and id
MOST_RUNNING = 1000  # transactions that a position from outside may name
_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)", re.ASCII)
_ID = re.compile(r"\d{1,19}", re.ASCII)


@total_ordering
@dataclass(frozen=True, slots=True, eq=True)
class Snapshot:
    """Which transactions were over at one moment, as `pg_current_snapshot` says it: all below `xmin`, and those below
    `xmax` that were not `running`. Of two snapshots of one server the later one compares as greater."""

    xmin: int
    xmax: int
    running: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"

    def __lt__(self, other: "Snapshot") -> bool:
        # Transactions are never under way again: later means a higher limit, or fewer that run below the same one.
        return (self.xmax, -len(self.running)) < (other.xmax, -len(other.running))

    def has_seen(self, xid: int) -> bool:
        """That transaction was over."""
        return xid < self.xmin or (xid < self.xmax and xid not in self.running)


def parse_snapshot(text: str) -> Snapshot | None:
    """The snapshot of that text, or None where it is none."""
    match = _SNAPSHOT.fullmatch(text)
    if match is None or match[3].count(",") >= MOST_RUNNING:
        return None
    snapshot = Snapshot(int(match[1]), int(match[2]), tuple(map(int, match[3].split(","))) if match[3] else ())
    bounds = (snapshot.xmin, *snapshot.running, snapshot.xmax, BIGGEST)
    ascending = all(one < after for one, after in itertools.pairwise(bounds[1:]))
    # No transaction has a number whose lower 32 bits are zero, and the server takes none for one.
    valid = all(bound % 2**32 for bound in bounds[:-1])
    return snapshot if valid and ascending and bounds[0] <= bounds[1] else None


@dataclass(frozen=True, slots=True)
class Part:
    """How much of what lies between two looks was seen: what was over at `upto`, up to that id."""

    upto: Snapshot
    id: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: what was over at `seen` was seen, and a part of what came next."""

    seen: Snapshot
    part: Part | None = None

    def __str__(self) -> str:
        return str(self.seen) if self.part is None else f"{self.seen}/{self.part.upto}/{self.part.id}"

    def is_past(self, other: "Position") -> bool:
        """Nothing that comes after this place lies before that one; of two places that one follower passed."""
        own, others = (place.part.id if place.part is not None else 0 for place in (self, other))
        return (self.seen, own) >= (other.seen, others)

    def has_seen(self, xid: int, change_id: int) -> bool:
        """That change of that transaction lies before this place."""
        part = self.part
        return self.seen.has_seen(xid) or (part is not None and change_id <= part.id and part.upto.has_seen(xid))


def parse_position(text: str) -> Position | None:
    """The position of that text, or None where it is none."""
    first, *rest = text.split("/")
    seen = parse_snapshot(first)
    if seen is None or not rest:
        return Position(seen) if seen is not None else None
    upto = parse_snapshot(rest[0])
    if len(rest) != 2 or upto is None or upto < seen or _ID.fullmatch(rest[1]) is None or int(rest[1]) >= BIGGEST:
        return None
    return Position(seen, Part(upto, int(rest[1])))
