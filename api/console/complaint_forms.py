"""What people do to a complaint on its page: enter, put right, take a step, assess, decide, say what was submitted."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.complaint_views import find_complaint_row
from api.console.acting import find_actor
from api.console.complaint_acts import CHANGE_ACT, ENTER_ACT, GUARDS, NAMES, RECORD_FIELDS, find_record
from api.console.complaint_pages import render_complaint, render_complaints
from api.console.field_merge import SEEN, merge_fields
from api.console.form_faults import Fault
from api.console.forms import (
    NOTHING,
    Fields,
    RecordForms,
    Refused,
    Version,
    find_guarded,
    find_moment_fault,
    find_typed,
    find_unsigned,
    find_unusable,
    read_many,
    read_moment,
    read_text,
    say_guard,
    sign,
)
from api.console.page import find_view
from api.console.vigilance_acts import ASSESS_ACT, DECIDE_ACT, SUBMIT_ACT
from api.console.vigilance_acts import GUARDS as VIGILANCE_GUARDS
from api.once import change
from api.problems import ProblemError
from api.routes.devices import find_device
from api.state import Database
from domain.audit_complaint import ENTITY
from domain.complaint import COMPLAINT_TRANSITIONS, ComplaintRequest, ComplaintSeverity, ComplaintState
from domain.errors import GuardRefusedError
from domain.masking import mask_row
from domain.roles import Permission
from domain.vigilance import (
    REPORT_PERMISSIONS,
    AssessmentRequest,
    DecisionRequest,
    SubmissionRequest,
    VigilanceDecision,
    find_later_faults,
)
from domain.vigilance_terms import Harm, Jurisdiction
from store.complaint_transitions import record_complaint_step
from store.complaints import ComplaintDraft, change_complaint, record_complaint
from store.pool import Connection, Pool
from store.profiles import load_profile
from store.vigilance import record_assessment, record_submission, record_vigilance_decision

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.COMPLAINT_READ)]
Writer = Annotated[Caller, require(Permission.COMPLAINT_WRITE)]
Assessor = Annotated[Caller, require(Permission.VIGILANCE_ASSESS)]
Decider = Annotated[Caller, require(Permission.VIGILANCE_DECIDE)]
FORMS = RecordForms(ENTITY, "/complaints/", render_complaint)
TIMES = ("aware_at", "threat_known_at", "remedial_need_known_at")


@router.post("/complaints/new")
def enter(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Records a complaint; where device and fault are known it joins, reopens or opens their work order."""
    view = find_view(request, caller)
    serial, fault_group = read_text(fields, "serial"), read_text(fields, "fault_group", 200)
    severity, typed_at = read_text(fields, "severity"), read_text(fields, "received_at")
    received = read_moment(view, fields, "received_at") if typed_at else view.now
    wrong = {
        "severity": Fault.NOT_A_CHOICE.where(severity not in set(ComplaintSeverity)),
        "details": Fault.MISSING.where(not read_text(fields, "details")),
        "received_at": Fault.IN_FUTURE.where(received > view.now)
        if received
        else find_moment_fault(view, fields, "received_at"),
        # An account of one customer names one of its devices: a complaint without one would be nobody's.
        "serial": Fault.MISSING.where(caller.customer_id is not None and not serial),
    } | _find_wrong_place(pool, caller, serial, fault_group)
    if received is None or any(wrong.values()):
        return render_complaints(view, pool, refused=find_unusable(view, ENTER_ACT, fields, wrong))
    values: dict[str, Any] = {name: read_text(fields, name) for name in RECORD_FIELDS}
    draft = ComplaintDraft(
        received, ComplaintSeverity(severity), **values, serial=serial or None, fault_group=fault_group or None
    )
    actor = find_actor(caller, (Permission.COMPLAINT_WRITE,))
    try:
        made, _ = change(pool, lambda conn: record_complaint(conn, actor, draft, view.now))
    except GuardRefusedError as refused:
        typed = find_typed(ENTER_ACT, fields)
        return render_complaints(view, pool, refused=find_guarded(view, GUARDS, refused.guard, typed))
    # Who only writes complaints down (a technician) does not read them.
    place = f"/complaints/{made.code}" if view.may(Permission.COMPLAINT_READ) else "/"
    return RedirectResponse(view.link(place, done="saved"), 303)


