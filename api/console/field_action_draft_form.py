"""The form that writes a draft of a field action: all that it says but its scope."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData

from api.console.acts import LONGEST, LONGEST_LIST, Act, Field, mark_fields, name_act, refuse_act
from api.console.field_action_waves import WavesUnreadableError, read_waves, write_waves
from api.console.field_merge import add_marks
from api.console.form_faults import Fault, Why
from api.console.forms import (
    Typed,
    find_moment_fault,
    read_moment,
    read_number,
    read_text,
    read_whole,
    say_zone,
    write_moment,
)
from api.console.page import View
from domain.field_action import FieldAction, FieldActionKind
from domain.field_action_halt import DEFAULT_P
from domain.field_action_scope import Wave
from domain.firmware_record import FirmwareRecord
from domain.roles import Permission
from domain.tickets import Priority
from store.field_action_drafts import FieldActionDraft

DRAFT_ACT, CHANGE_ACT = "fa_draft", "fa_change"
FIRST_WAVES = (Wave(0.05), Wave())
MOST_ATTEMPTS = 20
MOST_CHANCE = 20.0  # per cent, of a halt for nothing


def find_draft_act(
    view: View, models: Sequence[str], firmware: Sequence[FirmwareRecord], action: FieldAction | None, typed: Typed
) -> Act:
    """The form of a new draft, or of the one that is there."""
    name = DRAFT_ACT if action is None else CHANGE_ACT
    t, said = view.t, typed.of(name)
    if not view.may(Permission.FIELD_ACTION_WRITE):
        return refuse_act(view, name, view.say_missing(Permission.FIELD_ACTION_WRITE))
    stands = find_standing(view, action)
    values = stands | dict(said.values)

    def make(key: str, kind: str = "text", *, required: bool = True, why: str = "", step: str = "") -> Field:
        told = t(f"field.fa_{key}_why") if why == "yes" else why
        limit = LONGEST_LIST if key == "waves" else LONGEST if kind == "textarea" else 200
        return Field(key, t(f"field.fa_{key}"), kind, values.get(key, ""), (), required, told, step=step, limit=limit)

    def choose(key: str, options: tuple[tuple[str, str], ...]) -> Field:
        return Field(key, t(f"field.fa_{key}"), "select", values.get(key, ""), options)

    kinds = tuple((kind.value, view.name("field_action_kind", kind)) for kind in FieldActionKind)
    records = (("real", t("customers.real")), ("simulated", t("customers.simulated")))
    act = Act(
        *name_act(view, name),
        action="/field-actions/drafts" if action is None else f"/field-actions/{action.code}/draft",
        row_version=0 if action is None else action.row_version,
        explain=t("act.explain_fa_draft"),
        fields=mark_fields(
            (
                make("title"),
                choose("kind", kinds),
                choose("model", tuple((model, model) for model in models)),
                choose("firmware", (("", t("field_action.no_firmware")), *find_images(view, models, firmware))),
                make("description", "textarea", required=False),
                make("instructions", "textarea", required=False),
                choose("priority", tuple((p.value, f"{p.value} {view.name('priority', p.value)}") for p in Priority)),
                choose("visit", (("no", t("field_action.no_visit")), ("yes", t("field_action.with_visit")))),
                make("waves", "textarea", why="yes"),
                make("max_attempts", "number", why="yes"),
                make("install_attempts", "number", why="yes"),
                make("halt_p", "number", why="yes", step="any"),
                make("not_before", "datetime-local", required=False, why=say_zone(view), step="1"),
                make("capa", required=False),
                make("region", required=False),
                choose("records", records),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )
    return act if action is None else add_marks(act, stands, said.values, said.disputed)


def find_images(view: View, models: Sequence[str], firmware: Sequence[FirmwareRecord]) -> list[tuple[str, str]]:
    """What may be installed on devices of these models: each version with its state."""
    offered = []
    for one in firmware:
        if one.model in models:
            named = f"{one.model} {one.component} {one.version}"
            said = view.t("code.beside", name=named, code=view.name("firmware_state", one.state))
            offered.append((f"{one.model}/{one.component}/{one.version}", said))
    return offered


def find_standing(view: View, action: FieldAction | None) -> dict[str, str]:
    """What stands in the form before anybody types."""
    if action is None:
        return {
            "kind": "CORRECTION",
            "priority": "P3",
            "waves": write_waves(FIRST_WAVES),
            "max_attempts": "3",
            "install_attempts": "2",
            "halt_p": f"{100 * DEFAULT_P:g}",
        }
    image = f"{action.model}/{action.component}/{action.firmware_version}" if action.firmware_version else ""
    return {
        "title": action.title,
        "kind": action.kind.value,
        "model": action.model,
        "firmware": image,
        "description": action.description,
        "instructions": action.instructions,
        "priority": action.priority,
        "visit": "yes" if action.needs_visit else "no",
        "waves": write_waves([Wave.from_json(wave) for wave in action.waves]),
        "not_before": write_moment(view, action.not_before),
        "max_attempts": str(action.max_attempts),
        "install_attempts": str(action.install_attempts),
        "halt_p": f"{100 * action.halt_p:g}",
        "capa": action.capa_code or "",
        "region": action.region,
        "records": "simulated" if action.is_simulated else "real",
    }


def read_draft(view: View, fields: FormData) -> tuple[FieldActionDraft | None, dict[str, Why | None]]:
    """What the form says; or None and the fault of each field that cannot be used."""
    kind, priority = read_text(fields, "kind"), read_text(fields, "priority")
    model, image = read_text(fields, "model", 200), read_text(fields, "firmware")
    of_model, component, version = image.split("/", 2) if image.count("/") >= 2 else (model, "main", "")
    attempts = {name: read_whole(fields, name) for name in ("max_attempts", "install_attempts")}
    chance, begins = read_number(fields, "halt_p"), read_moment(view, fields, "not_before")
    is_campaign = kind == FieldActionKind.FIRMWARE
    waves: tuple[Wave, ...] = ()
    wrong: dict[str, Why | None] = {
        "title": Fault.MISSING.where(not read_text(fields, "title", 200)),
        "kind": Fault.NOT_A_CHOICE.where(kind not in set(FieldActionKind)),
        "priority": Fault.NOT_A_CHOICE.where(priority not in set(Priority)),
        "model": Fault.MISSING.where(not model),
        "not_before": find_moment_fault(view, fields, "not_before"),
    }
    if is_campaign and (not version or of_model != model):
        wrong["firmware"] = view.t("fa_wrong.firmware")
    try:
        waves = read_waves(view, read_text(fields, "waves", LONGEST_LIST))
    except WavesUnreadableError as problem:
        wrong["waves"] = str(problem)
    if chance is None or not 0.0 < chance <= MOST_CHANCE:
        wrong["halt_p"] = view.t("fa_wrong.chance", most=f"{MOST_CHANCE:g}")
    for name, number in attempts.items():
        if number is None or not 1 <= number <= MOST_ATTEMPTS:
            wrong[name] = view.t("fa_wrong.attempts", most=MOST_ATTEMPTS)
    if chance is None or any(wrong.values()):
        return None, wrong
    counted: dict[str, Any] = attempts
    draft = FieldActionDraft(
        kind=FieldActionKind(kind),
        title=read_text(fields, "title", 200),
        model=model,
        description=read_text(fields, "description"),
        instructions=read_text(fields, "instructions"),
        component=component if is_campaign else "main",
        firmware_version=version if is_campaign else "",
        priority=priority,
        needs_visit=read_text(fields, "visit") == "yes",
        not_before=begins,
        waves=waves,
        halt_p=chance / 100.0,
        capa_code=read_text(fields, "capa", 200),
        region=read_text(fields, "region", 200),
        is_simulated=read_text(fields, "records") == "simulated",
        **counted,
    )
    return draft, {}
