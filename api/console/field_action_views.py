"""Field actions in words and figures: scope, waves, progress, halts, devices, and what was said to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.approval_views import say_json
from api.console.facts import Fact, say_share
from api.console.instants import Instant, name_moment
from api.console.page import View
from api.console.place_words import name_of
from domain.field_action import FieldAction, FieldActionState
from domain.field_action_item import FieldActionItem, ItemState
from domain.field_action_scope import Wave
from domain.roles import Permission
from store.field_action_communications import Communication
from store.field_action_progress import Progress
from store.field_action_scope import ScopeDrift
from store.field_action_transitions import WaveFigures
from store.place_names import PlaceNames

_S = FieldActionState
STAGES = (_S.DRAFT, _S.APPROVED, _S.NOTIFYING, _S.EXECUTING, _S.EFFECTIVENESS, _S.CLOSED)
PROGRESS = tuple(state.lower() for state in ItemState)


@dataclass(frozen=True, slots=True)
class FieldActionLine:
    """One action of the list."""

    code: str
    title: str
    kind: str
    model: str
    state: str
    is_halted: bool
    devices: int
    wave: str
    created: Instant | None
    flags: list[str]


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One device of an action."""

    serial: str
    state: str
    is_open: bool
    wave: int
    region: str
    since: Instant | None
    scheduled: Instant | None
    attempts: int
    order: str
    note: str


def find_line(view: View, action: FieldAction) -> FieldActionLine:
    """The action as a line of the list; of other customers' devices an account of one customer sees no number."""
    is_own = view.person.customer_id is None
    return FieldActionLine(
        code=action.code,
        title=action.title,
        kind=view.name("field_action_kind", action.kind),
        model=action.model,
        state=action.state.value,
        is_halted=action.is_halted,
        devices=action.item_count if is_own else 0,
        wave=f"{action.current_wave} / {len(action.waves)}" if is_own and action.current_wave else "–",
        created=view.when(action.created_at),
        flags=["SIM"] if action.is_simulated else [],
    )


def find_head(view: View, action: FieldAction) -> dict[str, Any]:
    """Code, state, what it does, and the stages of its life; the maker's people stand for the maker's account alone."""
    return {
        "code": action.code,
        "row_version": action.row_version,
        "title": action.title,
        "kind": view.name("field_action_kind", action.kind),
        "state": action.state.value,
        "flags": ["SIM"] if action.is_simulated else [],
        "created": view.when(action.created_at),
        "created_by": view.who(action.created_by) if view.person.customer_id is None else "",
        "description": action.description,
        "instructions": action.instructions,
        "stage_list": find_stages(action),
        "cancel_reason": action.cancel_reason,
        "capa": action.capa_code,
        "facts": find_facts(view, action),
    }


def find_stages(action: FieldAction) -> list[dict[str, Any]]:
    """The stage bar; a cancelled action has gone another way."""
    stages = (_S.DRAFT, _S.CANCELLED) if action.state is _S.CANCELLED else STAGES
    at = stages.index(action.state)
    return [{"code": stage.value, "current": place == at, "past": place < at} for place, stage in enumerate(stages)]


def find_facts(view: View, action: FieldAction) -> list[Fact]:
    """What the action does, as approvers sign it."""
    t = view.t
    facts = [
        Fact(t("fact.model"), action.model),
        Fact(t("column.priority"), f"{action.priority} {view.name('priority', action.priority)}"),
        Fact(t("field_action.visit"), t("field_action.with_visit" if action.needs_visit else "field_action.no_visit")),
        Fact(t("field_action.attempts"), str(action.max_attempts)),
    ]
    if action.firmware_version:
        version = f"{action.component} {action.firmware_version}"
        state = view.name("firmware_state", action.firmware_state)
        facts.insert(1, Fact(t("fact.firmware"), f"{version} · {state}"))
        facts.append(Fact(t("field_action.install_attempts"), str(action.install_attempts)))
        facts.append(Fact(t("field_action.halt_p"), f"{100 * action.halt_p:g}%"))
        facts.append(Fact(t("field_action.image"), action.firmware_sha256 or "–", code=True))
    if action.capa_code:
        facts.append(Fact("CAPA", action.capa_code))
    if action.not_before is not None:
        begins = name_moment(action.not_before, view.now, view.find_zone())
        facts.append(Fact(t("field_action.not_before"), begins))
    return facts


