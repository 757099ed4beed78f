"""Firmware that may be installed, in words: a line with its coverage, and the steps of a version as forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.facts import Fact, say_share
from api.console.field_action_acts import GUARDS
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.instants import Instant
from api.console.page import View
from domain.audit import Signature
from domain.firmware_record import (
    FIRMWARE_TRANSITIONS,
    FirmwareFacts,
    FirmwareRecord,
    FirmwareRecordState,
    FirmwareRequest,
    find_firmware_next,
    find_firmware_next_states,
    find_firmware_refusal,
    is_firmware_step_signed,
)
from domain.roles import Permission

_S = FirmwareRecordState
STAGES = (_S.DRAFT, _S.APPROVED, _S.RELEASED)
NAMES = {_S.APPROVED: "fw_approve", _S.RELEASED: "fw_release", _S.WITHDRAWN: "fw_withdraw"}
REGISTER_ACT, CHANGE_ACT = "fw_register", "fw_change"


@dataclass(frozen=True, slots=True)
class FirmwareLine:
    """One registered version. `coverage`: which share of the model's devices runs it, by their own reports."""

    href: str
    model: str
    component: str
    version: str
    state: str
    devices: str
    coverage: str
    share: float
    released: Instant | None
    flags: list[str]


def find_href(record: FirmwareRecord) -> str:
    """The page of the version."""
    return "/firmware/" + "/".join(quote(part, safe="") for part in (record.model, record.component, record.version))


def find_line(view: View, record: FirmwareRecord, counts: Mapping[tuple[str, str], int]) -> FirmwareLine:
    """The version as a line; of other components than the main one nobody counts how many devices run it."""
    is_counted = record.component == "main"
    running = counts.get((record.model, record.version), 0)
    total = sum(count for (model, _), count in counts.items() if model == record.model)
    share = running / total if total and is_counted else 0.0
    return FirmwareLine(
        href=find_href(record),
        model=record.model,
        component=record.component,
        version=record.version,
        state=record.state.value,
        devices=f"{running:,} / {total:,}" if is_counted else "–",
        coverage=say_share(share) if total and is_counted else "–",
        share=round(share * 100, 1),
        released=view.when(record.released_at) if record.released_at else None,
        flags=["SIM"] if record.is_simulated else [],
    )


def find_stages(record: FirmwareRecord) -> list[dict[str, object]]:
    """The stage bar; what was withdrawn ends there."""
    stages: tuple[FirmwareRecordState, ...] = STAGES
    stages = (*STAGES, _S.WITHDRAWN) if record.released_at and record.state is _S.WITHDRAWN else STAGES
    if record.state is _S.WITHDRAWN and not record.released_at:
        stages = (_S.DRAFT, _S.WITHDRAWN)
    at = stages.index(record.state)
    return [{"code": s.value, "current": place == at, "past": place < at} for place, s in enumerate(stages)]


def find_facts(view: View, record: FirmwareRecord, line: FirmwareLine) -> list[Fact]:
    """What is signed of the version, and how far it has come."""
    t = view.t
    size = "–" if record.size_bytes is None else t("firmware.bytes", size=f"{record.size_bytes:,}")
    return [
        Fact(t("fact.model"), record.model),
        Fact(t("firmware.component"), record.component),
        Fact(t("firmware.coverage"), f"{line.devices} · {line.coverage}"),
        Fact(t("firmware.sha256"), record.sha256, code=True),
        Fact(t("firmware.url"), record.url or t("firmware.no_url")),
        Fact(t("firmware.size"), size),
        Fact(t("firmware.registered_by"), view.who(record.created_by)),
    ]


def find_firmware_acts(view: View, record: FirmwareRecord, signed_by: list[int], typed: Typed) -> list[Act]:
    """The steps of the version; what a guard would refuse now says so."""
    return [_find_act(view, record, to, signed_by, typed) for to in find_firmware_next_states(record.state)]


