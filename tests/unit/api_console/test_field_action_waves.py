"""Plans of waves as people type them: read as they are written, or refused with the line and the reason."""

import pytest
from fastapi import Request

from api.console.field_action_waves import WavesUnreadableError, read_waves, write_waves
from api.console.page import View, find_view
from domain.field_action_scope import MOST_SERIALS, MOST_WAVES, Wave, find_wave_problems


def make_view(language: str = "en") -> View:
    headers = [(b"accept-language", language.encode())]
    return find_view(
        Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}), None
    )


def test_waves_are_read_as_they_are_written() -> None:
    waves = (Wave(0.05, (), 24.0, 0.95), Wave(1.0, ("T-1", "T-2"), 0.0, 0.5), Wave(1.0, (), 1.5, 0.0))
    text = write_waves(waves)
    assert text.splitlines() == ["5%; 24; 95", "T-1 T-2; 0; 50", "100%; 1.5; 0"]
    assert read_waves(make_view(), text) == waves
    assert read_waves(make_view("zh"), "5％；24h；95%\n\n T-1, T-2, T-1；0；50\n100%;1.5;0") == waves


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "At least one wave"),
        ("100%; 0; 0\n" * (MOST_WAVES + 1), f"At least one wave, each on a line of its own; {MOST_WAVES} at most."),
        ("\neverybody; soon", "Line 2 cannot be read"),
        ("100%; 0", "Line 1 cannot be read"),
        ("100%; 0; 0; 0", "Line 1 cannot be read"),
        ("0%; 0; 0", "Line 1: a share"),
        ("nan%; 0; 0", "Line 1: a share"),
        ("101%; 0; 0", "Line 1: a share"),
        ("; 0; 0", "Line 1: a share such as"),
        ("5%; 0; 0\n" + " ".join(map(str, range(MOST_SERIALS + 1))) + "; 0; 0", "Line 2: a share such as"),
        ("100%; -1; 0", "Line 1: the hours that a wave stands are 0 to 8,760."),
        ("100%; nan; 0", "Line 1: the hours"),
        ("100%; inf; 0", "Line 1: the hours"),
        ("100%; 0; 101", "Line 1: 0 to 100 per cent"),
        ("5%; 0; 0", "The last wave is 100%"),
        ("T-1; 0; 0", "The last wave is 100%"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_with_the_line_and_the_reason(text: str, said: str) -> None:
    with pytest.raises(WavesUnreadableError) as refused:
        read_waves(make_view(), text)
    assert str(refused.value).startswith(said)


def test_what_is_read_is_what_may_be_stored() -> None:
    for text in ("100%; 8760; 100", "0.01%; 0; 0\nT-1; 0; 0\n100%; 0; 0"):
        assert find_wave_problems(read_waves(make_view(), text)) == {}
