"""The decisions that are taken from the list of the inbox itself, and taken back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.auth import Caller, require
from api.console.inbox_acts import Picked, Said, Wish, decide, find_problem, take_back
from api.console.inbox_choices import find_filters, find_offers
from api.console.inbox_page import render_inbox
from api.console.inbox_wanted import find_wanted
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.state import Database
from domain.roles import Permission
from store.pool import DATABASE_GONE, UNUSABLE_VALUE, Pool
from store.profiles import load_profiles
from store.work_order_lists import MAX_LIMIT, count_work_orders, load_order_facets, load_work_order_page

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
# What the address keeps when something was decided.
KEPT = ("priority", "fault", "model", "firmware", "customer", "region", "owner", "data", "sort", "group", "cursor")


@router.post("/inbox/actions")
def take_inbox_action(
    request: Request,
    pool: Database,
    caller: Reader,
    action: Annotated[str, Form(max_length=20)] = "",
    order: Annotated[list[str] | None, Form()] = None,
    everything: Annotated[str, Form(max_length=1)] = "",
    assignee: Annotated[str, Form(max_length=64)] = "",
    shelve_reason: Annotated[str, Form(max_length=500)] = "",
    shelve_hours: Annotated[int, Form(ge=1, le=168)] = 8,
    link: Annotated[str, Form(max_length=40)] = "",
    link_code: Annotated[str, Form(max_length=40)] = "",
    link_reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Does one thing to each ticked order, each in its own transaction, and says what became of each."""
    view = find_view(request, caller)
    query = dict(request.query_params)
    reason = link_reason if action == "link" else shelve_reason
    wish = Wish(action, assignee, reason.strip(), shelve_hours, (link_code.strip() or link).upper())
    picked = _load_everything(view, pool, query) if everything else [_read_picked(v) for v in (order or [])[:MAX_LIMIT]]
    problem = find_problem(view, wish) if picked else view.t("inbox.none_picked")
    if problem:
        codes = frozenset(one.code for one in picked)
        return _answer(view, pool, query, [], problem=problem, picked=codes, typed=wish, status=422)
    said = [decide(view, pool, one, wish) for one in picked]
    left = frozenset(one.code for one in said if not one.is_done)
    status = 200
    if left:
        status = 412 if all(one.is_conflict for one in said if not one.is_done) else 409
    return _answer(view, pool, query, said, picked=left, typed=wish, status=status)


@router.post("/inbox/undo")
def take_undo(
    request: Request,
    pool: Database,
    caller: Reader,
    undo: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Takes decisions back where the life-cycle has a step for it."""
    view = find_view(request, caller)
    said = [take_back(view, pool, token[:80]) for token in (undo or [])[:MAX_LIMIT]]
    status = 200 if said and all(one.is_done for one in said) else 409
    problem = "" if said else view.t("inbox.none_picked")
    return _answer(view, pool, dict(request.query_params), said, problem=problem, status=status)


def _answer(
    view: View,
    pool: Pool,
    query: Mapping[str, str],
    said: list[Said],
    *,
    problem: str = "",
    picked: frozenset[str] = frozenset(),
    typed: Wish | None = None,
    status: int = 200,
) -> Response:
    """To the page's own script as JSON, so that rows stay where they are; without one as the page."""
    done = sum(one.is_done for one in said)
    if "application/json" in view.request.headers.get("accept", ""):
        text = problem or (view.t("done.inbox", n=done) if done else "")
        try:
            left = _tell_left(view, pool, query)
        except (*DATABASE_GONE, *UNUSABLE_VALUE):
            left = None  # what was decided stands, and is said; the page keeps the number that it has
        return JSONResponse(
            {"text": text, "done": done, "results": [asdict(one) for one in said], "left": left}, status
        )
    if status == 200:
        kept = {name: query[name] for name in KEPT if query.get(name)}
        return RedirectResponse(view.link("/inbox", **kept, done="inbox", n=done), 303)
    results = (problem,) if problem else tuple(one.text for one in said)
    return render_inbox(view, pool, query=query, results=results, picked=picked, typed=typed, status=status)


def _tell_left(view: View, pool: Pool, query: Mapping[str, str]) -> dict[str, Any]:
    """What the page says of all orders that its filters let through, as of now; `empty`: why there is none."""
    wanted = find_wanted(view, query)
    with pool.connection() as conn:
        total = count_work_orders(conn, wanted)
        empty = []
        if not total:
            is_filtered = wanted != find_wanted(view)
            empty = [view.t("inbox.empty_filtered")] if is_filtered else [view.t("inbox.empty"), load_proof(view, conn)]
    everything = min(total, MAX_LIMIT)
    return {
        "count": view.t("inbox.count", count=total),
        "select_all": view.t("inbox.select_all", count=everything),
        "all": view.t("inbox.all_picked", count=everything),
        "confirm": view.t("inbox.confirm", count=everything),
        "empty": empty,
    }


def _load_everything(view: View, pool: Pool, query: Mapping[str, str]) -> list[Picked]:
    """All orders that the filters of the address let through, those that are due first; at most `MAX_LIMIT`."""
    with pool.connection() as conn:
        offers = find_offers(view, load_profiles(conn), load_order_facets(conn, find_wanted(view)))
        filters = find_filters(offers, query)
        if any(query.get(f.name, "") != f.value for f in filters):
            return []  # what was filtered by is not there any more: that must not become everything
        owner = query.get("owner", "") if view.may(Permission.STAFF_READ) else ""
        wanted = find_wanted(view, {f.name: f.value for f in filters} | {"owner": owner})
        page = load_work_order_page(conn, wanted, limit=MAX_LIMIT)
    return [Picked(row.code, row.row_version) for row in page.rows]


def _read_picked(value: str) -> Picked:
    code, _, version = value.partition(":")
    return Picked(code, int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None)
