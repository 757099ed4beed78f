"""The forms that write a draft of a field action and freeze its scope, and what they say."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData

from api.console.acts import Act, Field
from api.console.forms import Typed, read_many, read_text, read_whole
from api.console.page import View
from domain.field_action import FieldAction, FieldActionKind
from domain.field_action_scope import ScopeQuery, Wave, find_wave_problems
from domain.firmware_record import FirmwareRecord
from domain.firmware_version import VersionRange
from domain.roles import Permission
from domain.tickets import Priority
from store.field_actions import FieldActionDraft

DRAFT_ACT, CHANGE_ACT, SCOPE_ACT = "fa_draft", "fa_change", "fa_scope"


def find_draft_act(
    view: View, models: Sequence[str], firmware: Sequence[FirmwareRecord], action: FieldAction | None, typed: Typed
) -> Act:
    """The form of a new draft, or of the one that is there."""
    name = DRAFT_ACT if action is None else CHANGE_ACT
    t, said = view.t, typed.of(name)
    label = t(f"act.{name}")
    if not view.may(Permission.FIELD_ACTION_WRITE):
        refusal = t("act.refused_permission", permission=Permission.FIELD_ACTION_WRITE.value)
        return Act(name, label, refusal=refusal)
    if action is not None and any(wave["serials"] for wave in action.waves):
        return Act(name, label, refusal=t("field_action.waves_by_serial"))
    values = _find_standing(action) | dict(said.values)
    wrong = said.wrong

    def make(key: str, kind: str = "text", *, required: bool = True, why: str = "") -> Field:
        told = t(f"field.fa_{key}_why") if why else ""
        return Field(key, t(f"field.fa_{key}"), kind, values.get(key, ""), (), required, told, wrong.get(key, ""))

    def choose(key: str, options: tuple[tuple[str, str], ...]) -> Field:
        return Field(key, t(f"field.fa_{key}"), "select", values.get(key, ""), options, wrong=wrong.get(key, ""))

    kinds = tuple((kind.value, view.name("field_action_kind", kind)) for kind in FieldActionKind)
    images = [("", t("field_action.no_firmware"))]
    images += [
        (
            f"{f.model}/{f.component}/{f.version}",
            f"{f.model} {f.component} {f.version} ({view.name('firmware_state', f.state)})",
        )
        for f in firmware
        if f.model in models
    ]
    return Act(
        name,
        label,
        submit=t(f"act.{name}_do"),
        action="/field-actions/drafts" if action is None else f"/field-actions/{action.code}/draft",
        row_version=0 if action is None else action.row_version,
        explain=t("act.explain_fa_draft"),
        fields=(
            make("title"),
            choose("kind", kinds),
            choose("model", tuple((model, model) for model in models)),
            choose("firmware", tuple(images)),
            make("description", "textarea", required=False),
            make("instructions", "textarea", required=False),
            choose("priority", tuple((p.value, f"{p.value} {view.name('priority', p.value)}") for p in Priority)),
            choose("visit", (("no", t("field_action.no_visit")), ("yes", t("field_action.with_visit")))),
            make("shares", why="yes"),
            make("soak_h", "number", why="yes"),
            make("done_share", "number", why="yes"),
            make("capa", required=False),
        ),
        open=bool(said.act),
    )


def _find_standing(action: FieldAction | None) -> dict[str, str]:
    if action is None:
        return {"kind": "CORRECTION", "priority": "P3", "shares": "5 100", "soak_h": "24", "done_share": "90"}
    waves = [Wave.from_json(wave) for wave in action.waves]
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
        "shares": " ".join(f"{100 * wave.share:g}" for wave in waves),
        "soak_h": f"{waves[0].soak_h:g}",
        "done_share": f"{100 * waves[0].done_share:g}",
        "capa": action.capa_code or "",
    }


def read_draft(fields: FormData, before: FieldAction | None = None) -> tuple[FieldActionDraft | None, set[str]]:
    """What the form says; or None and the fields that cannot be used. What it does not ask for stays as it was."""
    kind, priority = read_text(fields, "kind", 20), read_text(fields, "priority", 2)
    image = read_text(fields, "firmware", 400)
    model = read_text(fields, "model", 200)
    _, component, version = image.split("/", 2) if image.count("/") >= 2 else ("", "main", "")
    soak_h, done = read_whole(fields, "soak_h"), read_whole(fields, "done_share")
    waves = _read_waves(read_text(fields, "shares", 400), soak_h, done)
    wrong = {
        "title": not read_text(fields, "title", 200),
        "kind": kind not in set(FieldActionKind),
        "priority": priority not in set(Priority),
        "model": not model,
        "firmware": kind == FieldActionKind.FIRMWARE and not version,
        "soak_h": soak_h is None or soak_h > 8760,
        "done_share": done is None or done > 100,
        "shares": not waves or bool(find_wave_problems(waves)),
    }
    if any(wrong.values()):
        return None, {name for name, is_wrong in wrong.items() if is_wrong}
    kept: dict[str, Any] = {}
    if before is not None:
        names = ("max_attempts", "install_attempts", "not_before", "halt_p", "region", "is_simulated")
        kept = {name: getattr(before, name) for name in names}
    is_campaign = kind == FieldActionKind.FIRMWARE
    draft = FieldActionDraft(
        kind=FieldActionKind(kind),
        title=read_text(fields, "title", 200),
        model=model,
        description=read_text(fields, "description"),
        instructions=read_text(fields, "instructions"),
        component=component if is_campaign else "main",
        firmware_version=version if is_campaign else "",
        priority=priority,
        needs_visit=read_text(fields, "visit", 3) == "yes",
        waves=waves,
        capa_code=read_text(fields, "capa", 200),
        **kept,
    )
    return draft, set()


def _read_waves(shares: str, soak_h: int | None, done: int | None) -> tuple[Wave, ...]:
    try:
        numbers = [float(part.rstrip("%")) for part in shares.replace(",", " ").split()]
    except ValueError:
        return ()
    if not all(0.0 < number <= 100.0 for number in numbers):
        return ()
    return tuple(Wave(number / 100.0, (), float(soak_h or 0), (done or 0) / 100.0) for number in numbers)


def find_scope_act(view: View, action: FieldAction, typed: Typed) -> Act:
    """The form that looks the devices up and freezes them as those of the draft."""
    t, said = view.t, typed.of(SCOPE_ACT)
    label = t(f"act.{SCOPE_ACT}")
    if not view.may(Permission.FIELD_ACTION_WRITE):
        refusal = t("act.refused_permission", permission=Permission.FIELD_ACTION_WRITE.value)
        return Act(SCOPE_ACT, label, refusal=refusal)
    scope = action.scope
    versions = scope.get("firmware") or {}
    stands = {name: " ".join(scope.get(name) or []) for name in ("lots", "serials", "customers", "regions")}
    stands |= {name: str(versions.get(name) or "") for name in ("since", "until", "before")}
    stands["with_unknown"] = "no" if scope.get("with_unknown_firmware") is False else "yes"
    values = stands | dict(said.values)

    def make(key: str, kind: str = "text") -> Field:
        wrong = said.wrong.get(key, "")
        return Field(key, t(f"field.scope_{key}"), kind, values.get(key, ""), required=False, wrong=wrong)

    unknown = (("yes", t("chart.yes")), ("no", t("field_action.no")))
    return Act(
        SCOPE_ACT,
        label,
        submit=t(f"act.{SCOPE_ACT}_do"),
        action=f"/field-actions/{action.code}/scope",
        row_version=action.row_version,
        explain=t("act.explain_fa_scope"),
        fields=(
            make("lots"),
            make("since"),
            make("until"),
            make("before"),
            Field("with_unknown", t("field.scope_with_unknown"), "select", values["with_unknown"], unknown),
            make("customers"),
            make("regions"),
            make("serials", "textarea"),
        ),
        open=bool(said.act) or action.scope_frozen_at is None,
    )


def read_scope(fields: FormData, action: FieldAction) -> tuple[ScopeQuery, set[str]]:
    """The query, and the fields that cannot be used."""

    def words(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(" ".join(read_many(fields, name))[:200_000].replace(",", " ").split()))

    versions = VersionRange(*(read_text(fields, name, 200) for name in ("since", "until", "before")))
    query = ScopeQuery(
        model=action.model,
        lots=words("lots"),
        serials=words("serials"),
        firmware=versions,
        with_unknown_firmware=read_text(fields, "with_unknown", 3) != "no",
        customers=words("customers"),
        regions=words("regions"),
        is_simulated=action.is_simulated,
    )
    return query, set(versions.find_problems())
