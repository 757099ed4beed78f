"""What is the matter with a field is one word, with a sentence in both languages; an empty field is missing."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError
from starlette.datastructures import FormData

import api.console
from api.console.field_marks import Marks
from api.console.form_faults import Bound, Fault, Why, find_shape_faults, say_fault
from api.console.forms import (
    find_day_fault,
    find_moment_fault,
    find_unusable,
    read_sent_number,
    read_sent_whole,
)
from api.console.instants import find_zone
from api.console.language import LANGUAGES, load_catalogue, translate
from api.console.page import View
from api.field_faults import CODES
from api.shapes.maintenance_plans import NewMaintenancePlan
from api.shapes.webhooks import NewWebhook

PREFIX = "form_fault."


def look(language: str = "en") -> View:
    """Somebody who reads that language, with times in UTC."""

    def say(key: str, **params: Any) -> str:
        return translate(language, key, **params)

    return cast(View, SimpleNamespace(t=say, find_zone=lambda: find_zone("UTC")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_has_a_sentence_and_no_sentence_is_left_over(language: str) -> None:
    catalogue = load_catalogue(language)
    assert {key.removeprefix(PREFIX) for key in catalogue if key.startswith(PREFIX)} == {one.value for one in Fault}
    end = "." if language == "en" else "。"
    for fault in Fault:
        assert say_fault(look(language), Bound(fault, 1)).endswith(end), fault


def test_every_fault_is_one_that_somebody_finds() -> None:
    code = "".join(path.read_text() for path in Path(api.console.__file__).parent.glob("*.py"))
    found = set(re.findall(r"Fault\.([A-Z_]+)", code)) | {code.upper() for code in CODES.values()}
    assert {fault.name for fault in Fault} <= found


def test_a_limit_is_named_and_a_sentence_of_its_own_stays() -> None:
    assert say_fault(look(), Bound(Fault.TOO_LARGE, 10_000)) == "Must be at most 10,000."
    assert say_fault(look("zh"), Fault.NO_DEVICE) == "没有您可查看的该序列号的设备。"
    assert say_fault(look(), "The last wave is 100%.") == "The last wave is 100%."


def test_what_is_empty_is_missing_whatever_it_was_asked_for() -> None:
    fields = FormData([("kind", " "), ("days", "0"), ("waves", ""), ("places", ""), ("places", "MARS")])
    wrong: dict[str, Why | None] = {
        "kind": Fault.NOT_A_CHOICE,
        "days": Bound(Fault.TOO_SMALL, 1),
        "never_sent": Bound(Fault.TOO_SMALL, 1),
        "waves": "At least one wave.",
        "places": Fault.NOT_A_CHOICE,
        "title": None,
    }
    assert find_unusable(look(), "act", fields, wrong).typed.wrong == {
        "kind": "Is missing.",
        "days": "Must be at least 1.",
        "never_sent": "Is missing.",
        "waves": "At least one wave.",
        "places": "Is none of the choices.",
    }


def test_a_field_cannot_be_marked_without_a_reason() -> None:
    fields = FormData({"kind": "OTHER"})
    with pytest.raises(TypeError, match="True is no reason"):
        find_unusable(look(), "act", fields, cast(Any, {"kind": True}))


def test_a_shape_of_the_api_tells_its_faults() -> None:
    with pytest.raises(ValidationError) as plan:
        NewMaintenancePlan.model_validate(
            {"name": "x" * 201, "order_type": "PREVENTIVE", "kind": "ODD", "model": "", "lead_days": "soon"}
            | {"every_count": 0, "usage_every": "much", "starts_on": "2026-02-30"}
        )
    assert find_shape_faults(plan.value) == {
        "name": Bound(Fault.TOO_LONG, 200),
        "kind": Fault.NOT_A_CHOICE,
        "lead_days": Fault.NOT_WHOLE,
        "every_count": Bound(Fault.TOO_SMALL, 1),
        "usage_every": Fault.NOT_A_NUMBER,
        "starts_on": Fault.NOT_A_DATE,
    }
    with pytest.raises(ValidationError) as webhook:
        NewWebhook.model_validate({"name": "", "url": "x", "event_types": ["a"] * 101, "customer": 7})
    assert find_shape_faults(webhook.value, {"customer": "Only a code.", "url": "Not that one."}) == {
        "name": Fault.MISSING,
        "event_types": Bound(Fault.TOO_MANY, 100),
        "customer": "Only a code.",  # wrong in its form alone
    }


@pytest.mark.parametrize(
    ("text", "whole", "number"),
    [
        ("", None, None),
        (" 12 ", 12, 12.0),
        ("-3", -3, -3.0),
        ("1.5", "1.5", 1.5),
        ("1_000", "1_000", 1000.0),
        ("１２", "１２", 12.0),
        ("nan", "nan", "nan"),
        ("soon", "soon", "soon"),
    ],
)
def test_numbers_are_left_for_a_shape_to_judge(text: str, whole: int | str | None, number: float | str | None) -> None:
    fields = FormData({"n": text})
    assert (read_sent_whole(fields, "n"), read_sent_number(fields, "n")) == (whole, number)


@pytest.mark.parametrize(
    ("text", "day", "moment"),
    [
        ("", None, None),
        ("2026-11-23", None, None),
        ("2026-02-30", Fault.NOT_A_DATE, Fault.NOT_A_TIME),
        ("soon", Fault.NOT_A_DATE, Fault.NOT_A_TIME),
        ("1969-12-31", Fault.OUT_OF_TIME, Fault.OUT_OF_TIME),
        ("3000-01-01", Fault.OUT_OF_TIME, Fault.OUT_OF_TIME),
    ],
)
def test_a_day_that_is_none_is_told_from_one_that_is_too_far(
    text: str, day: Fault | None, moment: Fault | None
) -> None:
    fields = FormData({"at": text})
    assert (find_day_fault(fields, "at"), find_moment_fault(look(), fields, "at")) == (day, moment)


def test_the_first_field_alone_asks_for_the_focus() -> None:
    marks = Marks()
    notice = marks.mark_notice()
    said = [marks.mark_field() for _ in range(3)]
    assert said == ['aria-invalid="true" autofocus', 'aria-invalid="true"', 'aria-invalid="true"']
    assert marks.settle(f"<p {notice}>{said}") == f"<p >{said}"


def test_where_no_field_is_wrong_the_first_notice_asks_for_the_focus() -> None:
    marks = Marks()
    page = f"<p {marks.mark_notice()}><div {marks.mark_notice()}>"
    assert marks.settle(page) == '<p tabindex="-1" autofocus><div >'
    assert Marks().settle(page) == page  # the places of another page are none of this one
