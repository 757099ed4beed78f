"""Versions of device models' profiles: the history, what differs, and an earlier one proposed again."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.preconditions import make_etag
from api.problems import declare
from api.profile_returns import find_profile_differences, propose_return
from api.routes.device_models import find_profile
from api.routes.models import describe_model
from api.shapes.models import ModelRecordDetail
from api.shapes.profiles import ProfileDifferences, ProfileReturn, ProfileVersions, ProfileVersionShape
from api.shapes.sla_previews import DifferenceShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.roles import Permission
from store.pool import Connection
from store.profile_history import load_profile_history

router = make_router("/device-models", tag="installed base")
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
Version = Annotated[int, Path(ge=0, le=2_147_483_647)]


@router.get("/{model}/versions", summary="Versions of a profile", responses=declare(404))
def list_profile_versions(model: str, caller: Reader, pool: Database) -> ProfileVersions:
    """Every version that was applied, the newest first: by whom, when, why, and by which decision."""
    with pool.connection() as conn:
        find_profile(conn, model)
        rows = load_profile_history(conn, model)
    shapes = [ProfileVersionShape.model_validate(row) for row in rows]
    if caller.customer_id is not None:  # the profile is other customers' as well: why it is so stays in the house
        shapes = [shape.model_copy(update={"reason": ""}) for shape in shapes]
    return ProfileVersions(items=[mask_shape("profile_version", shape, caller) for shape in shapes])


@router.get("/{model}/differences", summary="What differs between two versions", responses=declare(404))
def read_profile_differences(
    model: str,
    caller: Reader,
    pool: Database,
    before: Annotated[int, Query(ge=0, le=2_147_483_647)],
    after: Annotated[int | None, Query(ge=0, le=2_147_483_647, description="null: the current one.")] = None,
) -> ProfileDifferences:
    """Field by field; sensors, monitors and fault groups are compared by their keys."""
    with pool.connection() as conn:
        later = find_profile(conn, model).version if after is None else after
        found = find_profile_differences(conn, model, before, later)
    return ProfileDifferences(before=before, after=later, items=[DifferenceShape.model_validate(one) for one in found])


@router.post(
    "/{model}/versions/{version}/proposals",
    summary="Propose an earlier version again",
    status_code=201,
    response_model=ModelRecordDetail,
    responses=declare(404, 422),
)
def propose_earlier_version(
    model: str,
    version: Version,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ProfileReturn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Registers what that version says as a draft: it is backtested, tried in shadow and made live by the steps of a
    model, on a safety-critical device model by two engineers. Versions never go back: it becomes the newest one."""

    def work(conn: Connection) -> tuple[ModelRecordDetail, dict[str, str]]:
        row = propose_return(conn, caller, model, version, body.reason, now())
        return describe_model(row, caller), {
            "ETag": make_etag(row.row_version),
            "Location": f"/api/v1/models/{row.code}",
        }

    return change_once(pool, caller, request, idempotency_key, body, work)