def _find_act(view: View, record: FirmwareRecord, to: _S, signed_by: list[int], typed: Typed) -> Act:
    name, t = NAMES[to], view.t
    label, needed = t(f"act.{name}"), FIRMWARE_TRANSITIONS[record.state, to]
    if not view.may(needed):
        return Act(name, label, refusal=view.say_missing(needed))
    me = view.person.user_id
    is_signed = is_firmware_step_signed(record.state, to)
    signature = Signature(me, view.person.full_name, "-") if me is not None and is_signed else None
    wish = FirmwareRequest(to, "-", signature)
    facts = FirmwareFacts(record.state, me, record.author_ids, signed_by)
    refusal = find_firmware_refusal(wish, facts, needed)
    if refusal is not None:
        return Act(name, label, refusal=say_guard(view, GUARDS, refusal.guard))
    said = typed.of(name)
    explain, submit = t(f"act.explain_{name}"), t(f"act.{name}_do")
    if to is _S.APPROVED and find_firmware_next(wish, facts) is not to:
        explain, submit = t("act.explain_fa_approve_first"), t("act.fa_approve_first_do")
    reason: tuple[Field, ...] = ()
    if to is _S.WITHDRAWN:
        reason = (Field("reason", t("field.reason"), "textarea", said.values.get("reason", "")),)
    signing = find_signature_fields(view, said, t(f"field.meaning_{name}")) if is_signed else ()
    return Act(
        name,
        label,
        submit=submit,
        action=f"{find_href(record)}/transitions",
        to=to.value,
        row_version=record.row_version,
        explain=explain,
        fields=mark_fields((*reason, *signing), said.wrong),
        open=bool(said.act),
    )


def find_register_act(view: View, models: list[str], typed: Typed) -> Act:
    """The form that registers a version."""
    t, said = view.t, typed.of(REGISTER_ACT)
    if not view.may(Permission.FIRMWARE_WRITE):
        return refuse_act(view, REGISTER_ACT, view.say_missing(Permission.FIRMWARE_WRITE))
    values = {"component": "main"} | dict(said.values)
    records = (("real", t("customers.real")), ("simulated", t("customers.simulated")))
    return Act(
        *name_act(view, REGISTER_ACT),
        action="/firmware/records",
        explain=t(f"act.explain_{REGISTER_ACT}"),
        fields=mark_fields(
            (
                Field("model", t("fact.model"), "select", values.get("model", ""), tuple((m, m) for m in models)),
                _make(view, "component", values),
                _make(view, "version", values),
                *_find_image_fields(view, values),
                Field("records", t("customers.records"), "select", values.get("records", ""), records),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )


def find_change_act(view: View, record: FirmwareRecord, typed: Typed) -> Act | None:
    """The form that changes a draft; None of what is a draft no more."""
    if record.state is not _S.DRAFT:
        return None
    t, said = view.t, typed.of(CHANGE_ACT)
    if not view.may(Permission.FIRMWARE_WRITE):
        return refuse_act(view, CHANGE_ACT, view.say_missing(Permission.FIRMWARE_WRITE))
    size = "" if record.size_bytes is None else str(record.size_bytes)
    stands = {"sha256": record.sha256, "url": record.url, "size_bytes": size, "notes": record.notes}
    return Act(
        *name_act(view, CHANGE_ACT),
        action=f"{find_href(record)}/record",
        row_version=record.row_version,
        explain=t(f"act.explain_{CHANGE_ACT}"),
        fields=mark_fields(_find_image_fields(view, stands | dict(said.values)), said.wrong),
        open=bool(said.act),
    )


def _find_image_fields(view: View, values: Mapping[str, str]) -> tuple[Field, ...]:
    """What is said of the image, when it is registered and as long as it is a draft."""
    return (
        _make(view, "sha256", values),
        _make(view, "url", values, required=False),
        _make(view, "size_bytes", values, kind="number", required=False),
        _make(view, "notes", values, kind="textarea", required=False),
    )


def _make(view: View, key: str, values: Mapping[str, str], *, kind: str = "text", required: bool = True) -> Field:
    return Field(key, view.t(f"firmware.{key}"), kind, values.get(key, ""), required=required)
