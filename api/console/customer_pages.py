"""Customers: who needs a call first and why, and what we owe one of them."""

from bisect import bisect_right
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.attention import Attention, AttentionWish, Standing, find_attention, load_standing
from api.auth import Caller, require
from api.console.customer_views import TYPES, find_attention_line, find_hidden_words, find_overview
from api.console.filters import Filter, find_choice
from api.console.kpi_look import LASTS, Counted, say_counted
from api.console.page import View, find_view
from api.cursors import make_cursor, read_cursor
from api.problems import ProblemError, not_found
from api.routes.customer_overview import describe_customer
from api.state import Database, find_state
from domain.customer_risk import AttentionKey
from domain.roles import Permission
from store.customers import load_customer, load_sites
from store.pool import Pool
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
ROWS = 50
SIMULATED = "simulated"


@router.get("/customers")
def show_customers(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.CUSTOMER_READ)],
    region: str = "",
    type: str = "",  # noqa: A002 - the address's own name
    q: str = "",
    records: str = "",
    cursor: str = "",
    anew: str = "",
) -> Response:
    """All customers by how much is wrong there; those where nothing is known to be wrong stand last.

    All of them are counted once for the looks of a minute, whatever is looked for: so the second page goes on where the
    first one ended. `anew` counts in any case.
    """
    view = find_view(request, caller)
    q = q.strip()[:100]
    type_ = find_choice(type, TYPES)
    records = find_choice(records, (SIMULATED,))
    wish = AttentionWish(records == SIMULATED, region.strip()[:100], type_, q)
    at, standing = find_state(request).recent.find(
        ("attention", wish.is_simulated),
        lambda: _count(pool, caller, view, is_simulated=wish.is_simulated),
        who=caller,
        at=view.now,
        lasts=LASTS,
        anew=bool(anew),
    )
    found = find_attention(standing, wish)
    keys = _read_keys(cursor)
    begin = 0 if keys is None else bisect_right(found.ranked, keys)
    shown = found.ranked[begin : begin + ROWS]
    chosen = {"q": q, "region": wish.region, "type": type_, "records": records}
    more = make_cursor(shown[-1]) if begin + ROWS < len(found.ranked) else None
    return view.render(
        "customers.html",
        q=q,
        rows=[
            find_attention_line(view, place, found.lines[code], found.find_troubles(code))
            for place, (_, _, code) in enumerate(shown, start=begin + 1)
        ],
        total=len(found.ranked),
        proof=view.t("customers.proof", customers=len(found.lines), devices=f"{found.device_count:,}"),
        hidden=find_hidden_words(view, found.hidden),
        counted=Counted(say_counted(view, at), view.link("/customers", **chosen, anew="1")),
        filters=_find_filters(view, found, chosen),
        filtered=any(chosen.values()),
        simulated=None if records else view.link("/customers", **{**chosen, "records": SIMULATED}),
        older=view.link("/customers", cursor=more, **chosen) if more else None,
    )


@router.get("/customers/{code}")
def show_customer(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.CUSTOMER_READ)], code: str
) -> Response:
    """One customer: contract, promises, devices, open work, what is due, whom to call."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        customer = load_customer(conn, code, customer_id=caller.customer_id)
        if customer is None:
            raise not_found("customer", code, "code")
        overview = describe_customer(conn, customer, caller, view.now, customer.is_simulated)
        sites = load_sites(conn, customer.id)
        profiles = load_profiles(conn)
    return view.render("customer.html", **find_overview(view, overview, sites, profiles))


def _count(pool: Pool, caller: Caller, view: View, *, is_simulated: bool) -> Standing:
    with pool.connection() as conn:
        return load_standing(conn, caller, view.now, is_simulated=is_simulated)


def _read_keys(cursor: str) -> AttentionKey | None:
    """Where the page before ended; a cursor that is none shows the first page."""
    try:
        keys = read_cursor(cursor or None, [int, int, str])
    except ProblemError:
        return None
    return None if keys is None else (int(keys[0]), int(keys[1]), str(keys[2]))


def _find_filters(view: View, found: Attention, chosen: dict[str, str]) -> list[Filter]:
    everything = view.t("list.all")
    regions = [(region, region) for region in found.regions]
    types = [(code, view.name("customer_type", code)) for code in TYPES]
    simulated = [(SIMULATED, view.t("customers.simulated"))]
    return [
        Filter("region", view.t("fact.region"), chosen["region"], regions, everything),
        Filter("type", view.t("customers.type"), chosen["type"], types, everything),
        Filter("records", view.t("customers.records"), chosen["records"], simulated, view.t("customers.real")),
    ]
