"""Firmware that may be installed: registered, approved by two people, released, withdrawn."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey, change, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import ALREADY_EXISTS, ProblemError, declare, not_found
from api.shapes.firmware_records import (
    FirmwareImage,
    FirmwareRecordDetail,
    FirmwareRecordShape,
    FirmwareStep,
    FirmwareTransition,
    NewFirmware,
)
from api.shapes.pages import Page
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import naming_conflict, take_step_once
from api.versioned_router import make_router
from domain.audit import find_content_sha256
from domain.audit_firmware import ENTITY
from domain.errors import NotFoundError
from domain.firmware_record import (
    FIRMWARE_TRANSITIONS,
    FirmwareRecord,
    FirmwareRecordState,
    FirmwareRequest,
    find_firmware_content,
    find_firmware_next_states,
)
from domain.roles import Permission
from store.firmware_records import (
    change_firmware,
    count_firmware_records,
    load_firmware_record,
    load_firmware_records,
    load_signers,
    lock_firmware,
    record_firmware_step,
    register_firmware,
)
from store.pool import Connection
from store.signatures import load_signatures

router = make_router("/firmware", tag="field actions")
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIRMWARE_WRITE)]
Component = Annotated[str, Query(max_length=100)]


@router.get("/records", summary="List firmware that may be installed")
def list_firmware_records(
    caller: Reader,
    pool: Database,
    model: str = "",
    state: Annotated[list[FirmwareRecordState], Query(description="One or several.")] = [],  # noqa: B006 - copied
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[FirmwareRecordShape]:
    """Registered versions, newest first."""
    keys = read_cursor(cursor, [int])
    states = tuple(s.value for s in state)
    with pool.connection() as conn:
        found = load_firmware_records(
            conn, model=model, states=states, before_id=int(keys[0]) if keys else None, limit=limit + 1
        )
        count = count_firmware_records(conn, model=model, states=states) if total else None
    page = found[:limit]
    return Page(
        items=[FirmwareRecordShape.model_validate(_to_values(record)) for record in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
        total=count,
    )


@router.post(
    "", summary="Register firmware", status_code=201, response_model=FirmwareRecordDetail, responses=declare(404, 409)
)
def register_version(
    caller: Writer, pool: Database, request: Request, body: NewFirmware, idempotency_key: IdempotencyKey = None
) -> Response:
    """Registers a version as a draft; two people approve it, neither of them who wrote it."""

    def work(conn: Connection) -> tuple[FirmwareRecordDetail, dict[str, str]]:
        try:
            record = register_firmware(conn, caller.actor, **body.model_dump(), now=now())
        except NotFoundError:
            raise not_found("device model", body.model, "model") from None
        if record is None:
            raise ProblemError(ALREADY_EXISTS, fields={"version": "is registered already"}, guard="version_taken")
        path = f"/api/v1/firmware/{record.model}/{quote(record.version, safe='')}?component={quote(record.component)}"
        return _describe(conn, record, caller), {"Location": path, "ETag": make_etag(record.row_version)}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/{model}/{version}", summary="One version", responses=declare(404))
def read_firmware_record(
    model: str, version: str, caller: Reader, pool: Database, response: Response, component: Component = "main"
) -> FirmwareRecordDetail:
    """The version with its hash, its signatures and the steps that are possible."""
    with pool.connection() as conn:
        record = _find(conn, model, component, version)
        detail = _describe(conn, record, caller)
    response.headers["ETag"] = make_etag(record.row_version)
    return detail


@router.put("/{model}/{version}", summary="Change a draft", responses=declare(404, 409, 412, 428))
def change_version(
    model: str,
    version: str,
    caller: Writer,
    pool: Database,
    response: Response,
    body: FirmwareImage,
    row_version: IfMatch,
    component: Component = "main",
) -> FirmwareRecordDetail:
    """Changes hash, address, size or notes of a draft; signatures on it as it was hold no more."""

    with pool.connection() as conn:
        known = _find(conn, model, component, version)

    def work(conn: Connection) -> FirmwareRecordDetail:
        before = lock_firmware(conn, model, component, version, row_version)
        record = change_firmware(conn, caller.actor, before, body.model_dump(), now=now())
        return _describe(conn, record, caller)

    with naming_conflict(pool, ENTITY, known.code, lambda conn: _find(conn, model, component, version).row_version):
        detail = change(pool, work)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@router.post(
    "/{model}/{version}/transitions",
    summary="Approve, release or withdraw",
    response_model=FirmwareRecordDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def step_version(
    model: str,
    version: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: FirmwareTransition,
    row_version: IfMatch,
    component: Component = "main",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Takes a step; the first of two approvals leaves it a draft. 409 names the guard that refused."""
    with pool.connection() as conn:
        record = _find(conn, model, component, version)
    needed = FIRMWARE_TRANSITIONS.get((record.state, body.to))
    if needed is not None and not caller.may(needed):
        raise missing_permission(needed)
    acting = caller if needed is None else caller.acting_by(needed)
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[FirmwareRecordDetail, dict[str, str]]:
        before = lock_firmware(conn, model, component, version, row_version)
        wanted = FirmwareRequest(body.to, body.reason, signature)
        after = record_firmware_step(conn, acting.actor, before, wanted, now=now())
        return _describe(conn, after, caller), {"ETag": make_etag(after.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=record.code,
        find_row_version=lambda conn: _find(conn, model, component, version).row_version,
    )


def _find(conn: Connection, model: str, component: str, version: str) -> FirmwareRecord:
    record = load_firmware_record(conn, model, component, version)
    if record is None:
        raise not_found("registered firmware", f"{model} {component} {version}", "version")
    return record


def _to_values(record: FirmwareRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in FirmwareRecordShape.model_fields}


def _describe(conn: Connection, record: FirmwareRecord, caller: Caller) -> FirmwareRecordDetail:
    content = find_firmware_content(record)
    steps = [
        FirmwareStep(
            to=to,
            allowed=caller.may(FIRMWARE_TRANSITIONS[record.state, to]),
            permission=FIRMWARE_TRANSITIONS[record.state, to].value,
        )
        for to in find_firmware_next_states(record.state)
    ]
    more = {
        "content_sha256": find_content_sha256(content),
        "approvals": len(load_signers(conn, record)),
        "signatures": [SignatureShape.model_validate(s) for s in load_signatures(conn, ENTITY, record.id, content)],
        "next_steps": steps,
    }
    return FirmwareRecordDetail.model_validate(_to_values(record) | more)
