"""The file of an export: written in full, counted and hashed before anything of it is sent; each is watermarked."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import quote

import orjson
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from domain.export import escape_cell
from domain.masking import MASK
from store.exports import ExportFile

MEMORY_BYTES = 2_000_000  # more lies on disk until it is sent
CHUNK_BYTES = 64 * 1024
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


class HashedFile:
    """A temporary file that hashes and counts what is written into it."""

    def __init__(self) -> None:
        self.file: IO[bytes] = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed when it was sent
        self._hash = hashlib.sha256()
        self._size = 0
        self.rows = 0

    def write(self, data: bytes) -> None:
        """Adds to the file."""
        self.file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def finish(self) -> ExportFile:
        """What was written; the file stands at its beginning."""
        self.file.seek(0)
        return ExportFile(self.rows, self._size, self._hash.hexdigest())


def write_csv(rows: Iterable[Sequence[Any]], columns: Sequence[str], watermark: str, into: HashedFile) -> None:
    """The watermark as a comment, the names of the columns, then a line for each row; RFC 4180, UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    text.write(f"# {_in_one_line(watermark)}\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_to_cell(value) for value in row])
        into.rows += 1
        if text.tell() > CHUNK_BYTES:
            into.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    into.write(text.getvalue().encode())


def write_json(rows: Iterable[Sequence[Any]], columns: Sequence[str], watermark: str, into: HashedFile) -> None:
    """`{"watermark": ..., "rows": [{column: value}, ...]}`, a row a line."""
    into.write(b'{"watermark":' + orjson.dumps(watermark) + b',"rows":[')
    for row in rows:
        line = orjson.dumps(dict(zip(columns, row, strict=True)), option=orjson.OPT_UTC_Z, default=str)
        into.write((b"\n" if into.rows == 0 else b",\n") + line)
        into.rows += 1
    into.write(b"\n]}\n")


WRITERS = {"csv": write_csv, "json": write_json}


def send_file(written: HashedFile, file: ExportFile, *, name: str, format_: str, watermark: str) -> StreamingResponse:
    """The file as a download that says which export it is; closed when it was sent or nobody takes it any more."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Content-Length": str(file.size_bytes),
        "X-Forewarn-Watermark": write_watermark(watermark),
        "X-Content-SHA256": file.sha256,
    }
    return StreamingResponse(
        _iterate(written.file),
        media_type=MEDIA_TYPES[format_],
        headers=headers,
        background=BackgroundTask(written.file.close),
    )


def write_watermark(watermark: str) -> str:
    """The watermark as a header may hold it: percent-encoded UTF-8."""
    return quote(watermark, safe=" ,():;")


def _iterate(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _to_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value if value == MASK else escape_cell(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    return str(value)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
