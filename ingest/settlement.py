"""What the replay of one refused message settles: which of its rejections are mended, and how the ledger moves. Pure.

The good parts of a message were stored when it came: decoded again they are repeats, which the ledger has counted. Only
what was refused moves: from `rejected` to `stored`, or to `duplicates` or `conflicts` where the same reading came on
another way meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.reading import Rejection, RejectionReason
from store.ledger_moves import Moved
from store.rejection_replays import OpenRejection, Settled


@dataclass(frozen=True, slots=True)
class Replayed:
    """What decoding a message again gave: its readings by what became of them, and its reports that were new."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0  # of those stored
    reports: int = 0

    @property
    def readings(self) -> int:
        """All of its good readings."""
        return self.stored + self.duplicates + self.conflicts


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written of one message."""

    settled: list[Settled]
    new_problems: list[Rejection]  # that stand in place of others: a sensor is unknown where first the serial was
    moved: Moved


def settle(rows: Sequence[OpenRejection], problems: Sequence[Rejection], found: Replayed) -> Settlement:
    """The settlement of a message of which `rows` were refused and `problems` are refused now."""
    by_place: dict[tuple[str, str], Rejection] = {(p.serial or "", p.field or ""): p for p in problems}
    still = {row.id: by_place.pop((row.serial or "", row.field or ""), None) for row in rows}
    if len(by_place) == 1 and not found.readings and not found.reports:
        (whole,) = by_place.values()
        if whole.field is None and not any(still.values()):
            return refuse_again(rows, whole.reason.value, whole.detail)  # the message says nothing at all
    left = {row.id: _find_left(row, still[row.id], found, problems) for row in rows}
    before = sum(row.weight for row in rows)
    after = sum(left.values()) + sum(problem.weight for problem in by_place.values())
    remaining = max(0, before - after - found.stored)
    duplicates = min(found.duplicates, remaining)
    conflicts = min(found.conflicts, remaining - duplicates)
    moved = Moved(found.stored, duplicates, conflicts, found.late, after - before)
    refused_anew = sum(problem.weight for problem in by_place.values())
    outcome = {"stored": moved.stored, "duplicates": duplicates, "conflicts": conflicts, "reports": found.reports}
    settled = []
    for row in rows:
        problem = still[row.id]
        if problem is None:
            said: dict[str, Any] = {"result": "replayed", **outcome, "refused": refused_anew}
            if left[row.id]:
                said["not_kept"] = left[row.id]
            settled.append(Settled(row.id, left[row.id], said))
        elif row.is_requested:
            why = {"reason": problem.reason.value, "detail": problem.detail}
            settled.append(Settled(row.id, left[row.id], {"result": "still_refused", **why}))
    return Settlement(settled, list(by_place.values()), moved)


def _find_left(row: OpenRejection, problem: Rejection | None, found: Replayed, problems: Sequence[Rejection]) -> int:
    """How many values of this rejection are still refused."""
    if problem is not None:
        return problem.weight if row.is_requested else row.weight
    if row.reason == RejectionReason.TOO_FAST:
        # It stands for a run of messages, of which this one was kept. What others said in it through the same gateway
        # was stored when it came.
        is_alone = f"/{row.serial}/" in row.topic
        accepted = found.readings + sum(p.weight for p in problems) if is_alone else found.stored
        return max(0, row.weight - accepted)
    return 0


def refuse_again(rows: Sequence[OpenRejection], reason: str, detail: str) -> Settlement:
    """That the message cannot be replayed at all: what was asked for stays refused, and why."""
    outcome = {"result": "still_refused", "reason": reason, "detail": detail}
    return Settlement([Settled(row.id, row.weight, outcome) for row in rows if row.is_requested], [], Moved())
