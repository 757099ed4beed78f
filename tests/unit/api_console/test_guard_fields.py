"""Which fields a rule is about: none that misses something is forgotten, and none is there that no record has."""

import re

from api.console.guard_fields import FIELDS, find_guard_marks
from api.console.language import load_catalogue

# What these miss is in no field of the form that they refuse: a right, something on the page, another record. The
# remark of a checklist belongs to its line.
OF_NO_FIELD = {
    "action_missing",
    "attempts_missing",
    "backtest_missing",
    "due_date_missing",
    "effectiveness_missing",
    "effectiveness_plan_missing",
    "endorsement_missing",
    "owner_missing",
    "permission_missing",
    "problem_missing",
    "remark_missing",
    "root_cause_missing",
    "whys_missing",
}


def test_every_rule_that_something_is_missing_has_its_field_or_none() -> None:
    keys = [key.partition(".") for key in load_catalogue("en")]
    guards = {guard for group, _, guard in keys if re.fullmatch(r"(\w+_)?guard", group)}
    assert set(FIELDS) <= guards
    assert {guard for guard in guards if guard.endswith("_missing")} == OF_NO_FIELD | {
        guard for guard in FIELDS if guard.endswith("_missing")
    }
    assert not OF_NO_FIELD & set(FIELDS)


def test_of_several_fields_those_are_marked_that_the_rule_speaks_of() -> None:
    typed = {"arrived_at": "2026-01-01T10:00", "left_at": " "}
    assert find_guard_marks("time_in_future", "No.", typed) == {"arrived_at": "No."}
    signing = {"meaning": "Done"}
    assert find_guard_marks("signature_missing", "No.", signing) == {"password": "No."}
    blank = {"password": "x", "meaning": ""}
    assert find_guard_marks("signature_missing", "No.", blank) == {"meaning": "No."}
    # A rule about what is not there, whose name does not say so.
    assert find_guard_marks("not_quiet", "No.", {"test_evidence": ""}) == {"test_evidence": "No."}
    assert find_guard_marks("second_person", "No.", signing) == {}
