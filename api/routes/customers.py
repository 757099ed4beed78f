"""Customers."""

from typing import Annotated, Literal

from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.preconditions import make_etag
from api.problems import declare, not_found
from api.shapes.installed_base import ContractShape, CustomerDetail, CustomerShape, SiteShape
from api.shapes.pages import Page
from api.state import Database
from api.versioned_router import make_router
from domain.masking import mask_record
from domain.roles import Permission
from store.customers import (
    Customer,
    count_customers,
    load_contracts,
    load_customer,
    load_customers,
    load_sites,
)

router = make_router("/customers", tag="installed base")
Reader = Annotated[Caller, require(Permission.CUSTOMER_READ)]


@router.get("", summary="List customers")
def list_customers(
    caller: Reader,
    pool: Database,
    type: Literal["HOSPITAL", "CLINIC", "LAB", "DISTRIBUTOR"] | None = None,  # noqa: A002 - the parameter's public name
    region: str | None = None,
    q: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[CustomerShape]:
    """Customers by code; `q` is looked for in code and name."""
    keys = read_cursor(cursor, [str])
    with pool.connection() as conn:
        found = load_customers(
            conn,
            customer_id=caller.customer_id,
            type_=type,
            region=region,
            q=q,
            after=str(keys[0]) if keys else "",
            limit=limit + 1,
        )
        count = count_customers(conn, customer_id=caller.customer_id, type_=type, region=region, q=q) if total else None
    items = [CustomerShape.model_validate(mask_contacts(customer, caller)) for customer in found[:limit]]
    return Page(items=items, next_cursor=make_cursor([items[-1].code]) if len(found) > limit else None, total=count)


@router.get("/{code}", summary="One customer", responses=declare(404))
def read_customer(code: str, caller: Reader, pool: Database, response: Response) -> CustomerDetail:
    """The customer with its sites and contracts."""
    with pool.connection() as conn:
        customer = load_customer(conn, code, customer_id=caller.customer_id)
        if customer is None:
            raise not_found("customer", code, "code")
        sites = [SiteShape.model_validate(site) for site in load_sites(conn, customer.id)]
        contracts = [ContractShape.model_validate(contract) for contract in load_contracts(conn, customer.id)]
    response.headers["ETag"] = make_etag(customer.row_version)
    return CustomerDetail.model_validate(mask_contacts(customer, caller) | {"sites": sites, "contracts": contracts})


def mask_contacts(customer: Customer, caller: Caller) -> dict[str, object]:
    """The customer's public fields; the names of people only for those who need them."""
    values: dict[str, object] = {
        name: getattr(customer, name) for name in CustomerShape.model_fields if hasattr(customer, name)
    }
    return mask_record("customer", values, caller.permissions)
