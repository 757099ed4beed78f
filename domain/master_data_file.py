"""CSV files of master data: bytes to lines of fields, each line with what is wrong with it. Pure; nothing is guessed.

RFC 4180 with commas, UTF-8 (with or without a mark) or another encoding that the sender names. An empty cell says
nothing of its field. A cell that a spreadsheet would take for a formula is refused; one with an apostrophe before, as
exports have it, is taken without.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Any

from domain.counting import say_count
from domain.master_data import (
    ALL_DEVICES,
    CODE_FIELD,
    CONTACT_FIELDS,
    FIELDS,
    MOST_DEVICES,
    MOST_ID,
    Field,
    FieldKind,
    FieldRefusal,
    MasterKind,
)

MOST_LINES = 5_000
ID_COLUMN = "external_id"
TYPE_COLUMN = "external_type"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# What `charset` of the content type may name, and how it is read: the encodings that spreadsheets write.
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "ascii",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
    "windows-1252": "cp1252",
    "iso-8859-1": "latin-1",
}
# A number, a telephone number or a dash are no formulas.
_FORMULA = re.compile(r"[=@\t\r]|[+\-](?![\d\s().,/\-]*$)")
_ESCAPED = re.compile(r"'[=+\-@\t\r]")
_SEPARATORS = ((";", "semicolons"), ("\t", "tabs"))


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Why no line of a file can be read; `line` counts from 1, 0: none."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line: what it says, or why it cannot be used. `line` is where it ends in the file; the header is line 1."""

    line: int
    external_id: str
    external_type: str
    values: dict[str, Any]
    refusals: tuple[FieldRefusal, ...] = ()


