"""Complaints: the list with what is due to authorities, and the page of one with its vigilance and clocks."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.complaint_views import find_complaint_row
from api.console.complaint_acts import (
    LONG_FIELDS,
    PEOPLE_FIELDS,
    RECORD_FIELDS,
    find_change_act,
    find_complaint_acts,
    find_enter_act,
)
from api.console.filters import Filter, find_choice
from api.console.forms import NOT_REFUSED, Refused
from api.console.order_rows import Clock, find_clock
from api.console.page import View, find_view
from api.console.place_words import name_of
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.console.vigilance_acts import find_vigilance_acts
from api.state import Database
from domain.audit_complaint import ENTITY
from domain.complaint import ComplaintSeverity, ComplaintState, find_missing_fields
from domain.masking import mask_row
from domain.roles import Permission
from domain.vigilance import Assessment, ReportClock, ReportState
from store.audit import AuditFilter, load_audit_events
from store.complaint_lists import ComplaintFilter, ComplaintRow, load_complaints
from store.complaint_transitions import load_complaint_signatures
from store.complaints import load_complaint
from store.place_names import PlaceNames, load_place_names
from store.pool import Pool
from store.profiles import load_profiles
from store.vigilance import load_assessments, load_decision_signatures, load_report_clocks

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.COMPLAINT_READ)]
ROWS = 50
STAGES = (ComplaintState.RECEIVED, ComplaintState.INVESTIGATION, ComplaintState.RESOLVED, ComplaintState.CLOSED)


@router.get("/complaints")
def show_complaints(
    request: Request,
    pool: Database,
    caller: Reader,
    state: str = "",
    severity: str = "",
    report: str = "",
    before: str = "",
) -> Response:
    """Complaints, the one received last first."""
    chosen = {"state": state, "severity": severity, "report": report}
    return render_complaints(find_view(request, caller), pool, chosen, before=before)


def render_complaints(
    view: View, pool: Pool, chosen: dict[str, str] | None = None, *, before: str = "", refused: Refused = NOT_REFUSED
) -> Response:
    """The list; with a complaint that was refused, what was typed stands where it was typed."""
    t, values = view.t, chosen or {}
    offered = [
        ("state", t("column.state"), [(s.value, view.name("state", s.value)) for s in STAGES]),
        ("severity", t("capa.severity"), [(s.value, view.name("complaint_severity", s)) for s in ComplaintSeverity]),
        ("report", t("complaint.reports"), [("due", t("complaint.report_due")), ("undecided", t("capa.undecided"))]),
    ]
    filters = [
        Filter(name, label, find_choice(values.get(name, ""), [value for value, _ in options]), options)
        for name, label, options in offered
    ]
    picked = {f.name: f.value for f in filters}
    wanted = ComplaintFilter(
        states=(picked["state"],) if picked["state"] else (),
        severities=(picked["severity"],) if picked["severity"] else (),
        report_due_only=picked["report"] == "due",
        decision="UNDECIDED" if picked["report"] == "undecided" else "",
        customer_id=view.person.customer_id,
    )
    with pool.connection() as conn:
        found = load_complaints(conn, wanted, limit=ROWS + 1, before=_read_cursor(before))
        profiles = load_profiles(conn)
        codes = [row.customer for row in found]
        places = load_place_names(conn, customers=codes, customer_id=view.person.customer_id)
        due = ComplaintFilter(report_due_only=True, customer_id=view.person.customer_id)
        due_count = len(load_complaints(conn, due, limit=100))
    last = found[ROWS - 1] if len(found) > ROWS else None
    cursor = "" if last is None else f"{last.received_at.isoformat()}~{last.id}"
    return view.render(
        "complaints.html",
        refused.status,
        rows=[_find_line(view, row, places) for row in found[:ROWS]],
        filters=filters,
        filtered=any(picked.values()),
        older=view.link("/complaints", **picked, before=cursor) if cursor else None,
        proof=t("complaints.proof", count=due_count),
        problem=refused.problem,
        enter=find_enter_act(view, profiles, refused.typed),
    )


def _read_cursor(before: str) -> tuple[datetime, int] | None:
    at, _, number = before.partition("~")
    try:
        return (datetime.fromisoformat(at), int(number)) if at and datetime.fromisoformat(at).tzinfo else None
    except ValueError:  # of another version: the first page
        return None


def _find_line(view: View, row: ComplaintRow, places: PlaceNames) -> dict[str, Any]:
    customer = name_of(row.customer, places.customers)
    is_due = row.next_report_due_at is not None
    return {
        "code": row.code,
        "details": row.details if len(row.details) <= 160 else f"{row.details[:159]}…",
        "under": " · ".join(part for part in (row.device_name, row.serial, customer) if part),
        "severity": view.name("complaint_severity", row.severity),
        "state": row.state,
        "harm": view.name("harm", row.harm) if row.harm else view.t("complaint.not_assessed"),
        "decision": view.name("vigilance_decision", row.decision) if row.decision else view.t("capa.undecided"),
        "clock": find_clock(view, "report", row.next_report_due_at, started=row.received_at) if is_due else None,
        "received": view.when(row.received_at),
        "flags": ["SIM"] if row.is_simulated else [],
    }


@router.get("/complaints/{code}")
def show_complaint(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """One complaint."""
    return render_complaint(find_view(request, caller), pool, code)


def render_complaint(view: View, pool: Pool, code: str, refused: Refused = NOT_REFUSED) -> Response:
    """The page; with a step that was refused, why, and what was typed where it was typed."""
    typed = refused.typed
    with pool.connection() as conn:
        row = find_complaint_row(conn, code, view.person)
        complaint = load_complaint(conn, code)
        assert complaint is not None
        assessments = load_assessments(conn, complaint.id)
        clocks = load_report_clocks(conn, complaint.id)
        places = load_place_names(conn, customers=[row.customer], customer_id=view.person.customer_id)
        signed = [
            *load_complaint_signatures(conn, complaint),
            *load_decision_signatures(conn, complaint, assessments),
        ]
        profiles = load_profiles(conn)
        is_ours = view.may(Permission.STAFF_READ)
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code)) if is_ours else []
        acts = find_complaint_acts(view, conn, complaint, typed)
    shown = mask_row("complaint", row, view.person.permissions)
    at = STAGES.index(complaint.state)
    return view.render(
        "complaint.html",
        refused.status,
        problem=refused.problem,
        complaint={
            "code": row.code,
            "state": row.state,
            "row_version": row.row_version,
            "version": row.version,
            "severity": view.name("complaint_severity", row.severity),
            "details": row.details,
            "received": view.when(row.received_at),
            "work_order": row.work_order,
            "joined": view.name("joined", row.joined_as) if row.joined_as else "",
            "serial": row.serial,
            "customer": name_of(row.customer, places.customers),
            "customer_code": row.customer,
            "has_customer_page": row.customer is not None and view.may(Permission.CUSTOMER_READ),
            "flags": ["SIM"] if row.is_simulated else [],
            "stage_list": [{"code": s.value, "current": n == at, "past": n < at} for n, s in enumerate(STAGES)],
        },
        record=_find_record(view, shown, find_missing_fields(complaint)),
        acts=acts,
        change=find_change_act(view, shown, profiles, typed),
        vigilance_acts=find_vigilance_acts(view, complaint, assessments, clocks, typed),
        assessments=[_find_assessment(view, one, clocks) for one in reversed(assessments)],
        running=[
            {"authority": view.name("jurisdiction", c.jurisdiction), "clock": _find_report_clock(view, c, one)}
            for one in assessments[-1:]
            for c in clocks
            if c.assessment_id == one.id and c.state is ReportState.RUNNING
        ],
        signatures=find_signature_lines(view, sorted(signed, key=lambda s: s.signed_at)),
        timeline=find_audit_lines(view, events),
    )


def _find_record(view: View, row: ComplaintRow, missing: tuple[str, ...]) -> list[dict[str, Any]]:
    hidden = () if view.may(Permission.CUSTOMER_READ_CONTACTS) else PEOPLE_FIELDS
    lines = [
        {
            "label": view.t(f"complaint.{name}"),
            "value": view.t("fact.hidden") if name in hidden else str(getattr(row, name) or ""),
            "missing": name in missing and name not in hidden,
            "is_long": name in LONG_FIELDS,
            "own": name not in hidden,
        }
        for name in RECORD_FIELDS
    ]
    said = {True: row.investigation or view.t("complaint.under_investigation"), False: row.not_investigated_reason}
    value = view.t("complaint.not_decided") if row.investigated is None else said[row.investigated]
    if row.investigated is False:
        value = view.t("complaint.not_investigated", reason=value)
    if row.investigation_decided_by:
        value = view.t("code.beside", name=value, code=view.who(row.investigation_decided_by))
    is_own = bool(row.investigated and row.investigation)
    label = view.t("complaint.investigation")
    lines.append({"label": label, "value": value, "missing": False, "is_long": True, "own": is_own})
    return lines


def _find_report_clock(view: View, clock: ReportClock, assessment: Assessment) -> Clock | None:
    return find_clock(view, "report", clock.due_at, started=assessment.aware_at, met_at=clock.submitted_at)


def _find_assessment(view: View, one: Assessment, clocks: list[ReportClock]) -> dict[str, Any]:
    said = [n for n in ("is_unanticipated", "needs_remedial_action") if getattr(one, n)]
    return {
        "version": one.version,
        "harm": view.name("harm", one.harm),
        "also": [view.t(f"complaint.{name}") for name in said],
        "aware": view.when(one.aware_at),
        "reason": one.reason,
        "by": view.who(one.assessed_by),
        "at": view.when(one.assessed_at),
        "decision": view.name("vigilance_decision", one.decision) if one.decision else "",
        "decided_by": view.who(one.decided_by),
        "decided": view.when(one.decided_at) if one.decided_at else None,
        "justification": one.justification,
        "clocks": [
            {
                "authority": view.name("jurisdiction", c.jurisdiction),
                "state": view.name("report_state", c.state),
                "rule": view.name("report_rule", c.rule),
                "clock": _find_report_clock(view, c, one)
                if c.state in (ReportState.RUNNING, ReportState.SUBMITTED)
                else None,
                "reference": c.reference,
            }
            for c in clocks
            if c.assessment_id == one.id
        ],
    }
