"""Numbers with their nouns: one is one, nothing and all others are many, less than one is said like one."""

import re
from pathlib import Path

import pytest

from domain.counting import fill_counts, find_forms, is_one, say_count


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 devices"),
        (1, "1 device"),
        (2, "2 devices"),
        (1_204, "1,204 devices"),
        (1.0, "1 device"),
        (1.5, "1.5 devices"),
        (0.4, "0.4 devices"),
        ("1", "1 device"),
        ("1,204", "1,204 devices"),
        ("1.0", "1.0 devices"),
        ("< 1", "< 1 device"),
        ("–", "– devices"),
    ],
)
def test_one_is_said_in_the_singular_and_nothing_else_is(count: float | str, said: str) -> None:
    assert say_count(count, "device") == said
    assert is_one(count) is said.endswith("device")


def test_a_noun_that_takes_more_than_an_s_says_so() -> None:
    assert [say_count(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
    assert [say_count(n, "byte follows", "bytes follow") for n in (1, 2)] == ["1 byte follows", "2 bytes follow"]


def test_each_number_of_a_template_has_its_own_noun() -> None:
    template = "{devices:device reports|devices report} {versions:version|versions} of {model}, {share:.0%} {{now}}"
    assert fill_counts(template, {"devices": 1, "versions": 2, "model": "A|B", "share": 0.5}) == (
        "1 device reports 2 versions of A|B, 50% {now}"
    )
    assert fill_counts("{n} of {{n}}", {"n": 3}) == "3 of {n}"
    with pytest.raises(KeyError):
        fill_counts("{devices:device|devices}", {})


def test_a_spec_without_a_choice_counts_nothing() -> None:
    assert find_forms("device|devices") == ("device", "devices")
    assert find_forms(",.1f") is find_forms("") is None


@pytest.mark.parametrize(
    ("template", "param", "said"),
    [
        ("{x} 后恢复", "7 分钟", "7 分钟后恢复"),
        ("{x} 后恢复", "14:05", "14:05 后恢复"),
        ("{x} 后恢复", "?", "? 后恢复"),
        ("评分于 {x} 运行。", "刚刚", "评分于刚刚运行。"),
        ("评分于 {x} 运行。", "5 分钟前", "评分于 5 分钟前运行。"),
        ("设备 {x}", "（未知）", "设备（未知）"),
        ("于 {x} 后", "", "于  后"),
        ("期间，{x} {x}取消。", "张三", "期间，张三张三取消。"),
        ("期间，{x} {x}取消。", "Tom", "期间，Tom Tom取消。"),
        ("期间，{x} {x}取消。", "7 分钟前", "期间，7 分钟前 7 分钟前取消。"),
        ("期间，{x} {x}取消。", "", "期间， 取消。"),
        # The blanks of what is filled in are whoever's wrote them; without a Chinese word it is of any language.
        ("由 {x} 处理", "张 三", "由张 三处理"),
        ("{x} {x}", "张三", "张三 张三"),
        ("{{x}} 后 {x:,.1f} 次", 1234.56, "{x} 后 1,234.6 次"),
        ("after {x} the", "7 分钟", "after 7 分钟 the"),
    ],
)
def test_no_blank_stands_between_two_chinese_words_and_one_before_a_figure(
    template: str, param: str | float, said: str
) -> None:
    assert fill_counts(template, {"x": param}) == said


PACKAGES = ("accounts", "anomaly", "api", "domain", "forewarn", "ingest", "lab", "service_link", "simulators", "store")
NOUNS = re.compile(r"""say_count\([^"'\n]*?, ["']([a-z -]+)["'](?:, ["']([a-z -]+)["'])?""")
# Constants are never one, what is said with decimals (1.0 hours) is plural, and `name` is that of the program.
NEVER_ONE = re.compile(r"name|[A-Z_0-9.]*[A-Z][A-Z_0-9]+(?::.*)?|.*:[,.\d]*[f%]")


def read_sources() -> dict[str, str]:
    root = Path(__file__).parents[3]
    return {str(path.relative_to(root)): path.read_text("utf-8") for p in PACKAGES for path in (root / p).rglob("*.py")}


def test_no_program_says_a_bare_number_before_a_noun_that_is_counted_elsewhere() -> None:
    sources = read_sources()
    nouns = set()
    for one, other in (found for text in sources.values() for found in NOUNS.findall(text)):
        # "root cause refers", "root causes refer": the noun is the word that gets an s.
        words = zip(one.split(), (other or f"{one}s").split(), strict=False)
        nouns |= {many for single, many in words if many in (f"{single}s", f"{single[:-1]}ies")}
    nouns.remove("times")  # also a factor
    assert {"devices", "rows", "bytes", "entries", "actions"} <= nouns
    bare = re.compile(rf"\{{([^{{}}\n]+)\}} (?:(?!for\b|that\b)[a-z]+ )?(?:{'|'.join(sorted(nouns))})\b(?!\|)")
    found = [
        f"{name}: {match.group()}"
        for name, text in sorted(sources.items())
        for match in bare.finditer(text)
        if not NEVER_ONE.fullmatch(match[1])
    ]
    assert found == [], "\n".join(found)
