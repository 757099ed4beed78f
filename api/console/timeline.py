"""What happened to a record, machine and people alike, newest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.instants import Instant
from api.console.language import LANGUAGES, load_catalogue
from api.console.order_rows import find_sentence
from api.console.page import MACHINES, View
from domain.audit import AuditEvent
from domain.profile import Text
from domain.sentences import in_both
from store.work_order_pages import DecisionRow, TimelineEntry

# Reasons that the console itself gives, in the language of who pressed the button.
OWN_REASONS = ("inbox.undo_reason", "inbox.false_alarm_reason", "work_order.undo_reason")


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line: when, who, what, and a detail below; `is_note`: a person wrote what, `is_typed`: the detail."""

    at: Instant | None
    who: str
    what: str
    detail: str
    is_note: bool = False
    is_typed: bool = False


def find_audit_lines(view: View, events: Iterable[AuditEvent], zone: str | None = None) -> list[TimelineLine]:
    """Audit events as lines."""
    return [
        TimelineLine(
            view.when(e.at, zone),
            view.who(e.actor),
            view.name("audit", e.action),
            view.name("reason", e.reason),
            is_typed=view.name("reason", e.reason) == e.reason,
        )
        for e in events
    ]


def find_timeline(
    view: View, entries: Iterable[TimelineEntry], zone: str | None, monitor_names: Mapping[str, Text]
) -> list[TimelineLine]:
    """The entries of a work order's timeline as lines; what two tables say of one step is said once.

    `monitor_names`, by breach, are of those that hold none, see `api.console.monitor_titles`.
    """
    lines: list[TimelineLine] = []
    for entry in entries:
        at, who = view.when(entry.at, zone), view.who(entry.actor)
        if entry.kind == "note":
            lines.append(TimelineLine(at, who, entry.text, "", is_note=True))
        elif entry.kind == "signature":
            lines.append(TimelineLine(at, who, view.t("timeline.signed"), entry.text, is_typed=True))
        elif entry.kind == "decision":
            name = monitor_names.get(entry.details["breach_id"])
            more = {} if name is None else {"monitor_name": in_both(name)}
            sentence = find_sentence(view, entry.details["reason_code"], more | entry.details["reason_params"])
            what = f"{view.name('decision', entry.details['decision'])} {view.name('reason', entry.code)}"
            lines.append(TimelineLine(at, view.name("machine", "service_link"), what, sentence))
        elif entry.actor not in MACHINES:
            own = _find_own_reason(entry.text)
            reason = view.t(own) if own else entry.text
            detail = " · ".join(
                part for part in (reason, _say_changes(view, entry.code, entry.details.get("after"))) if part
            )
            is_typed = bool(reason) and not own
            lines.append(TimelineLine(at, who, view.name("audit", entry.code), detail, is_typed=is_typed))
    return lines


def find_decisions(view: View, decisions: Sequence[DecisionRow], code: str, zone: str | None) -> list[dict[str, Any]]:
    """What service_link decided about that order, in the order in which it did."""
    return [
        {
            "what": view.name("decision", d.decision),
            "sentence": view.name("reason", d.reason),
            "at": view.when(d.decided_at, zone),
        }
        for d in reversed(decisions)
        if d.decision != "NOTHING" and d.work_order_code == code
    ]


def _find_own_reason(text: str) -> str:
    """The key of the reason, if it is one of the console's own in whatever language; else empty."""
    catalogues = [load_catalogue(language) for language in LANGUAGES]
    return next((key for key in OWN_REASONS if any(catalogue.get(key) == text for catalogue in catalogues)), "")


def _say_changes(view: View, action: str, after: Mapping[str, Any] | None) -> str:
    shown: list[str] = []
    outcome = "visit_outcome" if action.startswith("visit.") else "outcome"
    for name, group in (("hold_reason", "hold"), ("outcome", outcome), ("priority", "priority")):
        value = (after or {}).get(name)
        if isinstance(value, str):
            shown.append(view.name(group, value))
    evidence = (after or {}).get("test_evidence")
    if isinstance(evidence, str):
        shown.append(evidence)
    return " · ".join(shown)
