"""Why a field action stands still and what came of it, in figures as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from api.console.approval_views import say_json
from api.console.capa_figures import say_days, say_figure, say_interval, say_probability
from api.console.facts import Fact, say_share
from api.console.order_rows import find_fault
from api.console.page import MACHINES, View
from domain.audit import AuditEvent
from domain.field_action import FieldAction
from domain.field_action_halt import HaltReason
from domain.profile import Profile
from domain.sentences import find_unit_sign

HALTED = "fieldaction.halted"
# The database keeps fields of JSON in an order of its own; any other field stands behind these.
ORDER = (
    "computed_at", "look", "devices", "remediated", "remediated_share", "verified", "verified_share", "unreachable",
    "unreachable_share", "scrapped", "compared_devices", "controls", "events_before", "breaches_before",
    "device_days_before", "events_after", "breaches_after", "device_days_after", "ratio", "interval", "control_ratio",
    "p", "p_valid",
)  # fmt: skip
WITHDRAWN = " was withdrawn: "  # behind it stands what the person wrote who withdrew the firmware


def find_halt(view: View, action: FieldAction, profiles: Mapping[str, Profile]) -> dict[str, Any] | None:
    """Since when it stands still, why, and with which figures; None while it goes on."""
    if action.halted_at is None:
        return None
    found = dict(action.halt_statistics or {})
    detail, lines = str(found.pop("detail", "")), found.pop("lines", ())
    found.pop("findings", None)  # they are the lines, as programs call them
    figures = say_figures(view, found)
    figures += [_find_line(view, action.model, line, profiles) for line in lines]
    # The machine's own sentence says in English what the figures say; what a person wrote is nowhere else.
    if action.halt_reason in (HaltReason.PERSON, HaltReason.FIRMWARE_WITHDRAWN) and detail:
        figures.append(Fact(view.t("field.reason"), detail.partition(WITHDRAWN)[2] or detail, own=True))
    return {
        "at": view.when(action.halted_at),
        "why": view.name("halt_reason", action.halt_reason),
        "figures": figures,
    }


def tell_halts(view: View, events: Iterable[AuditEvent]) -> list[AuditEvent]:
    """The events with what a machine halted for in the reader's language: its own sentence is in English."""
    return [
        replace(event, reason=view.name("halt_reason", str((event.after or {}).get("halt_reason", ""))))
        if event.action == HALTED and event.actor in MACHINES
        else event
        for event in events
    ]


def find_effect_facts(view: View, action: FieldAction) -> list[Fact]:
    """What came of it, as it is signed at the closure."""
    return say_figures(view, action.effectiveness or {})


def say_figures(view: View, stored: Mapping[str, Any]) -> list[Fact]:
    """Stored figures by their names, each with the digits that it bears."""
    names = sorted(stored, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return say_json(view, {name: _say_figure(view, name, stored[name]) for name in names})


def _say_figure(view: View, name: str, value: Any) -> Any:
    if name == "interval":
        low, high = value or (None, None)
        return say_interval(low, high, 2)
    if value is None:
        return None
    if name == "computed_at":
        instant = view.when(datetime.fromisoformat(str(value)))
        return None if instant is None else instant.at
    if name in ("p", "p_valid"):
        return say_probability(value)
    if name.startswith("device_days_"):
        return say_days(value)
    if name.endswith("_share"):
        return say_share(float(value))
    return say_figure(value, 2) if isinstance(value, float) else value


def _find_line(view: View, model: str, line: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Fact:
    """What the comparison of the release found worse: a rate of a fault group, or a sensor's level or spread."""
    profile = profiles.get(model)
    sensor = None if profile is None else profile.find_sensor(line["subject"])
    if line["measure"] == "rate":
        subject, unit, decimals = find_fault(view, profiles, model, line["subject"]), "", 2
    elif sensor is None:
        subject, unit, decimals = str(line["subject"]), "", 2
    else:
        subject = str(getattr(sensor.label, view.language, sensor.label.en))
        unit, decimals = f" {find_unit_sign(sensor.unit)}", sensor.decimals + 1
    before, after = (f"{say_figure(line[name], decimals)}{unit}" for name in ("before", "after"))
    q = say_probability(line["q"])
    return Fact(
        view.t(f"capa.measure_{line['measure']}", subject=subject),
        f"{before} → {after} · q {q}",
    )
