"""SLA policies: response and resolution times that contracts promise; every version is kept."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, declare, not_found
from api.shapes.pages import Page
from api.shapes.sla import (
    ContractPolicyChoice,
    ContractPolicyShape,
    NewPolicy,
    PolicyContent,
    PolicyShape,
    PolicyVersions,
)
from api.sla_drafts import check_calendar, read_policy_draft
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.roles import Permission
from store.pool import Connection
from store.sla_policies import (
    POLICIES,
    PolicyRow,
    assign_policy,
    change_policy,
    create_policy,
    load_contract_policy,
)

router = make_router(tag="SLA")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Writer = Annotated[Caller, require(Permission.SLA_POLICY_WRITE)]


@router.get("/sla-policies", summary="List SLA policies")
def list_policies(caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[PolicyShape]:
    """Policies by code, each in its current version; a customer's users see those of their own contracts."""
    keys = read_cursor(cursor, [str])
    after = str(keys[0]) if keys else ""
    with pool.connection() as conn:
        found = POLICIES.load_page(conn, customer_id=caller.customer_id, after=after, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[_shape(row, caller) for row in page],
        next_cursor=make_cursor([page[-1].code]) if len(found) > limit else None,
    )


@router.get("/sla-policies/{code}", summary="One SLA policy", responses=declare(404))
def read_policy(code: str, caller: Reader, pool: Database, response: Response) -> PolicyShape:
    """The current version, by which clocks that begin now count."""
    with pool.connection() as conn:
        row = _find_policy(conn, code, caller)
    response.headers["ETag"] = make_etag(row.row_version)
    return _shape(row, caller)


@router.get("/sla-policies/{code}/versions", summary="Versions of a policy", responses=declare(404))
def list_policy_versions(code: str, caller: Reader, pool: Database) -> PolicyVersions:
    """Every version, the newest first: a clock names the one that it counts by."""
    with pool.connection() as conn:
        _find_policy(conn, code, caller)
        rows = POLICIES.load_versions(conn, code)
    return PolicyVersions(items=[_shape(row, caller) for row in rows])


@router.post(
    "/sla-policies", summary="Make a policy", status_code=201, response_model=PolicyShape, responses=declare(409)
)
def make_policy(
    caller: Writer, pool: Database, request: Request, body: NewPolicy, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes a policy; contracts that are given it promise its times."""
    policy = read_policy_draft(body)

    def work(conn: Connection) -> tuple[PolicyShape, dict[str, str]]:
        check_calendar(conn, body.service_calendar)
        if not create_policy(
            conn, caller.actor, body.code, body.name, policy, body.service_calendar, reason=body.reason, now=now()
        ):
            raise ProblemError(ALREADY_EXISTS, fields={"code": "is taken"}, guard="code_taken")
        row = _find_policy(conn, body.code, caller)
        return _shape(row, caller), {
            "Location": f"/api/v1/sla-policies/{body.code}",
            "ETag": make_etag(row.row_version),
        }

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.put(
    "/sla-policies/{code}", summary="Change a policy", response_model=PolicyShape, responses=declare(404, 412, 428)
)
def replace_policy(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: PolicyContent,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Makes the next version. Clocks that begin from now on count by it; those that run keep theirs."""
    policy = read_policy_draft(body)

    def work(conn: Connection) -> tuple[PolicyShape, dict[str, str]]:
        check_calendar(conn, body.service_calendar)
        change_policy(
            conn,
            caller.actor,
            code,
            body.name,
            policy,
            body.service_calendar,
            expected_row_version=version,
            reason=body.reason,
            now=now(),
        )
        row = _find_policy(conn, code, caller)
        return _shape(row, caller), {"ETag": make_etag(row.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="sla_policy",
        code=code,
        find_row_version=lambda conn: _find_policy(conn, code, caller).row_version,
    )


@router.get("/contracts/{code}/sla-policy", summary="The policy of a contract", responses=declare(404))
def read_contract_policy(code: str, caller: Reader, pool: Database, response: Response) -> ContractPolicyShape:
    """Which policy the contract has."""
    with pool.connection() as conn:
        shape = _describe_contract(conn, code, caller)
    response.headers["ETag"] = make_etag(shape.row_version)
    return shape


@router.put(
    "/contracts/{code}/sla-policy",
    summary="Give a contract its policy",
    response_model=ContractPolicyShape,
    responses=declare(404, 412, 428),
)
def choose_contract_policy(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ContractPolicyChoice,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Clocks of the contract's orders that begin from now on count by that policy; those that run keep theirs."""

    def work(conn: Connection) -> tuple[ContractPolicyShape, dict[str, str]]:
        _describe_contract(conn, code, caller)
        if body.sla_policy is not None and POLICIES.load(conn, body.sla_policy) is None:
            raise ProblemError(INVALID, fields={"sla_policy": "there is no policy of that code"})
        assign_policy(conn, caller.actor, code, body.sla_policy, expected_row_version=version, reason=body.reason)
        shape = _describe_contract(conn, code, caller)
        return shape, {"ETag": make_etag(shape.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="contract",
        code=code,
        find_row_version=lambda conn: _describe_contract(conn, code, caller).row_version,
    )


def _find_policy(conn: Connection, code: str, caller: Caller) -> PolicyRow:
    row = POLICIES.load(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("SLA policy", code, "code")
    return row


def _describe_contract(conn: Connection, code: str, caller: Caller) -> ContractPolicyShape:
    row = load_contract_policy(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("contract", code, "code")
    return ContractPolicyShape.model_validate(row)


def _shape(row: PolicyRow, caller: Caller) -> PolicyShape:
    known = {name: getattr(row, name) for name in PolicyShape.model_fields if hasattr(row, name)}
    if caller.customer_id is not None:
        known["reason"] = ""  # the policy may be other customers' as well: why it is so stays in the house
    return mask_shape("sla_policy", PolicyShape.model_validate(known | row.body), caller)
