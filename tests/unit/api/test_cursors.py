"""Cursors survive any text, and only ours are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import make_cursor, read_cursor, read_instant
from api.problems import ProblemError


@given(st.text(), st.integers(-(2**62), 2**62))
def test_what_was_made_is_read(text: str, number: int) -> None:
    assert read_cursor(make_cursor([text, number]), [str, int]) == [text, number]


@given(st.text(max_size=50))
def test_anything_else_is_refused_and_names_the_cursor(text: str) -> None:
    try:
        keys = read_cursor(text, [str, int])
    except ProblemError as problem:
        named = [error.field for error in problem.errors]
    else:
        named = ["cursor"] if keys is not None and [type(key) for key in keys] == [str, int] else []
    assert named == ["cursor"]


@pytest.mark.parametrize("key", ["", "yesterday", "2026-11-22T00:00:00", 5])
def test_an_instant_needs_its_offset(key: str | int) -> None:
    with pytest.raises(ProblemError):
        read_instant(key)
