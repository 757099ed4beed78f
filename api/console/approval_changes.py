"""What a change that waits for a second person would do: each field as it is, and as it would be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.field_names import name_columns
from api.console.monitor_words import COUNT, Measure, find_label, find_measure, say_threshold
from api.console.page import View
from api.console.place_words import tell_field
from domain.approval_request import ApprovalKind, ApprovalRequest
from domain.masking import mask_json
from domain.model_record import ModelKind
from domain.profile import Profile
from domain.profile_decision import find_decided
from domain.profile_json import profile_from_json
from store.models import ModelRow
from store.place_names import PlaceNames
from store.second_signatures import WaitingRecord

THRESHOLD = ("raise_at", "clear_at")
MOST_LINES = 8
# Records that move on when the second person signs: how their states are named, from where, to where.
STATES = {
    "capa_plan": ("state", "ACTION_PLAN", "IMPLEMENTATION"),
    "capa_closure": ("state", "EFFECTIVENESS", "CLOSED"),
    "field_action": ("state", "DRAFT", "APPROVED"),
    "firmware": ("firmware_state", "DRAFT", "APPROVED"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be another."""

    label: str
    before: str
    after: str


def find_request_changes(view: View, request: ApprovalRequest, places: PlaceNames) -> list[Change]:
    """What is asked, beside the record as it was then; people are masked whom the reader does not see."""
    t, allowed = view.t, view.person.permissions
    payload, subject = mask_json(request.payload, allowed), mask_json(request.subject, allowed)
    kind = ApprovalKind(request.kind)
    if kind is ApprovalKind.PLAN_SKIP:
        label = t("approvals.occurrence", number=subject.get("number", "–"), serial=subject.get("serial", "–"))
        due = t("approvals.due", day=subject.get("due_on") or t("fact.unknown"))
        return [Change(label, due, t("approvals.left_out"))]
    if kind is ApprovalKind.SLA_WAIVER:
        label = t("approvals.clock", clock=view.name("clock", payload.get("clock")))
        return [Change(label, t("approvals.counts"), t("approvals.counts_not"))]
    if kind is ApprovalKind.IDENTIFIABLE_EXPORT:
        columns = subject.get("personal_columns") or ()
        said = name_columns(view, (str(column) for column in columns))
        return [Change(t("approvals.people"), t("approvals.masked"), t("approvals.in_file", columns=said))]
    fields = [(name, subject.get(name), value) for name, value in payload.items()]
    if kind is ApprovalKind.KEY_FIELD_CHANGE and "site" in payload:
        fields.append(("customer", subject.get("customer"), subject.get("new_customer")))
    return [_name(view, name, before, after, places) for name, before, after in fields]


def find_record_changes(
    view: View, record: WaitingRecord, profiles: Mapping[str, Profile], models: Mapping[str, ModelRow]
) -> list[Change]:
    """What becomes of the record; `models` has those that are asked to become live, by code."""
    t, details = view.t, record.details
    if record.wants in STATES:
        group, before, after = STATES[record.wants]
        state = Change(t("column.state"), view.name(group, before), view.name(group, after))
        return [state, *_find_extent(view, record)]
    if record.wants == "vigilance":
        places = t("list.comma").join(view.name("jurisdiction", place) for place in details["jurisdictions"])
        return [Change(t("approvals.report"), t("approvals.undecided"), t("approvals.report_or_not", places=places))]
    profile = profiles.get(details["model"])
    if record.wants == "threshold":
        measure = _find_measure(view, profile, details["monitor"])
        return [
            Change(
                t(f"monitor_field.{name}"),
                say_threshold(details[name], measure),
                say_threshold(details[f"proposed_{name}"], measure),
            )
            for name in THRESHOLD
        ]
    if record.code in models and profile is not None and details["kind"] == ModelKind.PROFILE:
        return find_profile_changes(view, models[record.code], profile)
    where = details["model"] + (f" {details['firmware']}" if details["firmware"] else "")
    return [Change(t("approvals.live_model", where=where), details["live"] or t("approvals.none"), record.code)]


def _find_extent(view: View, record: WaitingRecord) -> Sequence[Change]:
    """How much the step sets going."""
    t, details = view.t, record.details
    if record.wants == "capa_plan":
        return [Change(t("approvals.actions"), "–", t("approvals.actions_begin", count=details["actions"]))]
    if record.wants == "field_action":
        return [Change(t("approvals.devices"), "–", t("approvals.devices_told", count=details["devices"]))]
    return []


def find_profile_changes(view: View, row: ModelRow, current: Profile) -> list[Change]:
    """The next version of a profile, with the fields of its monitors that are others than in the current one."""
    version = row.profile_version
    lines = [Change(view.t("approvals.profile", model=row.model), str(version), str(version + 1))]
    for decision in find_decided(row.code, current, profile_from_json(row.description["profile"])):
        held, measure = current.find_monitor(decision.monitor), _find_measure(view, current, decision.monitor)
        named = decision.monitor if held is None else find_label(view, current, held)
        for name, value in decision.values.items():
            label = view.t("approvals.of_monitor", monitor=named, field=view.name("monitor_field", name))
            before = None if held is None else getattr(held, name)
            lines.append(Change(label, _say(before, name, measure), _say(value, name, measure)))
    left = len(lines) - MOST_LINES
    more = [Change(view.t("approvals.more_changes", count=left), "", "")] if left > 0 else []
    return lines[:MOST_LINES] + more


def _find_measure(view: View, profile: Profile | None, monitor: str) -> Measure:
    known = None if profile is None else profile.find_monitor(monitor)
    return COUNT if profile is None or known is None else find_measure(view, profile, known)


def _name(view: View, name: str, before: Any, after: Any, places: PlaceNames) -> Change:
    said = [tell_field(view, name, _say(value), places) for value in (before, after)]
    return Change(view.name("approval_field", name), said[0], said[1])


def _say(value: Any, name: str = "", measure: Measure = COUNT) -> str:
    if isinstance(value, float | int) and name in THRESHOLD:
        return say_threshold(float(value), measure)
    return "–" if value in (None, "", ()) else f"{value:.15g}" if isinstance(value, float) else str(value)
