"""Service contracts: what customers were promised, for which devices, from when to when."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey
from api.preconditions import IfMatch, make_etag
from api.problems import declare, not_found
from api.shapes.master_data import ContractTransition, ServiceContractShape
from api.shapes.pages import Page
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.contract import ContractState
from domain.master_data import MasterKind
from domain.roles import Permission
from store.contracts import (
    ContractFilter,
    ServiceContract,
    load_service_contract,
    load_service_contracts,
    move_contract,
)
from store.pool import Connection

router = make_router("/contracts", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Writer = Annotated[Caller, require(Permission.MASTER_DATA_WRITE)]


@router.get("", summary="List service contracts")
def list_contracts(
    caller: Reader,
    pool: Database,
    customer: str | None = None,
    status: ContractState | None = None,
    device: Annotated[str | None, Query(description="Serial: contracts that cover it.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ServiceContractShape]:
    """Contracts by code; a customer's users see its own."""
    keys = read_cursor(cursor, [str])
    wanted = ContractFilter(caller.customer_id, None, customer, status, device)
    with pool.connection() as conn:
        found = load_service_contracts(conn, wanted, after=str(keys[0]) if keys else "", limit=limit + 1)
    items = [_shape(contract, caller) for contract in found[:limit]]
    return Page(items=items, next_cursor=make_cursor([items[-1].code]) if len(found) > limit else None)


@router.get("/{code}", summary="One service contract", responses=declare(404))
def read_contract(code: str, caller: Reader, pool: Database, response: Response) -> ServiceContractShape:
    """The contract with every device that it names."""
    with pool.connection() as conn:
        contract = _find(conn, code, caller)
    response.headers["ETag"] = make_etag(contract.row_version)
    return contract


@router.post(
    "/{code}/transitions",
    summary="Bring a contract into force, or end it",
    response_model=ServiceContractShape,
    responses=declare(404, 409, 412, 428),
)
def take_contract_step(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ContractTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """ACTIVE, or TERMINATED with a reason. A contract whose last day is over becomes EXPIRED by itself. 409 names the
    guard."""

    def work(conn: Connection) -> tuple[ServiceContractShape, dict[str, str]]:
        _find(conn, code, caller)
        move_contract(conn, caller.actor, code, body.to, reason=body.reason, expected_row_version=version, now=now())
        contract = _find(conn, code, caller)
        return contract, {"ETag": make_etag(contract.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=MasterKind.CONTRACT,
        code=code,
        find_row_version=lambda conn: _find(conn, code, caller).row_version,
    )


def _find(conn: Connection, code: str, caller: Caller) -> ServiceContractShape:
    contract = load_service_contract(conn, code, customer_id=caller.customer_id)
    if contract is None:
        raise not_found("contract", code, "code")
    return _shape(contract, caller)


def _shape(contract: ServiceContract, caller: Caller) -> ServiceContractShape:
    values = {name: getattr(contract, name) for name in ServiceContractShape.model_fields}
    if caller.customer_id is not None:
        values["status_reason"] = ""  # what people wrote of it stays in the house
    return ServiceContractShape.model_validate(values)
