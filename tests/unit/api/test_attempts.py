"""How often somebody may guess."""

from datetime import UTC, datetime, timedelta

import pytest

from api.attempts import ADDRESS_FAILURES, ADDRESS_WINDOW, KEPT, AttemptLedger, find_lock_seconds

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failed", "seconds"), [(0, 0), (4, 0), (5, 30), (6, 60), (7, 120), (9, 480), (10, 900), (1_000_000, 900)]
)
def test_locks_double_up_to_a_quarter_of_an_hour(failed: int, seconds: float) -> None:
    assert find_lock_seconds(failed) == seconds


def test_an_address_may_try_again_as_its_oldest_failure_leaves_the_window() -> None:
    ledger = AttemptLedger()
    for i in range(ADDRESS_FAILURES):
        assert ledger.find_wait("a", AT + timedelta(seconds=i)) == 0
        ledger.record_failure("a", AT + timedelta(seconds=i))
    last = AT + timedelta(seconds=ADDRESS_FAILURES)
    assert ledger.find_wait("a", last) == ADDRESS_WINDOW.total_seconds() - ADDRESS_FAILURES
    assert ledger.find_wait("b", last) == 0
    assert ledger.find_wait("a", AT + ADDRESS_WINDOW) == 0


def test_memory_is_bounded() -> None:
    ledger = AttemptLedger()
    for i in range(KEPT + 50):
        ledger.record_failure(f"a{i}", AT)
        ledger.record_unknown_name(f"n{i}", AT)
    assert len(ledger._addresses) == KEPT
    assert len(ledger._names) == KEPT
