"""Whom an order is suggested to, and why."""

from dataclasses import replace
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.assignment import (
    SENTENCES,
    AssignmentReason,
    Candidate,
    Work,
    explain_reason,
    explain_suggestion,
    find_suggestions,
)

DAY = date(2026, 11, 22)
WORK = Work("PUMP", "EU", "motor_wear")
TINA = Candidate(1, "tina", "Tina", date(2030, 1, 1))
R = AssignmentReason


def find_order(*candidates: Candidate, work: Work = WORK) -> list[str]:
    return [s.name for s in find_suggestions(work, candidates, DAY)]


def test_only_who_may_is_suggested() -> None:
    none = replace(TINA, name="none", certified_until=None)
    past = replace(TINA, name="past", certified_until=date(2026, 11, 21))
    today = replace(TINA, name="today", certified_until=DAY)
    assert find_order(none, past, today) == ["today"]
    assert find_order(none, past, today, work=replace(WORK, model=None)) == ["none", "past", "today"]


def test_place_past_and_load_count_and_names_decide_between_equals() -> None:
    near, far, any_ = (replace(TINA, name=n, regions=r) for n, r in (("near", ("EU",)), ("far", ("CN",)), ("any", ())))
    assert find_order(far, any_, near) == ["near", "any", "far"]
    good, new, bad = (
        replace(TINA, name=n, fixed=f, tried=t) for n, f, t in (("good", 9, 10), ("new", 0, 0), ("bad", 1, 10))
    )
    assert find_order(bad, new, good) == ["good", "new", "bad"]
    free, busy, urgent = (
        replace(TINA, name=n, open_orders=o, urgent_orders=u)
        for n, o, u in (("free", 0, 0), ("busy", 3, 0), ("urgent", 3, 3))
    )
    assert find_order(urgent, busy, free) == ["free", "busy", "urgent"]
    assert find_order(replace(TINA, name="b"), replace(TINA, name="a")) == ["a", "b"]


def test_a_score_is_what_the_page_says() -> None:
    (one,) = find_suggestions(WORK, [replace(TINA, regions=("EU",), open_orders=1, fixed=3, tried=4)], DAY)
    assert one.score == round(0.35 * 1 + 0.35 * 4 / 6 + 0.30 / 2, 4)
    assert [r.code for r in one.reasons] == [R.CERTIFIED, R.IN_REGION, R.OPEN_ORDERS, R.FIXED_BEFORE]
    assert explain_suggestion(one.reasons, "en") == (
        "certified for PUMP until 2030-01-01; works in EU; open orders: 1, of these urgent: 0; "
        "put this fault right in 3 of 4 orders"
    )
    assert "区域" in explain_suggestion(one.reasons, "zh")


def test_a_certificate_that_runs_out_soon_is_said() -> None:
    (one,) = find_suggestions(WORK, [replace(TINA, certified_until=date(2026, 12, 1))], DAY)
    assert one.reasons[0].code is R.CERTIFICATE_EXPIRES_SOON
    (other,) = find_suggestions(replace(WORK, model=None), [replace(TINA, certified_until=None)], DAY)
    assert other.reasons[0].code is R.NO_CERTIFICATE_NEEDED


def test_every_reason_has_both_languages() -> None:
    assert SENTENCES.keys() == set(R)
    assert all(texts.keys() == {"en", "zh"} for texts in SENTENCES.values())


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        user_id=st.integers(1, 9),
        name=st.sampled_from("abcdefgh"),
        full_name=st.just("X"),
        certified_until=st.one_of(st.none(), st.dates(date(2026, 11, 1), date(2027, 1, 1))),
        regions=st.sampled_from([(), ("EU",), ("CN", "US")]),
        open_orders=st.integers(0, 50),
        urgent_orders=st.integers(0, 50),
        fixed=st.integers(0, 20),
        tried=st.integers(20, 40),
    ),
    max_size=8,
    unique_by=lambda c: c.name,
)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(CANDIDATES, st.randoms())
def test_the_same_facts_give_the_same_order_whatever_their_own(candidates: list[Candidate], random: object) -> None:
    shuffled = candidates[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = find_suggestions(WORK, candidates, DAY)
    assert found == find_suggestions(WORK, shuffled, DAY)
    assert all(0 <= s.score <= 1 for s in found)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    for suggestion in found:
        assert len(suggestion.reasons) == 4
        assert all(explain_reason(r, lang) for r in suggestion.reasons for lang in ("en", "zh"))
