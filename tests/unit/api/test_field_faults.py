"""What is wrong with a field is a code and a limit, and the console has words for every one in both languages."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from api.console.language import LANGUAGES, load_catalogue
from api.field_faults import CODES, find_field_errors
from api.problems import INVALID, ProblemError
from api.shapes.work_order_records import Departure, NewAnswers, NewPart


@pytest.mark.parametrize(
    ("shape", "given", "found"),
    [
        (NewPart, {"item": ""}, ("item", "empty", None)),
        (NewPart, {"item": "x" * 201}, ("item", "too_long", 200)),
        (NewPart, {"item": "x", "quantity": "0"}, ("quantity", "not_above", 0)),
        (NewPart, {"item": "x", "quantity": "many"}, ("quantity", "not_a_number", None)),
        (NewPart, {"item": "x", "quantity": Decimal("1.0001")}, ("quantity", "too_many_decimals", 3)),
        (NewPart, {"item": "x", "colour": "red"}, ("colour", "unknown_field", None)),
        (Departure, {}, ("outcome", "missing", None)),
        (Departure, {"outcome": "MAYBE"}, ("outcome", "not_a_choice", None)),
        (NewAnswers, {"answers": []}, ("answers", "too_few", 1)),
        (
            NewAnswers,
            {"answers": [{"item": "a", "value": True, "remark": "x" * 10_001}]},
            ("answers[0].remark", "too_long", 10_000),
        ),
    ],
)
def test_a_fault_is_told_by_its_field_code_and_limit(
    shape: Any, given: dict[str, Any], found: tuple[str, str, float | None]
) -> None:
    with pytest.raises(ValidationError) as wrong:
        shape.model_validate(given)
    (error,) = find_field_errors(wrong.value.errors())
    assert (error.field, error.code, error.limit) == found
    assert error.detail


def test_a_fault_without_a_code_is_told_by_its_text_and_the_path_begins_behind_the_body() -> None:
    (error,) = find_field_errors([{"loc": ("body", "lines", 2, "serial"), "type": "value_error", "msg": "odd"}], skip=1)
    assert error.model_dump(exclude_defaults=True) == {"field": "lines[2].serial", "detail": "odd"}
    (error,) = find_field_errors([{"loc": ("body",), "type": "missing", "msg": "Field required"}], skip=1)
    assert (error.field, error.code) == ("body", "missing")


def test_a_problem_says_of_a_fault_what_there_is_to_say() -> None:
    problem = ProblemError(INVALID, fields={"customer": "not found"})
    problem.errors += find_field_errors(
        [{"loc": ("item",), "type": "string_too_long", "msg": "long", "ctx": {"max_length": 7}}]
    )
    assert problem.to_json("r")["errors"] == [
        {"field": "customer", "detail": "not found"},
        {"field": "item", "detail": "long", "code": "too_long", "limit": 7},
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words(language: str) -> None:
    wanted = {*CODES.values(), "empty", "unusable"}
    prefix = "record_wrong."
    assert {key.removeprefix(prefix) for key in load_catalogue(language) if key.startswith(prefix)} == wanted
