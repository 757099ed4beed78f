"""What past orders come to, on a case counted by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from domain.suggested_fix import PastOrder, UsedPart, find_fix
from domain.work_order import Outcome

MOTOR = UsedPart("MOT-1", "Motor", 1, Decimal(1))
SEAL = UsedPart("SEAL-9", "Seal", 1, Decimal(2))
ORDER = PastOrder(
    "WO-5", "SN-1", False, "2.4.1", Outcome.CONFIRMED, "motor_wear", "replaced", (MOTOR, SEAL), False, 1,
    datetime(2026, 11, 1, tzinfo=UTC),
)  # fmt: skip


def test_nothing_comes_of_nothing() -> None:
    assert find_fix([]) is None


def test_what_helped_is_what_was_mended_and_stayed_away() -> None:
    past = [
        replace(ORDER, code="WO-6", came_back=True, failure_code="seal_leak", parts=(SEAL,)),
        ORDER,
        replace(ORDER, code="WO-4", outcome=Outcome.NO_FAULT_FOUND, failure_code=None, parts=()),
        replace(ORDER, code="WO-3", outcome=Outcome.FALSE_ALARM, failure_code=None, parts=()),
        replace(ORDER, code="WO-2", outcome=Outcome.SENSOR_FAULT, failure_code="sensor", parts=()),
        replace(ORDER, code="WO-1", parts=(MOTOR, MOTOR)),
    ]
    fix = find_fix(past)
    assert fix is not None
    assert (fix.orders, fix.confirmed, fix.no_fault_found, fix.sensor_faults, fix.false_alarms) == (6, 3, 1, 1, 1)
    assert (fix.came_back, fix.share_confirmed, fix.example) == (1, 0.5, "WO-5")
    assert fix.failure_codes == (("motor_wear", 2), ("sensor", 1))
    assert fix.parts == (UsedPart("MOT-1", "Motor", 2, Decimal(3)), UsedPart("SEAL-9", "Seal", 1, Decimal(2)))


def test_where_nothing_helped_there_is_no_example() -> None:
    fix = find_fix([replace(ORDER, came_back=True)])
    assert fix is not None
    assert (fix.example, fix.parts, fix.failure_codes) == (None, (), ())