@router.post("/complaints/{code}/record")
def put_right(
    request: Request, pool: Database, caller: Writer, code: str, row_version: Version, fields: Fields
) -> Response:
    """Puts the record right; before and after are kept with the reason."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        row = find_complaint_row(conn, code, caller)
    merged = merge_fields(fields, find_record(mask_row("complaint", row, caller.permissions)))
    fields, version = merged.fields, row.row_version if SEEN in merged.fields else row_version
    serial, fault_group = read_text(fields, "serial"), read_text(fields, "fault_group", 200)
    severity = read_text(fields, "severity")
    wrong = {
        "severity": Fault.NOT_A_CHOICE.where(severity not in set(ComplaintSeverity)),
        "details": Fault.MISSING.where(not read_text(fields, "details")),
        "reason": Fault.MISSING.where(not read_text(fields, "reason")),
    } | _find_wrong_place(pool, caller, serial or row.serial or "", fault_group)
    if any(wrong.values()):
        return render_complaint(view, pool, code, find_unusable(view, CHANGE_ACT, fields, wrong))
    changes: dict[str, Any] = {name: read_text(fields, name) for name in RECORD_FIELDS if name in fields}
    changes["severity"] = ComplaintSeverity(severity)
    if fault_group:
        changes["fault_group"] = fault_group
    actor, reason = find_actor(caller, (Permission.COMPLAINT_WRITE,)), read_text(fields, "reason")
    named = serial if serial and serial != row.serial else None

    def work(conn: Connection) -> object:
        return change_complaint(
            conn, actor, code, changes, serial=named, reason=reason, expected_row_version=version, now=view.now
        )

    return FORMS.take(view, pool, code, work, find_typed(CHANGE_ACT, fields), guards=GUARDS, merged=merged)


@router.post("/complaints/{code}/transitions")
def take_complaint_step(
    request: Request,
    pool: Database,
    caller: Writer,
    code: str,
    to: Annotated[ComplaintState, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Investigates, resolves, closes (signed) or reopens."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        state = ComplaintState(find_complaint_row(conn, code, caller).state)
    needed, act = COMPLAINT_TRANSITIONS.get((state, to)), NAMES.get((state, to), "")
    if needed is None:
        return render_complaint(view, pool, code, find_guarded(view, GUARDS, "no_such_transition", NOTHING))
    actor = find_actor(caller, (needed,))
    signature = sign(view, pool, fields) if to is ComplaintState.CLOSED else None
    if isinstance(signature, str):
        return render_complaint(view, pool, code, find_unsigned(signature, act, fields))
    wish = ComplaintRequest(to, read_text(fields, "reason"), read_text(fields, "investigation"), signature)

    def work(conn: Connection) -> object:
        return record_complaint_step(conn, actor, code, wish, expected_row_version=row_version, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(act, fields), guards=GUARDS)


@router.post("/complaints/{code}/assessment")
def assess(
    request: Request, pool: Database, caller: Assessor, code: str, row_version: Version, fields: Fields
) -> Response:
    """Records what is known of the harm; its clocks run from when somebody became aware."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_complaint_row(conn, code, caller)
    harm, also = read_text(fields, "harm"), read_many(fields, "also")
    aware = read_moment(view, fields, "aware_at")
    places = list(dict.fromkeys(read_many(fields, "jurisdictions")))
    later = {name: read_moment(view, fields, name) for name in TIMES[1:]}
    wrong = {
        "aware_at": Fault.MISSING.where(aware is None),
        "harm": Fault.NOT_A_CHOICE.where(harm not in set(Harm)),
        "jurisdictions": Fault.NOT_A_CHOICE.where(not set(places) <= set(Jurisdiction)),
    }
    wrong |= {name: Fault.IN_FUTURE.where(at is not None and at > view.now) for name, at in later.items()}
    wrong |= {name: fault for name in TIMES if (fault := find_moment_fault(view, fields, name))}
    if aware is None or any(wrong.values()):
        return render_complaint(view, pool, code, find_unusable(view, ASSESS_ACT, fields, wrong))
    wish = AssessmentRequest(
        aware,
        Harm(harm),
        tuple(Jurisdiction(place) for place in places),
        read_text(fields, "reason"),
        "is_unanticipated" in also,
        "needs_remedial_action" in also,
        **later,
    )
    # Of two moments only one may be wrong: which it is, is said where it stands.
    if faults := find_later_faults(wish):
        said = {name: say_guard(view, VIGILANCE_GUARDS, one.guard) for name, one in faults.items()}
        refused = Refused(next(iter(said.values())), 409, find_typed(ASSESS_ACT, fields, said))
        return render_complaint(view, pool, code, refused)
    actor = find_actor(caller, (Permission.VIGILANCE_ASSESS,))

    def work(conn: Connection) -> object:
        return record_assessment(conn, actor, code, wish, expected_row_version=row_version, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(ASSESS_ACT, fields), guards=VIGILANCE_GUARDS)


