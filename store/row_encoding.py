"""Columns of numbers as rows in PostgreSQL's binary COPY format, built at once with numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


def encode_rows(columns: Sequence[NDArray[Any]]) -> bytes:
    """The rows with header and trailer: int64 columns as bigint, float64 ones as double precision; no NULL."""
    layout = np.dtype(
        [
            ("fields", ">i2"),
            *(
                field
                for i, column in enumerate(columns)
                for field in ((f"size{i}", ">i4"), (f"value{i}", ">f8" if column.dtype.kind == "f" else ">i8"))
            ),
        ]
    )
    rows = np.empty(len(columns[0]), dtype=layout)
    rows["fields"] = len(columns)
    for i, column in enumerate(columns):
        rows[f"size{i}"] = 8
        rows[f"value{i}"] = column
    return b"".join((_HEADER, rows.tobytes(), _TRAILER))
