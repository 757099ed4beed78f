"""What a form sends, as it is read."""

import pytest
from starlette.datastructures import FormData

from api.console.forms import read_text
from api.problems import ProblemError


def test_a_line_end_counts_as_one_character_and_nothing_is_cut() -> None:
    assert read_text(FormData({"note": " ab\r\ncd\r\n"}), "note", 5) == "ab\ncd"
    with pytest.raises(ProblemError) as refused:
        read_text(FormData({"note": "ab\ncdef"}), "note", 5)
    assert [(e.field, e.code, e.limit) for e in refused.value.errors] == [("note", "too_long", 5)]
    assert read_text(FormData({}), "note") == ""
