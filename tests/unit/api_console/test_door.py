"""Where a sign-in may lead, and what an old address is worth."""

import pytest

from api.console.audit_page import find_changes
from api.console.data_quality_page import _read_cursor
from api.console.door_pages import find_local
from api.console.filters import find_choice
from api.console.inbox_acts import Picked
from api.console.inbox_steps import _read_picked


@pytest.mark.parametrize("address", ["/devices", "/work-orders/WO-2026-000001?breach=1", "/inbox?sort=seen#row"])
def test_pages_of_this_console_are_led_to(address: str) -> None:
    assert find_local(address) == address


@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)", "", "inbox",
     "/sign-in?next=/sign-in", "\\\\elsewhere"],
)  # fmt: skip
def test_anywhere_else_becomes_the_first_page(address: str) -> None:
    assert find_local(address) == "/"


def test_a_value_that_is_not_offered_is_no_choice() -> None:
    assert find_choice("P1", ["P1", "P2"]) == "P1"
    assert find_choice("'; drop", ["P1"]) == ""


@pytest.mark.parametrize(
    ("value", "picked"),
    [
        ("WO-1:3", Picked("WO-1", 3)),
        ("WO-1", Picked("WO-1", None)),
        ("WO-1:x", Picked("WO-1", None)),
        ("WO-1:99999999999999999999", Picked("WO-1", None)),
    ],
)
def test_a_ticked_row_carries_its_version(value: str, picked: Picked) -> None:
    assert _read_picked(value) == picked


@pytest.mark.parametrize("text", ["", "yesterday~3", "2026-01-01T00:00:00~3", "2026-01-01T00:00:00+00:00~-1", "~"])
def test_a_broken_cursor_is_the_first_page(text: str) -> None:
    assert _read_cursor(text) is None


def test_changes_are_told_field_by_field() -> None:
    changes = find_changes({"state": "NEW", "same": 1}, {"state": "TRIAGED", "same": 1, "long": "x" * 100})
    assert changes[1] == {"field": "state", "before": "NEW", "after": "TRIAGED"}
    assert changes[0]["before"] == "∅"
    assert str(changes[0]["after"]).endswith("…")
    assert find_changes(None, {"state": "NEW"})[0]["before"] is None
