"""Every sentence that ingest says of a refused message has a Chinese one; what no version knows stays as written."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
from api.console.rejection_words import Detail, tell_detail, tell_pattern
from domain.counting import say_count
from ingest.decode import describe

INGEST = Path(next(iter(ingest.__path__)))
MAKERS = {"Problem", "refuse", "_refuse"}
# Put together from words that are tried below.
COMPOSED = {"must be 7, not 7", "7 in 7 7"}


def find_text(node: ast.expr) -> str | None:
    """A text of the source with `7` where it is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else fill_place(part) for part in node.values)
    return None


def fill_place(part: ast.expr) -> str:
    """What may stand in the place: a count brings its noun along."""
    match part:
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="say_count"), args=[_, *nouns])):
            return say_count(7, *(str(noun.value) for noun in nouns if isinstance(noun, ast.Constant)))
    return "7"


def find_details() -> Iterator[tuple[str, str]]:
    """(place, sentence) of all that becomes a detail: named so, given to what makes a problem, or returned with one."""
    for path in sorted(INGEST.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            given: list[ast.expr] = []
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "detail" for t in node.targets):
                given = [node.value]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                given = node.args
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                given = node.value.elts
            for one in given:
                text = find_text(one)
                if text and " " in text.strip() and text not in COMPOSED:
                    yield f"{path.name}:{one.lineno}", text


def test_every_sentence_of_ingest_is_told_in_chinese() -> None:
    found = list(find_details())
    assert len(found) > 60
    untold = [f"{place} {text}" for place, text in found if tell_detail("zh", text).tag]
    assert untold == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("no device has the serial INF-00000", "没有序列号为 INF-00000 的设备"),
        ("no device has the serial 'INF-00000'", "没有序列号为“INF-00000”的设备"),
        (f"must be an object, not {describe([1, 2, 3])}", "应为对象，实际为含 3 项的列表"),
        (f"must be JSON, not {describe(3.5)}", "应为 JSON，实际为 3.5"),
        ("line 1, column 12: Expecting value", "第 1 行第 12 列：此处应为值"),
        (
            "the gateway 'GW-1' spoke for 'INF-1', which is assigned to no gateway",
            "网关“GW-1”代为上报“INF-1”，但该设备归属：无",
        ),
        ("must be a boolean, not 7", "应为布尔值，实际为 7"),
        ("gzip: 1 byte follows the stream", "gzip：数据流之后还有 1 字节"),
        ("gzip: 1 bytes follow the stream", "gzip：数据流之后还有 1 字节"),
        ("7 in int_value has no data type", "int_value 中的 7 没有数据类型"),
        ("7 in int_value is no DOUBLE", "int_value 中的 7 不是 DOUBLE"),
        ("2026-01-01T00:00:00Z is 3 days in the future of its receipt", "2026-01-01T00:00:00Z 比接收时间晚 3 天"),
        (
            "'X' is no registered device; it is kept 1 times a second, 5 at once after a quiet time; 10 with 20 values "
            "went beyond that within 3.0 s, of which this is the first: no device has the serial 'X'",
            "“X”不是已登记的设备；每秒保留 1 条，静默之后一次 5 条；3.0 秒内有 10 条（20 个值）超出，这是其中第一条："
            "没有序列号为“X”的设备",
        ),
    ],
)
def test_figures_and_names_are_kept_and_what_was_written_stays_beside(written: str, told: str) -> None:
    assert tell_detail("zh", written) == Detail(told, raw=written)
    assert tell_detail("en", written) == Detail(written)


def test_a_sentence_of_no_known_version_stays_as_it_was_written() -> None:
    assert tell_detail("zh", "a moon of another planet") == Detail("a moon of another planet", tag="en")
    assert tell_detail("zh", "") == Detail("")


@pytest.mark.parametrize(
    ("written", "group", "told"),
    [
        (
            "must be above clear_at (45), or the breach would raise and clear at once",
            "threshold_problem",
            "须高于clear_at（45），否则异常会同时触发和解除",
        ),
        (
            "1e+09 is outside the physical range of level, 0 to 100 mm: it could never be read",
            "threshold_problem",
            "1e+09 超出level的物理范围（0 至 100 mm），永远不会测到",
        ),
        ("it looks at less than 3 minutes at a time", "backtest_reason", "它每次判断所用的分钟数据不足 3 个"),
        ("it rains", "backtest_reason", None),
    ],
)
def test_what_a_threshold_or_a_backtest_lacks_is_told(written: str, group: str, told: str | None) -> None:
    assert tell_pattern("zh", written, group) == told
