"""Two people in one form: nothing of another's is written over by who has not seen it, and nothing typed is lost."""

from io import BytesIO

import pytest
from starlette.datastructures import FormData, UploadFile

from api.console.capa_cause_form import read_root_cause
from api.console.capa_cause_views import flatten_root_cause
from api.console.cause_merge import CAUSES_SEEN, mark_investigation, merge_investigation
from api.console.field_merge import SEEN, Merged, mark_seen, mark_units, merge_fields, merge_units
from domain.capa_cause import Cause, CauseCategory, CauseVerdict, EvidenceKind, EvidenceRef, RootCause, Why

OPENED = {"title": "Pump", "details": "It stops.\nTwice.", "priority": "P3"}


def send(stands: dict[str, str], **typed: str) -> Merged:
    """The form that was made from OPENED, sent with these fields typed over, to a record that stands so by now."""
    return merge_fields(FormData({**OPENED, SEEN: mark_seen(OPENED), **typed}), stands)


def test_fields_that_only_one_changed_are_put_together() -> None:
    merged = send(OPENED | {"priority": "P2"}, details="It stops at 4 mL/h.")
    assert (merged.fields["details"], merged.fields["priority"], merged.fields["title"]) == (
        "It stops at 4 mL/h.",
        "P2",
        "Pump",
    )
    assert (merged.disputed, merged.has_theirs) == ({}, True)


def test_line_ends_and_blanks_change_nothing() -> None:
    merged = send(OPENED | {"details": "Theirs"}, details=" It stops.\r\nTwice. \r\n")
    assert (merged.fields["details"], merged.disputed) == ("Theirs", {})


def test_what_both_changed_alike_is_no_dispute_and_an_unchanged_record_is_as_it_was_sent() -> None:
    assert send(OPENED | {"title": "Pumps"}, title="Pumps").disputed == {}
    merged = send(OPENED, title="Pumps")
    assert (merged.fields["title"], merged.disputed, merged.has_theirs) == ("Pumps", {}, False)


def test_a_field_that_both_changed_waits_until_somebody_chose_and_a_newer_change_is_shown_again() -> None:
    stands = OPENED | {"title": "Theirs"}
    first = send(stands, title="Mine")
    assert (first.fields["title"], first.disputed) == ("Mine", {"title": "Theirs"})
    # Sent again without a choice: still nothing is written.
    assert merge_fields(first.fields, stands).disputed == {"title": "Theirs"}
    for choice, written in (("mine", "Mine"), ("theirs", "Theirs")):
        chosen = FormData([*first.fields.multi_items(), ("take.title", choice)])
        merged = merge_fields(chosen, stands)
        assert (merged.fields["title"], merged.disputed) == (written, {})
        # Chosen against one text, not against the next one.
        newer = merge_fields(chosen, OPENED | {"title": "Newer"})
        assert (newer.fields["title"], newer.disputed) == ("Mine", {"title": "Newer"})


def test_a_choice_that_nobody_was_asked_for_decides_nothing() -> None:
    stands = OPENED | {"title": "Theirs"}
    form = FormData({**OPENED, "title": "Mine", SEEN: mark_seen(OPENED), "take.title": "mine"})
    assert merge_fields(form, stands).disputed == {"title": "Theirs"}


@pytest.mark.parametrize("seen", ["", "%%%", "title", "nobody=0123456789ab"])
def test_without_usable_marks_a_form_is_taken_as_it_was_sent(seen: str) -> None:
    form = FormData({**OPENED, "title": "Mine", SEEN: seen})
    merged = merge_fields(form, OPENED | {"title": "Theirs"})
    assert (merged.fields["title"], merged.disputed, merged.has_theirs) == ("Mine", {}, False)


def units(
    opened: list[str], mine: dict[int, str], stands: list[str], **chosen: str
) -> tuple[list[str], dict[int, str]]:
    places = {int(name[1:]): choice for name, choice in chosen.items()}
    merged, disputed, _ = merge_units(mark_units(opened, {}), mine, stands, places)
    return [merged[place] for place in sorted(merged) if merged[place]], disputed


