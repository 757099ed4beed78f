"""What happened to a record, machine and people alike, newest first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.console.instants import Instant
from api.console.order_rows import find_sentence
from api.console.page import View
from domain.audit import AuditEvent
from store.work_order_pages import TimelineEntry

MACHINES = ("service_link", "anomaly", "ingest")


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line: when, who, what, and a detail below."""

    at: Instant | None
    who: str
    what: str
    detail: str


def find_who(view: View, actor: str) -> str:
    """The person, or the machine by its name in the reader's language."""
    return view.name("machine", actor) if actor in MACHINES else actor


def find_audit_lines(view: View, events: Iterable[AuditEvent], zone: str | None = None) -> list[TimelineLine]:
    """Audit events as lines."""
    return [
        TimelineLine(view.when(e.at, zone), find_who(view, e.actor), view.name("audit", e.action), e.reason)
        for e in events
    ]


def find_timeline(view: View, entries: Iterable[TimelineEntry], zone: str | None) -> list[TimelineLine]:
    """The entries of a work order's timeline as lines; what two tables say of one step is said once."""
    lines: list[TimelineLine] = []
    for entry in entries:
        at = view.when(entry.at, zone)
        if entry.kind == "note":
            lines.append(TimelineLine(at, entry.actor, entry.text, ""))
        elif entry.kind == "signature":
            lines.append(TimelineLine(at, entry.actor, view.t("timeline.signed"), entry.text))
        elif entry.kind == "decision":
            sentence = find_sentence(view, entry.details["reason_code"], entry.details["reason_params"])
            what = f"{view.name('decision', entry.details['decision'])} {view.name('reason', entry.code)}"
            lines.append(TimelineLine(at, view.name("machine", "service_link"), what, sentence))
        elif entry.actor not in MACHINES:
            detail = " · ".join(
                part for part in (entry.text, _say_changes(view, entry.code, entry.details.get("after"))) if part
            )
            lines.append(TimelineLine(at, entry.actor, view.name("audit", entry.code), detail))
    return lines


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
