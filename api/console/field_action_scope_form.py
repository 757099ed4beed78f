"""The form that says which devices a draft is for, and what that finds before it is frozen."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.datastructures import FormData

from api.console.acts import LONGEST_LIST, Act, Field, mark_fields, name_act, refuse_act
from api.console.facts import Fact
from api.console.form_faults import Fault, Why, find_shape_faults
from api.console.forms import Typed, read_list, read_text
from api.console.page import View
from api.console.place_words import tell_code
from api.shapes.field_actions import ScopeShape
from domain.field_action import FieldAction
from domain.field_action_scope import ScopePreview, ScopeQuery
from domain.firmware_version import VersionRange, find_version_key
from domain.roles import Permission
from store.field_action_scope import ScopeLeftOut
from store.place_names import PlaceNames

SCOPE_ACT = "fa_scope"
MOST_GROUPS = 15


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Devices by one property, the most first; `more` groups are not listed."""

    head: str
    rows: list[tuple[str, int]]
    more: int


@dataclass(frozen=True, slots=True)
class PreviewView:
    """What a scope finds now: how many devices and which, and who is left out and why."""

    devices: int
    groups: list[GroupTable]
    left_out: list[Fact]
    warnings: list[str]
    sample: list[str]


def find_scope_act(view: View, action: FieldAction, typed: Typed) -> Act:
    """The form that looks the devices up and freezes them as those of the draft."""
    t, said = view.t, typed.of(SCOPE_ACT)
    if not view.may(Permission.FIELD_ACTION_WRITE):
        return refuse_act(view, SCOPE_ACT, view.say_missing(Permission.FIELD_ACTION_WRITE))
    scope = action.scope
    versions = scope.get("firmware") or {}
    stands = {name: " ".join(scope.get(name) or []) for name in ("lots", "serials", "customers", "regions")}
    stands |= {name: str(versions.get(name) or "") for name in ("since", "until", "before")}
    stands["with_unknown"] = "no" if scope.get("with_unknown_firmware") is False else "yes"
    values = stands | dict(said.values)

    def make(key: str, kind: str = "text", limit: int = LONGEST_LIST) -> Field:
        return Field(key, t(f"field.scope_{key}"), kind, values.get(key, ""), required=False, limit=limit)

    unknown = (("yes", t("chart.yes")), ("no", t("field_action.no")))
    return Act(
        *name_act(view, SCOPE_ACT),
        action=f"/field-actions/{action.code}/scope",
        row_version=action.row_version,
        explain=t("act.explain_fa_scope"),
        fields=mark_fields(
            (
                make("lots"),
                make("since", limit=200),
                make("until", limit=200),
                make("before", limit=200),
                Field("with_unknown", t("field.scope_with_unknown"), "select", values["with_unknown"], unknown),
                make("customers"),
                make("regions"),
                make("serials", "textarea"),
            ),
            said.wrong,
        ),
        second=(f"/field-actions/{action.code}/scope-preview", t("act.fa_scope_look")),
        open=bool(said.act) or action.scope_frozen_at is None,
    )


def read_scope(fields: FormData, action: FieldAction) -> tuple[ScopeQuery, dict[str, Why | None]]:
    """The query, and the fault of each field that cannot be used."""
    versions = VersionRange(*(read_text(fields, name, 200) for name in ("since", "until", "before")))
    query = ScopeQuery(
        model=action.model,
        lots=read_list(fields, "lots"),
        serials=read_list(fields, "serials"),
        firmware=versions,
        with_unknown_firmware=read_text(fields, "with_unknown") != "no",
        customers=read_list(fields, "customers"),
        regions=read_list(fields, "regions"),
        is_simulated=action.is_simulated,
    )
    wrong: dict[str, Why | None] = {}
    try:
        ScopeShape(
            lots=list(query.lots),
            serials=list(query.serials),
            customers=list(query.customers),
            regions=list(query.regions),
        )
    except ValidationError as error:
        wrong |= find_shape_faults(error)
    return query, wrong | {name: _find_bound_fault(versions, name) for name in versions.find_problems()}


def _find_bound_fault(versions: VersionRange, name: str) -> Fault:
    if find_version_key(getattr(versions, name)) is None:
        return Fault.NO_ORDERED_VERSION
    return Fault.TWO_ENDS if name == "before" else Fault.BEHIND_THE_END


def find_preview(
    view: View, query: ScopeQuery, preview: ScopePreview, left: ScopeLeftOut, places: PlaceNames
) -> PreviewView:
    """The preview in words. A device that fails in several respects is counted with each of them."""
    t = view.t
    unplaced = sum(preview.unknown_firmware.values())
    reasons = [
        (t("field.scope_lots"), left.lot),
        (t("field_action.firmware_outside"), left.firmware),
        (t("field.scope_customers"), left.customer),
        (t("field.scope_regions"), left.region),
        (t("field.scope_serials"), left.serial),
        (t("field_action.decommissioned"), preview.decommissioned),
    ]
    left_out = [Fact(label, f"{count:,}") for label, count in reasons if count]
    warnings = []
    if unplaced:
        versions = t("list.comma").join(version or t("fact.unknown") for version in preview.unknown_firmware)
        key = "field_action.unplaced_taken" if query.with_unknown_firmware else "field_action.unplaced_left"
        warnings.append(t(key, count=unplaced, versions=versions))
    if preview.overlapping:
        warnings.append(t("field_action.overlapping", count=preview.overlapping))
    if preview.unknown_serials:
        named = t("list.comma").join(preview.unknown_serials[:10])
        warnings.append(t("field_action.serials_of_none", count=len(preview.unknown_serials), serials=named))
    customers = {code: tell_code(view, code, places.customers) for code in preview.by_customer if code}
    return PreviewView(
        devices=preview.devices,
        groups=[
            _find_table(t("fact.lot"), preview.by_lot, {"": t("fact.unknown")}),
            _find_table(t("fact.firmware"), preview.by_firmware, {"": t("fact.unknown")}),
            _find_table(t("column.customer"), preview.by_customer, {"": t("field_action.nobody"), **customers}),
            _find_table(t("fact.region"), preview.by_region, {"": t("field_action.nowhere")}),
        ],
        left_out=left_out,
        warnings=warnings,
        sample=list(preview.sample),
    )


def _find_table(head: str, counts: Mapping[str, int], names: Mapping[str, str]) -> GroupTable:
    rows = [(names.get(key, key), count) for key, count in counts.items()]
    return GroupTable(head, rows[:MOST_GROUPS], max(len(rows) - MOST_GROUPS, 0))
