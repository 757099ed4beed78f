"""What people do to a complaint: done once, refused where it moved, answered with all that the complaint then says."""

from collections.abc import Callable

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Caller
from api.complaint_views import describe_complaint, find_complaint_row
from api.preconditions import make_etag
from api.shapes.complaints import ComplaintDetail
from api.steps import take_step_once
from domain.audit_complaint import ENTITY
from domain.complaint import Complaint
from store.pool import Connection, Pool


def act_on_complaint_once(
    pool: Pool,
    caller: Caller,
    request: Request,
    key: str | None,
    body: BaseModel,
    code: str,
    act: Callable[[Connection], Complaint],
    *,
    status: int = 200,
) -> Response:
    """The complaint as it is after `act`, which is called for a complaint that the caller may see.

    Raises
    ------
    ProblemError
        404, or 412 that says who moved the complaint.
    """

    def work(conn: Connection) -> tuple[ComplaintDetail, dict[str, str]]:
        find_complaint_row(conn, code, caller)
        after = act(conn)
        return describe_complaint(conn, code, caller), {"ETag": make_etag(after.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: find_complaint_row(conn, code, caller).row_version,
        status=status,
    )
