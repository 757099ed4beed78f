"""Versions in their order, ranges, and texts that have none."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.firmware_version import VersionRange, find_version_key, split_versions

ORDERED = [
    "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
    "1.0.0-rc.1", "1.0.0", "v1.0.1", "1.2", "1.9.9", "1.10", "2", "2.0.0.1", "10.0",
]  # fmt: skip
versions = st.builds(
    lambda numbers, pre: ".".join(map(str, numbers)) + (f"-{pre}" if pre else ""),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.sampled_from(["", "rc.1", "rc.2", "beta", "7"]),
)


def test_the_order_is_that_of_semantic_versions() -> None:
    keys = [find_version_key(version) for version in ORDERED]
    assert None not in keys
    assert all(a < b for a, b in pairwise(keys) if a is not None and b is not None)


@pytest.mark.parametrize(
    ("one", "other"), [("2.4", "2.4.0"), ("v2.4.1", "2.4.1"), ("2.4.1+b7", "2.4.1"), ("02.4", "2.4")]
)
def test_these_are_the_same_in_order(one: str, other: str) -> None:
    assert find_version_key(one) == find_version_key(other)


@pytest.mark.parametrize("text", ["", "R12", "2.4.1b", "2..4", "2.4-", "latest", "2.4.x", "1e5", "2.4.1 rc1", "٣.1"])
def test_what_has_no_order_is_not_guessed(text: str) -> None:
    assert find_version_key(text) is None
    assert VersionRange(since="1.0").find_membership(text) is None
    assert VersionRange().find_membership(text) is True


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        (VersionRange(since="2.0", before="2.4.1"), ["2.0", "2.4.0", "2.4.1-rc.1"], ["1.9", "2.4.1", "2.10"]),
        (VersionRange(since="2.9", until="2.10"), ["2.9", "2.9.9", "2.10.0"], ["2.8", "2.10.1", "2.11"]),
        (VersionRange(until="2.4"), ["0.1", "2.4", "2.4.0", "2.4-rc.1"], ["2.4.1"]),
    ],
)
def test_a_range_takes_in_what_lies_in_it(wanted: VersionRange, inside: list[str], outside: list[str]) -> None:
    assert split_versions(wanted, [*inside, *outside, "R12"]) == (inside, ["R12"])


def test_a_range_that_cannot_be_says_which_bound_is_wrong() -> None:
    assert set(VersionRange(since="R1").find_problems()) == {"since"}
    assert set(VersionRange(until="2", before="3").find_problems()) == {"before"}
    assert set(VersionRange(since="3", before="3").find_problems()) == {"since"}
    assert VersionRange(since="3", until="3").find_problems() == {}
    with pytest.raises(ValueError, match="range"):
        VersionRange(since="R1").find_membership("2.0")


@given(versions, versions, versions)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_order_is_total_and_ranges_agree_with_it(low: str, high: str, version: str) -> None:
    keys = [find_version_key(text) for text in (low, high, version)]
    assert all(key is not None for key in keys)
    a, b, v = (key for key in keys if key is not None)
    assert (a < b) + (a == b) + (b < a) == 1
    if a <= b:
        assert VersionRange(since=low, until=high).find_membership(version) == (a <= v <= b)
