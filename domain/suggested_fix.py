"""What helped before: past orders of the same device model and fault group, and what most of them came to. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.work_order import Outcome

MOST_NAMED = 5
MENDED = (Outcome.CONFIRMED, Outcome.SENSOR_FAULT)


@dataclass(frozen=True, slots=True)
class UsedPart:
    """How often a part was used: in so many orders, so many pieces in all."""

    item: str
    description: str
    orders: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order of the past with its outcome; `parts` are those that were used."""

    code: str
    serial: str
    is_same_device: bool
    firmware: str
    outcome: Outcome
    failure_code: str | None
    work_performed: str | None
    parts: Sequence[UsedPart]
    came_back: bool  # it was reopened, or the fault recurred
    visits: int
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """What the past says; None where nothing of the kind was ever closed.

    Failure codes and parts are those of orders in which something was mended and that did not come back: what helped.
    """

    orders: int
    confirmed: int
    no_fault_found: int
    sensor_faults: int
    false_alarms: int
    came_back: int
    share_confirmed: float
    failure_codes: tuple[tuple[str, int], ...]
    parts: tuple[UsedPart, ...]
    example: str | None  # code of the newest order that helped


def find_fix(past: Sequence[PastOrder]) -> SuggestedFix | None:
    """What became of these orders, the newest first; None without any."""
    if not past:
        return None
    outcomes = Counter(order.outcome for order in past)
    helped = [order for order in past if order.outcome in MENDED and not order.came_back]
    codes = Counter(order.failure_code for order in helped if order.failure_code)
    confirmed = outcomes[Outcome.CONFIRMED]
    return SuggestedFix(
        orders=len(past),
        confirmed=confirmed,
        no_fault_found=outcomes[Outcome.NO_FAULT_FOUND],
        sensor_faults=outcomes[Outcome.SENSOR_FAULT],
        false_alarms=outcomes[Outcome.FALSE_ALARM],
        came_back=sum(order.came_back for order in past),
        share_confirmed=confirmed / len(past),
        failure_codes=tuple(sorted(codes.items(), key=lambda c: (-c[1], c[0]))[:MOST_NAMED]),
        parts=tuple(sorted(_count_parts(helped), key=lambda p: (-p.orders, p.item))[:MOST_NAMED]),
        example=helped[0].code if helped else None,
    )


def _count_parts(helped: Sequence[PastOrder]) -> list[UsedPart]:
    orders, pieces, names = Counter[str](), dict[str, Decimal](), dict[str, str]()
    for order in helped:
        for item in {part.item for part in order.parts}:
            orders[item] += 1
        for part in order.parts:
            pieces[part.item] = pieces.get(part.item, Decimal(0)) + part.quantity
            names.setdefault(part.item, part.description)
    return [UsedPart(item, names[item], count, pieces[item]) for item, count in orders.items()]
