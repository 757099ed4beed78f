"""Where a follower of the change log stands, as text and as a set of what it has seen."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.change_position import BIGGEST, Part, Position, Snapshot, parse_position, parse_snapshot


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots of one server, one after the other, as transactions begin and end in any order."""
    next_xid, running, snapshots = draw(st.integers(2**32 * 7 + 3, 2**32 * 7 + 10**9)), list[int](), []
    for begins, ends in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)):
        running += range(next_xid, next_xid + begins)
        next_xid += begins
        for _ in range(min(ends, len(running))):
            running.remove(draw(st.sampled_from(running)))
        snapshots.append(Snapshot(min([*running, next_xid]), next_xid, tuple(running)))
    return snapshots


@given(histories(), st.integers(0, BIGGEST - 1))
def test_a_position_is_its_text(history: list[Snapshot], change_id: int) -> None:
    for position in (Position(history[0]), Position(history[0], Part(history[-1], change_id))):
        assert parse_position(str(position)) == position


@given(histories())
def test_a_later_snapshot_is_greater_and_has_seen_all_that_an_earlier_one_has(history: list[Snapshot]) -> None:
    for earlier, later in pairwise(history):
        assert earlier <= later
        seen = {xid for xid in range(earlier.xmin - 2, later.xmax + 2) if earlier.has_seen(xid)}
        assert all(later.has_seen(xid) for xid in seen)
        if any(later.has_seen(xid) for xid in range(earlier.xmin, later.xmax) if xid not in seen):
            assert earlier < later


def test_a_part_counts_what_it_names_and_no_more() -> None:
    position = Position(Snapshot(5, 9, (5, 7)), Part(Snapshot(7, 10, (7,)), 100))
    assert [xid for xid in range(3, 12) if position.has_seen(xid, 100)] == [3, 4, 5, 6, 8, 9]
    assert [xid for xid in range(3, 12) if position.has_seen(xid, 101)] == [3, 4, 6, 8]


def test_what_no_server_says_is_no_position() -> None:
    for text in (
        *("", "nonsense", "7421-15", "0:1:", "3:2:", "1:4:3,2", "1:4:2,2", "2:4:1", "1:4:4", "1:4:2,", "٣:4:"),
        *(
            f"1:{2**63}:",
            f"{2**32}:{2**32 + 1}:",
            "1:4:2/",
            "1:4:2/1:5:/",
            "1:4:2/1:3:2/1",
            f"1:4:2/1:5:/{2**63}",
            "1:4:/1:5:/1/1",
        ),
    ):
        assert parse_position(text) is None, text
    assert parse_snapshot("1:2000:" + ",".join(map(str, range(1, 1001)))) is not None
    assert parse_snapshot("1:2000:" + ",".join(map(str, range(1, 1002)))) is None
