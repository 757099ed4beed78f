"""Steps of records that people take: signed with the own password, taken once, refused where the record has moved."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Caller
from api.once import change_once
from api.preconditions import conflict
from api.problems import INVALID, TOO_MANY_ATTEMPTS, ProblemError
from api.sign_in import check_password
from api.state import now
from domain.audit import Signature
from domain.errors import RowVersionConflictError
from store.audit import AuditFilter, load_audit_events
from store.pool import Connection, Pool


def sign(pool: Pool, caller: Caller, password: str | None, meaning: str) -> Signature | None:
    """The caller's signature where a password comes along and is right.

    Raises
    ------
    ProblemError
        422: the password is wrong, or a token calls. 429: locked after too many wrong ones.
    """
    if password is None:
        return None
    if caller.user_id is None or caller.session is None:
        raise ProblemError(INVALID, fields={"password": "a token cannot sign; a person must, signed in"})
    refused = check_password(pool, caller.name, password, at=now(), request_id=caller.request_id)
    if refused is not None and refused.reason == "locked":
        raise ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": str(int(refused.wait_s) + 1)})
    if refused is not None:
        raise ProblemError(INVALID, fields={"password": "is not your password"})
    return Signature(caller.user_id, caller.full_name, meaning)


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
) -> Response:
    """The answer to a step as `change_once` gives it.

    Raises
    ------
    ProblemError
        412: the record is at another version, which is named, and who changed it.
    """
    try:
        return change_once(pool, caller, request, key, body, work, status=200)
    except RowVersionConflictError:
        with pool.connection() as conn:
            current = find_row_version(conn)
            raise conflict(current, **find_last_change(conn, entity, code)) from None


def find_last_change(conn: Connection, entity: str, entity_id: str) -> dict[str, Any]:
    """Who changed the record last, for a 412."""
    events = load_audit_events(conn, AuditFilter(entity=entity, entity_id=entity_id), limit=1)
    return {"changed_by": events[0].actor if events else None, "changed_at": events[0].at if events else None}
