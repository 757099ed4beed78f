"""What the pages of orders and jobs make of numbers, sizes, answers and due times."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from api.console.checklist_answers import read_value
from api.console.checklist_views import say_value
from api.console.my_views import is_due_today, read_number
from api.console.order_rows import find_row
from api.console.order_sections import say_size
from api.console.page import View
from api.console.part_views import say_quantity
from api.problems import FieldError
from domain.checklist import ItemKind
from store.work_order_lists import WorkOrderRow

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 3, 5, 22, 30, tzinfo=UTC)  # 23:30 in Berlin


@pytest.mark.parametrize(
    ("text", "number"),
    [("+49 (30) 555-0134", "+49305550134"), ("030/555 01", "03055501"), ("ext. 12", ""), ("", ""), ("ask Nora", "")],
)
def test_a_number_is_dialled_as_digits(text: str, number: str) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (48_211, "48.2 kB"), (640_000, "640 kB"), (26_214_400, "26.2 MB")],
)
def test_sizes_have_three_figures(size: int, said: str) -> None:
    assert say_size(size) == said


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("check", "true", True),
        ("check", "false", False),
        ("number", "12,5", 12.5),
        ("photo", "7", 7),
        ("text", " a ", "a"),
    ],
)
def test_an_answer_is_read_as_its_line_asks(kind: str, text: str, value: Any) -> None:
    read = read_value(ItemKind(kind), text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("number", "many", "not_a_number"),
        ("number", "nan", "not_a_number"),
        ("number", "1e999", "not_a_number"),
        ("photo", "first", "not_a_choice"),
        ("text", "x" * 10_001, "too_long"),
    ],
)
def test_what_is_no_answer_to_its_line_is_refused(kind: str, text: str, code: str) -> None:
    refused = read_value(ItemKind(kind), text)
    assert isinstance(refused, FieldError)
    assert refused.code == code


def test_an_answer_stands_in_its_field_as_it_is_typed() -> None:
    assert (say_value(True), say_value(9.75), say_value(7)) == ("true", "9.75", "7")


@pytest.mark.parametrize(("quantity", "said"), [("2.000", "2"), ("0.500", "0.5"), ("100", "100")])
def test_quantities_have_no_empty_places(quantity: str, said: str) -> None:
    assert say_quantity(Decimal(quantity)) == said


def test_today_ends_with_the_day_of_the_place() -> None:
    view = cast("View", SimpleNamespace(find_zone=lambda _: BERLIN))
    assert is_due_today(None, EVENING, view, "Europe/Berlin")
    assert is_due_today(EVENING - timedelta(days=3), EVENING, view, "Europe/Berlin")
    assert is_due_today(EVENING + timedelta(minutes=29), EVENING, view, "Europe/Berlin")
    assert not is_due_today(EVENING + timedelta(minutes=31), EVENING, view, "Europe/Berlin")


@pytest.mark.parametrize(
    ("due", "next_due", "resolved", "said"),
    [
        (EVENING + timedelta(hours=2), EVENING + timedelta(hours=2), None, "2 h left"),
        (EVENING + timedelta(hours=2), None, EVENING - timedelta(hours=1), "met"),
        (EVENING - timedelta(hours=2), None, EVENING - timedelta(hours=1), "done, 1 h late"),
        (None, None, EVENING - timedelta(hours=1), None),
    ],
)
def test_an_order_whose_work_is_done_says_what_became_of_its_clock(
    due: datetime | None, next_due: datetime | None, resolved: datetime | None, said: str | None
) -> None:
    told: dict[str, Any] = {
        "code": "WO-1", "title_code": "manual_order", "fault_group": "tank", "title_params": {"serial": "A-1"},
        "responded_at": EVENING - timedelta(hours=8), "created_at": EVENING - timedelta(hours=9),
        "resolution_due_at": due, "next_due_at": next_due, "resolved_at": resolved,
        "resolution_breached": False, "reopen_count": 0, "capa_codes": [], "is_simulated": False,
    }  # fmt: skip
    nothing: dict[str, Any] = {field.name: None for field in fields(WorkOrderRow)}
    row = WorkOrderRow(**nothing | told)
    view = View(Request({"type": "http", "headers": []}), None, "en", EVENING, "UTC")
    clock = find_row(view, row, {}).clock
    assert (clock and clock.text) == said
    assert clock is None or clock.name == "resolution"
