"""What may be done at a monitor: deciding on its proposed threshold, and asking for a backtest."""

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.forms import Typed
from api.console.monitor_words import Measure
from api.console.page import View
from api.shapes.monitors import ThresholdProposalShape
from domain.figures import say_limit
from domain.profile import Monitor, MonitorRule
from domain.roles import Permission
from domain.threshold_proposal import SIGNED, TRANSITIONS, ProposalState, find_next_states

BACKTEST_DAYS = ("30", "90", "365")
# What silence is judged by is not kept with readings: no backtest can say anything of these.
UNJUDGED = (MonitorRule.STALENESS, MonitorRule.OFFLINE)
ACTS = {
    ProposalState.ENDORSED: ("threshold_endorse", "E"),
    ProposalState.ACCEPTED: ("threshold_accept", "A"),
    ProposalState.REJECTED: ("threshold_reject", "R"),
}


def find_acts(view: View, safety_critical: bool, p: ThresholdProposalShape, typed: Typed) -> list[Act]:
    """Every next step of a proposal; one that this person may not take says why."""
    state = ProposalState(p.state)
    acts = []
    for to in find_next_states(state, safety_critical=safety_critical):
        name, key = ACTS[to]
        permission = TRANSITIONS[state, to]
        refusal = ""
        if not view.may(permission):
            refusal = view.say_missing(permission)
        elif to is ProposalState.ACCEPTED and p.endorsed_by == view.person.name:
            refusal = view.name("proposal_guard", "second_person")
        if refusal:
            acts.append(refuse_act(view, name, refusal))
            continue
        said = typed.of(to.value)
        kept = said.values
        fields = [Field("reason", view.t("field.justification"), "textarea", kept.get("reason", ""))]
        if to in SIGNED:
            default = view.t(f"monitors.meaning_{to.value}")
            fields.append(Field("meaning", view.t("field.meaning"), "text", kept.get("meaning") or default, limit=200))
            fields.append(Field("password", view.t("field.password"), "password"))
        acts.append(
            Act(
                *name_act(view, name),
                key=key,
                action=view.link(f"/monitors/{p.model}/{p.monitor}/decision", proposal=p.code),
                to=to.value,
                row_version=p.row_version,
                explain=view.t(f"act.explain_{name}") if to in SIGNED else "",
                fields=mark_fields(fields, said.wrong),
                open=bool(kept),
            )
        )
    return acts


def find_backtest_act(view: View, monitor: Monitor, model: str, measure: Measure, typed: Typed) -> Act | None:
    """None where a threshold is none of readings."""
    if monitor.raise_at is None or monitor.rule in UNJUDGED:
        return None
    label = view.t("act.backtest")
    if not view.may(Permission.PROFILE_WRITE):
        refusal = view.say_missing(Permission.PROFILE_WRITE)
        return Act("backtest", label, refusal=refusal)
    said = typed.of("backtest")
    kept = said.values
    clear_at = monitor.raise_at if monitor.clear_at is None else monitor.clear_at
    raise_said, clear_said = (say_limit(value, measure.decimals) for value in (monitor.raise_at, clear_at))
    options = tuple((days, view.t("monitors.days", days=days)) for days in BACKTEST_DAYS)

    def label_of(name: str) -> str:
        return view.t("monitors.field_in", field=view.t(f"monitor_field.{name}"), unit=measure.unit or "1")

    return Act(
        "backtest",
        label,
        submit=view.t("act.backtest_do"),
        key="T",
        action=f"/monitors/{model}/{monitor.key}/backtest",
        explain=view.t("act.explain_backtest"),
        fields=mark_fields(
            (
                Field("raise_at", label_of("raise_at"), "text", kept.get("raise_at", raise_said)),
                Field("clear_at", label_of("clear_at"), "text", kept.get("clear_at", clear_said)),
                Field("days", view.t("monitors.over"), "select", kept.get("days", "90"), options),
            ),
            said.wrong,
        ),
        open=bool(kept),
    )
