"""Steps of records that people take: taken once, refused where the record has moved; `api.signing` signs them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Caller
from api.once import change_once
from api.preconditions import conflict
from domain.errors import RowVersionConflictError
from store.audit import AuditFilter, load_audit_events
from store.pool import Connection, Pool


def take_step_once(
    pool: Pool,
    caller: Caller,
    request: Request,
    key: str | None,
    body: BaseModel,
    work: Callable[[Connection], tuple[BaseModel, Mapping[str, str]]],
    *,
    entity: str,
    code: str,
    find_row_version: Callable[[Connection], int],
    status: int = 200,
) -> Response:
    """The answer to a step as `change_once` gives it.

    Raises
    ------
    ProblemError
        412: the record is at another version, which is named, and who changed it.
    """
    with naming_conflict(pool, entity, code, find_row_version):
        return change_once(pool, caller, request, key, body, work, status=status)


@contextmanager
def naming_conflict(
    pool: Pool, entity: str, code: str, find_row_version: Callable[[Connection], int]
) -> Iterator[None]:
    """Where the block finds the record at another version, the answer says to which one it moved, and through whom.

    Raises
    ------
    ProblemError
        412.
    """
    try:
        yield
    except RowVersionConflictError:
        with pool.connection() as conn:
            current = find_row_version(conn)
            raise conflict(current, **find_last_change(conn, entity, code)) from None


def find_last_change(conn: Connection, entity: str, entity_id: str, *, action: str = "") -> dict[str, Any]:
    """Who changed the record last, for a 412; by that action where not all that is told of it moves its version."""
    events = load_audit_events(conn, AuditFilter(entity=entity, entity_id=entity_id, action=action), limit=1)
    return {"changed_by": events[0].actor if events else None, "changed_at": events[0].at if events else None}
