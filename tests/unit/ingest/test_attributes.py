"""Attributes: what may be kept stays as it was said, and nothing gets in that the database could not hold."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.report import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_KEY, AttributeReport, report_from_json, report_to_json
from ingest.attributes import judge_attributes
from ingest.decode import decode_document
from ingest.device_table import TopicKind
from ingest.formats.contract import ReportPart

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(codec=None), max_size=5),
        st.just("\0"),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


def _judge(attributes: Any) -> tuple[dict[str, Any], list[str | None]]:
    part = ReportPart("SN-1", "", TopicKind.ATTRIBUTES, {"attributes": attributes})
    report, problems = judge_attributes(part, 7, 1, 2)
    return dict(report.attributes) if report else {}, [problem.field for problem in problems]


@given(st.dictionaries(st.text(st.characters(codec=None), max_size=4), anything, max_size=4))
@settings(max_examples=120, deadline=None)
def test_what_is_kept_the_database_can_hold(attributes: dict[str, Any]) -> None:
    kept, refused = _judge(attributes)
    assert len(kept) <= len(attributes) - len(refused) or not attributes
    for key, value in kept.items():
        assert "\0" not in key
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        assert "\\u0000" not in text.replace("\\\\", "")
        text.encode()
        assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) <= MAX_ATTRIBUTE_BYTES


@given(
    st.dictionaries(
        st.text("abc_", min_size=1, max_size=4),
        st.one_of(st.integers(-9, 9), st.text("ab\\u0", max_size=9)),
        min_size=1,
    )
)
@settings(max_examples=60, deadline=None)
def test_what_is_harmless_is_kept_as_it_was_said(attributes: dict[str, Any]) -> None:
    assert _judge(attributes) == (attributes, [])


def test_each_bad_attribute_costs_itself() -> None:
    long_key = "k" * (MAX_ATTRIBUTE_KEY + 1)
    document = decode_document(b'{"twice": 1, "twice": 2, "nan": NaN, "good": {"a": [1, null]}, " ": 1}')
    assert isinstance(document, dict)
    kept, refused = _judge(
        document | {long_key: 1, "long": "x" * MAX_ATTRIBUTE_BYTES, "fits": "x" * (MAX_ATTRIBUTE_BYTES - 2)}
    )
    assert kept == {"good": {"a": [1, None]}, "fits": "x" * (MAX_ATTRIBUTE_BYTES - 2)}
    assert refused == [
        "attributes.twice",
        "attributes.nan",
        "attributes. ",
        f"attributes.{'k' * 79}…",
        "attributes.long",
    ]


def test_what_is_nested_without_end_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    assert _judge({"deep": nested, "good": 1}) == ({"good": 1}, ["attributes.deep"])


def test_a_report_comes_back_from_json_as_it_was() -> None:
    report = AttributeReport(7, 1, 2, {"ward": "ICU 2", "lamp": {"hours": 7}})
    assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report