@pytest.mark.parametrize(
    ("mine", "stands", "written"),
    [
        ({0: "a", 1: "b"}, ["a", "b"], ["a", "b"]),
        ({0: "a", 1: "B"}, ["A", "b"], ["A", "B"]),  # each changed another one
        ({0: "a", 1: "b", 2: "mine"}, ["a", "b", "theirs"], ["a", "b", "theirs", "mine"]),  # both added one
        ({0: "a", 1: "b", 2: "same"}, ["a", "b", "same"], ["a", "b", "same"]),
        ({0: "a", 1: "B"}, ["b"], ["B"]),  # the first was taken out: the second moved up
        ({1: "b"}, ["a", "b", "c"], ["b", "c"]),  # the sender took out the first
        ({0: "A", 1: "b"}, ["b"], ["b", "A"]),  # taken out by one, changed by the other: it stays
    ],
)
def test_pieces_of_a_list_are_put_together(mine: dict[int, str], stands: list[str], written: list[str]) -> None:
    assert units(["a", "b"], mine, stands) == (written, {})


def test_a_piece_that_both_changed_waits_for_the_choice() -> None:
    written, disputed = units(["a", "b"], {0: "mine", 1: "b"}, ["theirs", "b"])
    assert (written, disputed) == (["mine", "b"], {0: "theirs"})
    again = mark_units(["theirs", "b"], disputed)
    for choice, kept in (("mine", "mine"), ("theirs", "theirs")):
        merged, left, _ = merge_units(again, {0: "mine", 1: "b"}, ["theirs", "b"], {0: choice})
        assert (merged, left) == ({0: kept, 1: "b"}, {})
    assert merge_units(again, {0: "mine", 1: "b"}, ["theirs", "b"], {})[1] == {0: "theirs"}


SHOWN = EvidenceRef(EvidenceKind.WORK_ORDER, "WO-2026-000001", "gear")


def make_cause(statement: str, *whys: str) -> Cause:
    chain = tuple(Why(why, (SHOWN,) if number == 0 else ()) for number, why in enumerate(whys))
    return Cause(CauseCategory.MACHINE, CauseVerdict.CANDIDATE, statement, chain)


def test_an_investigation_keeps_what_two_people_wrote_of_different_causes() -> None:
    opened = RootCause("It stops", (make_cause("Gear", "No grease"), make_cause("Motor")))
    stands = RootCause("It stops", (make_cause("Motor"), make_cause("Line", "Bent")))
    shown = flatten_root_cause(opened)
    typed = (
        shown | mark_investigation(shown) | {"problem": "It stops at night", "c1-why0": "Worn", "c1-e0-kind": "DEVICE"}
    )
    merged = merge_investigation(FormData(typed), flatten_root_cause(stands))
    written, wrong = read_root_cause(merged.fields)
    assert (wrong, merged.disputed, merged.has_theirs) == ({}, {}, True)
    motor = Cause(CauseCategory.MACHINE, CauseVerdict.CANDIDATE, "Motor", (Why("Worn"),))
    assert written == RootCause("It stops at night", (motor, make_cause("Line", "Bent")))


def test_a_cause_that_both_wrote_is_shown_with_both_texts() -> None:
    opened = RootCause("It stops", (make_cause("Gear"),))
    stands = RootCause("It stops", (make_cause("Gear", "Wrong grease"),))
    shown = flatten_root_cause(opened)
    merged = merge_investigation(
        FormData(shown | mark_investigation(shown) | {"c0-why0": "No grease"}), flatten_root_cause(stands)
    )
    assert merged.disputed == {"c0": "Gear\nWrong grease\nWO-2026-000001"}
    assert merged.fields["c0-why0"] == "No grease"
    taken = FormData([*merged.fields.multi_items(), ("take.c0", "theirs")])
    chosen = merge_investigation(taken, flatten_root_cause(stands))
    assert (read_root_cause(chosen.fields)[0], chosen.disputed) == (stands, {})


@pytest.mark.parametrize("marks", ["", "nothing", "&".join(f"f{number}=1" for number in range(600))])
def test_marks_that_cannot_be_read_are_none_so_that_the_version_of_the_form_counts(marks: str) -> None:
    typed = FormData({**OPENED, "title": "Mine", SEEN: marks})
    merged = merge_fields(typed, OPENED | {"title": "Theirs"})
    assert (merged.fields["title"], merged.disputed) == ("Mine", {})
    assert SEEN not in merged.fields
    for lists in ("", UploadFile(BytesIO(b"x"))):
        sent = FormData([("problem", "Mine"), (SEEN, marks), (CAUSES_SEEN, lists)])
        assert CAUSES_SEEN not in merge_investigation(sent, {"problem": "Theirs"}).fields
