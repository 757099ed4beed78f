"""Models in words: a line of the list, where one comes from, its steps as forms, and what it counted in shadow."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.console.acts import Act, Field, mark_fields
from api.console.facts import Fact
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.instants import Instant
from api.console.monitor_names import name_monitor
from api.console.page import View
from domain.model_record import (
    MODEL_PERMISSION,
    ModelFacts,
    ModelRefusal,
    ModelState,
    ModelStep,
    decide_step,
    find_model_steps,
    is_signed,
)
from domain.profile import Profile
from store.models import ModelRow
from store.shadows import ShadowCount

GUARDS = "model_guard"
NAMES = {
    ModelStep.SHADOW: "model_shadow",
    ModelStep.ACTIVATE: "model_activate",
    ModelStep.ROLL_BACK: "model_roll_back",
    ModelStep.RETIRE: "model_retire",
}
STAGES = (ModelState.DRAFT, ModelState.SHADOW, ModelState.LIVE, ModelState.RETIRED)
NEW, LIVE = "shadow", "live"  # the sides of what was counted


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of the list."""

    code: str
    kind: str
    of: str
    state: str
    made_by: str
    made: Instant | None
    backtested: bool
    asked_by: str


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """What one monitor raised over all days in shadow, beside what was delivered."""

    monitor: str
    key: str
    href: str  # "": the profile has it no more
    days: int
    raised: int
    delivered: int


def find_model_line(view: View, row: ModelRow) -> ModelLine:
    """The model as a line; `asked_by` while another person has to approve it."""
    waits = row.state == ModelState.SHADOW and row.asked_by is not None
    return ModelLine(
        code=row.code,
        kind=view.name("model_kind", row.kind),
        of=f"{row.model} {row.firmware}".strip(),
        state=row.state,
        made_by=view.who(row.created_by),
        made=view.when(row.created_at),
        backtested=row.has_backtest,
        asked_by=view.who(row.asked_by if waits else None),
    )


def find_model_stages(row: ModelRow) -> list[dict[str, object]]:
    """The stage bar; a model that was retired before it was live shows where it ended."""
    stages = STAGES if row.live_since is not None or row.state != ModelState.RETIRED else (STAGES[0], STAGES[-1])
    at = stages.index(ModelState(row.state))
    return [{"code": s.value, "current": place == at, "past": place < at} for place, s in enumerate(stages)]


def find_model_facts(view: View, row: ModelRow, profile: Profile | None) -> list[Fact]:
    """Where it comes from, what it replaces, and who let it live."""
    t = view.t
    facts = [
        Fact(t("fact.model"), row.model),
        Fact(t("fact.firmware"), row.firmware or t("models.every_firmware")),
        Fact(t("models.made_by"), view.who(row.created_by)),
        Fact(t("models.sha256"), row.sha256, code=True),
        *(
            [Fact(t("models.size"), t("firmware.bytes", size=f"{row.size:,}"))] if row.size else []
        ),  # a profile has no arrays
        Fact(t("models.backtested"), t("chart.yes") if row.has_backtest else t("field_action.no")),
        Fact(t("models.asked_by"), view.who(row.asked_by) or "–"),
        Fact(t("models.approved_by"), view.who(row.approved_by) or "–"),
        Fact(t("models.replaced"), row.replaced_code or str(row.replaced_profile_version or "–")),
    ]
    facts += [
        Fact(
            view.name("model_provenance", name),
            name_monitor(view, profile, str(value)) if name == "monitor" else str(value),
        )
        for name, value in sorted(row.provenance.items())
        if isinstance(value, str | int | float)
    ]
    return facts


def find_model_acts(view: View, row: ModelRow, facts: ModelFacts, typed: Typed) -> list[Act]:
    """Every step that the state knows; what a guard would refuse now says so."""
    return [
        _find_act(view, row, step, facts, typed.of(NAMES[step])) for step in find_model_steps(ModelState(row.state))
    ]


def _find_act(view: View, row: ModelRow, step: ModelStep, facts: ModelFacts, typed: Typed) -> Act:
    name, t = NAMES[step], view.t
    label = t(f"act.{name}")
    if not view.may(MODEL_PERMISSION):
        return Act(name, label, refusal=view.say_missing(MODEL_PERMISSION))
    decided = decide_step(step, facts, by=MODEL_PERMISSION, reason="-")
    if isinstance(decided, ModelRefusal):
        return Act(name, label, refusal=say_guard(view, GUARDS, decided.guard))
    signed = is_signed(step, ModelState(row.state), row.safety_critical)
    needs_reason = row.state == ModelState.LIVE
    fields: tuple[Field, ...] = ()
    if step is not ModelStep.SHADOW:
        value = typed.values.get("reason", "")
        fields = (Field("reason", t("field.reason"), "textarea", value, required=needs_reason),)
    if signed:
        fields += find_signature_fields(view, typed, t(f"field.meaning_{name}"))
    return Act(
        name,
        label,
        submit=t("act.model_ask_do") if decided.asked else t(f"act.{name}_do"),
        action=f"/models/{row.code}/steps",
        to=step.value,
        row_version=row.row_version,
        explain=t("act.explain_model_ask") if decided.asked else t(f"act.explain_{name}"),
        fields=mark_fields(fields, typed.wrong),
        open=bool(typed.act),
    )


def find_shadow_lines(view: View, counts: Sequence[ShadowCount], profile: Profile | None) -> list[ShadowLine]:
    """One line a monitor, those that differ most first."""
    lines = []
    for monitor in dict.fromkeys(c.monitor for c in counts):
        own = [c for c in counts if c.monitor == monitor]
        raised = sum(c.raised for c in own if c.side == NEW)
        delivered = sum(c.raised for c in own if c.side == LIVE)
        name = name_monitor(view, profile, monitor)
        is_there = profile is not None and profile.find_monitor(monitor) is not None
        href = f"/monitors/{profile.model}/{monitor}" if profile is not None and is_there else ""
        lines.append(ShadowLine(name, monitor, href, len({c.day for c in own}), raised, delivered))
    return sorted(lines, key=lambda line: (-abs(line.raised - line.delivered), line.key))
