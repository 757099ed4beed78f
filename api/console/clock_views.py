"""The clocks of a work order as its page shows them: how each comes to stand where it does, and a wish to waive it."""

from typing import Any

from api.console.acts import Field, list_typed, mark_fields
from api.console.forms import NOTHING, Typed
from api.console.page import View
from api.routes.approval_requests import list_approval_requests
from api.shapes.sla_clocks import ClockShape
from domain.approval_request import ApprovalKind
from domain.roles import Permission
from domain.sla_clock import ClockState
from domain.work_order import WorkOrder
from store.pool import Pool

LIVE = (ClockState.RUNNING, ClockState.PAUSED, ClockState.BREACHED)


def find_clocks(
    view: View, pool: Pool, order: WorkOrder, clocks: list[ClockShape], zone: str | None, typed: Typed
) -> dict[str, Any]:
    """Every clock, the newest version of the order first; what was asked about waiving them stands below."""
    lines = [_find_clock(view, clock, zone, typed) for clock in clocks]
    is_shown = any(line["opened"] and line["waive_fields"] for line in lines)
    return {
        "clocks": lines,
        "kept": [] if is_shown or not typed.values else list_typed(_find_wish_fields(view, typed)),
        "requests": _load_requests(view, pool, order, zone),
        "refusal": "" if view.may(Permission.SLA_WAIVE) else view.say_missing(Permission.SLA_WAIVE),
    }


def _find_clock(view: View, clock: ClockShape, zone: str | None, typed: Typed) -> dict[str, Any]:
    is_own = (typed.values.get("clock"), typed.values.get("version")) == (clock.clock, str(clock.version))
    said = typed if is_own else NOTHING
    t = view.t
    may_waive = clock.state in LIVE and clock.waived_at is None and view.may(Permission.SLA_WAIVE)
    limit = next((one for one in clock.limits if one.governs), None)
    source = ""
    if limit is not None and limit.sla_policy is not None:
        source = t(
            "order_clock.source",
            policy=limit.sla_policy,
            policy_version=limit.sla_policy_version,
            calendar=limit.service_calendar or t("order_clock.always"),
        )
    return {
        "kind": clock.clock,
        "version": clock.version,
        "name": t(f"clock.{clock.clock.lower()}"),
        "state": view.name("order_clock_state", clock.state),
        "is_late": clock.breached_at is not None,
        "is_waived": clock.waived_at is not None,
        "waiver_reason": clock.waiver_reason,
        "pause": view.name("hold", clock.pause_reason) if clock.pause_reason else "",
        "due": view.when(clock.due_at, zone),
        "story": clock.explanation[view.language],
        "source": source,
        "waive_fields": mark_fields(_find_wish_fields(view, said), said.wrong) if may_waive else None,
        "opened": is_own,
    }


def _find_wish_fields(view: View, said: Typed) -> tuple[Field, ...]:
    meaning = said.values.get("meaning", view.t("order_clock.meaning_default"))
    return (
        Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", "")),
        Field("meaning", view.t("field.meaning"), value=meaning),
        Field("password", view.t("field.password"), "password"),
    )


def _load_requests(view: View, pool: Pool, order: WorkOrder, zone: str | None) -> list[dict[str, Any]]:
    if not view.may(Permission.APPROVAL_REQUEST_READ):
        return []
    page = list_approval_requests(
        view.person,
        pool,
        kind=[ApprovalKind.SLA_WAIVER],
        entity="work_order",
        entity_id=order.code,
        limit=20,
        cursor=None,
    )
    return [
        {
            "code": one.code,
            "state": view.name("waiver_state", one.state),
            "clock": view.t(f"clock.{str(one.payload.get('clock', '')).lower()}"),
            "who": view.who(one.asked_by),
            "at": view.when(one.asked_at, zone),
            "reason": one.reason,
        }
        for one in page.items
    ]
