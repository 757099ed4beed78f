"""Which customers need a call first, and why."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.overview_parts import keep_shown, shape_risk
from api.shapes.risk import AttentionPage, AttentionShape
from api.state import Database, now
from domain.customer_risk import find_attention_key, find_customer_risk, rank_customers
from domain.masking import find_masked_fields, mask_record
from domain.risk import find_hidden_troubles
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
    by_code = {line.code: line for line in lines}
    risks = ((line.code, find_customer_risk(keep_shown(found.get(line.id, {}), caller))) for line in lines)
    ranked = [pair for pair in rank_customers(risks) if pair[1].score >= least]
    begin = 0
    if keys is not None:
        after = (int(keys[0]), int(keys[1]), str(keys[2]))
        begin = sum(find_attention_key(*pair) <= after for pair in ranked)
    page = ranked[begin : begin + limit]
    has_more = begin + limit < len(ranked)
    return AttentionPage(
        at=at,
        is_simulated=simulated,
        customers=len(lines),
        devices=sum(line.device_count for line in lines),
        total=len(ranked),
        hidden=sorted(
            {f"customer.{name}" for name in find_masked_fields("customer", caller.permissions)}
            | find_hidden_troubles(caller.permissions)
        ),
        items=[
            AttentionShape(rank=place, risk=shape_risk(risk), **_find_values(by_code[code], caller))
            for place, (code, risk) in enumerate(page, start=begin + 1)
        ],
        next_cursor=make_cursor([*find_attention_key(*page[-1])]) if page and has_more else None,
    )


def _find_values(line: CustomerLine, caller: Caller) -> dict[str, object]:
    names = AttentionShape.model_fields.keys() - {"rank", "risk"}
    return mask_record("customer", {name: getattr(line, name) for name in names}, caller.permissions)
