import re
from string import Formatter
from typing import Any

import pytest

from domain.sentence_templates import AT_LIMIT, SENTENCES
from domain.sentences import LANGUAGES, duration, fill, find_unit_sign, quantity, render, set_unit

CURRENT = {"en": "Motor current", "zh": "电机电流"}
APART = re.compile("[一-鿿] [一-鿿]")


def _fields(template: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(template) if field}


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_reason_has_both_languages_with_the_same_parameters(code: str) -> None:
    assert set(SENTENCES[code]) == set(LANGUAGES)
    assert _fields(SENTENCES[code]["en"]) == _fields(SENTENCES[code]["zh"])
    assert any("一" <= c <= "鿿" for c in SENTENCES[code]["zh"])
    assert not any("一" <= c <= "鿿" for c in SENTENCES[code]["en"])


def test_the_sentence_of_an_adaptive_breach() -> None:
    params: dict[str, Any] = {
        "serial": "SN-0017",
        "label": CURRENT,
        "value": quantity(1.9041, "A", 1),
        "expected": quantity(1.2, "A", 1),
        "score": 4.21,
        "duration": duration(180),
    }
    assert render("adaptive_high", params, "en") == (
        "Motor current of SN-0017 rose to 1.9 A, 4.2 robust deviations above its own recent level of 1.2 A, "
        "for 3 minutes."
    )
    assert render("adaptive_high", params, "zh") == (
        "SN-0017 的电机电流升至 1.9 A，比其自身近期水平 1.2 A 高出 4.2 个稳健偏差，持续 3 分钟。"
    )


def test_a_time_span_in_the_middle_of_a_chinese_sentence_has_no_blank_behind_it() -> None:
    params = {"serial": "SN-1", "label": CURRENT, "duration": duration(420), "code": "E-17", "value": "1.2 A"}
    assert render("code_quiet", params, "zh") == "SN-1 已有 7 分钟没有再次上报报警 E-17。"
    assert render("back_to_normal", params, "zh") == "SN-1 的电机电流在 7 分钟后恢复正常，为 1.2 A。"


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_no_sentence_has_a_blank_between_two_chinese_words(code: str) -> None:
    spans = {"duration": duration(420), "left": duration(420), "interval": {"low_s": 60.0, "high_s": 420.0}}
    for said_of_all in (duration(420), CURRENT):
        params = dict.fromkeys(_fields(SENTENCES[code]["zh"]), said_of_all) | spans
        for templates in (SENTENCES, AT_LIMIT):
            if code in templates:
                assert not APART.search(said := fill(templates[code]["zh"], params, "zh")), said


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 seconds", "0 秒"),
        (1, "1 second", "1 秒"),
        (119, "119 seconds", "119 秒"),
        (120, "2 minutes", "2 分钟"),
        (7_200, "2 hours", "2 小时"),
        (259_200, "3 days", "3 天"),
        (-5, "0 seconds", "0 秒"),
    ],
)
def test_time_spans(seconds: float, en: str, zh: str) -> None:
    params = {"serial": "S", "duration": duration(seconds)}
    assert render("offline", params, "en") == f"S has been offline for {en}."
    assert render("offline", params, "zh") == f"S 已离线 {zh}。"


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "said"),
    [(9.449, "kPa", 1, "9.4 kPa"), (36.61, "Cel", 1, "36.6 °C"), (61, "%", 0, "61%"), (-0.001, "1", 1, "0.0")],
)
def test_quantities_have_the_decimals_of_their_sensor(value: float, unit: str, decimals: int, said: str) -> None:
    params = {"serial": "S", "label": CURRENT, "peak": quantity(value, unit, decimals), "limit": "L", "duration": "D"}
    assert f"rose to {said}, above" in render("limit_high", params, "en")


def test_what_is_unknown_stays_readable() -> None:
    assert render("from_the_future", {"serial": "SN-1"}, "en") == "from_the_future: SN-1"
    assert render("from_the_future", {}, "zh") == "from_the_future"
    assert render("offline", {"serial": "SN-1"}, "fr") == "SN-1 has been offline for ?."


def test_text_that_looks_like_a_template_is_text() -> None:
    said = render("device_code", {"serial": "{code}", "code": "E1", "message": "{0}{serial}"}, "en")
    assert said == "{code} reported its own alarm E1: {0}{serial}"


@pytest.mark.parametrize(
    ("unit", "sign"),
    [
        ("Cel", "°C"),
        ("m/s2", "m/s²"),
        ("m3/h", "m³/h"),
        ("cm[H2O].s/L", "cmH₂O·s/L"),
        ("mm[Hg]", "mmHg"),
        ("uSv/h", "µSv/h"),
        ("kOhm", "kΩ"),
        ("mL/h", "mL/h"),
        ("min", "min"),
        ("1", ""),
    ],
)
def test_units_are_written_for_people(unit: str, sign: str) -> None:
    assert find_unit_sign(unit) == sign
    assert render("limit_high", {"peak": quantity(2.0, unit, 1)}, "en").count(f"2.0 {sign}".strip()) == 1
    assert set_unit("2.0", sign) == f"2.0 {sign}".strip()
    assert set_unit("61", "%") == "61%"


def test_a_monitor_and_a_fault_are_called_by_their_names_and_by_their_keys_where_a_record_has_no_name() -> None:
    name = {"en": "Motor current: limit, high", "zh": "电机电流：限值（上限）"}
    params: dict[str, Any] = {"serial": "SN-1", "monitor": "motor_current_high", "monitor_name": name}
    assert (
        render("device_decommissioned", params, "zh") == "SN-1 已退役；其未结束的“电机电流：限值（上限）”异常已关闭。"
    )
    del params["monitor_name"]
    assert "“motor_current_high”" in render("device_decommissioned", params, "en")
    asked = {"serial": "SN-1", "fault_group": "motor"}
    assert render("manual_order", asked, "en") == "Service was asked for SN-1: motor."
    named = asked | {"fault_name": {"en": "Drive", "zh": "驱动"}}
    assert render("manual_order", named, "zh") == "SN-1 申请了服务：驱动。"
