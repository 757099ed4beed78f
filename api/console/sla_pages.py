"""SLA policies: which times are promised to whom; a new version is shown before it is made, and runs no clock anew."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.conflict_words import say_conflict
from api.console.forms import Fields, read_many, read_number, read_text
from api.console.page import View, find_view
from api.console.sla_views import (
    find_form,
    find_form_values,
    find_pauses,
    find_policy_line,
    find_terms,
    find_versions,
    say_change,
)
from api.once import change
from api.problems import ProblemError, not_found
from api.shapes.sla import NewPolicy, PolicyContent
from api.sla_drafts import check_calendar, read_policy_draft
from api.sla_previews import find_policy_changes
from api.state import Database
from domain.errors import RowVersionConflictError
from domain.roles import Permission
from domain.sla_policy import ClockKind
from domain.tickets import Priority
from store.pool import Connection, Pool
from store.service_calendars import CALENDARS
from store.sla_policies import POLICIES, PolicyRow, assign_policy, change_policy, create_policy, load_contract_policy
from store.sla_usage import count_without_policy, load_policy_usage, load_promises

router = APIRouter(prefix="/admin/sla", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.SLA_POLICY_WRITE)]
ROWS, SHOWN = 100, 50


@router.get("")
def show_policies(request: Request, pool: Database, caller: Reader, after: str = "") -> Response:
    """Policies by code, each in its current version."""
    return _render_list(find_view(request, caller), pool, after=after[:64])


@router.post("/new")
def take_policy(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Makes a policy."""
    view = find_view(request, caller)
    values, actor = _read_values(fields), find_actor(caller, (Permission.SLA_POLICY_WRITE,))
    body = _read_body(fields, NewPolicy)
    if isinstance(body, dict):
        return _render_list(view, pool, values, body)

    def work(conn: Connection) -> bool:
        check_calendar(conn, body.service_calendar)
        policy = read_policy_draft(body)
        return create_policy(
            conn, actor, body.code, body.name, policy, body.service_calendar, reason=body.reason, now=view.now
        )

    try:
        is_made = change(pool, work)
    except ProblemError as refused:
        return _render_list(view, pool, values, _find_fields(refused))
    if not is_made:
        return _render_list(view, pool, values, {"code": "taken"})
    return RedirectResponse(view.link(f"/admin/sla/{body.code}", done="saved"), 303)


