"""Maintenance plans: made and ended by people; the machine counts them out and opens one order for each occurrence."""

from datetime import date
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, not_ours, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.shapes.maintenance_plans import (
    MaintenancePlanShape,
    NewMaintenancePlan,
    PlanOccurrenceShape,
    PlanTransition,
)
from api.shapes.pages import Page
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.audit_plan import ENTITY
from domain.maintenance_plan import OccurrenceState, PlanDraft, PlanState, find_plan_problems
from domain.roles import Permission
from store.maintenance_plans import (
    end_maintenance_plan,
    load_maintenance_plan,
    load_maintenance_plans,
    record_maintenance_plan,
)
from store.plan_occurrence_lists import load_plan_occurrences
from store.pool import Connection
from store.profiles import load_profile

router = make_router("/maintenance-plans", tag="plans")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Writer = Annotated[Caller, require(Permission.PLAN_WRITE)]
NEVER = date(9999, 12, 31)


@router.get("", summary="List maintenance plans")
def list_maintenance_plans(
    caller: Reader,
    pool: Database,
    model: str = "",
    state: PlanState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MaintenancePlanShape]:
    """Plans, the newest first."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found = load_maintenance_plans(
            conn,
            model=model,
            state="" if state is None else state,
            customer_id=caller.customer_id,
            before_id=int(keys[0]) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    more = make_cursor([page[-1].id]) if len(found) > limit else None
    return Page(items=[MaintenancePlanShape.model_validate(plan) for plan in page], next_cursor=more)


@router.get("/occurrences", summary="List occurrences of plans")
def list_plan_occurrences(
    caller: Reader,
    pool: Database,
    plan: Annotated[str, Query(description="Code.")] = "",
    device: Annotated[str, Query(description="Serial.")] = "",
    state: Annotated[list[OccurrenceState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PlanOccurrenceShape]:
    """Occurrences, the one that is due first at the top."""
    keys = read_cursor(cursor, [str, int])
    with pool.connection() as conn:
        found = load_plan_occurrences(
            conn,
            plan=plan,
            serial=device,
            states=state,
            customer_id=caller.customer_id,
            after=(read_day(keys[0]), int(keys[1])) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    more = make_cursor([(page[-1].due_on or NEVER).isoformat(), page[-1].id]) if len(found) > limit else None
    return Page(items=[PlanOccurrenceShape.model_validate(found) for found in page], next_cursor=more)


@router.get("/{code}", summary="One maintenance plan", responses=declare(404))
def read_maintenance_plan(code: str, caller: Reader, pool: Database, response: Response) -> MaintenancePlanShape:
    """The plan, and how many of its occurrences are open and overdue."""
    with pool.connection() as conn:
        plan = describe_plan(conn, code, caller)
    response.headers["ETag"] = make_etag(plan.row_version)
    return plan


@router.post(
    "", summary="Make a maintenance plan", status_code=201, response_model=MaintenancePlanShape, responses=declare(404)
)
def make_maintenance_plan(
    caller: Writer, pool: Database, request: Request, body: NewMaintenancePlan, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes the plan. Devices that are installed, now or later, get their first occurrence within a minute."""

    def work(conn: Connection) -> tuple[MaintenancePlanShape, dict[str, str]]:
        profile = load_profile(conn, body.model)
        if profile is None:
            raise ProblemError(INVALID, fields={"model": "is not known"})
        draft = PlanDraft(**body.model_dump(exclude={"model", "serial", "starts_on", "external_refs"}))
        sensors = frozenset(sensor.key for sensor in profile.sensors)
        problems = find_plan_problems(draft, sensors, frozenset(group.key for group in profile.fault_groups))
        if problems:
            raise ProblemError(INVALID, fields=problems)
        at = now()
        code = record_maintenance_plan(
            conn,
            caller.actor,
            draft,
            model=body.model,
            serial=body.serial,
            starts_on=body.starts_on or at.date(),
            external_refs=[ref.model_dump() for ref in body.external_refs],
            now=at,
        )
        plan = describe_plan(conn, code, caller)
        return plan, {"Location": f"/api/v1/maintenance-plans/{code}", "ETag": make_etag(plan.row_version)}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.post(
    "/{code}/transitions",
    summary="End a maintenance plan",
    response_model=MaintenancePlanShape,
    responses=declare(404, 409, 412, 428),
)
def take_plan_step(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: PlanTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ends it: work orders that are open stay, no others come. 409 names the guard."""

    def work(conn: Connection) -> tuple[MaintenancePlanShape, dict[str, str]]:
        describe_plan(conn, code, caller)
        end_maintenance_plan(conn, caller.actor, code, body.reason, expected_row_version=version, now=now())
        plan = describe_plan(conn, code, caller)
        return plan, {"ETag": make_etag(plan.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: describe_plan(conn, code, caller).row_version,
    )


def describe_plan(conn: Connection, code: str, caller: Caller) -> MaintenancePlanShape:
    """The plan of that code if the caller may see it, or a 404."""
    plan = load_maintenance_plan(conn, code, customer_id=caller.customer_id)
    if plan is None:
        raise not_found("maintenance plan", code, "code")
    return MaintenancePlanShape.model_validate(plan)


def read_day(key: str | int) -> date:
    """The day that a cursor holds as text.

    Raises
    ------
    ProblemError
        422: it holds none.
    """
    try:
        return date.fromisoformat(str(key))
    except ValueError:
        raise not_ours() from None
