"""The lane of events that all panels of one device share: drawn by charts.js, and the same as a list to be read."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from api.console.order_rows import find_fault
from api.console.page import View
from api.console.place_words import name_of
from domain.clock import to_micros
from domain.lane import LaneEvent, LaneKind, find_shown_kinds
from domain.masking import mask_history, mask_owner
from domain.profile import Profile
from store.devices import Device
from store.lane_events import load_lane_events
from store.place_names import load_place_names
from store.pool import Connection

LISTED = 100  # lines of the list; the drawing shows all that were loaded
INSTANTS = (LaneKind.FIRMWARE, LaneKind.VISIT, LaneKind.SITE, LaneKind.LIFECYCLE)


def load_lane(
    view: View, conn: Connection, device: Device, profile: Profile | None, since: datetime, until: datetime
) -> dict[str, Any]:
    """What charts.js draws and the list says: events of [since, until), oldest first."""
    person = view.person
    found = load_lane_events(
        conn,
        device.id,
        since,
        until,
        kinds=find_shown_kinds(person.permissions),
        customer_id=person.customer_id,
    )
    profiles = {} if profile is None else {device.model: profile}
    shown = [_mask_site(view, event, device) if event.kind is LaneKind.SITE else event for event in found.events]
    events = [event for event in shown if event is not None]
    events = _name_sites(conn, events, person.customer_id)
    items = [_describe(view, event, profiles, device) for event in events]
    unlisted = max(0, len(items) - LISTED) + found.left_out
    return {"items": items, "more": view.t("lane.more", count=unlisted) if unlisted else ""}


def _name_sites(conn: Connection, events: list[LaneEvent], customer_id: int | None) -> list[LaneEvent]:
    """Moves with the names of sites in place of their codes, as far as they are known to who looks."""
    moves = [event for event in events if event.kind is LaneKind.SITE]
    codes = [code for event in moves for code in (event.before, event.after)]
    sites = load_place_names(conn, sites=codes, customer_id=customer_id).sites
    return [
        replace(event, before=name_of(event.before, sites), after=name_of(event.after, sites))
        if event.kind is LaneKind.SITE
        else event
        for event in events
    ]


def _mask_site(view: View, event: LaneEvent, device: Device) -> LaneEvent | None:
    """The move without whose the device was before and meanwhile, for who may not know."""
    permissions = view.person.permissions
    after = mask_owner("site", event.after, (device.site_code, device.customer_code), permissions)
    before, _ = mask_history("site", event.before, "", permissions)
    return None if after is None else replace(event, before=before or "", after=after)


def _describe(view: View, event: LaneEvent, profiles: dict[str, Profile], device: Device) -> dict[str, Any]:
    zone = device.site_time_zone
    at = view.when(event.at, zone)
    until = view.when(event.until, zone) if event.until is not None else None
    assert at is not None
    period = event.kind not in INSTANTS
    if event.kind is LaneKind.VISIT:
        period = event.until is not None
    goes_on = period and event.until is None
    span = f"{at.at} – {until.at}" if until else view.t("lane.since", at=at.at) if goes_on else at.at
    return {
        "kind": event.kind.value,
        "at": to_micros(event.at) / 1e6,
        "until": None if event.until is None else to_micros(event.until) / 1e6,
        "period": event.kind not in INSTANTS,
        "name": view.name("lane", event.kind.value),
        "label": _find_label(view, event, profiles, device),
        "says": _say(view, event, profiles, device),
        "when": span,
        "href": f"/work-orders/{event.subject}" if event.kind in (LaneKind.ORDER, LaneKind.VISIT) else "",
    }


def _find_label(view: View, event: LaneEvent, profiles: dict[str, Profile], device: Device) -> str:
    """What stands in the drawing itself, where there is room."""
    if event.kind is LaneKind.FIRMWARE:
        return event.after
    if event.kind in (LaneKind.FAULT, LaneKind.SHELVED):
        fault = event.subject
        return find_fault(view, profiles, device.model, fault) if fault else view.t("lane.whole_device")
    return event.subject


def _say(view: View, event: LaneEvent, profiles: dict[str, Profile], device: Device) -> str:
    t, nothing = view.t, view.t("lane.nothing")
    fault = find_fault(view, profiles, device.model, event.subject) if event.subject else t("lane.whole_device")
    match event.kind:
        case LaneKind.FIRMWARE:
            return t("lane.firmware", component=event.subject, before=event.before, after=event.after)
        case LaneKind.SITE:
            if not event.before:
                return t("lane.site_to", after=event.after or nothing)
            return t("lane.site", before=event.before, after=event.after or nothing)
        case LaneKind.LIFECYCLE:
            before = view.name("lifecycle", event.before) if event.before else nothing
            return t("lane.lifecycle", before=before, after=view.name("lifecycle", event.after))
        case LaneKind.VISIT:
            outcome = view.name("visit_outcome", event.after) if event.after else t("lane.under_way")
            return t("lane.visit", order=event.subject, outcome=outcome)
        case LaneKind.ORDER:
            about = find_fault(view, profiles, device.model, event.before)
            return t("lane.order", order=event.subject, fault=about, state=view.name("state", event.after))
        case LaneKind.FAULT:
            return t("lane.fault", fault=fault, severity=view.name("severity", event.after))
        case LaneKind.SHELVED:
            return t("lane.shelved", fault=fault)
