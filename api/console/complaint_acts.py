"""What can be done with a complaint: its steps and its record as forms; where a guard refuses, its sentence."""

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.field_merge import add_marks
from api.console.forms import Typed, find_signature_fields, say_guard, say_zone
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
from store.complaint_lists import ComplaintRow
from store.complaint_transitions import find_complaint_facts
from store.pool import Connection

GUARDS = "complaint_guard vigilance_guard capa_guard"
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
ENTER_ACT, CHANGE_ACT = "cmp_enter", "cmp_change"


def find_complaint_acts(view: View, conn: Connection, complaint: Complaint, typed: Typed) -> list[Act]:
    """The steps of its life."""
    return [_find_step(view, conn, complaint, to, typed) for to in find_complaint_next_states(complaint.state)]


def _find_step(view: View, conn: Connection, complaint: Complaint, to: ComplaintState, typed: Typed) -> Act:
    name = NAMES[complaint.state, to]
    needed = COMPLAINT_TRANSITIONS[complaint.state, to]
    if not view.may(needed):
        return refuse_act(view, name, view.say_missing(needed))
    me = view.person.user_id
    signature = Signature(me, view.person.full_name, "-") if me is not None else None
    wish = ComplaintRequest(to, "-", "-", signature)
    facts = find_complaint_facts(conn, complaint, me)
    refusal = find_complaint_refusal(wish, facts, needed)
    if refusal is not None:
        return refuse_act(view, name, say_guard(view, GUARDS, refusal.guard))
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
        *name_act(view, name),
        action=f"/complaints/{complaint.code}/transitions",
        to=to.value,
        row_version=complaint.row_version,
        fields=mark_fields(fields, said.wrong),
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
        return Field(name, t(f"complaint.{name}"), kind, values.get(name, ""), required=needed)

    fields = [
        Field("severity", t("capa.severity"), "select", values.get("severity", ""), severities),
        *(make(name) for name in shown),
    ]
    if row is None or row.work_order is None:
        groups = (("", t("complaint.fault_unknown")), *sorted(faults.items(), key=lambda one: one[1]))
        fields.append(Field("serial", t("column.serial"), "text", values.get("serial", ""), required=False))
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
            )
        )
    return tuple(fields)


def find_enter_act(view: View, profiles: dict[str, Profile], typed: Typed) -> Act:
    """The form that enters a complaint."""
    if not view.may(Permission.COMPLAINT_WRITE):
        return refuse_act(view, ENTER_ACT, view.say_missing(Permission.COMPLAINT_WRITE))
    said = typed.of(ENTER_ACT)
    when = Field(
        "received_at",
        view.t("complaint.received"),
        "datetime-local",
        said.values.get("received_at", ""),
        required=False,
        why=f"{view.t('complaint.received_why')} {say_zone(view)}",
    )
    return Act(
        *name_act(view, ENTER_ACT),
        action="/complaints/new",
        explain=view.t(f"act.explain_{ENTER_ACT}"),
        fields=mark_fields((when, *find_record_fields(view, None, profiles, said)), said.wrong),
        open=bool(said.act),
    )


def find_change_act(view: View, row: ComplaintRow, profiles: dict[str, Profile], typed: Typed) -> Act:
    """The form that puts the record right."""
    if not view.may(Permission.COMPLAINT_WRITE):
        return refuse_act(view, CHANGE_ACT, view.say_missing(Permission.COMPLAINT_WRITE))
    if row.state == ComplaintState.CLOSED:
        return refuse_act(view, CHANGE_ACT, say_guard(view, GUARDS, "closed"))
    said = typed.of(CHANGE_ACT)
    reason = Field("reason", view.t("complaint.why_changed"), "text", said.values.get("reason", ""))
    act = Act(
        *name_act(view, CHANGE_ACT),
        action=f"/complaints/{row.code}/record",
        row_version=row.row_version,
        fields=mark_fields((*find_record_fields(view, row, profiles, said), reason), said.wrong),
        open=bool(said.act),
    )
    return add_marks(act, find_record(row), said.values, said.disputed)
