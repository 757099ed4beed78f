"""What a replay settles: rows, and a ledger whose equation holds whatever moves."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import Rejection, RejectionReason
from ingest.settlement import Replayed, refuse_again, settle
from store.ledger_moves import Moved
from store.rejection_replays import OpenRejection

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
ROW = OpenRejection(
    1, AT, "forewarn/v1/X/telemetry", "X", "unknown_serial", None, 3, b"{}", "", True, True, "user:steward"
)


def problem(field: str | None, weight: int = 1, reason: RejectionReason = RejectionReason.UNKNOWN_SENSOR) -> Rejection:
    return Rejection(AT, ROW.topic, "X", reason, field, "why", b"{}", weight)


def test_a_message_of_a_serial_that_is_known_now_moves_whole() -> None:
    found = settle([ROW], [], Replayed(stored=2, duplicates=1, late=1))
    assert found.moved == Moved(stored=2, duplicates=1, conflicts=0, late=1, rejected=-3)
    assert found.moved.received == 0
    (settled,) = found.settled
    assert (settled.weight, settled.outcome["result"]) == (0, "replayed")
    assert (settled.outcome["stored"], settled.outcome["duplicates"]) == (2, 1)


def test_what_was_good_at_first_is_not_counted_again() -> None:
    bad_value = replace(ROW, reason="unknown_sensor", field="values.new", weight=1)
    found = settle([bad_value], [], Replayed(stored=1, duplicates=8, conflicts=1))
    assert found.moved == Moved(stored=1, rejected=-1)


def test_what_is_still_refused_stays_with_the_reason_of_now() -> None:
    two = [replace(ROW, id=1, field="values.a", weight=1), replace(ROW, id=2, field="values.b", weight=1)]
    found = settle(two, [problem("values.b", reason=RejectionReason.NOT_A_NUMBER)], Replayed(stored=1))
    assert [s.outcome["result"] for s in found.settled] == ["replayed", "still_refused"]
    assert found.settled[1].outcome["reason"] == "not_a_number"
    assert (found.moved, found.new_problems) == (Moved(stored=1, rejected=-1), [])


def test_one_that_nobody_asked_for_is_mended_along_and_else_left_alone() -> None:
    asked = replace(ROW, id=1, field="values.a", weight=1)
    along = replace(ROW, id=2, field="values.b", weight=1, is_requested=False)
    both = settle([asked, along], [], Replayed(stored=2))
    assert [s.id for s in both.settled] == [1, 2]
    one = settle([asked, along], [problem("values.b")], Replayed(stored=1))
    assert [s.id for s in one.settled] == [1]
    assert one.moved == Moved(stored=1, rejected=-1)


def test_another_problem_comes_to_light_behind_the_first() -> None:
    found = settle([ROW], [problem("values.odd")], Replayed(stored=2))
    assert found.moved == Moved(stored=2, rejected=-2)
    assert [p.field for p in found.new_problems] == ["values.odd"]
    assert found.settled[0].outcome["refused"] == 1


def test_a_message_that_says_nothing_at_all_now_mends_nothing() -> None:
    rows = [replace(ROW, field="values.a", weight=1)]
    found = settle(rows, [replace(problem(None, reason=RejectionReason.NO_BIRTH), serial=None)], Replayed())
    assert found == refuse_again(rows, "no_birth", "why")
    assert found.moved == Moved()


def test_of_a_run_that_was_too_fast_only_what_was_kept_moves() -> None:
    run = replace(ROW, reason="too_fast", weight=500)
    found = settle([run], [], Replayed(stored=5))
    assert found.moved == Moved(stored=5, rejected=-5)
    assert (found.settled[0].weight, found.settled[0].outcome["not_kept"]) == (495, 495)


@given(
    weights=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    still=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=4, unique_by=lambda p: p[0]),
    found=st.builds(Replayed, *[st.integers(0, 9)] * 5),
    asked=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_what_the_rows_say_is_what_the_ledger_says(
    weights: list[int], still: list[tuple[int, int]], found: Replayed, asked: list[bool]
) -> None:
    rows = [
        replace(ROW, id=i, field=f"values.{i}", weight=weight, is_requested=asked[i] or i == 0)
        for i, weight in enumerate(weights)
    ]
    settlement = settle(rows, [problem(f"values.{place}", weight) for place, weight in still], found)
    left = {row.id: row.weight for row in rows} | {s.id: s.weight for s in settlement.settled}
    rejected_now = sum(left.values()) + sum(p.weight for p in settlement.new_problems)
    moved = settlement.moved
    assert rejected_now == sum(weights) + moved.rejected
    assert 0 <= moved.duplicates <= found.duplicates
    assert 0 <= moved.conflicts <= found.conflicts
    assert moved.stored == found.stored
    # Never more than was refused, but for what could not be counted then.
    assert moved.received <= max(0, found.stored + moved.rejected)
