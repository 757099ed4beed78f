"""SLA policies in words: the times of each priority, for whom they count, and what differs between two versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.acts import Field
from api.console.instants import Instant
from api.console.page import View
from api.console.version_views import ChangeLine, say_maker
from domain.differences import Difference, find_differences
from domain.sla_policy import DUE_SOON_SHARE, ClockKind
from domain.tickets import Priority
from domain.work_order import HoldReason
from store.sla_policies import PolicyRow
from store.sla_usage import PolicyUsage

# Before a person writes it down: hours of a working day by day, an example to begin with.
_FIRST = {"P1": ("1", "8"), "P2": ("4", "24"), "P3": ("24", "120"), "P4": ("72", "336")}


@dataclass(frozen=True, slots=True)
class TermsLine:
    """The times of one priority."""

    priority: str
    response: str
    resolution: str
    counts: str


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy of the list."""

    code: str
    name: str
    version: int
    times: str
    calendar: str
    contracts: int
    open_orders: int
    made: Instant | None
    made_by: str


def say_hours(view: View, hours: float) -> str:
    """Hours without needless zeros."""
    return view.t("duration.h", h=f"{hours:g}")


def find_policy_line(view: View, row: PolicyRow, usage: PolicyUsage) -> PolicyLine:
    """The policy as a line of the list."""
    times = [
        f"{p.value} " + view.t("duration.h", h=f"{terms['response_h']:g}/{terms['resolution_h']:g}")
        for p, terms in _iterate(row.body)
    ]
    return PolicyLine(
        row.code,
        row.name,
        row.version,
        view.t("list.comma").join(times),
        say_calendar(view, row.service_calendar),
        usage.contracts,
        usage.open_orders,
        view.when(row.made_at),
        say_maker(view, "sla_policy", row.made_by),
    )


def say_calendar(view: View, code: str | None) -> str:
    """The calendar for sites without one of their own."""
    return code or view.t("sla.around_the_clock")


def find_terms(view: View, row: PolicyRow) -> list[TermsLine]:
    """The times by priority."""
    site = view.t("sla.counts_site", calendar=say_calendar(view, row.service_calendar))
    always = view.t("sla.around_the_clock")
    return [
        TermsLine(
            p.value,
            say_hours(view, terms["response_h"]),
            say_hours(view, terms["resolution_h"]),
            always if terms["around_the_clock"] else site,
        )
        for p, terms in _iterate(row.body)
    ]


def find_pauses(view: View, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which hold reasons pause which clock."""
    return [(view.t(f"clock.{kind.lower()}"), _say_holds(view, body["pauses"][kind])) for kind in ClockKind]


def find_version_changes(view: View, before: PolicyRow, after: PolicyRow) -> list[ChangeLine]:
    """What the later one of two versions says otherwise."""
    return [say_change(view, one) for one in find_differences(_describe(before), _describe(after))]


def say_change(view: View, difference: Difference) -> ChangeLine:
    """One field before and after, in words."""
    return ChangeLine(
        _say_path(view, difference.path),
        _say_value(view, difference.path, difference.before),
        _say_value(view, difference.path, difference.after),
    )


def _describe(row: PolicyRow) -> dict[str, Any]:
    # Of a record's name only the current one is kept: it is no part of a version.
    return {"service_calendar": row.service_calendar, **row.body}


def _iterate(body: Mapping[str, Any]) -> list[tuple[Priority, Mapping[str, Any]]]:
    return [(priority, body["terms"][priority.value]) for priority in Priority]


def _say_path(view: View, path: str) -> str:
    parts = path.split(".")
    if parts[0] == "terms" and len(parts) == 3:
        return f"{parts[1]} · {view.t(f'sla.{parts[2]}')}"
    if parts[0] == "pauses" and len(parts) == 2:
        return view.t("sla.pauses_of", clock=view.t(f"clock.{parts[1].lower()}"))
    return view.name("sla_field", path)


def _say_value(view: View, path: str, value: Any) -> str:
    if path == "service_calendar":
        return say_calendar(view, value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return view.t("sla.yes" if value else "sla.no")
    if path == "due_soon_share":
        return f"{100 * value:g}%"
    if path.startswith("pauses."):
        return _say_holds(view, value)
    return say_hours(view, value) if isinstance(value, int | float) else str(value)


def _say_holds(view: View, reasons: Sequence[str]) -> str:
    return view.t("list.comma").join(view.name("hold", r) for r in sorted(reasons)) or view.t("sla.nothing_pauses")


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """The form of a policy: `priorities` has the fields of each, as (priority, response, resolution, around)."""

    head: list[Field]
    priorities: list[tuple[str, Field, Field, bool]]
    pauses: list[Field]
    tail: list[Field]


def find_form_values(row: PolicyRow | None) -> dict[str, str]:
    """What stands in the form at first: the current version; of a new policy the usual times."""
    if row is None:
        values = {"due_soon": f"{100 * DUE_SOON_SHARE:g}", "pauses_RESOLUTION": "ACCESS CUSTOMER PARTS"}
        for priority, (response, resolution) in _FIRST.items():
            values |= {f"{priority}_response_h": response, f"{priority}_resolution_h": resolution}
        return values
    values = {
        "name": row.name,
        "service_calendar": row.service_calendar or "",
        "due_soon": f"{100 * row.body['due_soon_share']:g}",
    }
    for priority, terms in _iterate(row.body):
        values |= {
            f"{priority}_response_h": f"{terms['response_h']:g}",
            f"{priority}_resolution_h": f"{terms['resolution_h']:g}",
            f"{priority}_always": "on" if terms["around_the_clock"] else "",
        }
    return values | {f"pauses_{kind}": " ".join(row.body["pauses"][kind]) for kind in ClockKind}


def find_form(
    view: View, values: Mapping[str, str], wrong: Mapping[str, str], calendars: Sequence[str], *, is_new: bool
) -> PolicyForm:
    """The form with these values, and beside each field what is wrong with it."""

    def field(name: str, label: str, kind: str = "text", *, required: bool = True, why: str = "") -> Field:
        return Field(name, label, kind, values.get(name, ""), required=required, why=why, wrong=wrong.get(name, ""))

    t = view.t
    holds = tuple((reason.value, view.name("hold", reason)) for reason in HoldReason)
    options = (("", t("sla.around_the_clock")), *((code, code) for code in calendars))
    return PolicyForm(
        head=[
            *([field("code", t("column.code"), why=t("sla.code_why"))] if is_new else []),
            field("name", t("sla.name")),
            Field(
                "service_calendar",
                t("sla.calendar"),
                "select",
                values.get("service_calendar", ""),
                options,
                required=False,
                why=t("sla.calendar_why"),
                wrong=wrong.get("service_calendar", ""),
            ),
            field("due_soon", t("sla.due_soon"), why=t("sla.due_soon_why")),
        ],
        priorities=[
            (
                p.value,
                field(f"{p}_response_h", t("sla.response_h")),
                field(f"{p}_resolution_h", t("sla.resolution_h")),
                bool(values.get(f"{p}_always")),
            )
            for p in Priority
        ],
        pauses=[
            Field(
                f"pauses_{kind}",
                t("sla.pauses_of", clock=t(f"clock.{kind.lower()}")),
                "checks",
                values.get(f"pauses_{kind}", ""),
                holds,
                required=False,
                wrong=wrong.get(f"pauses_{kind}", ""),
            )
            for kind in ClockKind
        ],
        tail=[field("reason", t("field.reason"), "textarea", why=t("sla.reason_why"))],
    )
