"""Which fields of a form a rule of its record is about: its sentence stands there too, and its reader lands there."""

from collections.abc import Mapping

_ORDER = ("order",)
# By guard, for those that are about something which the sender of a form has typed, or has not. Where kinds of records
# share a name, the fields of all their forms: a form marks those that it has.
FIELDS: Mapping[str, tuple[str, ...]] = {
    # Every kind of record
    "reason_missing": ("reason",),
    "evidence_missing": ("evidence",),
    "meaning_missing": ("meaning",),
    "signature_missing": ("meaning", "password"),
    # Work orders
    "assignee_missing": ("assignee",),
    "assignee_unknown": ("assignee",),
    "certificate_invalid": ("assignee",),
    "hold_reason_missing": ("hold_reason",),
    "outcome_missing": ("outcome",),
    "not_quiet": ("test_evidence",),
    # Their visits, parts and merges
    "time_in_future": ("arrived_at", "left_at"),
    "before_order": ("arrived_at",),
    "visits_overlap": ("arrived_at",),
    "left_before_arrival": ("left_at",),
    "more_than_requested": ("quantity",),
    "serial_needs_one": ("quantity",),
    "same_serial": ("serial_out",),
    "unidentified_part": ("lot", "serial_in"),
    "same_order": _ORDER,
    "not_open": _ORDER,
    "planned_work": _ORDER,
    "work_reported": _ORDER,
    "not_of_one_device": _ORDER,
    "other_children": _ORDER,
    # CAPAs and field actions
    "scope_taken": ("fault", "scope_kind", "scope_value"),
    "date_missing": ("scheduled_for",),
    # Complaints and what is told to authorities
    "investigation_missing": ("investigation",),
    "jurisdiction_missing": ("jurisdictions", "reportable_in"),
    "aware_in_future": ("aware_at",),
    "justification_missing": ("justification",),
    "no_harm_assessed": ("decision",),
    "not_assessed_there": ("reportable_in",),
    "not_reportable": ("jurisdiction",),
    "submitted_already": ("jurisdiction",),
    "reference_missing": ("reference",),
    "submitted_in_future": ("submitted_at",),
    "submitted_before_aware": ("submitted_at",),
    # How long data are kept, webhooks
    "out_of_order": ("days",),
    "unchanged": ("days",),
    "webhook_reason_missing": ("reason",),
}


def find_guard_marks(guard: str, said: str, sent: Mapping[str, str]) -> dict[str, str]:
    """The sentence of that guard for each field that it is about: of several those in which nothing stands where
    something is missing, and else those in which something does."""
    names = FIELDS.get(guard, ())
    is_missing = guard.endswith("_missing")
    fitting = [name for name in names if bool(sent.get(name, "").strip()) is not is_missing]
    return dict.fromkeys(fitting or names, said)
