"""Which customers need a call first, and why."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.overview_parts import shape_risk
from api.shapes.risk import AttentionPage, AttentionShape
from api.state import Database, now
from domain.customer_risk import find_customer_risk, rank_customers
from domain.masking import find_masked_fields, mask_record
from domain.risk import Found, Trouble, find_hidden_troubles, keep_shown
from domain.roles import Permission
from store.customer_standing import CustomerLine, load_customer_lines
from store.troubles import load_troubles

router = APIRouter(prefix="/customers", tags=["installed base"])
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
        found = load_troubles(conn, now=at, is_simulated=simulated, customer_id=caller.customer_id)
        lines = load_customer_lines(
            conn, is_simulated=simulated, ids=sorted(found), customer_id=caller.customer_id, region=region
        )
    hidden = find_hidden_troubles(caller.permissions)
    by_code = {line.code: (line, keep_shown(found.get(line.id, {}), hidden)) for line in lines}
    ranked = rank_customers(((code, there) for code, (_, there) in by_code.items()), least=least)
    begin = 0 if keys is None else bisect_right(ranked, (int(keys[0]), int(keys[1]), str(keys[2])))
    page = ranked[begin : begin + limit]
    has_more = begin + limit < len(ranked)
    return AttentionPage(
        at=at,
        is_simulated=simulated,
        customers=len(lines),
        devices=sum(line.device_count for line in lines),
        total=len(ranked),
        hidden=sorted(hidden | {f"customer.{name}" for name in find_masked_fields("customer", caller.permissions)}),
        items=[_shape(place, *by_code[code], caller) for place, (_, _, code) in enumerate(page, start=begin + 1)],
        next_cursor=make_cursor(page[-1]) if has_more else None,
    )


def _shape(rank: int, line: CustomerLine, found: Mapping[Trouble, Found], caller: Caller) -> AttentionShape:
    names = AttentionShape.model_fields.keys() - {"rank", "risk"}
    values = mask_record("customer", {name: getattr(line, name) for name in names}, caller.permissions)
    return AttentionShape(rank=rank, risk=shape_risk(find_customer_risk(found)), **values)
