"""Files of master data: each mistake is named with its line and column, and nothing is guessed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.master_data import FieldRefusal, MasterKind, merge_contact
from domain.master_data_file import MOST_LINES, FileLine, FileProblem, decode_file, parse_file

CUSTOMER, SITE, DEVICE, CONTRACT = MasterKind.CUSTOMER, MasterKind.SITE, MasterKind.DEVICE, MasterKind.CONTRACT


def read(kind: MasterKind, text: str, *, by_reference: bool = False) -> list[FileLine]:
    found = parse_file(kind, text, by_reference=by_reference)
    lines = [line for line in found if isinstance(line, FileLine)]
    assert len(lines) == len(found), found
    return lines


def find_problems(kind: MasterKind, text: str, *, by_reference: bool = False) -> list[FileProblem]:
    found = parse_file(kind, text, by_reference=by_reference)
    problems = [problem for problem in found if isinstance(problem, FileProblem)]
    assert problems, found
    return problems


def test_cells_become_fields_and_empty_ones_say_nothing() -> None:
    text = (
        'serial,model,installed_on,is_simulated,lot\r\nSN-1,INF-200,2026-01-31,false," L 1 "\r\n\r\nSN-2,INF-200,,,\r\n'
    )
    first, second = read(DEVICE, text)
    assert first.values == {
        "serial": "SN-1",
        "model": "INF-200",
        "installed_on": date(2026, 1, 31),
        "is_simulated": False,
        "lot": "L 1",
    }
    assert (first.line, second.line) == (2, 4)
    assert second.values == {"serial": "SN-2", "model": "INF-200"}


def test_quotes_and_lines_within_cells() -> None:
    (line,) = read(SITE, 'code,name,address\nS-1,"Ward ""B"", 2nd floor","Street 1\nTown"\n')
    assert line.values["name"] == 'Ward "B", 2nd floor'
    assert line.values["address"] == "Street 1\nTown"
    assert line.line == 3


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("", "file", "empty"),
        ("code,name\n", "file", "no line"),
        ("code;name\nC-1;Clinic\n", "file", "semicolons"),
        ("code\tname\nC-1\tClinic\n", "file", "tabs"),
        ("name\nClinic\n", "code", "column is missing"),
        ("code,nmae\nC-1,Clinic\n", "nmae", "unknown column"),
        ("code,name,name\nC-1,a,b\n", "name", "stands twice"),
        ("code,external_id\nC-1,X\n", "external_id", "of which system"),
        ('code,name\nC-1,"Clinic\n', "file", "not CSV"),
        ('code,name\nC-1,"Clinic"x\n', "file", "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole(text: str, field: str, reason: str) -> None:
    assert any(p.field == field and reason in p.reason for p in find_problems(CUSTOMER, text))


def test_a_file_is_no_longer_than_is_taken() -> None:
    rows = "".join(f"C-{n}\n" for n in range(MOST_LINES))
    assert len(read(CUSTOMER, "code\n" + rows)) == MOST_LINES
    (problem,) = find_problems(CUSTOMER, "code\n" + rows + "C-X\n")
    assert "split" in problem.reason
    assert problem.line == MOST_LINES + 2


@pytest.mark.parametrize(
    ("kind", "row", "field", "reason"),
    [
        (CUSTOMER, "code,type\nC-1,Hospital\n", "type", "must be one of"),
        (CUSTOMER, "code,name\n,Clinic\n", "code", "must not be empty"),
        (CUSTOMER, "code,name\nC-1,a,b\n", "line", "3 cells, the header has 2"),
        (CUSTOMER, "code,is_simulated\nC-1,yes\n", "is_simulated", "true or false"),
        (CUSTOMER, "code,name\nC-1," + "x" * 201 + "\n", "name", "more than 200"),
        (CUSTOMER, "code,contact_phone\nC-1,123\n", "contacts", "contact_name"),
        (CUSTOMER, "code,name\nC-1,a\nC-1,b\n", "code", "stands in line 2"),
        (CONTRACT, "code,remind_days\nK-1,-1\n", "remind_days", "from 0 to 730"),
        (CONTRACT, "code,remind_days\nK-1,9999\n", "remind_days", "from 0 to 730"),
        (CONTRACT, "code,ends_on\nK-1,31.12.2026\n", "ends_on", "YYYY-MM-DD"),
        (CONTRACT, "code,ends_on\nK-1,20261231\n", "ends_on", "YYYY-MM-DD"),
        (CONTRACT, "code,ends_on\nK-1,1900-01-01\n", "ends_on", "1970"),
        (DEVICE, "serial,lifecycle\nSN-1,DECOMMISSIONED\n", "lifecycle", "must be one of"),
    ],
)
def test_a_line_that_cannot_be_used(kind: MasterKind, row: str, field: str, reason: str) -> None:
    refusals = read(kind, row)[-1].refusals
    assert any(refusal.field == field and reason in refusal.reason for refusal in refusals), refusals


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3|x", '"=HYPERLINK(""x"")"'])
def test_a_formula_is_refused(cell: str) -> None:
    (line,) = read(CUSTOMER, f"code,name\nC-1,{cell}\n")
    assert line.refusals == (
        FieldRefusal("name", "begins like a formula of a spreadsheet; put an apostrophe before it"),
    )


@pytest.mark.parametrize(
    ("cell", "value"), [("'=1+1", "=1+1"), ("'+x", "+x"), ("+49 30 1234-5", "+49 30 1234-5"), ("-", "-"), ("'s", "'s")]
)
def test_what_only_looks_like_one_is_taken(cell: str, value: str) -> None:
    (line,) = read(CUSTOMER, f"code,name\nC-1,{cell}\n")
    assert line.refusals == ()
    assert line.values["name"] == value


def test_records_by_the_names_of_another_system() -> None:
    text = "external_id,external_type,name\n4711,Customer,Clinic\n,,Nobody\n4711,,Again\n"
    first, second, third = read(CUSTOMER, text, by_reference=True)
    assert (first.external_id, first.external_type) == ("4711", "Customer")
    assert second.refusals == (FieldRefusal("external_id", "must not be empty"),)
    assert "line 2" in third.refusals[0].reason


def test_the_devices_of_a_contract() -> None:
    rows = "code,devices\nK-1,SN-1 SN-2;SN-1\nK-2,*\nK-3,\n"
    first, second, third = read(CONTRACT, rows)
    assert first.values["devices"] == ("SN-1", "SN-2")
    assert second.values["devices"] == "*"
    assert "devices" not in third.values


def test_encodings_are_named_and_not_guessed() -> None:
    text = "code,name\nC-1,圣安娜医院\n"
    assert decode_file(text.encode()) == text
    assert decode_file(text.encode("utf-8-sig")) == text
    assert decode_file(text.encode("gbk"), "GBK") == text
    refused = decode_file(text.encode("gbk"))
    assert isinstance(refused, FileProblem)
    assert refused.line == 2
    assert "charset=gbk" in refused.reason
    for content, charset, reason in (
        (text.encode("utf-16"), "", "UTF-16"),
        (text.encode(), "ebcdic", "is not taken"),
        (b"code\nC\x001\n", "", "NUL"),
        (b"\xff\xff", "gbk", "is not gbk"),
    ):
        problem = decode_file(content, charset)
        assert isinstance(problem, FileProblem)
        assert reason in problem.reason


@given(st.binary(max_size=200))
def test_no_bytes_break_it(content: bytes) -> None:
    text = decode_file(b"code,name\n" + content)
    if isinstance(text, str):
        for found in parse_file(CUSTOMER, text, by_reference=False):
            assert isinstance(found, FileProblem | FileLine)


def test_a_contact_is_who_has_the_name() -> None:
    known = [{"name": "Ada", "phone": "1"}, {"name": "Bob"}]
    assert merge_contact(known, {"name": "Ada", "email": "a@b", "phone": ""}) == [
        {"name": "Ada", "phone": "1", "email": "a@b"},
        {"name": "Bob"},
    ]
    assert merge_contact(known, {"name": "Cy", "role": ""}) == [*known, {"name": "Cy"}]
