from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.figures import count_decimals, say_beside, say_figure, say_limit
from domain.sentence_templates import SENTENCES
from domain.sentences import LANGUAGES, fill, quantity, render

CURRENT = {"en": "Motor current", "zh": "电机电流"}
DECIMALS = st.integers(0, 9)
FIGURES = st.floats(-1e5, 1e5, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-6)
LIMITS = st.decimals(-10_000, 10_000, places=6).map(float) | st.sampled_from([0.55, 0.555, 12.0, 1e-6, -25.0])
# Beyond it by a step, by a hair, by nothing at all.
NEAR = st.tuples(LIMITS, st.sampled_from([0.0, 1e-9, 4e-7, 3e-4, 0.004, 0.05, 0.5, 7.0])).map(lambda p: (p[0], sum(p)))


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [
        (0.6655, 4, "0.6655"),
        (0.55, 4, "0.5500"),
        (-0.004, 2, "0.00"),
        (61.4, 0, "61"),
        (-3.0, 1, "-3.0"),
        (1.0, 99, "1." + "0" * 15),
    ],
)
def test_a_figure_has_exactly_its_decimals(value: float, decimals: int, said: str) -> None:
    assert say_figure(value, decimals) == said


@pytest.mark.parametrize(
    ("value", "count"), [(12.0, 0), (0.55, 2), (-0.125, 3), (1e21, 0), (1e-9, 9), (0.0, 0), (float("inf"), 0)]
)
def test_the_decimals_that_a_number_is_written_with(value: float, count: int) -> None:
    assert count_decimals(value) == count


@given(LIMITS, DECIMALS)
def test_a_limit_is_never_rounded(limit: float, decimals: int) -> None:
    said = say_limit(limit, decimals)
    assert float(said) == limit
    assert len(said.partition(".")[2]) >= decimals


@given(NEAR, DECIMALS)
@example((0.55, 0.5504), 2)
@example((0.555, 0.557), 2)
@example((0.5549, 0.5551), 2)
def test_what_is_beyond_a_limit_is_said_beyond_it(pair: tuple[float, float], decimals: int) -> None:
    limit, value = pair
    at, said = Decimal(say_limit(limit, decimals)), Decimal(say_beside(value, [limit], decimals))
    below = Decimal(say_beside(-value, [-limit], decimals))
    assert (said > at) == (value > limit)
    assert (below < -at) == (value > limit)


@given(FIGURES, FIGURES, DECIMALS)
def test_no_more_digits_than_needed(value: float, limit: float, decimals: int) -> None:
    said = say_beside(value, [limit], decimals)
    if say_figure(value, decimals) != say_figure(limit, decimals):
        assert said == say_figure(value, decimals)


def _read(sentence: str) -> list[str]:
    return [word for word in sentence.replace("，", " ").replace("。", " ").split() if word.lstrip("-")[:1].isdigit()]


@pytest.mark.parametrize("language", LANGUAGES)
@given(pair=NEAR, decimals=st.integers(0, 6))
@example(pair=(0.55, 0.6655), decimals=4)
@example(pair=(0.55, 0.5500001), decimals=2)
def test_a_sentence_says_both_with_the_same_decimals_and_on_their_sides(
    language: str, pair: tuple[float, float], decimals: int
) -> None:
    limit, value = pair
    params: dict[str, Any] = {
        "serial": "S",
        "label": CURRENT,
        "peak": quantity(value, "A", decimals),
        "limit": quantity(limit, "A", decimals),
        "duration": {"en": "D", "zh": "D"},
    }
    said = _read(fill("{peak} {limit}", params, language))
    assert len({len(figure.partition(".")[2]) for figure in said}) == 1
    assert len(said[0].partition(".")[2]) >= decimals
    assert Decimal(said[1]) == Decimal(repr(limit))
    assert (Decimal(said[0]) > Decimal(said[1])) == (value > limit)
    sentence = render("limit_high", params, language)
    assert f"{said[1]} A" in sentence
    assert f"{said[0]} A" in sentence
    assert sentence.count(" A") == (2 if value > limit else 1)


def test_what_stands_at_its_limit_is_not_said_to_be_beyond_it() -> None:
    params = {"serial": "S", "label": CURRENT, "duration": {"en": "a minute", "zh": "1 分钟"}}
    at = params | {"peak": quantity(55.0, "kPa", 2), "limit": quantity(55.0, "kPa", 2)}
    assert render("limit_high", at, "en") == "Motor current of S rose to its limit of 55.00 kPa, for a minute."
    assert render("limit_low", at, "zh") == "S 的电机电流降至下限 55.00 kPa，持续 1 分钟。"
    above = at | {"peak": quantity(55.004, "kPa", 2)}
    assert "rose to 55.004 kPa, above its limit of 55.000 kPa" in render("limit_high", above, "en")


def test_a_rate_is_compared_with_its_limit_and_the_value_is_not() -> None:
    params = {
        "serial": "S",
        "label": CURRENT,
        "rate": quantity(0.00042, "A", 2),
        "value": quantity(1.5, "A", 2),
        "limit": quantity(0.0004, "A", 2),
    }
    assert render("rate_of_change", params, "en") == (
        "Motor current of S changed by 0.00042 A per second to 1.50 A; its limit is 0.00040 A per second."
    )


def test_a_score_beyond_its_critical_one_is_said_beyond_it() -> None:
    params = {"serial": "S", "label": CURRENT, "score": 12.04, "critical": 12.0}
    assert "grew to 12.04, beyond the critical 12.00." in render("anomaly_critical", params, "en")


def test_other_units_and_broken_records_are_not_compared() -> None:
    params = {"peak": quantity(1.0, "V", 1), "limit": quantity(1.0, "A", 1)}
    assert fill("{peak} {limit}", params, "en") == "1.0 V 1.0 A"
    assert fill("{peak} {limit}", {"peak": "?", "limit": quantity(1.25, "A", 1)}, "en") == "? 1.25 A"
    assert fill("{peak} {limit}", {"peak": quantity(float("nan"), "A", 1), "limit": quantity(1.25, "A", 1)}, "en") == (
        "nan A 1.25 A"
    )
    for code in SENTENCES:
        assert render(code, {"limit": {"unit": None, "value": "x"}, "value": []}, "en")
