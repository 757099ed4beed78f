"""What a form sends, as it is read."""

from starlette.datastructures import FormData

from api.console.forms import read_text


def test_a_line_end_counts_as_one_character_and_nothing_within_the_limit_is_cut() -> None:
    assert read_text(FormData({"note": " ab\r\ncd\r\n"}), "note", 5) == "ab\ncd"
    assert read_text(FormData({"note": "ab\ncdef"}), "note", 5) == "ab\ncd"
    assert read_text(FormData({}), "note") == ""