@router.get("/{code}")
def show_policy(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """One policy: its times, who counts by it, every version."""
    return _render(find_view(request, caller), pool, code)


@router.post("/{code}/version")
def take_version(request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
    """Shows what the next version would change or, with `step=save`, makes it."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        row = _find_policy(conn, view, code)
    values, body = _read_values(fields), _read_body(fields, PolicyContent)
    actor, expected = find_actor(caller, (Permission.SLA_POLICY_WRITE,)), int(read_number(fields, "row_version") or 0)
    if isinstance(body, dict):
        return _render(view, pool, code, values, body, seen=expected)
    try:
        policy = read_policy_draft(body)
        with pool.connection() as conn:
            check_calendar(conn, body.service_calendar)
    except ProblemError as refused:
        return _render(view, pool, code, values, _find_fields(refused), seen=expected)
    if read_text(fields, "step") != "save":
        changes = [say_change(view, c) for c in find_policy_changes(row, body.name, policy, body.service_calendar)]
        return _render(view, pool, code, values, preview=changes, seen=row.row_version)

    def work(conn: Connection) -> None:
        change_policy(
            conn,
            actor,
            code,
            body.name,
            policy,
            body.service_calendar,
            expected_row_version=expected,
            reason=body.reason,
            now=view.now,
        )

    try:
        change(pool, work)
    except RowVersionConflictError:
        problem = say_conflict(view, pool, "sla_policy", code)
        return _render(view, pool, code, values, problem=problem, status=412)
    return RedirectResponse(view.link(f"/admin/sla/{code}", done="saved"), 303)


@router.post("/{code}/contract")
def take_contract(request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
    """Gives a contract this policy; clocks that run keep what they began with."""
    view = find_view(request, caller)
    contract, reason = read_text(fields, "contract", 100), read_text(fields, "contract_reason", 2_000)
    values = {"contract": contract, "contract_reason": reason}
    with pool.connection() as conn:
        _find_policy(conn, view, code)
        found = load_contract_policy(conn, contract, customer_id=caller.customer_id)
    wrong = {} if found else {"contract": "unknown"}
    wrong |= {} if reason else {"contract_reason": "missing"}
    if found is None or wrong:
        return _render(view, pool, code, assign=values, assign_wrong=wrong)
    actor, expected = find_actor(caller, (Permission.SLA_POLICY_WRITE,)), found.row_version

    def work(conn: Connection) -> None:
        assign_policy(conn, actor, contract, code, expected_row_version=expected, reason=reason)

    try:
        change(pool, work)
    except RowVersionConflictError:
        problem = say_conflict(view, pool, "contract", contract)
        return _render(view, pool, code, assign=values, problem=problem, status=412)
    return RedirectResponse(view.link(f"/admin/sla/{code}", done="saved"), 303)


def _find_policy(conn: Connection, view: View, code: str) -> PolicyRow:
    row = POLICIES.load(conn, code, customer_id=view.person.customer_id)
    if row is None:
        raise not_found("SLA policy", code, "code")
    return row


def _render_list(
    view: View,
    pool: Pool,
    values: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    *,
    after: str = "",
) -> Response:
    customer_id = view.person.customer_id
    with pool.connection() as conn:
        rows = POLICIES.load_page(conn, customer_id=customer_id, after=after, limit=ROWS + 1)
        usage = load_policy_usage(conn, [row.code for row in rows], customer_id=customer_id)
        without = count_without_policy(conn, customer_id=customer_id)
        calendars = _load_calendars(conn, view)
    shown = rows[:ROWS]
    marked = _say_wrong(view, wrong or {})
    return view.render(
        "admin_sla.html",
        422 if wrong else 200,
        problem=view.t("form.unusable") if wrong else None,
        rows=[find_policy_line(view, row, usage[row.code]) for row in shown],
        without=without,
        may_write=view.may(Permission.SLA_POLICY_WRITE),
        form=find_form(view, values or find_form_values(None), marked, calendars, is_new=True),
        opened=bool(wrong),
        older=view.link("/admin/sla", after=shown[-1].code) if len(rows) > ROWS else None,
    )


def _render(
    view: View,
    pool: Pool,
    code: str,
    values: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    *,
    preview: list[Any] | None = None,
    seen: int = 0,
    problem: str | None = None,
    status: int = 200,
    assign: Mapping[str, str] | None = None,
    assign_wrong: Mapping[str, str] | None = None,
) -> Response:
    customer_id = view.person.customer_id
    with pool.connection() as conn:
        row = _find_policy(conn, view, code)
        versions = POLICIES.load_versions(conn, code)
        usage = load_policy_usage(conn, [code], customer_id=customer_id)[code]
        sees = view.may(Permission.CUSTOMER_READ)
        promises = load_promises(conn, code, customer_id=customer_id, limit=SHOWN) if sees else []
        calendars = _load_calendars(conn, view)
    if wrong or assign_wrong:
        problem, status = view.t("form.unusable"), 422
    return view.render(
        "admin_sla_policy.html",
        status,
        problem=problem,
        line=find_policy_line(view, row, usage),
        usage=usage,
        terms=find_terms(view, row),
        pauses=find_pauses(view, row.body),
        due_soon=f"{100 * row.body['due_soon_share']:g}%",
        versions=find_versions(view, versions, shows_reason=customer_id is None),
        promises=promises if sees else None,
        more=max(usage.contracts - len(promises), 0),
        may_write=view.may(Permission.SLA_POLICY_WRITE),
        form=find_form(view, values or find_form_values(row), _say_wrong(view, wrong or {}), calendars, is_new=False),
        # A form goes on from what its sender has seen; one that met somebody else's change, from what it shows now.
        row_version=seen or row.row_version,
        next_version=row.version + 1,
        opened=values is not None,
        preview=preview,
        assign=assign or {"contract": "", "contract_reason": ""},
        assign_wrong=_say_wrong(view, assign_wrong or {}),
    )


def _load_calendars(conn: Connection, view: View) -> list[str]:
    return [row.code for row in CALENDARS.load_page(conn, customer_id=view.person.customer_id, limit=500)]


def _read_values(fields: FormData) -> dict[str, str]:
    """What was typed, as the form takes it back."""
    names = ["code", "name", "service_calendar", "due_soon", "reason"]
    names += [f"{p}_{part}" for p in Priority for part in ("response_h", "resolution_h", "always")]
    values = {name: read_text(fields, name, 2_000) for name in names}
    return values | {f"pauses_{kind}": " ".join(read_many(fields, f"pauses_{kind}")) for kind in ClockKind}


def _read_body(fields: FormData, shape: type[Any]) -> Any:
    """The policy as the API would take it; or which fields of the form are wrong, and how."""
    share = read_number(fields, "due_soon")
    body: dict[str, Any] = {
        "name": read_text(fields, "name"),
        "service_calendar": read_text(fields, "service_calendar", 100) or None,
        "due_soon_share": None if share is None else share / 100,
        "reason": read_text(fields, "reason", 2_000),
        "pauses": {kind.value: read_many(fields, f"pauses_{kind}") for kind in ClockKind},
        "terms": {
            p.value: {
                "response_h": read_number(fields, f"{p}_response_h"),
                "resolution_h": read_number(fields, f"{p}_resolution_h"),
                "around_the_clock": bool(read_text(fields, f"{p}_always")),
            }
            for p in Priority
        },
    }
    if shape is NewPolicy:
        body["code"] = read_text(fields, "code", 100)
    wrong = {} if body["reason"] else {"reason": "missing"}
    try:
        return wrong or shape.model_validate(body)
    except ValidationError as error:
        return wrong | {_name_field(".".join(str(part) for part in one["loc"])): "wrong" for one in error.errors()}


def _find_fields(refused: ProblemError) -> dict[str, str]:
    return {_name_field(error.field): "wrong" for error in refused.errors}


def _name_field(path: str) -> str:
    """The field of the form that a field of the API stands in."""
    parts = path.split(".")
    if parts[0] == "terms" and len(parts) > 2:
        return f"{parts[1]}_{parts[2]}"
    if parts[0] == "pauses" and len(parts) > 1:
        return f"pauses_{parts[1]}"
    return "due_soon" if parts[0] == "due_soon_share" else parts[0]


def _say_wrong(view: View, wrong: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each field that is wrong."""
    return {name: view.name("sla_wrong", _find_sentence(name, how)) for name, how in wrong.items()}


def _find_sentence(name: str, how: str) -> str:
    if how in ("taken", "missing", "unknown"):
        return how
    return name.partition("_")[2] if name.endswith("_h") else name.partition("_")[0] if "pauses" in name else name
