"""Two versions of a record, compared field by field."""

from domain.differences import Difference, find_differences


def test_fields_that_differ_are_named_by_their_place() -> None:
    before = {"name": "Gold", "terms": {"P1": {"response_h": 1, "always": True}}, "pauses": ["PARTS"]}
    after = {"name": "Gold", "terms": {"P1": {"response_h": 2, "always": True}}, "pauses": ["PARTS", "ACCESS"]}
    assert find_differences(before, after) == [
        Difference("terms.P1.response_h", 1, 2),
        Difference("pauses", ["PARTS"], ["PARTS", "ACCESS"]),
    ]
    assert find_differences(before, before) == []


def test_what_has_a_key_is_compared_by_it_whatever_the_order() -> None:
    old = {"monitors": [{"key": "a", "raise_at": 1.0}, {"key": "b", "raise_at": 2.0}]}
    new = {"monitors": [{"key": "b", "raise_at": 3.0}, {"key": "c", "raise_at": 4.0}]}
    assert find_differences(old, new) == [
        Difference("monitors[b].raise_at", 2.0, 3.0),
        Difference("monitors[c]", None, {"key": "c", "raise_at": 4.0}),
        Difference("monitors[a]", {"key": "a", "raise_at": 1.0}, None),
    ]


def test_what_is_there_as_null_is_not_what_is_missing_and_a_truth_value_no_number() -> None:
    assert find_differences({"x": None}, {}) == [Difference("x", None, None)]
    assert find_differences({"x": True}, {"x": 1}) == [Difference("x", True, 1)]
    assert find_differences({"x": []}, {"x": [{"key": "a"}]}) == [Difference("x[a]", None, {"key": "a"})]
