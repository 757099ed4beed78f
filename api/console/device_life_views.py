"""What is due at a device and what happened to it: dates, breaches, promises, recalls, pending changes, history."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.console.facts import Fact, say_day, say_share, say_skew
from api.console.language import load_catalogue
from api.console.owed_views import (
    find_capa_lines,
    find_clock_lines,
    find_complaint_lines,
    find_contract,
    find_due,
    find_href,
    find_item_lines,
    find_order_lines,
    find_planned_lines,
)
from api.console.page import View
from api.console.place_words import tell_field
from api.console.source_words import say_source
from api.shapes.installed_base import HistoryShape
from api.shapes.overview_lines import BreachLineShape, ForecastLineShape
from api.shapes.overviews import DeviceOverview, QualityLineShape
from domain.approval_request import ApprovalRequest, ApprovalState
from domain.masking import mask_json
from domain.profile import Profile
from domain.roles import Permission
from domain.sentences import find_unit_sign
from store.place_names import PlaceNames

_MOST_BREACHES = 20


def find_life(
    view: View,
    page: DeviceOverview,
    pending: Sequence[ApprovalRequest] | None,
    profiles: Mapping[str, Profile],
    places: PlaceNames,
) -> dict[str, Any]:
    """All sections; `pending` are changes of key fields that wait for a second person, None: hidden by role."""
    zone = page.place.time_zone
    profile = profiles.get(page.model)
    models = {page.serial: page.model}
    return {
        "serial": page.serial,
        "states": [
            {"code": page.lifecycle.state, "group": "lifecycle", "since": view.when(page.lifecycle.since, zone)},
            {
                "code": page.connectivity.state,
                "group": "connectivity",
                "since": view.when(page.connectivity.since, zone),
            },
        ],
        "contract": find_contract(view, page.contract),
        "warranty": find_due(view, page.warranty),
        "calibration": find_due(view, page.calibration),
        "dates": [
            Fact(view.t("device_life.made"), say_day(view, page.made_on)),
            Fact(view.t("device_life.purchased"), say_day(view, page.purchased_on)),
            Fact(view.t("fact.installed"), say_day(view, page.installed_on)),
        ],
        "planned_list": find_planned_lines(view, page.planned),
        "planned_total": page.planned.total,
        "clocks": find_clock_lines(view, page.clocks),
        "breach_lines": [_find_breach(view, breach, zone) for breach in page.breaches.items[:_MOST_BREACHES]],
        "breach_total": page.breaches.total,
        "forecasts": [_find_forecast(view, forecast, profile, zone) for forecast in page.forecasts],
        "shelvings": [
            {
                "until": view.when(s.shelved_until, zone),
                "reason": s.reason,
                "who": view.who(s.shelved_by) or view.t("fact.hidden"),
            }
            for s in page.shelvings
        ],
        "item_list": find_item_lines(view, page.field_actions),
        "item_total": page.field_actions.total if page.field_actions else 0,
        "complaint_list": find_complaint_lines(view, page.complaints, profiles, models),
        "capa_list": find_capa_lines(view, page.capas, profiles),
        "past": find_order_lines(view, page.past_work_orders, shows_owner=view.may(Permission.STAFF_READ)),
        "past_total": page.past_work_orders.total,
        "quality": [_find_quality(view, line) for line in page.data_quality],
        "pending": None if pending is None else [_find_pending(view, request, places) for request in pending],
        "history": [_find_entry(view, entry, zone, places) for entry in page.history],
    }


def _find_breach(view: View, breach: BreachLineShape, zone: str | None) -> dict[str, Any]:
    return {
        "severity": breach.severity,
        "sentence": breach.sentence[view.language],
        "since": view.when(breach.first_seen, zone),
        "shelved": breach.is_shelved,
        "orders": breach.work_orders,
    }


def _find_forecast(
    view: View, forecast: ForecastLineShape, profile: Profile | None, zone: str | None
) -> dict[str, Any]:
    sensor = profile.find_sensor(forecast.sensor) if profile is not None and forecast.sensor is not None else None
    label = forecast.sensor or ""
    if sensor is not None:
        label = view.say(sensor.label)
    low, high = forecast.hours_low, forecast.hours_high
    ends = (view.t("device_life.open_end") if end is None else f"{end:,.0f}" for end in (low, high))
    interval = " – ".join(ends) + f" {find_unit_sign('h')}"
    at = view.when(forecast.expected_at, zone)
    return {"sensor": label, "at": at, "interval": interval, "passed": forecast.is_passed}


def _find_quality(view: View, line: QualityLineShape) -> dict[str, Any]:
    return {
        "day": line.day.isoformat(),
        "completeness": say_share(line.completeness),
        "least": say_share(line.least_completeness),
        "skew": say_skew(line.skew_s),
        "alerts": [view.name("alert", alert) for alert in line.alerts],
    }


def _find_pending(view: View, request: ApprovalRequest, places: PlaceNames) -> dict[str, Any]:
    """A change that is asked for, field by field, without people whom the reader does not see."""
    wanted = mask_json(request.payload, view.person.permissions)
    now = mask_json(request.subject, view.person.permissions)
    return {
        "code": request.code,
        "href": find_href("/approvals", request.code),
        "is_asked": request.state == ApprovalState.ASKED,
        "who": view.who(request.asked_by) if view.may(Permission.STAFF_READ) else view.t("fact.hidden"),
        "at": view.when(request.asked_at),
        "until": view.when(request.expires_at),
        "reason": request.reason,
        "changes": [
            {
                "field": _name_field(view, field),
                "before": tell_field(view, field, str(now.get(field) or "–"), places),
                "after": tell_field(view, field, str(after), places),
            }
            for field, after in wanted.items()
        ],
    }


def _find_entry(view: View, entry: HistoryShape, zone: str | None, places: PlaceNames) -> dict[str, Any]:
    return {
        "at": view.when(entry.at, zone),
        "field": entry.field if entry.kind == "event" else _name_field(view, entry.field),
        "kind": entry.kind,
        "before": _name_value(view, entry, entry.before, places),
        "after": _name_value(view, entry, entry.after, places),
        "detail": _name_detail(view, entry),
        "source": say_source(view, entry.source),
    }


def _name_field(view: View, field: str) -> str:
    kind, _, part = field.partition(":")
    known = load_catalogue(view.language).get(f"device_field.{kind}")
    name = known if isinstance(known, str) else kind
    return f"{name} {part}".strip()


def _name_detail(view: View, entry: HistoryShape) -> str:
    """What a report of firmware said of itself; other details are the device's own text."""
    if entry.kind != "firmware":
        return entry.detail
    state, _, error = entry.detail.partition(":")
    said = view.name("firmware_report", state)
    return view.t("history_source.of", source=said, name=error.strip()) if error else said


def _name_value(view: View, entry: HistoryShape, value: str | None, places: PlaceNames) -> str:
    """The value in words; a device's alarm may be called like a field, so its kind says what it is."""
    if value is None:
        return ""
    if entry.kind == "event":
        return view.name("severity", value)
    if entry.kind == "status":
        return view.name("connectivity", value.upper())
    if entry.field in ("lifecycle", "connectivity"):
        return view.name(entry.field, value)
    return tell_field(view, entry.field, value, places)
