"""Which decisions of people another profile would undo."""

from dataclasses import replace

from domain.profile_decision import ProfileDecision, find_decided, find_undone
from tests.unit.anomaly.fleet_of_one import PROFILE

HIGH = PROFILE.monitors[0]
MOVED = replace(PROFILE, monitors=(replace(HIGH, raise_at=85.0, n=2), *PROFILE.monitors[1:]))


def test_a_decision_is_what_it_changed() -> None:
    assert find_decided("MOD-1", PROFILE, PROFILE) == []
    assert find_decided("MOD-1", PROFILE, MOVED) == [ProfileDecision("MOD-1", HIGH.key, {"raise_at": 85.0, "n": 2})]
    (added,) = find_decided("MOD-1", replace(PROFILE, monitors=PROFILE.monitors[1:]), PROFILE)
    assert (added.monitor, added.values["raise_at"]) == (HIGH.key, 80.0)


def test_undone_is_what_holds_now_and_would_no_longer() -> None:
    decisions = find_decided("MOD-1", PROFILE, MOVED)
    (undone,) = find_undone(decisions, MOVED, PROFILE)
    assert str(undone) == f"MOD-1 ({HIGH.key}: raise_at 85 -> 80, n 2 -> 1)"
    # What changes beside it undoes nothing, nor does what keeps it, nor what undoes something that no longer holds.
    beside = replace(MOVED, monitors=tuple(replace(m, duration_s=9.0) for m in MOVED.monitors))
    assert find_undone(decisions, MOVED, beside) == []
    assert find_undone(decisions, PROFILE, PROFILE) == []
    (half,) = find_undone(decisions, MOVED, replace(MOVED, monitors=(replace(HIGH, raise_at=85.0),)))
    assert (half.was, half.becomes) == ({"n": 2}, {"n": 1})
    (removed,) = find_undone(decisions, MOVED, replace(PROFILE, monitors=PROFILE.monitors[1:]))
    assert str(removed) == f"MOD-1 ({HIGH.key} is removed)"
