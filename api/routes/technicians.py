"""Technicians: where they work, and on which device models they may."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.shapes.assignments import (
    CertificateList,
    CertificateShape,
    NewCertificate,
    NewRegions,
    RegionsShape,
    TechnicianList,
    TechnicianShape,
)
from api.shapes.pages import Day
from api.state import Database, now
from api.steps import naming_conflict, take_step_once
from api.versioned_router import make_router
from domain.audit_certificate import ENTITY, find_certificate_id
from domain.errors import NotFoundError
from domain.roles import Permission
from store.certificates import (
    Certificate,
    load_certificate,
    load_certificates,
    record_certificate,
    revoke_certificate,
)
from store.pool import Connection
from store.technicians import load_technicians, record_regions

router = make_router(tag="service")
Insider = Annotated[Caller, require(Permission.STAFF_READ)]
Writer = Annotated[Caller, require(Permission.CERTIFICATE_WRITE)]


@router.get("/technicians", summary="List technicians")
def list_technicians(caller: Insider, pool: Database) -> TechnicianList:
    """All active technicians by name, with what they may work on today, where, and how much they have."""
    with pool.connection() as conn:
        found = load_technicians(conn, now().date())
    return TechnicianList(
        items=[
            TechnicianShape.model_validate({name: getattr(one, name) for name in TechnicianShape.model_fields})
            for one in found
        ]
    )


@router.put("/technicians/{name}/regions", summary="Say where a technician works", responses=declare(404))
def replace_regions(name: str, caller: Writer, pool: Database, body: NewRegions) -> RegionsShape:
    """Replaces the regions of the technician; none: everywhere. It only orders suggestions, and forbids nothing."""
    if any(not region for region in body.regions):
        raise ProblemError(INVALID, fields={"regions": "must not be empty words"})

    def work(conn: Connection) -> list[str]:
        try:
            return record_regions(conn, caller.actor, name, body.regions, body.reason)
        except NotFoundError as error:
            raise not_found("technician", name, "name") from error

    return RegionsShape(name=name, regions=change(pool, work))


@router.get("/technician-certificates", summary="List certificates")
def list_certificates(
    caller: Insider,
    pool: Database,
    user: Annotated[str, Query(description="Name of the account.")] = "",
    model: Annotated[str, Query(description="Key of the device model.")] = "",
    valid_on: Annotated[Day | None, Query(description="Those that are valid on that day.")] = None,
) -> CertificateList:
    """Certificates of active technicians, those that have run out too unless a day is named."""
    with pool.connection() as conn:
        found = load_certificates(conn, model=model, user=user, valid_on=valid_on)
    return CertificateList(items=[_shape(certificate) for certificate in found])


@router.put(
    "/technician-certificates/{user}/{model}",
    summary="Certify a technician",
    response_model=CertificateShape,
    responses=declare(404, 412, 428),
)
def certify(
    user: str,
    model: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: NewCertificate,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Gives the technician a certificate for the model (`If-Match: "0"`: he has none yet), or replaces the one that he
    has; the audit keeps both."""

    def work(conn: Connection) -> tuple[CertificateShape, dict[str, str]]:
        try:
            record_certificate(
                conn,
                caller.actor,
                user,
                model,
                body.valid_until,
                reference=body.reference,
                reason=body.reason,
                expected_row_version=version,
            )
        except NotFoundError as error:
            raise not_found("technician or device model", f"{user} or {model}", "user") from error
        certificate = load_certificate(conn, user, model)
        assert certificate is not None
        return _shape(certificate), {"ETag": make_etag(certificate.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=find_certificate_id(user, model),
        find_row_version=lambda conn: _find_row_version(conn, user, model),
    )


@router.delete(
    "/technician-certificates/{user}/{model}",
    summary="Revoke a certificate",
    status_code=204,
    response_class=Response,
    responses=declare(404, 412, 428),
)
def revoke(
    user: str,
    model: str,
    caller: Writer,
    pool: Database,
    reason: Annotated[str, Query(min_length=1, max_length=2000)],
    version: IfMatch,
) -> Response:
    """From now on no order of the model can be given to him, and none be begun by him."""

    def work(conn: Connection) -> None:
        try:
            revoke_certificate(conn, caller.actor, user, model, reason, expected_row_version=version)
        except NotFoundError as error:
            raise not_found("certificate", f"{user}/{model}", "user") from error

    code = find_certificate_id(user, model)
    with naming_conflict(pool, ENTITY, code, lambda conn: _find_row_version(conn, user, model)):
        change(pool, work)
    return Response(status_code=204)


def _find_row_version(conn: Connection, user: str, model: str) -> int:
    known = load_certificate(conn, user, model)
    return 0 if known is None else known.row_version


def _shape(certificate: Certificate) -> CertificateShape:
    return CertificateShape.model_validate(certificate)
