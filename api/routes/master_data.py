"""Master data by the names that other systems have for it: found, made and mended.

`PUT …/by-ref/{system}/{id}` says what a record is to be; what it leaves out stays. The system `forewarn` names our own
codes (of devices their serials).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change_once
from api.preconditions import conflict, make_etag, read_if_match
from api.problems import GUARD_REFUSED, INVALID, ProblemError, declare, not_found
from api.shapes.master_data import (
    ContractUpsert,
    CustomerUpsert,
    DeviceUpsert,
    ModelName,
    RecordName,
    SiteUpsert,
    UpsertAnswer,
)
from api.shapes.pages import Sent
from api.state import Database, now
from api.steps import find_last_change
from api.versioned_router import make_router
from domain.errors import RowVersionConflictError
from domain.master_data import ExternalName, MasterKind, Refused, Upserted, find_name_problems
from domain.roles import Permission
from store.contracts import load_service_contract
from store.customers import load_customer
from store.devices import load_device
from store.master_imports import upsert_record
from store.master_models import name_model
from store.master_references import Intake, load_by_name
from store.pool import Connection, Pool
from store.sites import load_site_record

router = make_router(tag="master data")
CustomerReader = Annotated[Caller, require(Permission.CUSTOMER_READ)]
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Writer = Annotated[Caller, require(Permission.MASTER_DATA_WRITE)]
System = Annotated[str, PathParameter(description="A word for the other system, or `forewarn`.", examples=["erp"])]
RecordId = Annotated[
    str, PathParameter(description="What that system calls it; it may hold `/`.", examples=["CUST-0001"])
]
PATHS = {
    MasterKind.CUSTOMER: "customers",
    MasterKind.SITE: "sites",
    MasterKind.CONTRACT: "contracts",
    MasterKind.DEVICE_MODEL: "device-models",
    MasterKind.DEVICE: "devices",
}
_BY_REF = "/by-ref/{system}/{record_id:path}"
_UPSERT = {200: {"model": UpsertAnswer, "description": "It was known: changed, or as it was."}}
_RESPONSES = _UPSERT | declare(404, 409, 412)


def read_expected(
    if_match: Annotated[
        str | None, Header(description="The ETag that was read: 412 if the record moved. Without it, whatever it is.")
    ] = None,
) -> int | None:
    """The row version that the caller has seen, where it says so."""
    return None if if_match is None else read_if_match(if_match)


@dataclass(frozen=True, slots=True)
class RecordPath:
    """Which record is meant, from the path."""

    system: System
    record_id: RecordId


@dataclass(frozen=True, slots=True)
class UpsertRequest:
    """What every PUT of a record takes beside its body."""

    named: Annotated[RecordPath, Depends()]
    pool: Database
    request: Request
    expected: Annotated[int | None, Depends(read_expected)]
    idempotency_key: IdempotencyKey = None


Named = Annotated[RecordPath, Depends()]
Asked = Annotated[UpsertRequest, Depends()]
Handler = TypeVar("Handler", bound=Callable[..., object])


def _putting(kind: MasterKind, summary: str) -> Callable[[Handler], Handler]:
    """The route that makes or changes one of these records."""
    path = f"/{PATHS[kind]}{_BY_REF}"
    return router.put(path, summary=summary, status_code=201, response_model=UpsertAnswer, responses=_RESPONSES)


def _finding(kind: MasterKind, summary: str) -> Callable[[Handler], Handler]:
    """The route that says which of these records is meant."""
    return router.get(f"/{PATHS[kind]}{_BY_REF}", summary=summary, responses=declare(404))


@_putting(MasterKind.CUSTOMER, "Make or change a customer")
def put_customer(caller: Writer, asked: Asked, body: CustomerUpsert) -> Response:
    """Makes the customer, or changes what is said otherwise; the same again changes nothing."""
    return _put(MasterKind.CUSTOMER, asked, caller, body)


@_putting(MasterKind.SITE, "Make or change a site")
def put_site(caller: Writer, asked: Asked, body: SiteUpsert) -> Response:
    """Makes the site, or changes what is said otherwise. One with devices stays its customer's: 409 names the guard."""
    return _put(MasterKind.SITE, asked, caller, body)


@_putting(MasterKind.CONTRACT, "Make or change a contract")
def put_contract(caller: Writer, asked: Asked, body: ContractUpsert) -> Response:
    """Makes the contract, or changes what may be changed in its state: 409 names the guard."""
    return _put(MasterKind.CONTRACT, asked, caller, body)


@_putting(MasterKind.DEVICE, "Make or change a device")
def put_device(caller: Writer, asked: Asked, body: DeviceUpsert) -> Response:
    """Registers the device, or changes what is said otherwise. Another serial, UDI or owner of a known device is a 409
    with the guard `key_field`, and nothing is changed: two people change those, by an approval request."""
    return _put(MasterKind.DEVICE, asked, caller, body)


@_putting(MasterKind.DEVICE_MODEL, "Name a device model")
def put_model(caller: Writer, asked: Asked, body: ModelName) -> Response:
    """Says what another system calls a device model. All else of a model comes from its profile file."""
    return _put(MasterKind.DEVICE_MODEL, asked, caller, body)


