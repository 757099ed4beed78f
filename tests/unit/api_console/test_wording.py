"""No catalogue says a thing in the other language, whichever page may show it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.console.language import LANGUAGES, load_catalogue
from domain.kpi_catalogue import KPIS
from domain.monitor_names import DIRECTIONS, RULES
from domain.profile import Profile
from domain.profile_file import parse_profile
from domain.sentence_templates import SENTENCES
from tests.support.wording import find_chinese_words, find_english_words, find_keys

PROFILES = sorted((Path(__file__).parents[3] / "profiles").glob("*.yaml"))
# Words of the wire stand in these as they are sent.
QUOTING = ("rejection_detail.", "rejection_noun.")


def find_words(language: str) -> Iterator[tuple[str, str]]:
    """(where, text) of all that the console may say in that language, its parameters left out."""
    for key, message in load_catalogue(language).items():
        for form in [message] if isinstance(message, str) else message.values():
            yield key, re.sub(r"\{[a-z_0-9]*\}", " · ", form)
    for code, sentence in SENTENCES.items():
        yield f"sentence {code}", re.sub(r"\{[a-z_0-9]*\}", " · ", sentence[language])
    for kpi in KPIS:
        for text in (kpi.name, kpi.definition, kpi.numerator, kpi.denominator):
            yield f"figure {kpi.key}", text.zh if language == "zh" else text.en
    for code, text in (*RULES.items(), *DIRECTIONS.items()):
        yield f"monitor {code}", text.zh if language == "zh" else text.en
    for path in PROFILES:
        profile = parse_profile(path.read_text("utf-8"), path.stem)
        assert isinstance(profile, Profile), profile
        labels = [(one.key, one.label) for one in profile.sensors]
        labels += [(one.key, one.label) for one in profile.fault_groups]
        for key, label in labels:
            yield f"{path.stem} {key}", label.zh if language == "zh" else label.en


def test_chinese_words_are_chinese() -> None:
    said = [(where, text) for where, text in find_words("zh") if not where.startswith(QUOTING)]
    assert len(said) > 3_000
    assert [f"{where}: {run}" for where, text in said for run in find_english_words(text)] == []


def test_english_words_are_english() -> None:
    said = list(find_words("en"))
    assert [f"{where}: {run}" for where, text in said for run in find_chinese_words(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_words_are_keys(language: str) -> None:
    said = [(where, text) for where, text in find_words(language) if not where.startswith(QUOTING)]
    assert [f"{where}: {run}" for where, text in said for run in find_keys(text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The open breach of motor_current_high was closed.", ["motor_current_high"]),
        ("未结束的 motor_current_high 异常已关闭。", ["motor_current_high"]),
        ("Motor current: limit, high (motor_current_high), profile version 4", []),
        ("“处理工单”（work_order.work）", []),
        ("This needs work_order.work.", ["work_order.work"]),
        ("It is IN_PROGRESS.", ["IN_PROGRESS"]),
        ("Raises at: must be above clear_at (45).", ["clear_at"]),
        ("type-plate.png of demo.example at /api/v1/work_orders", []),
    ],
)
def test_keys_are_found_in_any_language(text: str, found: list[str]) -> None:
    assert find_keys(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("需要权限：“处理工单”（work_order.work）", []),
        ("自 2026-11-23 02:58（Asia/Shanghai）起", []),
        ("WO-2026-000001 的压力为 9.4 kPa", []),
        ("共 3 条，可用 forewarn audit verify 验证。", []),
        ("no device has the serial INF-1", ["no device has the serial"]),
        ("需要权限 work_order.work", ["work_order.work"]),
        ("motor_current_high，配置版本 4", ["motor_current_high"]),
        ("状态：waiting", ["waiting"]),
    ],
)
def test_english_among_chinese_is_found(text: str, found: list[str]) -> None:
    assert find_english_words(text) == found
