"""Which files may be taken: columns, filters, and the consent that a file which names people needs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.approval_request import ApprovalRequest
from domain.export import (
    USABLE_FOR,
    ExportGuard,
    ExportList,
    ExportWish,
    FilterKind,
    escape_cell,
    find_column_problems,
    find_export_refusal,
    find_wish_problems,
    is_identifiable,
    read_filter,
)
from domain.roles import Permission

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CUSTOMERS = ExportList(
    "customers",
    "customer",
    Permission.CUSTOMER_READ,
    ("code", "name", "contacts"),
    {"type": FilterKind.TEXTS, "q": FilterKind.TEXT, "from": FilterKind.INSTANT, "open": FilterKind.FLAG},
)
WISH = ExportWish("customers", "csv", {"type": ["CLINIC"]}, ("code", "contacts"))
GRANTED = ApprovalRequest(
    id=1, code="AR-2026-000001", kind="identifiable_export", entity="export", entity_id="customers",
    payload=WISH.payload, subject={}, content_sha256="", reason="r", state="GRANTED", asked_by_id=1, asked_by="anna",
    asked_at=NOW, expires_at=NOW, decided_by_id=2, decided_by="ben", decided_at=NOW, decision_reason="", outcome=None,
    region="", is_simulated=False, row_version=2, created_at=NOW, updated_at=NOW,
)  # fmt: skip


def test_columns_that_name_people_come_from_the_masking_table_and_are_not_taken_unasked() -> None:
    assert CUSTOMERS.personal_columns == {"contacts"}
    assert CUSTOMERS.default_columns == ("code", "name")
    assert is_identifiable(CUSTOMERS, ["contacts"])
    assert not is_identifiable(CUSTOMERS, CUSTOMERS.default_columns)


def test_what_is_wrong_with_columns_and_filters_is_named() -> None:
    assert "pin" in find_column_problems(CUSTOMERS, ["code", "pin"])["columns"]
    assert find_column_problems(CUSTOMERS, []) == {"columns": "must name one or more"}
    assert find_column_problems(CUSTOMERS, ["code", "code"]) == {"columns": "names one twice"}
    assert find_column_problems(CUSTOMERS, ["code"]) == {}
    values, problems = read_filter(CUSTOMERS, {"type": "CLINIC", "from": "2026-11-22T09:00:00Z", "open": False})
    assert problems == {}
    assert values == {"type": ["CLINIC"], "q": None, "from": NOW, "open": False}
    wrong: dict[str, Any] = {"type": [1], "q": "", "from": "2026-11-22T09:00:00", "open": "yes", "x": "y"}
    assert read_filter(CUSTOMERS, wrong)[1].keys() == {f"filter.{name}" for name in wrong}


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("nothing", WISH.payload, "entity_id"),
        ("customers", {"format": "csv"}, "payload"),
        ("customers", WISH.payload | {"more": 1}, "payload"),
        ("customers", WISH.payload | {"format": "xls"}, "payload.format"),
        ("customers", WISH.payload | {"columns": "code"}, "payload.columns"),
        ("customers", WISH.payload | {"columns": ["code"]}, "payload.columns"),
        ("customers", WISH.payload | {"filter": []}, "payload.filter"),
        ("customers", WISH.payload | {"filter": {"x": "y"}}, "payload.filter.x"),
    ],
)
def test_only_what_can_be_taken_and_needs_consent_is_asked_for(name: str, payload: dict[str, Any], field: str) -> None:
    assert find_wish_problems({"customers": CUSTOMERS}, "customers", WISH.payload) == {}
    assert set(find_wish_problems({"customers": CUSTOMERS}, name, payload)) == {field}


def find_guard(request: ApprovalRequest | None = GRANTED, **more: Any) -> str | None:
    how: dict[str, Any] = {"taker_id": 1, "is_used": False, "now": NOW, "wish": WISH, **more}
    wish = how.pop("wish")
    refusal = find_export_refusal(wish, request, **how)
    return None if refusal is None else refusal.guard.value


def test_consent_is_for_one_person_one_file_one_time_and_one_day() -> None:
    assert find_guard() is None
    assert find_guard(now=NOW + USABLE_FOR - timedelta(seconds=1)) is None
    assert find_guard(None) == ExportGuard.APPROVAL_MISSING
    assert find_guard(taker_id=2) == ExportGuard.APPROVAL_OF_ANOTHER
    assert find_guard(taker_id=None) == ExportGuard.APPROVAL_OF_ANOTHER
    assert find_guard(replace(GRANTED, kind="sla_waiver")) == ExportGuard.APPROVAL_OF_ANOTHER
    for state in ("ASKED", "REFUSED", "WITHDRAWN", "EXPIRED"):
        assert find_guard(replace(GRANTED, state=state)) == ExportGuard.APPROVAL_NOT_GRANTED
    assert find_guard(is_used=True) == ExportGuard.APPROVAL_USED
    assert find_guard(now=NOW + USABLE_FOR) == ExportGuard.APPROVAL_OVER
    for other in (
        replace(WISH, list="work_orders"),
        replace(WISH, format="json"),
        replace(WISH, filter={}),
        replace(WISH, columns=("contacts", "code")),
        replace(WISH, columns=("code", "contacts", "name")),
    ):
        assert find_guard(wish=other) == ExportGuard.APPROVAL_DIFFERS


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str) -> None:
    assert escape_cell(text) == f"'{text}"
    assert escape_cell(f"a{text}") == f"a{text}"
