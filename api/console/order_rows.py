"""Work orders as lines of a list: the headline in the reader's language, the clock that runs, what is to be flagged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.console.instants import Instant, name_duration
from api.console.language import load_catalogue
from api.console.page import View
from domain.profile import Profile
from domain.roles import Permission
from domain.sentence_templates import SENTENCES
from domain.sentences import fill, render
from domain.sla_policy import DUE_SOON_SHARE
from domain.ticket_sentence import render_ticket
from store.work_order_lists import WorkOrderRow

NEW_FIRMWARE_FOR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Clock:
    """One SLA clock. `kind` is how it stands: running, soon, late, paused, met."""

    name: str
    kind: str
    text: str
    due: Instant | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One line of the inbox or of the list of work orders."""

    code: str
    row_version: int
    priority: str
    state: str
    hold_reason: str | None
    headline: str
    summary: str
    under: str
    count: int
    clock: Clock | None
    seen: Instant | None
    created: Instant | None
    owner: str | None
    flags: list[str]


def find_sentence(view: View, code: str, params: Mapping[str, Any]) -> str:
    """The whole sentence of a reason code; titles that are the console's own stand in its catalogue."""
    if code in SENTENCES:
        return render(code, params, view.language)
    title = load_catalogue(view.language).get(f"title.{code}")
    return fill(title, params, view.language) if isinstance(title, str) else render(code, params, view.language)


def find_summary(view: View, code: str, params: Mapping[str, Any], zone: str | None) -> str:
    """The ticket in one sentence: what is wrong, how sure, since when, which part, what comes of doing nothing."""
    if code in SENTENCES:
        return render_ticket(code, params, view.language, view.find_zone(zone))
    return find_sentence(view, code, params)


def find_fault(view: View, profiles: Mapping[str, Profile], model: str | None, fault_group: str) -> str:
    """The name of a fault group, as the device's profile has it."""
    profile = profiles.get(model or "")
    group = profile.find_fault_group(fault_group) if profile else None
    if group is not None:
        return view.say(group.label)
    return view.name("fault", fault_group)


def name_fault(fault: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of an order's title; those of an earlier version hold no name of its fault, and get this one."""
    return {"fault_name": fault, **params}


def find_headline(view: View, fault: str, code: str, params: Mapping[str, Any]) -> str:
    """What is wrong, short enough for a line: the fault, then the figure that says so."""
    template = load_catalogue(view.language).get(f"short.{code}")
    if not isinstance(template, str):
        return find_sentence(view, code, params)
    return view.t("headline.with_fault", fault=fault, short=fill(template, params, view.language))


def find_clock(
    view: View,
    name: str,
    due: datetime | None,
    *,
    started: datetime | None = None,
    met_at: datetime | None = None,
    was_late: bool = False,
    held: str | None = None,
    zone: str | None = None,
) -> Clock | None:
    """A clock as it stands now; None where the order has none. One that `held` pauses has no due time."""
    if due is None and held is not None and met_at is None:
        return Clock(name, "paused", view.t("clock.paused", reason=view.name("hold", held)), None)
    if due is None:
        return None
    instant = view.when(due, zone)
    if met_at is not None:
        late = met_at > due or was_late
        text = (
            view.t("clock.met_late", span=name_duration(met_at - due, view.language)) if late else view.t("clock.met")
        )
        return Clock(name, "met", text, None)
    left = due - view.now
    span = name_duration(left, view.language)
    if left <= timedelta():
        return Clock(name, "late", view.t("clock.late", span=span), instant)
    total = due - (started or view.now)
    kind = "soon" if started is not None and left <= total * DUE_SOON_SHARE else "running"
    return Clock(name, kind, view.t("clock.left", span=span), instant)


def find_row(view: View, row: WorkOrderRow, profiles: Mapping[str, Profile]) -> OrderRow:
    """The line of that order for this reader."""
    zone = row.site_time_zone
    fault = find_fault(view, profiles, row.model, row.fault_group)
    model = (row.model_name or {}).get(view.language) or row.model
    firmware = f"{view.t('fact.firmware')} {row.firmware}" if row.firmware else None
    parts = (row.model or model, row.serial or row.gateway or row.site_name, firmware, row.customer_name)
    is_response = row.responded_at is None
    params = name_fault(fault, row.title_params)
    return OrderRow(
        code=row.code,
        row_version=row.row_version,
        priority=row.priority,
        state=row.state,
        hold_reason=row.hold_reason,
        headline=find_headline(view, fault, row.title_code, params),
        summary=find_summary(view, row.title_code, params, zone),
        under=" · ".join(part for part in parts if part),
        count=row.breach_count,
        clock=find_clock(
            view,
            "response" if is_response else "resolution",
            # Of an order whose work is done none runs: what became of the last one is told.
            row.next_due_at or (row.resolution_due_at if row.resolved_at else None),
            started=row.created_at,
            met_at=row.resolved_at if row.next_due_at is None else None,
            was_late=row.resolution_breached,
            held=row.hold_reason,
            zone=zone,
        ),
        seen=view.when(row.last_breach_at or row.created_at, zone),
        created=view.when(row.created_at, zone),
        owner=row.assignee_name,
        flags=find_flags(view, row),
    )


def find_flags(view: View, row: WorkOrderRow) -> list[str]:
    """What somebody who decides should not overlook, the most telling first."""
    changed = row.firmware_changed_at
    shown = {
        row.inbox_reason or "": row.inbox_reason not in (None, "NEW"),
        "RECURRENCE": row.reopen_count > 0 and row.inbox_reason != "REOPENED",
        "CAPA": bool(row.capa_codes) and view.may(Permission.CAPA_READ),
        "NEW_FIRMWARE": changed is not None and view.now - changed < NEW_FIRMWARE_FOR,
        "DATA_GAP": row.connectivity in ("STALE", "OFFLINE", "UNKNOWN"),
        "READY": row.ready_to_verify_at is not None and row.state == "WORK_DONE",
        "SIM": row.is_simulated,
    }
    return [flag for flag, is_shown in shown.items() if is_shown]
