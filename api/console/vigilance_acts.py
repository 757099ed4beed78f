"""What can be done about a complaint's vigilance: assess, decide, say what was submitted; or why not."""

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.forms import Typed, find_signature_fields, say_guard, say_zone
from api.console.page import View
from domain.audit import Signature
from domain.complaint import Complaint, ComplaintState
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

GUARDS = "vigilance_guard complaint_guard capa_guard"
ASSESS_ACT, DECIDE_ACT, SUBMIT_ACT = "vig_assess", "vig_decide", "vig_submit"


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
        return refuse_act(view, ASSESS_ACT, view.say_missing(Permission.VIGILANCE_ASSESS))
    if complaint.state is ComplaintState.CLOSED:
        return refuse_act(view, ASSESS_ACT, say_guard(view, GUARDS, "complaint_closed"))
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
        label, step = t(f"complaint.{name}"), "1" if required else ""  # seconds, where they are prefilled
        return Field(name, label, "datetime-local", values.get(name, ""), (), required, why, step=step)

    return Act(
        *name_act(view, ASSESS_ACT),
        action=f"/complaints/{complaint.code}/assessment",
        row_version=complaint.row_version,
        explain=t(f"act.explain_{ASSESS_ACT}"),
        fields=mark_fields(
            (
                moment("aware_at", required=True),
                Field("harm", t("complaint.harm"), "select", values.get("harm", ""), harms),
                Field(
                    "jurisdictions",
                    t("complaint.jurisdictions"),
                    "checks",
                    values.get("jurisdictions", ""),
                    places,
                ),
                Field("also", t("complaint.also"), "checks", values.get("also", ""), also, required=False),
                moment("threat_known_at", required=False),
                moment("remedial_need_known_at", required=False),
                Field("reason", t("complaint.rests_on"), "textarea", values.get("reason", "")),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )


def _find_decide(view: View, complaint: Complaint, newest: Assessment, typed: Typed) -> Act:
    if not view.may(Permission.VIGILANCE_DECIDE):
        return refuse_act(view, DECIDE_ACT, view.say_missing(Permission.VIGILANCE_DECIDE))
    me = view.person.user_id
    signature = Signature(me, view.person.full_name, "-") if me is not None else None
    wish = DecisionRequest(VigilanceDecision.NOT_REPORTABLE, "-", (), signature)
    is_closed = complaint.state is ComplaintState.CLOSED
    refusal = find_decision_refusal(wish, newest, actor_id=me, by=Permission.VIGILANCE_DECIDE, is_closed=is_closed)
    if refusal is not None:
        return refuse_act(view, DECIDE_ACT, say_guard(view, GUARDS, refusal.guard))
    t, said = view.t, typed.of(DECIDE_ACT)
    values = {"reportable_in": " ".join(newest.jurisdictions)} | dict(said.values)
    decisions = tuple((d.value, view.name("vigilance_decision", d)) for d in VigilanceDecision)
    places = tuple((j.value, view.name("jurisdiction", j)) for j in newest.jurisdictions)
    return Act(
        *name_act(view, DECIDE_ACT),
        action=f"/complaints/{complaint.code}/decision",
        row_version=complaint.row_version,
        explain=t(f"act.explain_{DECIDE_ACT}"),
        fields=mark_fields(
            (
                Field("decision", t("complaint.decision"), "select", values.get("decision", ""), decisions),
                Field("reportable_in", t("complaint.reportable_in"), "checks", values["reportable_in"], places),
                Field("justification", t("field.justification"), "textarea", values.get("justification", "")),
                *find_signature_fields(view, said, t("field.meaning_vig_decide")),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )


def _find_submit(view: View, complaint: Complaint, running: list[ReportClock], typed: Typed) -> Act:
    if not any(view.may(permission) for permission in REPORT_PERMISSIONS):
        return refuse_act(view, SUBMIT_ACT, view.say_missing(REPORT_PERMISSIONS[0]))
    t, said = view.t, typed.of(SUBMIT_ACT)
    places = tuple((c.jurisdiction.value, view.name("jurisdiction", c.jurisdiction)) for c in running)
    at = said.values.get("submitted_at", "")
    return Act(
        *name_act(view, SUBMIT_ACT),
        action=f"/complaints/{complaint.code}/submissions",
        row_version=complaint.row_version,
        fields=mark_fields(
            (
                Field("jurisdiction", t("capa.authority"), "select", said.values.get("jurisdiction", ""), places),
                Field(
                    "submitted_at",
                    t("complaint.submitted_at"),
                    "datetime-local",
                    at,
                    why=say_zone(view),
                ),
                Field("reference", t("complaint.reference"), "text", said.values.get("reference", ""), limit=200),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )
