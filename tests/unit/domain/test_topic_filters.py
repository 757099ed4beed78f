"""Topic filters as MQTT has them; what is covered never matches more than what covers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.topic_filters import covers_filter, is_topic, matches_topic

LEVEL = st.sampled_from(["a", "b", "", "$SYS", "+"])
FILTERS = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(LEVEL, min_size=1, max_size=4),
    st.sampled_from([(), ("#",)]),
)
TOPICS = st.lists(st.sampled_from(["a", "b", "", "$SYS"]), min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("forewarn/v1/S/+", "forewarn/v1/S/telemetry", True),
        ("forewarn/v1/S/+", "forewarn/v1/S", False),
        ("forewarn/v1/S/+", "forewarn/v1/S/down/config", False),
        ("forewarn/v1/S/+", "forewarn/v1/T/telemetry", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("a/+", "a/", True),
        ("a", "a/", False),
        ("a/#", "a/+", False),
        ("a/#", "a/\0", False),
        ("", "a", False),
        ("a", "", False),
    ],
)
def test_matching(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches_topic(topic_filter, topic) is expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("forewarn/v1/S/down/#", "forewarn/v1/S/down/#", True),
        ("forewarn/v1/S/down/#", "forewarn/v1/S/down/+", True),
        ("forewarn/v1/S/down/#", "forewarn/v1/S/#", False),
        ("forewarn/v1/S/down/#", "forewarn/v1/+/down/#", False),
        ("forewarn/v1/S/down/#", "$share/g/forewarn/v1/S/down/#", False),
        ("spBv1.0/+/NCMD/E/#", "spBv1.0/Ward 3/NCMD/E", True),
        ("a/+", "a/#", False),
        ("a/#", "a/b#", False),
        ("a/#", "a/#/b", False),
        ("#", "+/a", True),
    ],
)
def test_covering(outer: str, inner: str, expected: bool) -> None:
    assert covers_filter(outer, inner) is expected


@given(FILTERS, FILTERS, TOPICS)
def test_what_is_covered_matches_nothing_more(outer: str, inner: str, topic: str) -> None:
    if is_topic(topic) and covers_filter(outer, inner) and matches_topic(inner, topic):
        assert matches_topic(outer, topic)
