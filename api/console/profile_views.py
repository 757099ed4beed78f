"""Versions of profiles in words: the history, and two versions beside each other."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.console.acts import Act, Field
from api.console.forms import Typed
from api.console.instants import Instant
from api.console.page import View
from domain.differences import Difference
from domain.masking import is_shown
from domain.roles import Permission
from store.profile_history import ProfileModel, ProfileVersion

RETURN_ACT = "profile_return"
LONGEST = 400  # signs of one value


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One device model of the list."""

    model: str
    name: str
    version: int
    versions: int
    devices: int
    drafts: int
    safety_critical: bool
    applied: Instant | None
    applied_by: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of the history."""

    version: int
    is_current: bool
    sha256: str
    applied: Instant | None
    applied_by: str
    reason: str
    decision: str
    decision_href: str


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One field before and after, as the profile has it."""

    path: str
    before: str
    after: str


def find_model_line(view: View, row: ProfileModel) -> ModelLine:
    """The device model as a line."""
    return ModelLine(
        row.model,
        row.name.get(view.language, row.model),
        row.version,
        row.versions,
        row.devices,
        row.drafts,
        row.safety_critical,
        view.when(row.applied_at),
        say_applier(view, row.applied_by),
    )


def say_applier(view: View, name: str) -> str:
    """Who applied it: a person, a program by what it is, or that it is hidden."""
    if name in ("bundled", "cli"):
        return view.name("profile_applier", name)
    if not is_shown("profile_version", "applied_by", view.person.permissions):
        return view.t("fact.hidden")
    return view.who(name)


def find_version_line(view: View, row: ProfileVersion) -> VersionLine:
    """The version as a line; a draft leads to its page."""
    decision = row.decision or ""
    href = f"/models/{decision}" if decision.startswith("MOD-") and view.may(Permission.CAPA_READ) else ""
    return VersionLine(
        row.version,
        row.is_current,
        row.sha256,
        view.when(row.applied_at),
        say_applier(view, row.applied_by),
        # The profile is other customers' as well: why it is so stays in the house.
        row.reason if view.person.customer_id is None else "",
        decision,
        href,
    )


def find_difference_lines(differences: Sequence[Difference]) -> list[DifferenceLine]:
    """The fields as the profile writes them."""
    return [DifferenceLine(d.path, _write(d.before), _write(d.after)) for d in differences]


def _write(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def find_return_act(view: View, model: str, version: int, typed: Typed, *, is_same: bool) -> Act:
    """Proposing that version again; what this person may not do, or what would change nothing, says why."""
    label = view.t("profiles.return_to", n=version)
    if not view.may(Permission.PROFILE_WRITE):
        refusal = view.say_missing(Permission.PROFILE_WRITE)
        return Act(RETURN_ACT, label, refusal=refusal)
    if is_same:
        return Act(RETURN_ACT, label, refusal=view.t("profiles.same"))
    reason = Field(
        "reason",
        view.t("field.reason"),
        "textarea",
        typed.values.get("reason", ""),
        why=view.t("profiles.reason_why"),
        limit=2_000,
        wrong=typed.wrong.get("reason", ""),
    )
    return Act(
        RETURN_ACT,
        label,
        submit=view.t("profiles.return_do"),
        action=f"/admin/profiles/{model}/proposals",
        explain=view.t("profiles.return_why"),
        fields=(reason,),
        hidden=(("version", str(version)),),
        open=bool(typed.act),
    )