def decode_file(content: bytes, charset: str = "") -> str | FileProblem:
    """The text, from the encoding that is named, or from UTF-8."""
    name = charset.strip().strip('"').lower() or "utf-8"
    encoding = ENCODINGS.get(name)
    if encoding is None:
        return FileProblem(0, "charset", f"{name!r} is not taken; there are {', '.join(sorted(ENCODINGS))}")
    if content.startswith(_UTF16):
        return FileProblem(1, "file", "is UTF-16; save it as CSV UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "; save it as CSV UTF-8, or name its encoding, e.g. Content-Type: text/csv; charset=gbk"
        return FileProblem(line, "file", f"is not {name} at byte {error.start}{hint if name == 'utf-8' else ''}")
    if "\x00" in text:
        return FileProblem(text.count("\n", 0, text.index("\x00")) + 1, "file", "holds a NUL character")
    return text


def find_columns(kind: MasterKind) -> tuple[str, ...]:
    """Every column that a file of that kind may have."""
    own = (name for field, what in FIELDS[kind].items() for name in what.columns or (field,))
    return (ID_COLUMN, TYPE_COLUMN, *own)


def parse_file(kind: MasterKind, text: str, *, by_reference: bool) -> list[FileLine] | list[FileProblem]:
    """Every line that is not empty, or what is wrong with the whole file.

    `by_reference`: records are named by the column `external_id`; else by their own code. A record that stands twice
    is refused where it stands again.
    """
    reader = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        return [FileProblem(1, "file", "is empty or not CSV")]
    problems = _find_header_problems(kind, header, by_reference=by_reference)
    if problems:
        return problems
    lines: list[FileLine] = []
    seen: dict[str, int] = {}
    key_column = ID_COLUMN if by_reference else CODE_FIELD[kind]
    for line, cells in _iterate_rows(reader):
        if isinstance(cells, str):
            return [FileProblem(line, "file", cells)]
        if len(lines) >= MOST_LINES:
            return [FileProblem(line, "file", f"more than {MOST_LINES} lines; split it")]
        if len(cells) != len(header):
            reason = f"{say_count(len(cells), 'cell')}, the header has {len(header)}"
            lines.append(FileLine(line, "", "", {}, (FieldRefusal("line", reason),)))
            continue
        found = _read_line(kind, line, dict(zip(header, cells, strict=True)), key_column)
        key = found.external_id if by_reference else str(found.values.get(key_column, ""))
        if key and key in seen:
            twice = FieldRefusal(key_column, f"{key} stands in line {seen[key]} already")
            found = FileLine(line, found.external_id, found.external_type, {}, (*found.refusals, twice))
        elif key:
            seen[key] = line
        lines.append(found)
    return lines or [FileProblem(1, "file", "has a header and no line")]


def _iterate_rows(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"not CSV: {error}"
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _find_header_problems(kind: MasterKind, header: list[str], *, by_reference: bool) -> list[FileProblem]:
    if len(header) == 1:
        for mark, word in _SEPARATORS:
            if mark in header[0]:
                return [FileProblem(1, "file", f"is separated by {word}; commas are taken")]
    known = find_columns(kind)
    needed = ID_COLUMN if by_reference else CODE_FIELD[kind]
    problems = [
        FileProblem(1, name[:64], f"unknown column; there are {', '.join(known)}")
        for name in header
        if name not in known
    ]
    if needed not in header:
        problems.append(FileProblem(1, needed, "column is missing"))
    if not by_reference and ID_COLUMN in header:
        problems.append(FileProblem(1, ID_COLUMN, "of which system? name it by ?system="))
    problems += [FileProblem(1, name, "column stands twice") for name in sorted(set(header)) if header.count(name) > 1]
    return problems


def _read_line(kind: MasterKind, line: int, raw: Mapping[str, str], key_column: str) -> FileLine:
    refusals: list[FieldRefusal] = []
    cells: dict[str, str] = {}
    for name, cell in raw.items():
        text = cell.strip(" ")
        if _ESCAPED.match(text):
            text = text[1:]
        elif _FORMULA.match(text):
            refusals.append(FieldRefusal(name, "begins like a formula of a spreadsheet; put an apostrophe before it"))
            continue
        cells[name] = text.strip()
    values: dict[str, Any] = {}
    for field, what in FIELDS[kind].items():
        if what.kind is FieldKind.CONTACTS:
            value, problem = _read_contact(cells)
        else:
            value, problem = read_text(what, cells.get(field, ""))
        if problem:
            refusals.append(FieldRefusal(field, problem))
        elif value is not None:
            values[field] = value
    name = cells.get(ID_COLUMN, "")
    named = name if key_column == ID_COLUMN else str(values.get(key_column, ""))
    if not named and not any(refusal.field == key_column for refusal in refusals):
        refusals.append(FieldRefusal(key_column, "must not be empty"))
    if len(name) > MOST_ID:
        refusals.append(FieldRefusal(ID_COLUMN, f"has more than {MOST_ID} characters"))
    return FileLine(line, name, cells.get(TYPE_COLUMN, "")[:64], values, tuple(refusals))


def _read_contact(cells: Mapping[str, str]) -> tuple[Any, str]:
    said = {name: cells.get(f"contact_{name}", "") for name in CONTACT_FIELDS}
    if not any(said.values()):
        return None, ""
    if not said["name"]:
        return None, "contact_name must not be empty where the other columns say something"
    long = [name for name, text in said.items() if len(text) > 200]
    return ([said], "") if not long else (None, f"contact_{long[0]} has more than 200 characters")


def read_text(what: Field, text: str) -> tuple[Any, str]:
    """The value that a cell says, and what is wrong with it; (None, ""): it says nothing."""
    if not text:
        return None, ""
    if what.kind is FieldKind.DATE:
        return _read_date(text)
    if what.kind is FieldKind.FLAG:
        known = {"true": True, "false": False}.get(text.lower())
        return known, "" if known is not None else "must be true or false"
    if what.kind is FieldKind.COUNT:
        is_count = text.isascii() and text.isdigit() and int(text[:9]) <= what.most and len(text) < 9
        return (int(text), "") if is_count else (None, f"must be a whole number from 0 to {what.most}")
    if what.kind is FieldKind.CHOICE:
        return (text, "") if text in what.choices else (None, f"must be one of {', '.join(what.choices)}")
    if what.kind is FieldKind.SERIALS:
        return read_serials(text)
    if len(text) > what.most:
        return None, f"has more than {say_count(what.most, 'character')}"
    return text, ""


def read_serials(text: str) -> tuple[Any, str]:
    """The serials of a cell, separated by spaces or semicolons; `*`: every device."""
    if text == ALL_DEVICES:
        return ALL_DEVICES, ""
    serials = tuple(dict.fromkeys(part for part in re.split(r"[;\s]+", text) if part))
    return (serials, "") if len(serials) <= MOST_DEVICES else (None, f"names more than {MOST_DEVICES} devices")


def _read_date(text: str) -> tuple[Any, str]:
    try:
        day = date.fromisoformat(text if len(text) == len("YYYY-MM-DD") else "")
    except ValueError:
        return None, f"{text!r} is no date; write YYYY-MM-DD"
    return (day, "") if 1970 <= day.year < 3000 else (None, f"{text!r} does not lie in 1970 or later, and before 3000")
