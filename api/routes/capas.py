"""CAPAs: the machine proposes; people decide, take each step, approve and close."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.capa_answers import describe_capa, find_capa
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.shapes.capas import CapaFields, CapaSignatures, ScopeDeviceShape
from api.shapes.pages import Page
from api.shapes.service import CapaDetail, CapaShape, CapaTransition
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.audit import find_content_sha256
from domain.capa import CapaScope, CapaState, ScopeKind
from domain.capa_steps import CapaRequest, find_capa_permissions
from domain.roles import Permission
from store.capa_effectiveness import count_scope_devices, load_scope_devices
from store.capa_manual import ManualCapa, is_device_of, load_model_id, propose_capa
from store.capa_transitions import CLOSURE, load_standing, record_capa_step
from store.capas import ENTITY, count_capas, load_capas
from store.pool import Connection
from store.signatures import load_signatures

router = make_router("/capas", tag="quality")
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Worker = Annotated[Caller, require(Permission.CAPA_WORK)]


@router.get("", summary="List CAPAs")
def list_capas(
    caller: Reader,
    pool: Database,
    state: Annotated[list[CapaState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    model: str = "",
    fault_group: str = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[CapaShape]:
    """CAPAs, newest first."""
    keys = read_cursor(cursor, [int])
    before = int(keys[0]) if keys else None
    states = [s.value for s in state]
    with pool.connection() as conn:
        found = load_capas(conn, states=states, model=model, fault_group=fault_group, before_id=before, limit=limit + 1)
        count = count_capas(conn, states=states, model=model, fault_group=fault_group) if total else None
    page = found[:limit]
    return Page(
        items=[CapaShape.model_validate(capa) for capa in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
        total=count,
    )


@router.post("", summary="Propose a CAPA", status_code=201, response_model=CapaDetail, responses=declare(404, 409))
def post_capa(
    caller: Worker, pool: Database, request: Request, body: CapaFields, idempotency_key: IdempotencyKey = None
) -> Response:
    """Proposes a CAPA for what no figure shows: an audit, a near miss, what could go wrong; somebody else decides."""
    if (body.scope_kind is ScopeKind.MODEL) != (body.scope_value == ""):
        raise ProblemError(
            INVALID, fields={"scope_value": "names the lot, firmware or serial; of a whole model nothing"}
        )

    def work(conn: Connection) -> tuple[CapaDetail, dict[str, str]]:
        model_id = load_model_id(conn, body.model)
        if model_id is None:
            raise not_found("device model", body.model, "model")
        if body.scope_kind is ScopeKind.DEVICE and not is_device_of(conn, body.scope_value, model_id):
            raise not_found("device of the model", body.scope_value, "scope_value")
        scope = CapaScope(model_id, body.scope_kind, body.scope_value, body.fault_group)
        orders = tuple(dict.fromkeys(body.work_orders))
        wanted = ManualCapa(body.kind, scope, body.reason, orders, body.is_simulated, body.region)
        capa = propose_capa(conn, caller.actor, wanted, now=now())
        headers = {"Location": f"/api/v1/capas/{capa.code}", "ETag": make_etag(capa.row_version)}
        return describe_capa(conn, capa, caller), headers

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/{code}", summary="One CAPA", responses=declare(404))
def read_capa(code: str, caller: Reader, pool: Database, response: Response) -> CapaDetail:
    """The CAPA with its figures, its cases, its plan and the steps that are possible."""
    with pool.connection() as conn:
        capa = find_capa(conn, code)
        detail = describe_capa(conn, capa, caller)
    response.headers["ETag"] = make_etag(capa.row_version)
    return detail


@router.post(
    "/{code}/transitions",
    summary="Take a step",
    response_model=CapaDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def step_capa(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: CapaTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Brings the CAPA into another state; the first of two signatures on plan or closure leaves it where it is. 409
    names the guard that refused."""
    with pool.connection() as conn:
        needed = find_capa_permissions(CapaState(find_capa(conn, code).state), body.to)
    held = [permission for permission in needed if caller.may(permission)]
    if needed and not held:
        raise missing_permission(needed[-1])
    acting = caller.acting_by(held[0]) if held else caller
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[CapaDetail, dict[str, str]]:
        wanted = CapaRequest(body.to, body.reason, signature)
        capa = record_capa_step(conn, acting.actor, code, wanted, expected_row_version=version, now=now())
        return describe_capa(conn, capa, caller), {"ETag": make_etag(capa.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: find_capa(conn, code).row_version,
    )


@router.get("/{code}/signatures", summary="Who signed", responses=declare(404))
def read_signatures(code: str, caller: Reader, pool: Database) -> CapaSignatures:
    """The signatures on the plan and on the closure, each with whether it holds for what the CAPA says now."""
    with pool.connection() as conn:
        standing = load_standing(conn, find_capa(conn, code))
        plan, closure = standing.plan.find_content(), standing.closure
        signed = load_signatures(conn, ENTITY, standing.capa.id, plan)
        asked = load_signatures(conn, CLOSURE, standing.capa.id, closure)
    return CapaSignatures(
        plan_sha256=find_content_sha256(plan),
        plan=[SignatureShape.model_validate(s) for s in signed],
        closure_sha256=find_content_sha256(closure),
        closure=[SignatureShape.model_validate(s) for s in asked],
    )


@router.get("/{code}/devices", summary="Devices of the scope", responses=declare(404))
def list_scope_devices(
    code: str, caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None, total: WantsTotal = False
) -> Page[ScopeDeviceShape]:
    """The devices on which the effect is measured, by serial; frozen when the plan is begun."""
    keys = read_cursor(cursor, [str])
    with pool.connection() as conn:
        capa = find_capa(conn, code)
        found = load_scope_devices(conn, capa.id, after=str(keys[0]) if keys else "", limit=limit + 1)
        count = count_scope_devices(conn, capa.id) if total else None
    page = found[:limit]
    items = [
        ScopeDeviceShape(**{name: getattr(device, name) for name in ScopeDeviceShape.model_fields}) for device in page
    ]
    return Page(items=items, next_cursor=make_cursor([page[-1].serial]) if len(found) > limit else None, total=count)