def find_scope_facts(view: View, action: FieldAction, drift: ScopeDrift | None, places: PlaceNames) -> list[Fact]:
    """The query, what it found, the hash that is signed, and what has changed in the field since."""
    t = view.t
    frozen = view.when(action.scope_frozen_at)
    if frozen is None:
        return []
    facts = [fact for fact in say_scope(view, action.scope, places) if fact.value not in ("–", "")]
    facts.append(Fact(t("field_action.devices"), str(action.item_count)))
    facts.append(Fact(t("field_action.frozen"), f"{frozen.ago} · {frozen.at}"))
    if drift is not None:
        said = t("field_action.drift_value", added=drift.added, removed=drift.removed)
        facts.append(Fact(t("field_action.drift"), said))
    facts.append(Fact(t("field_action.scope_hash"), action.scope_sha256, code=True))
    return facts


def say_scope(view: View, scope: Mapping[str, Any], places: PlaceNames) -> list[Fact]:
    """The query, field by field; what does not narrow it down is left away."""
    kept = {name: value for name, value in scope.items() if value not in ("", [], None, {}) and name != "is_simulated"}
    if "with_unknown_firmware" in kept:
        kept["with_unknown_firmware"] = view.t("chart.yes" if kept["with_unknown_firmware"] else "field_action.no")
    return say_json(view, kept, places)


def find_waves(view: View, action: FieldAction, figures: Sequence[WaveFigures]) -> list[dict[str, Any]]:
    """Each wave: how many devices, how far, what the next one waits for."""
    by_wave = {f.wave: f for f in figures}
    lines = []
    for number, stored in enumerate(action.waves, 1):
        wave, found = Wave.from_json(stored), by_wave.get(number)
        is_open = number <= action.current_wave
        lines.append(
            {
                "number": number,
                "who": view.t("field_action.wave_named", count=len(wave.serials))
                if wave.serials
                else view.t("field_action.wave_share", share=f"{wave.share:.0%}"),
                "devices": "–" if found is None else str(found.devices),
                "done": "–" if found is None else say_share(found.done / found.devices if found.devices else None),
                "needs": view.t("field_action.wave_needs", share=f"{wave.done_share:.0%}", hours=f"{wave.soak_h:g}"),
                "state": view.t("field_action.wave_open" if is_open else "field_action.wave_waits"),
                "is_open": is_open,
            }
        )
    return lines


def find_reached(groups: Sequence[Progress]) -> list[str]:
    """The states that any device is in, in their order: a column for each of the others would say nothing."""
    return [state for state in PROGRESS if any(getattr(group, state) for group in groups)]


def find_progress(view: View, groups: Sequence[Progress], reached: Sequence[str], empty: str) -> list[dict[str, Any]]:
    """Devices by the states that were reached, for each group of a table."""
    return [
        {
            "key": group.key if group.name and group.name != group.key else "",
            "name": group.name or group.key or empty,
            "devices": group.devices,
            "counts": [getattr(group, state) for state in reached],
            "done": say_share(group.done_share),
        }
        for group in groups
    ]


def find_item_line(view: View, item: FieldActionItem) -> ItemLine:
    """The device as its row shows it."""
    return ItemLine(
        serial=item.serial,
        state=item.state.value,
        is_open=item.state.is_open,
        wave=item.wave,
        region=item.region,
        since=view.when(item.state_since),
        scheduled=view.when(item.scheduled_for) if item.scheduled_for else None,
        attempts=item.attempts,
        order=item.work_order_code or "",
        note=item.evidence or item.reason,
    )


def find_trail(view: View, said: Sequence[Communication], places: PlaceNames) -> list[dict[str, Any]]:
    """What was said, newest first; who was spoken to stands only for those whose work needs it."""
    return [
        {
            "at": view.when(one.at),
            "to": one.serial or name_of(one.customer_code, places.customers),
            "channel": view.name("channel", one.channel),
            "result": view.name("contact_result", one.result),
            "by": view.who(one.by),
            "contact": one.contact if view.may(Permission.CUSTOMER_READ_CONTACTS) else view.t("fact.hidden"),
            "text": one.text,
        }
        for one in said
    ]
