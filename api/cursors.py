"""Cursors of lists: where the next page starts, as a word that nobody needs to understand."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import Query

from api.problems import INVALID, ProblemError

Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=500, description="At most this many records.")]
WantsTotal = Annotated[bool, Query(description="Count all records that match as well; costs time.")]


def make_cursor(keys: Sequence[str | int | float | None]) -> str:
    """The cursor behind a record with these sort keys."""
    return base64.urlsafe_b64encode(orjson.dumps(list(keys))).decode().rstrip("=")


def read_cursor(cursor: str | None, kinds: Sequence[type]) -> list[str | int] | None:
    """The sort keys of a cursor that `make_cursor` made, or None where there is no cursor.

    Raises
    ------
    ProblemError
        422: it is not a cursor of this list.
    """
    if cursor is None:
        return None
    try:
        keys = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        keys = None
    if not isinstance(keys, list) or [type(key) for key in keys] != list(kinds):
        raise not_ours()
    return keys


def read_instant(key: str | int) -> datetime:
    """The instant that a cursor holds as text.

    Raises
    ------
    ProblemError
        422: it holds none.
    """
    try:
        at = datetime.fromisoformat(str(key))
    except ValueError:
        raise not_ours() from None
    if at.tzinfo is None:
        raise not_ours()
    return at


def not_ours() -> ProblemError:
    """422: the cursor was not given by this list."""
    return ProblemError(INVALID, fields={"cursor": "is not a cursor of this list"})
