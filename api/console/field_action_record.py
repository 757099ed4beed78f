"""The maker's own record of a field action: scope, waves, effect, halts, signatures, and who did what."""

from typing import Any

from api.console.field_action_figures import find_effect_facts, find_halt, tell_halts
from api.console.field_action_views import find_scope_facts, find_waves
from api.console.page import View
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from domain.field_action import FieldAction, find_field_action_content
from store.audit import AuditFilter, load_audit_events
from store.field_action_scope import load_scope_drift
from store.field_action_transitions import load_wave_figures
from store.field_actions import ENTITY
from store.place_names import PlaceNames
from store.pool import Connection
from store.profiles import load_profiles
from store.signatures import load_signatures

# It tells of all customers' devices: an account of one customer reads none of it.
NOTHING: dict[str, Any] = {
    "halt": None, "scope": [], "waves": [], "effect": [], "signatures": [], "timeline": [],
}  # fmt: skip


def load_record(view: View, conn: Connection, action: FieldAction, places: PlaceNames) -> dict[str, Any]:
    """All of it, by the names of the page's template; nothing to an account of one customer."""
    if view.person.customer_id is not None:
        return NOTHING
    drift = load_scope_drift(conn, action) if action.scope_frozen_at else None
    profiles = load_profiles(conn) if action.is_halted else {}
    signatures = load_signatures(conn, ENTITY, action.id, find_field_action_content(action))
    events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=action.code))
    view.learn_names(conn)
    return {
        "halt": find_halt(view, action, profiles),
        "scope": find_scope_facts(view, action, drift, places),
        "waves": find_waves(view, action, load_wave_figures(conn, action.id)),
        "effect": find_effect_facts(view, action),
        "signatures": find_signature_lines(view, signatures),
        "timeline": find_audit_lines(view, tell_halts(view, events)),
    }
