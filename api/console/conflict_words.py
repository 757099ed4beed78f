"""Who changed a record while somebody edited it, what of it and when: the sentence above a form that met a change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.console.language import load_catalogue
from api.console.page import View
from domain.audit import AuditEvent
from store.audit import AuditFilter, load_audit_events
from store.pool import Pool

# Values that are said themselves; of others only that they changed.
SAID = {"state": "state", "priority": "priority", "hold_reason": "hold", "outcome": "outcome"}
# Where the words for a field of a record stand.
WORDS = {
    "work_order": ("field",),
    "complaint": ("complaint", "capa"),
    "field_action": ("conflict_field", "field", "column"),
    "capa": ("conflict_field", "capa", "field"),
}
MOST_NAMED = 4


def say_conflict(view: View, pool: Pool, entity: str, code: str) -> str:
    """Who set what while somebody edited, and when; what was typed is kept."""
    with pool.connection() as conn:
        events = load_audit_events(conn, AuditFilter(entity=entity, entity_id=code), limit=1)
    if not events:
        return view.t("conflict.changed", who=view.t("work_order.changed_by"), at=say_time(view, view.now))
    event = events[0]
    who, at = view.who(event.actor), say_time(view, event.at)
    values = [view.name(SAID[name], value) for name, value in find_values(event.after)]
    if values:
        return view.t("conflict.set", who=who, at=at, what=view.t("list.comma").join(values))
    fields = name_fields(view, entity, event)
    if fields:
        return view.t("conflict.wrote", who=who, at=at, what=view.t("list.comma").join(fields))
    return view.t("conflict.changed", who=who, at=at)


def say_time(view: View, at: datetime) -> str:
    """That time as a clock shows it; of another day with the day."""
    zone = view.find_zone()
    local, today = at.astimezone(zone), view.now.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%m-%d %H:%M}"


def find_values(after: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What a step set that is best said by its new value."""
    return [(name, value) for name in SAID if isinstance(value := (after or {}).get(name), str) and value]


def name_fields(view: View, entity: str, event: AuditEvent) -> list[str]:
    """The fields that changed, by their names; those without one are left out."""
    known = load_catalogue(view.language)
    before, after = event.before or {}, event.after or {}
    found = []
    for name in after:
        key = next((f"{group}.{name}" for group in WORDS.get(entity, ()) if f"{group}.{name}" in known), None)
        if key is not None and before.get(name) != after[name]:
            found.append(view.t(key))
    return found[:MOST_NAMED]