@router.post("/complaints/{code}/decision")
def decide(
    request: Request, pool: Database, caller: Decider, code: str, row_version: Version, fields: Fields
) -> Response:
    """Decides on the newest assessment, signed, by somebody who did not make it."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_complaint_row(conn, code, caller)
    decision, places = read_text(fields, "decision"), read_many(fields, "reportable_in")
    wrong = {
        "decision": Fault.NOT_A_CHOICE.where(decision not in set(VigilanceDecision)),
        "reportable_in": Fault.NOT_A_CHOICE.where(not set(places) <= set(Jurisdiction)),
    }
    if any(wrong.values()):
        return render_complaint(view, pool, code, find_unusable(view, DECIDE_ACT, fields, wrong))
    signature = sign(view, pool, fields)
    if isinstance(signature, str):
        return render_complaint(view, pool, code, find_unsigned(signature, DECIDE_ACT, fields))
    is_reported = decision == VigilanceDecision.REPORTABLE
    told = tuple(Jurisdiction(place) for place in dict.fromkeys(places)) if is_reported else ()
    wish = DecisionRequest(VigilanceDecision(decision), read_text(fields, "justification"), told, signature)
    actor = find_actor(caller, (Permission.VIGILANCE_DECIDE,))

    def work(conn: Connection) -> object:
        return record_vigilance_decision(conn, actor, code, wish, expected_row_version=row_version, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(DECIDE_ACT, fields), guards=VIGILANCE_GUARDS)


@router.post("/complaints/{code}/submissions")
def submit(
    request: Request, pool: Database, caller: Reader, code: str, row_version: Version, fields: Fields
) -> Response:
    """Stops the clock of one authority with what it calls the report."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_complaint_row(conn, code, caller)
    actor = find_actor(caller, REPORT_PERMISSIONS)
    place, at = read_text(fields, "jurisdiction"), read_moment(view, fields, "submitted_at")
    if at is None or place not in set(Jurisdiction):
        wrong = {
            "submitted_at": find_moment_fault(view, fields, "submitted_at") or Fault.MISSING.where(at is None),
            "jurisdiction": Fault.NOT_A_CHOICE.where(place not in set(Jurisdiction)),
        }
        return render_complaint(view, pool, code, find_unusable(view, SUBMIT_ACT, fields, wrong))
    wish = SubmissionRequest(Jurisdiction(place), at, read_text(fields, "reference", 200))

    def work(conn: Connection) -> object:
        return record_submission(conn, actor, code, wish, expected_row_version=row_version, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(SUBMIT_ACT, fields), guards=VIGILANCE_GUARDS)


def _find_wrong_place(pool: Pool, caller: Caller, serial: str, fault_group: str) -> dict[str, Fault | None]:
    """Which of device and fault cannot be used: not there, not the caller's to see, or not of the device's model."""
    if not serial:
        return {}
    with pool.connection() as conn:
        try:
            device = find_device(conn, serial, caller)
        except ProblemError:
            return {"serial": Fault.NO_DEVICE}
        profile = load_profile(conn, device.model) if fault_group else None
    known = set() if profile is None else {group.key for group in profile.fault_groups}
    return {"fault_group": Fault.NOT_OF_MODEL.where(bool(fault_group) and fault_group not in known)}
