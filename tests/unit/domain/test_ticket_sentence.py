from datetime import UTC, datetime
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sentence_templates import SENTENCES
from domain.sentences import LANGUAGES, describe_forecast, duration, instant, quantity, render
from domain.ticket_sentence import CLAUSES, find_sureness, render_ticket

BEFORE = {
    "serial": "SN-0017",
    "label": {"en": "Motor current", "zh": "电机电流"},
    "value": quantity(1.9041, "A", 1),
    "peak": quantity(1.92, "A", 1),
    "limit": quantity(1.8, "A", 1),
    "duration": duration(180),
}
PARAMS: dict[str, Any] = BEFORE | {
    "since": instant(datetime(2026, 3, 2, 8, 13, tzinfo=UTC)),
    "sure": {"kind": "measured"},
    "part": {"en": "Drive unit (PN 200-0110)", "zh": "驱动组件（PN 200-0110）"},
    "consequence": {"en": "The pump stops.", "zh": "输液泵停止。"},
}


def test_the_sentence_of_a_ticket() -> None:
    assert render_ticket("limit_high", PARAMS, "en") == (
        "Motor current of SN-0017 rose to 1.9 A, above its limit of 1.8 A, for 3 minutes; measured, not "
        "inferred; since 2026-03-02 08:13 UTC; suspected part: Drive unit (PN 200-0110); if nothing is done: the pump "
        "stops."
    )
    assert render_ticket("limit_high", PARAMS, "zh", ZoneInfo("Asia/Shanghai")) == (
        "SN-0017 的电机电流升至 1.9 A，高于上限 1.8 A，持续 3 分钟；实测，非推断；始于 2026-03-02 16:13 UTC+8；"
        "疑似部件：驱动组件（PN 200-0110）；若不处理：输液泵停止。"
    )


def test_a_trend_says_what_comes_instead_of_the_consequence() -> None:
    forecast = describe_forecast(70.0, 50.0, 120.0) | {"limit": quantity(2.2, "A", 1)}
    said = render_ticket("limit_high", PARAMS | {"forecast": forecast}, "en")
    assert said.endswith("; if nothing is done, it reaches 2.2 A in about 3 days (2 days to 5 days, 80 %).")
    open_end = describe_forecast(70.0, 50.0, None) | {"limit": quantity(2.2, "A", 1)}
    assert "(2 days at the earliest, 80 %)." in render_ticket("limit_high", PARAMS | {"forecast": open_end}, "en")
    assert "（最早 2 天，80%）。" in render_ticket("limit_high", PARAMS | {"forecast": open_end}, "zh")


def test_a_forecast_says_its_own_time() -> None:
    params = PARAMS | describe_forecast(70.0, 50.0, 120.0) | {"level": quantity(1.5, "A", 1), "sure": {"kind": "trend"}}
    assert render_ticket("forecast_high", params, "en").startswith(
        "Motor current of SN-0017 has risen steadily to 1.5 A and reaches its limit of 1.8 A in about 3 days (2 days "
        "to 5 days, 80 %); hardly chance (fewer than 1 in 1,000 signals without a trend look so); since"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sure": {"kind": "odds", "log10": 5.2}}, "hardly chance (a healthy signal does so about once in 100,000"),
        ({"sure": {"kind": "odds", "log10": 2.6}}, "may be chance (a healthy signal does so about once in 300 "),
        ({"sure": {"kind": "odds", "log10": 400.0}}, "about once in 1,000,000,000 readings"),
        ({"precision": {"useful": 11, "orders": 12}}, "very likely true (92 %: 11 of 12 earlier orders"),
        ({"precision": {"useful": 1, "orders": 8}}, "doubtful (12 %: 1 of 8 earlier orders"),
        ({"precision": {"useful": 4, "orders": 4}}, "; measured, not inferred;"),
    ],
)
def test_how_sure_is_a_word_and_a_number(more: dict[str, Any], said: str) -> None:
    assert said in render_ticket("limit_high", PARAMS | more, "en")


def test_older_records_stay_readable() -> None:
    for language in LANGUAGES:
        assert render_ticket("limit_high", BEFORE, language) == render("limit_high", BEFORE, language)
    assert render_ticket("unheard_of", {"serial": "SN-1"}, "en") == "unheard_of: SN-1."
    assert find_sureness({}) is None


def test_a_consequence_goes_on_without_its_capital() -> None:
    peep = PARAMS | {"consequence": {"en": "PEEP is lost.", "zh": "PEEP 不足。"}}
    assert render_ticket("limit_high", peep, "en").endswith("; if nothing is done: PEEP is lost.")
    assert render_ticket("limit_high", peep, "zh").endswith("；若不处理：PEEP 不足。")


def test_a_value_and_its_limit_have_the_decimals_of_their_signal() -> None:
    params = PARAMS | {"peak": quantity(0.5952, "A", 4), "limit": quantity(0.55, "A", 4)}
    assert "rose to 0.5952 A, above its limit of 0.5500 A, for" in render_ticket("limit_high", params, "en")
    params = PARAMS | {"peak": quantity(-0.00004, "%", 3), "limit": quantity(10.0, "%", 3)}
    assert "fell to 0.000%, below its limit of 10.000%, for" in render_ticket("limit_low", params, "en")
    forecast = describe_forecast(70.0, 50.0, 120.0) | {"limit": quantity(0.555, "A", 2)}
    assert "it reaches 0.555 A in" in render_ticket("limit_high", PARAMS | {"forecast": forecast}, "en")


@pytest.mark.parametrize("code", sorted(CLAUSES))
def test_every_clause_has_both_languages_with_the_same_parameters(code: str) -> None:
    assert set(CLAUSES[code]) == set(LANGUAGES)
    fields = [{name for _, name, _, _ in Formatter().parse(CLAUSES[code][lang]) if name} for lang in LANGUAGES]
    assert fields[0] == fields[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "en",
                    "zh",
                    "at",
                    "seconds",
                    "low_s",
                    "high_s",
                    "unit",
                    "value",
                    "decimals",
                    "kind",
                    "log10",
                    "orders",
                    "useful",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    code=st.sampled_from(sorted(SENTENCES)),
    params=st.dictionaries(
        st.sampled_from(["serial", "label", "since", "sure", "precision", "part", "consequence", "forecast", "peak"]),
        JSON,
    ),
    language=st.sampled_from(["en", "zh", "fr"]),
)
def test_no_record_whatever_it_holds_makes_a_ticket_unreadable(
    code: str, params: dict[str, Any], language: str
) -> None:
    assert render_ticket(code, params, language)
