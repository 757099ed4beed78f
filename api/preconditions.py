"""ETag and If-Match: a record is changed only by somebody who has seen its newest version."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header

from api.problems import INVALID, PRECONDITION_REQUIRED, ROW_VERSION_CONFLICT, ProblemError

_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')


def make_etag(row_version: int) -> str:
    """The ETag of a record at that row version."""
    return f'"{row_version}"'


def read_if_match(
    if_match: Annotated[
        str | None,
        Header(description='The ETag of the version that was read, e.g. `"3"`; without it the answer is 428.'),
    ] = None,
) -> int:
    """The row version that the caller has seen.

    Raises
    ------
    ProblemError
        428 without the header, 422 when it is no ETag of ours.
    """
    if if_match is None:
        raise ProblemError(PRECONDITION_REQUIRED, fields={"If-Match": "is missing"})
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise ProblemError(INVALID, fields={"If-Match": 'must be one ETag as GET gives it, e.g. "3"'})
    return int(match[1])


IfMatch = Annotated[int, Depends(read_if_match)]


def conflict(current: int, *, changed_by: str | None, changed_at: datetime | None) -> ProblemError:
    """412 that says to which version the record moved, and through whom."""
    by = f" by {changed_by}" if changed_by else ""
    return ProblemError(
        ROW_VERSION_CONFLICT,
        f"The record is at version {current} now, changed{by}.",
        headers={"ETag": make_etag(current)},
        current={"row_version": current, "changed_by": changed_by, "changed_at": changed_at},
    )
