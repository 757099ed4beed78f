"""What can be done with a complaint: steps and vigilance as forms; where a guard refuses, its sentence."""

from api.console.acts import Act, Field
from api.console.field_merge import add_marks
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.instants import name_offset
from api.console.page import View
from domain.audit import Signature
from domain.complaint import (
    COMPLAINT_TRANSITIONS,
    Complaint,
    ComplaintRequest,
    ComplaintSeverity,
    ComplaintState,
    find_complaint_next_states,
    find_complaint_refusal,
)
from domain.profile import Profile
from domain.roles import Permission
from domain.vigilance import (
    REPORT_PERMISSIONS,
    Assessment,
    DecisionRequest,
    ReportClock,
    ReportState,
    VigilanceDecision,
    find_decision_refusal,
)
from domain.vigilance_terms import Harm, Jurisdiction
from store.complaint_lists import ComplaintRow
from store.complaint_transitions import find_complaint_facts
from store.pool import Connection

GUARDS = "complaint_guard vigilance_guard capa_guard"
VIGILANCE_GUARDS = "vigilance_guard complaint_guard capa_guard"
_S = ComplaintState
NAMES = {
    (_S.RECEIVED, _S.INVESTIGATION): "cmp_investigate",
    (_S.RECEIVED, _S.RESOLVED): "cmp_dismiss",
    (_S.INVESTIGATION, _S.RESOLVED): "cmp_resolve",
    (_S.RESOLVED, _S.INVESTIGATION): "cmp_again",
    (_S.RESOLVED, _S.CLOSED): "cmp_close",
    (_S.CLOSED, _S.INVESTIGATION): "cmp_again",
}
PEOPLE_FIELDS = ("reporter_name", "reporter_phone", "reporter_address")
RECORD_FIELDS = ("device_name", "device_identification", *PEOPLE_FIELDS, "details", "correction", "reply")
LONG_FIELDS = ("reporter_address", "details", "correction", "reply")
ENTER_ACT, CHANGE_ACT, ASSESS_ACT, DECIDE_ACT, SUBMIT_ACT = (
    "cmp_enter",
    "cmp_change",
    "vig_assess",
    "vig_decide",
    "vig_submit",
)


def _refuse(view: View, name: str, why: str) -> Act:
    return Act(name, view.t(f"act.{name}"), refusal=why)


def _miss(view: View, permission: Permission) -> str:
    return view.t("act.refused_permission", permission=permission.value)


def say_zone(view: View) -> str:
    """In which zone times are typed."""
    return view.t("form.zone", zone=name_offset(view.now.astimezone(view.find_zone())))


def find_complaint_acts(view: View, conn: Connection, complaint: Complaint, typed: Typed) -> list[Act]:
    """The steps of its life."""
    return [_find_step(view, conn, complaint, to, typed) for to in find_complaint_next_states(complaint.state)]


