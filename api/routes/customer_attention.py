"""Which customers need a call first, and why."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Annotated

from fastapi import Query

from api.attention import AttentionWish, load_attention
from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.overview_parts import shape_risk
from api.shapes.risk import AttentionPage, AttentionShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.customer_risk import find_customer_risk
from domain.masking import find_masked_fields, mask_record
from domain.risk import Found, Trouble
from domain.roles import Permission
from store.customer_standing import CustomerLine

router = make_router("/customers", tag="installed base")
Reader = Annotated[Caller, require(Permission.CUSTOMER_READ)]


@router.get("/attention", summary="Which customers need a call first")
def list_attention(
    caller: Reader,
    pool: Database,
    region: Annotated[str, Query(description="Customers of that region alone.")] = "",
    simulated: Annotated[bool, Query(description="By simulated records instead of real ones.")] = False,
    least: Annotated[int, Query(ge=0, le=100_000, description="Customers with fewer points are left out.")] = 1,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AttentionPage:
    """Customers by the points of what is wrong there, the most first; equal ones by their worst reason, then by code.

    Which trouble gives how many points is a table (docs/reference/service/customer-view.md); what is not known gives
    points too. What your roles do not show gives none, and is named in `hidden`.
    """
    keys = read_cursor(cursor, [int, int, str])
    at = now()
    with pool.connection() as conn:
        found = load_attention(conn, caller, AttentionWish(simulated, region, least=least), at)
    ranked = found.ranked
    begin = 0 if keys is None else bisect_right(ranked, (int(keys[0]), int(keys[1]), str(keys[2])))
    page = ranked[begin : begin + limit]
    has_more = begin + limit < len(ranked)
    return AttentionPage(
        at=at,
        is_simulated=simulated,
        customers=len(found.lines),
        devices=found.device_count,
        total=len(ranked),
        hidden=sorted(
            found.hidden | {f"customer.{name}" for name in find_masked_fields("customer", caller.permissions)}
        ),
        items=[
            _shape(place, found.lines[code], found.find_troubles(code), caller)
            for place, (_, _, code) in enumerate(page, start=begin + 1)
        ],
        next_cursor=make_cursor(page[-1]) if has_more else None,
    )


def _shape(rank: int, line: CustomerLine, found: Mapping[Trouble, Found], caller: Caller) -> AttentionShape:
    names = AttentionShape.model_fields.keys() - {"rank", "risk"}
    values = mask_record("customer", {name: getattr(line, name) for name in names}, caller.permissions)
    return AttentionShape(rank=rank, risk=shape_risk(find_customer_risk(found)), **values)
