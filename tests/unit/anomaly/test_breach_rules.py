"""The rules against a plain model of them, and each promise on a story of its own."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomaly.breach_rules import BreachRules, SlotTransition
from anomaly.breach_state import Episodes, SlotRule

SECOND = 1_000_000


def _judge(rule: SlotRule, scores: list[float], step_s: float = 1.0) -> list[SlotTransition]:
    return _judge_at(rule, [(round(k * step_s * SECOND), score) for k, score in enumerate(scores)])


def _judge_at(rule: SlotRule, scores: list[tuple[int, float]]) -> list[SlotTransition]:
    rules = BreachRules()
    rules.add_slots([rule])
    slot = np.zeros(1, dtype=np.int64)
    found: list[SlotTransition] = []
    for row, (at_us, score) in enumerate(scores):
        found += rules.judge(slot, np.array([row]), np.array([at_us]), np.array([score]))
    return found


def _said(found: list[SlotTransition]) -> list[tuple[str, int]]:
    return [(t.kind.value, t.row) for t in found]


def test_one_score_at_the_limit_raises_and_one_at_the_clear_limit_clears() -> None:
    assert _said(_judge(SlotRule(10, 8), [9.9, 10.0, 8.1, 8.0])) == [("RAISED", 1), ("CLEARED", 3)]


def test_where_both_limits_are_one_number_the_limit_itself_does_not_clear() -> None:
    assert _said(_judge(SlotRule(1, 1), [0, 1, 1, 0])) == [("RAISED", 1), ("CLEARED", 3)]


def test_scores_between_the_limits_change_nothing() -> None:
    assert _said(_judge(SlotRule(10, 5), [11, 7, 11, 7, 9.9, 5.1])) == [("RAISED", 0)]


def test_n_of_m_begins_at_the_oldest_score_that_counted() -> None:
    found = _judge(SlotRule(10, 5, n=3, m=5), [11, 0, 0, 0, 0, 11, 0, 11, 0, 12])
    assert _said(found) == [("RAISED", 9)]
    assert found[0].first_seen_us == 5 * SECOND
    assert (found[0].count, found[0].peak) == (3, 12.0)


def test_n_minus_one_of_m_never_raises() -> None:
    assert _judge(SlotRule(10, 5, n=3, m=4), [11, 11, 0, 0] * 20) == []


def test_the_condition_has_to_hold_for_the_duration_of_event_time() -> None:
    rule = SlotRule(10, 5, duration_s=3)
    assert _said(_judge(rule, [11, 11, 11, 0, 11, 11, 11, 11])) == [("RAISED", 7)]
    assert _said(_judge(rule, [11, 11, 11], step_s=2.0)) == [("RAISED", 2)]


def test_a_long_gap_breaks_a_condition_that_only_began() -> None:
    rule = SlotRule(10, 5, duration_s=60)
    assert _judge_at(rule, [(0, 11.0), (86_400 * SECOND, 11.0)]) == []
    assert _said(_judge_at(rule, [(0, 11.0), (70 * SECOND, 11.0)])) == [("RAISED", 1)]


def test_a_gap_never_clears_an_open_breach() -> None:
    assert _said(_judge_at(SlotRule(10, 5), [(0, 11.0), (86_400 * SECOND, 11.0)])) == [("RAISED", 0)]


def test_clearing_takes_the_clear_duration_without_a_break() -> None:
    rule = SlotRule(10, 5, clear_duration_s=3)
    assert _said(_judge(rule, [11, 0, 0, 6, 0, 0, 0, 0])) == [("RAISED", 0), ("CLEARED", 7)]


def test_beyond_the_critical_limit_it_escalates_once() -> None:
    found = _judge(SlotRule(10, 5, critical_at=20), [11, 21, 25, 11, 21, 0, 11])
    assert _said(found) == [("RAISED", 0), ("ESCALATED", 1), ("CLEARED", 5), ("RAISED", 6)]
    assert [t.critical for t in found] == [False, True, True, False]
    assert (found[2].count, found[2].peak) == (5, 25.0)


def test_what_is_critical_from_the_start_is_raised_as_critical() -> None:
    found = _judge(SlotRule(10, 5, critical_at=20, n=2, m=2), [21, 22])
    assert [(t.kind.value, t.critical) for t in found] == [("RAISED", True)]


def test_one_critical_score_is_not_n_of_m() -> None:
    assert _said(_judge(SlotRule(10, 5, critical_at=20, n=2, m=3), [11, 25, 11, 11])) == [("RAISED", 1)]


def test_after_clearing_the_refractory_time_has_to_pass() -> None:
    rule = SlotRule(10, 5, refractory_s=4)
    assert _said(_judge(rule, [11, 0, 11, 11, 11, 11])) == [("RAISED", 0), ("CLEARED", 1), ("RAISED", 5)]


def test_falling_to_a_share_of_the_peak_clears_and_rearms_above_the_level_it_cleared_at() -> None:
    rule = SlotRule(10, 5, clear_share=0.5)
    found = _judge(rule, [40, 50, 26, 25, 30, 49, 50, 6, 5, 11])
    assert _said(found) == [("RAISED", 0), ("CLEARED", 3), ("RAISED", 6), ("CLEARED", 7), ("RAISED", 9)]


def test_silence_changes_nothing() -> None:
    rule = SlotRule(10, 5, n=2, m=2, clear_duration_s=2)
    nan = float("nan")
    found = _judge(rule, [11, nan, 11, nan, 0, nan, nan, 0])
    assert _said(found) == [("RAISED", 2), ("CLEARED", 7)]


def test_a_clock_that_goes_back_starts_the_pending_phase_anew() -> None:
    assert (
        _judge_at(SlotRule(10, 5, duration_s=5), [(100 * SECOND, 11.0), (50 * SECOND, 11.0), (54 * SECOND, 11.0)]) == []
    )


@pytest.mark.parametrize("rule", [SlotRule(1, 2), SlotRule(2, 1, n=0), SlotRule(2, 1, n=3, m=2), SlotRule(2, 1, m=65)])
def test_limits_that_make_no_sense_are_refused(rule: SlotRule) -> None:
    with pytest.raises(ValueError, match=r"rule|limit"):
        BreachRules().add_slots([rule])


def test_a_breach_of_the_database_is_gone_on_with_and_one_it_does_not_know_is_dropped() -> None:
    rules = BreachRules()
    rules.add_slots([SlotRule(10, 5), SlotRule(10, 5)])
    rules.open_slot(0, first_seen_us=7, count=3, peak=12.0, critical=False)
    slot, row = np.array([0, 1]), np.array([0, 1])
    found = rules.judge(slot, row, np.array([SECOND, SECOND]), np.array([0.0, 11.0]))
    assert [(t.kind.value, t.slot, t.first_seen_us) for t in found] == [("CLEARED", 0, 7), ("RAISED", 1, SECOND)]
    rules.close_slot(1)
    assert rules.judge(slot, row, np.array([2 * SECOND] * 2), np.array([0.0, 0.0])) == []


@dataclass
class _Model:
    """The documented rules for one slot, one score at a time, without arrays."""

    rule: SlotRule
    window: list[bool] = field(default_factory=list)
    beyond: list[int] = field(default_factory=list)
    since: int | None = None
    first: int = 0
    is_open: bool = False
    below_since: int | None = None

    def step(self, at_us: int, score: float) -> str | None:
        is_beyond = score >= self.rule.raise_at
        self.window = [*self.window, is_beyond][-self.rule.m :]
        self.beyond = [*self.beyond, at_us] if is_beyond else self.beyond
        if self.is_open:
            self.below_since = (self.below_since or at_us) if score <= self.rule.clear_at else None
            if self.below_since is not None and at_us - self.below_since >= self.rule.clear_duration_s * SECOND:
                self.__init__(self.rule)  # type: ignore[misc]
                return "CLEARED"
            return None
        if sum(self.window) < self.rule.n:
            self.since = None
            return None
        if self.since is None:
            self.since, self.first = at_us, self.beyond[-self.rule.n]
        if is_beyond and at_us - self.since >= self.rule.duration_s * SECOND:
            self.is_open, self.below_since = True, None
            return "RAISED"
        return None


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 4.0, 7.0, 10.0, 12.0]), max_size=60),
    n=st.integers(1, 4),
    more=st.integers(0, 4),
    duration=st.integers(0, 4),
    clear=st.integers(0, 4),
)
def test_the_rules_are_what_they_are_documented_to_be(
    scores: list[float], n: int, more: int, duration: int, clear: int
) -> None:
    rule = SlotRule(10, 5, n=n, m=n + more, duration_s=duration, clear_duration_s=clear)
    model = _Model(rule)
    expected = []
    for k, score in enumerate(scores):
        said = model.step(SECOND * (k + 1), score)
        if said is not None:
            expected.append((said, k, model.first if said == "RAISED" else None))
    found = _judge_at(rule, [(SECOND * (k + 1), score) for k, score in enumerate(scores)])
    assert [(t.kind.value, t.row, t.first_seen_us if t.kind == "RAISED" else None) for t in found] == expected


@pytest.mark.parametrize("whole", [True, False])
def test_a_check_point_leaves_out_untouched_slots_and_goes_on_as_before(whole: bool) -> None:
    """`whole`: a check-point of before slots were left out."""
    rule = SlotRule(10, 5, n=2, m=3, refractory_s=20)
    random = np.random.default_rng(2)
    scores = np.where(random.random((60, 40)) < 0.08, 12.0, 0.0)
    scores[:, ::2] = 0.0
    scores[25:, 1] = 12.0
    first, second = BreachRules(), BreachRules()
    for rules in (first, second):
        rules.add_slots([rule] * 40)
    everything = np.arange(40, dtype=np.int64)
    second.judge(everything, everything, np.zeros(40, dtype=np.int64), np.full(40, 12.0))  # to be overwritten

    def judge(rules: BreachRules, row: int) -> list[SlotTransition]:
        return rules.judge(everything, everything, np.full(40, row * SECOND), scores[row])

    for row in range(30):
        judge(first, row)
    arrays = first.state_to_arrays()
    assert 0 < arrays["busy"].shape[0] <= 20
    if whole:
        touched = arrays.pop("touched")
        for one in (*first.fields, *Episodes.FIELDS):
            if one.kept:
                every: NDArray[Any] = np.full((40, one.width), one.fill, dtype=one.dtype)
                every[touched] = arrays[one.name].reshape(-1, one.width)
                arrays[one.name] = every.reshape(-1)
    second.adopt_arrays(arrays, everything, everything)
    expected = [judge(first, row) for row in range(30, 60)]
    assert any(expected)
    assert [judge(second, row) for row in range(30, 60)] == expected


def test_an_idle_slot_costs_a_few_bytes_and_what_ended_leaves_its_place_to_others() -> None:
    rules = BreachRules()
    rules.add_slots([SlotRule(10, 5, clear_share=0.5)] * 1000)
    assert rules.bytes_per_slot <= 32
    some = np.arange(100, dtype=np.int64)
    rng = np.random.default_rng(3)
    for k in range(200):
        score = np.where(rng.random(100) < 0.5, 12.0, 0.0)
        rules.judge(some + 100 * (k % 10), some, np.full(100, k * SECOND), score)
        rules.judge(some + 100 * (k % 10), some, np.full(100, k * SECOND + 1), np.zeros(100))
    assert not rules.busy.any()
    assert rules.state_to_arrays()["slots"].tolist() == [1000]
    assert (rules.find_episode(5).count, rules.find_episode(5).critical) == (0, False)
    assert rules.places_held <= 200


def test_a_breach_that_is_forgotten_takes_its_limit_for_the_next_one_along() -> None:
    """The database closed it: what a restart would begin with is what goes on."""
    rules = BreachRules()
    rules.add_slots([SlotRule(10, 5, clear_share=0.5)])
    rules.open_slot(0, SECOND, 1, 30.0, critical=False)
    rules.close_slot(0)
    slot = np.zeros(1, dtype=np.int64)
    assert not rules.is_open[0]
    assert not rules.busy[0]
    (raised,) = rules.judge(slot, slot, np.array([2 * SECOND]), np.array([11.0]))
    assert (raised.kind.value, raised.peak, raised.count) == ("RAISED", 11.0, 1)