@_finding(MasterKind.CUSTOMER, "Which customer is meant")
def find_customer(named: Named, caller: CustomerReader, pool: Database) -> RecordName:
    """The customer that a system calls so."""
    return _find(MasterKind.CUSTOMER, named, caller, pool)


@_finding(MasterKind.SITE, "Which site is meant")
def find_site(named: Named, caller: Reader, pool: Database) -> RecordName:
    """The site that a system calls so."""
    return _find(MasterKind.SITE, named, caller, pool)


@_finding(MasterKind.CONTRACT, "Which contract is meant")
def find_contract(named: Named, caller: Reader, pool: Database) -> RecordName:
    """The contract that a system calls so."""
    return _find(MasterKind.CONTRACT, named, caller, pool)


@_finding(MasterKind.DEVICE, "Which device is meant")
def find_device(named: Named, caller: Reader, pool: Database) -> RecordName:
    """The device that a system calls so."""
    return _find(MasterKind.DEVICE, named, caller, pool)


@_finding(MasterKind.DEVICE_MODEL, "Which model is meant")
def find_model(named: Named, caller: Reader, pool: Database) -> RecordName:
    """The device model that a system calls so."""
    return _find(MasterKind.DEVICE_MODEL, named, caller, pool)


def refuse(refused: Refused) -> ProblemError:
    """409 with the guard where a rule refuses the change, 422 where a value cannot be used; both name the fields."""
    fields = {refusal.field: refusal.reason for refusal in refused.refusals}
    guard = next((refusal.guard for refusal in refused.refusals if refusal.guard), "")
    if guard:
        detail = "; ".join(f"{field}: {reason}" for field, reason in fields.items())
        return ProblemError(GUARD_REFUSED, detail, fields=fields, guard=guard)
    return ProblemError(INVALID, fields=fields)


def _put(kind: MasterKind, asked: UpsertRequest, caller: Caller, body: Sent) -> Response:
    given = body.model_dump(exclude_unset=True)
    name = ExternalName(asked.named.system, asked.named.record_id, given.pop("external_type", ""))
    if "contacts" in given:
        given["contacts"] = [{field: said for field, said in one.items() if said} for one in given["contacts"]]

    def work(conn: Connection) -> tuple[UpsertAnswer, dict[str, str]]:
        intake = Intake(conn, caller.actor, now())
        intake.begin()
        done: Upserted | Refused
        if kind is MasterKind.DEVICE_MODEL:
            done = name_model(intake, name, given["model"], expected_row_version=asked.expected)
        else:
            done = upsert_record(intake, kind, name, given, expected_row_version=asked.expected)
        if isinstance(done, Refused):
            raise refuse(done)
        intake.finish()
        located = load_by_name(conn, kind, name)
        assert located is not None
        answer = UpsertAnswer(
            action=done.action.value,
            code=done.code,
            fields=list(done.fields),
            row_version=located.row_version,
        )
        return answer, {"Location": _find_address(kind, done.code), "ETag": make_etag(located.row_version)}

    try:
        key = asked.idempotency_key
        return change_once(asked.pool, caller, asked.request, key, body, work, status=_find_status)
    except RowVersionConflictError:
        with asked.pool.connection() as conn:
            located = load_by_name(conn, kind, name)
            if located is None:
                raise _miss(kind, asked.named) from None
            raise conflict(located.row_version, **find_last_change(conn, kind, located.code)) from None


def _find_status(answer: UpsertAnswer) -> int:
    return 201 if answer.action == "created" else 200


def _find(kind: MasterKind, named: RecordPath, caller: Caller, pool: Pool) -> RecordName:
    name = ExternalName(named.system, named.record_id)
    if find_name_problems(name):
        raise _miss(kind, named)
    with pool.connection() as conn:
        located = load_by_name(conn, kind, name)
        if located is None or not _is_shown(conn, kind, located.code, caller):
            raise _miss(kind, named)
    return RecordName(
        code=located.code,
        external_id=named.record_id if located.external_id is None and not name.is_own else located.external_id,
        external_type=located.type,
        row_version=located.row_version,
        address=_find_address(kind, located.code),
    )


def _miss(kind: MasterKind, named: RecordPath) -> ProblemError:
    return not_found(kind.value.replace("_", " "), named.record_id, "id")


def _is_shown(conn: Connection, kind: MasterKind, code: str, caller: Caller) -> bool:
    if caller.customer_id is None or kind is MasterKind.DEVICE_MODEL:
        return True
    loads: dict[MasterKind, Callable[..., object]] = {
        MasterKind.CUSTOMER: load_customer,
        MasterKind.SITE: load_site_record,
        MasterKind.CONTRACT: load_service_contract,
        MasterKind.DEVICE: load_device,
    }
    return loads[kind](conn, code, customer_id=caller.customer_id) is not None


def _find_address(kind: MasterKind, code: str) -> str:
    return f"/api/v1/{PATHS[kind]}/{code}"