def _find_step(view: View, conn: Connection, complaint: Complaint, to: ComplaintState, typed: Typed) -> Act:
    name = NAMES[complaint.state, to]
    needed = COMPLAINT_TRANSITIONS[complaint.state, to]
    if not view.may(needed):
        return _refuse(view, name, _miss(view, needed))
    me = view.person.user_id
    signature = Signature(me, view.person.full_name, "-") if me is not None else None
    wish = ComplaintRequest(to, "-", "-", signature)
    facts = find_complaint_facts(conn, complaint, me)
    refusal = find_complaint_refusal(wish, facts, needed)
    if refusal is not None:
        return _refuse(view, name, say_guard(view, GUARDS, refusal.guard))
    said = typed.of(name)
    fields: tuple[Field, ...] = ()
    if name == "cmp_resolve":
        text = said.values.get("investigation", complaint.investigation)
        fields = (Field("investigation", view.t("complaint.investigation"), "textarea", text),)
    elif name in ("cmp_dismiss", "cmp_again"):
        fields = (Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", "")),)
    elif name == "cmp_close":
        fields = find_signature_fields(view, said, view.t("field.meaning_cmp_close"))
    return Act(
        name,
        view.t(f"act.{name}"),
        submit=view.t(f"act.{name}_do"),
        action=f"/complaints/{complaint.code}/transitions",
        to=to.value,
        row_version=complaint.row_version,
        fields=fields,
        open=bool(said.act),
    )


def find_record(row: ComplaintRow) -> dict[str, str]:
    """What stands in the form that puts the record right."""
    names = (*RECORD_FIELDS, "serial", "severity", "fault_group")
    return {name: str(getattr(row, name) or "") for name in names}


def find_record_fields(
    view: View, row: ComplaintRow | None, profiles: dict[str, Profile], typed: Typed
) -> tuple[Field, ...]:
    """The fields of 820.35(a); people's are left away for who does not see them."""
    t = view.t
    values = ({} if row is None else find_record(row)) | dict(typed.values)
    shown = [
        n for n in RECORD_FIELDS if row is None or n not in PEOPLE_FIELDS or view.may(Permission.CUSTOMER_READ_CONTACTS)
    ]
    faults = {
        group.key: getattr(group.label, view.language, group.label.en)
        for profile in profiles.values()
        for group in profile.fault_groups
    }
    severities = tuple((s.value, view.name("complaint_severity", s)) for s in ComplaintSeverity)

    def make(name: str) -> Field:
        kind = "textarea" if name in LONG_FIELDS else "text"
        needed = name == "details"
        return Field(
            name, t(f"complaint.{name}"), kind, values.get(name, ""), required=needed, wrong=typed.wrong.get(name, "")
        )

    fields = [
        Field("severity", t("capa.severity"), "select", values.get("severity", ""), severities),
        *(make(name) for name in shown),
    ]
    if row is None or row.work_order is None:
        wrong = typed.wrong
        groups = (("", t("complaint.fault_unknown")), *sorted(faults.items(), key=lambda one: one[1]))
        fields.append(
            Field(
                "serial",
                t("column.serial"),
                "text",
                values.get("serial", ""),
                required=False,
                wrong=wrong.get("serial", ""),
            )
        )
        fault = values.get("fault_group", "")
        fields.append(
            Field(
                "fault_group",
                t("complaint.fault_group"),
                "select",
                fault,
                groups,
                required=False,
                why=t("complaint.fault_why"),
                wrong=wrong.get("fault_group", ""),
            )
        )
    return tuple(fields)


def find_enter_act(view: View, profiles: dict[str, Profile], typed: Typed) -> Act:
    """The form that enters a complaint."""
    if not view.may(Permission.COMPLAINT_WRITE):
        return _refuse(view, ENTER_ACT, _miss(view, Permission.COMPLAINT_WRITE))
    said = typed.of(ENTER_ACT)
    when = Field(
        "received_at",
        view.t("complaint.received"),
        "datetime-local",
        said.values.get("received_at", ""),
        required=False,
        why=f"{view.t('complaint.received_why')} {say_zone(view)}",
        wrong=said.wrong.get("received_at", ""),
    )
    return Act(
        ENTER_ACT,
        view.t(f"act.{ENTER_ACT}"),
        submit=view.t(f"act.{ENTER_ACT}_do"),
        action="/complaints/new",
        explain=view.t(f"act.explain_{ENTER_ACT}"),
        fields=(when, *find_record_fields(view, None, profiles, said)),
        open=bool(said.act),
    )


def find_change_act(view: View, row: ComplaintRow, profiles: dict[str, Profile], typed: Typed) -> Act:
    """The form that puts the record right."""
    if not view.may(Permission.COMPLAINT_WRITE):
        return _refuse(view, CHANGE_ACT, _miss(view, Permission.COMPLAINT_WRITE))
    if row.state == ComplaintState.CLOSED:
        return _refuse(view, CHANGE_ACT, say_guard(view, GUARDS, "closed"))
    said = typed.of(CHANGE_ACT)
    reason = Field("reason", view.t("complaint.why_changed"), "text", said.values.get("reason", ""))
    act = Act(
        CHANGE_ACT,
        view.t(f"act.{CHANGE_ACT}"),
        submit=view.t(f"act.{CHANGE_ACT}_do"),
        action=f"/complaints/{row.code}/record",
        row_version=row.row_version,
        fields=(*find_record_fields(view, row, profiles, said), reason),
        open=bool(said.act),
    )
    return add_marks(act, find_record(row), said.values, said.disputed)


def find_vigilance_acts(
    view: View, complaint: Complaint, assessments: list[Assessment], clocks: list[ReportClock], typed: Typed
) -> list[Act]:
    """Assess, decide (another person, signed), say that a report was submitted."""
    newest = assessments[-1] if assessments else None
    running = [
        c for c in clocks if newest is not None and c.assessment_id == newest.id and c.state is ReportState.RUNNING
    ]
    acts = [_find_assess(view, complaint, newest, typed)]
    if newest is not None and newest.decision is None:
        acts.append(_find_decide(view, complaint, newest, typed))
    if newest is not None and newest.decision is VigilanceDecision.REPORTABLE and running:
        acts.append(_find_submit(view, complaint, running, typed))
    return acts


def _find_assess(view: View, complaint: Complaint, newest: Assessment | None, typed: Typed) -> Act:
    if not view.may(Permission.VIGILANCE_ASSESS):
        return _refuse(view, ASSESS_ACT, _miss(view, Permission.VIGILANCE_ASSESS))
    if complaint.state is ComplaintState.CLOSED:
        return _refuse(view, ASSESS_ACT, say_guard(view, VIGILANCE_GUARDS, "complaint_closed"))
    t, said = view.t, typed.of(ASSESS_ACT)
    zone = view.find_zone()
    stands = {} if newest is None else {
        "aware_at": newest.aware_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
        "harm": newest.harm.value,
        "jurisdictions": " ".join(newest.jurisdictions),
        "also": " ".join(n for n in ("is_unanticipated", "needs_remedial_action") if getattr(newest, n)),
    }  # fmt: skip
    values = stands | dict(said.values)
    harms = tuple((h.value, view.name("harm", h)) for h in Harm)
    places = tuple((j.value, view.name("jurisdiction", j)) for j in Jurisdiction)
    also = tuple((n, t(f"complaint.{n}")) for n in ("is_unanticipated", "needs_remedial_action"))

    def moment(name: str, *, required: bool) -> Field:
        why = say_zone(view) if required else t("complaint.known_later")
        wrong = said.wrong.get(name, "")
        label, step = t(f"complaint.{name}"), "1" if required else ""  # seconds, where they are prefilled
        return Field(name, label, "datetime-local", values.get(name, ""), (), required, why, wrong, step)

    return Act(
        ASSESS_ACT,
        t(f"act.{ASSESS_ACT}"),
        submit=t(f"act.{ASSESS_ACT}_do"),
        action=f"/complaints/{complaint.code}/assessment",
        row_version=complaint.row_version,
        explain=t(f"act.explain_{ASSESS_ACT}"),
        fields=(
            moment("aware_at", required=True),
            Field("harm", t("complaint.harm"), "select", values.get("harm", ""), harms),
            Field(
                "jurisdictions",
                t("complaint.jurisdictions"),
                "checks",
                values.get("jurisdictions", ""),
                places,
                wrong=said.wrong.get("jurisdictions", ""),
            ),
            Field("also", t("complaint.also"), "checks", values.get("also", ""), also, required=False),
            moment("threat_known_at", required=False),
            moment("remedial_need_known_at", required=False),
            Field("reason", t("complaint.rests_on"), "textarea", values.get("reason", "")),
        ),
        open=bool(said.act),
    )


def _find_decide(view: View, complaint: Complaint, newest: Assessment, typed: Typed) -> Act:
    if not view.may(Permission.VIGILANCE_DECIDE):
        return _refuse(view, DECIDE_ACT, _miss(view, Permission.VIGILANCE_DECIDE))
    me = view.person.user_id
    signature = Signature(me, view.person.full_name, "-") if me is not None else None
    wish = DecisionRequest(VigilanceDecision.NOT_REPORTABLE, "-", (), signature)
    is_closed = complaint.state is ComplaintState.CLOSED
    refusal = find_decision_refusal(wish, newest, actor_id=me, by=Permission.VIGILANCE_DECIDE, is_closed=is_closed)
    if refusal is not None:
        return _refuse(view, DECIDE_ACT, say_guard(view, VIGILANCE_GUARDS, refusal.guard))
    t, said = view.t, typed.of(DECIDE_ACT)
    values = {"reportable_in": " ".join(newest.jurisdictions)} | dict(said.values)
    decisions = tuple((d.value, view.name("vigilance_decision", d)) for d in VigilanceDecision)
    places = tuple((j.value, view.name("jurisdiction", j)) for j in newest.jurisdictions)
    return Act(
        DECIDE_ACT,
        t(f"act.{DECIDE_ACT}"),
        submit=t(f"act.{DECIDE_ACT}_do"),
        action=f"/complaints/{complaint.code}/decision",
        row_version=complaint.row_version,
        explain=t(f"act.explain_{DECIDE_ACT}"),
        fields=(
            Field("decision", t("complaint.decision"), "select", values.get("decision", ""), decisions),
            Field("reportable_in", t("complaint.reportable_in"), "checks", values["reportable_in"], places),
            Field("justification", t("field.justification"), "textarea", values.get("justification", "")),
            *find_signature_fields(view, said, t("field.meaning_vig_decide")),
        ),
        open=bool(said.act),
    )


def _find_submit(view: View, complaint: Complaint, running: list[ReportClock], typed: Typed) -> Act:
    if not any(view.may(permission) for permission in REPORT_PERMISSIONS):
        return _refuse(view, SUBMIT_ACT, _miss(view, REPORT_PERMISSIONS[0]))
    t, said = view.t, typed.of(SUBMIT_ACT)
    places = tuple((c.jurisdiction.value, view.name("jurisdiction", c.jurisdiction)) for c in running)
    at = said.values.get("submitted_at", "")
    return Act(
        SUBMIT_ACT,
        t(f"act.{SUBMIT_ACT}"),
        submit=t(f"act.{SUBMIT_ACT}_do"),
        action=f"/complaints/{complaint.code}/submissions",
        row_version=complaint.row_version,
        fields=(
            Field("jurisdiction", t("capa.authority"), "select", said.values.get("jurisdiction", ""), places),
            Field(
                "submitted_at",
                t("complaint.submitted_at"),
                "datetime-local",
                at,
                why=say_zone(view),
                wrong=said.wrong.get("submitted_at", ""),
            ),
            Field("reference", t("complaint.reference"), "text", said.values.get("reference", "")),
        ),
        open=bool(said.act),
    )
