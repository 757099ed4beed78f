"""The bytes of an export: what is in them, how they are counted and hashed, and that nobody adds lines of his own."""

import csv
import hashlib
import io
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from api.export_file import WRITERS, HashedFile, send_file, write_watermark

COLUMNS = ("serial", "at", "day", "value", "is_open", "contacts")
ROWS: list[tuple[Any, ...]] = [
    ("泵-1", datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 11, 22), -1.5, True, [{"name": 'Zoë "Z"'}]),
    ('=HYPERLINK("x")', None, None, 7, False, None),
    ("two\nlines", None, None, None, None, {}),
]


def write(format_: str, rows: list[tuple[Any, ...]], watermark: str = "EX-1, taken by Zoë") -> bytes:
    into = HashedFile()
    WRITERS[format_](rows, COLUMNS, watermark, into)
    file = into.finish()
    with into.file as opened:
        content = opened.read()
    assert file.size_bytes == len(content)
    assert file.row_count == len(rows)
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    return content


def test_csv_has_the_watermark_the_columns_and_a_record_for_each_row() -> None:
    text = write("csv", ROWS).decode()
    mark, _, rest = text.partition("\r\n")
    assert mark == "# EX-1, taken by Zoë"
    records = list(csv.reader(io.StringIO(rest, newline="")))
    assert records == [
        [*COLUMNS],
        ["泵-1", "2026-11-22T09:00:00Z", "2026-11-22", "-1.5", "true", '[{"name":"Zoë \\"Z\\""}]'],
        ['\'=HYPERLINK("x")', "", "", "7", "false", ""],
        ["two\nlines", "", "", "", "", "{}"],
    ]


def test_json_is_json_with_and_without_rows() -> None:
    document = orjson.loads(write("json", ROWS))
    assert document["watermark"] == "EX-1, taken by Zoë"
    assert document["rows"][0] | {"contacts": None} == {
        "serial": "泵-1", "at": "2026-11-22T09:00:00Z", "day": "2026-11-22", "value": -1.5, "is_open": True,
        "contacts": None,
    }  # fmt: skip
    assert document["rows"][1]["serial"] == '=HYPERLINK("x")'  # nothing but a spreadsheet computes
    assert orjson.loads(write("json", []))["rows"] == []


def test_a_name_with_line_breaks_adds_no_line_and_no_header() -> None:
    text = write("csv", [], "EX-1, taken by A\r\nserial,at\r\nB").decode()
    assert text.split("\r\n")[0] == "# EX-1, taken by A serial,at B"
    header = write_watermark("EX-1, taken by Zoë\r\nSet-Cookie: x")
    assert header.isascii()
    assert "\r" not in header
    assert "\n" not in header


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_many_rows_are_written_in_pieces_and_are_the_same(format_: str) -> None:
    rows = [(f"S-{n}", None, None, n, n % 2 == 0, None) for n in range(20_000)]
    content = write(format_, rows)
    assert content.count(b"S-") == len(rows)


def test_the_answer_says_what_it_is() -> None:
    into = HashedFile()
    WRITERS["csv"](ROWS, COLUMNS, "EX-1", into)
    file = into.finish()
    answer = send_file(into, file, name="EX-1_x.csv", format_="csv", watermark="EX-1, taken by Zoë")
    assert answer.headers["content-length"] == str(file.size_bytes)
    assert answer.headers["x-content-sha256"] == file.sha256
    assert answer.headers["x-forewarn-watermark"] == "EX-1, taken by Zo%C3%AB"
    into.file.close()
