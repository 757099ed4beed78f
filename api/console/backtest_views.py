"""A backtest in words and figures: what another threshold would have opened, gained and lost, and its reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.language import load_catalogue
from api.console.monitor_names import name_monitor, name_monitors
from api.console.page import View
from api.console.rejection_words import tell_pattern
from domain.profile import Profile
from domain.work_order import Outcome

# In the result, of tickets that no order was ever about, and of orders that are not closed.
OUTCOMES = (*(outcome.value for outcome in Outcome), "UNDECIDED", "NO_ORDER")
LISTED = 10


@dataclass(frozen=True, slots=True)
class BacktestLine:
    """One figure of both sides."""

    label: str
    now: str
    proposed: str
    change: str


@dataclass(frozen=True, slots=True)
class OrdersFound:
    """Orders of history that one side finds and the other does not."""

    count: int
    by_outcome: str
    listed: list[dict[str, str]]
    more: list[dict[str, str]]
    is_bad: bool  # a confirmed fault would have been missed


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that limits what the backtest says; `is_english` where it is a program's own sentence."""

    text: str
    is_english: bool = False


@dataclass(frozen=True, slots=True)
class Backtest:
    """The preview of a threshold."""

    scope: str
    lines: list[BacktestLine]
    gained: OrdersFound
    lost: OrdersFound
    devices: list[dict[str, str]]
    remarks: list[Remark]
    assumptions: list[Remark]


def find_backtest(view: View, result: Mapping[str, Any] | None, profile: Profile | None) -> Backtest | None:
    """The result of a backtest for this reader; None where nothing was compared."""
    if not result or "now" not in result or "proposed" not in result:
        return None
    now, proposed = result["now"], result["proposed"]
    return Backtest(
        scope=_say_scope(view, result),
        lines=_find_lines(view, now, proposed),
        gained=_find_orders(view, result.get("gained", {}), is_lost=False),
        lost=_find_orders(view, result.get("lost", {}), is_lost=True),
        devices=[
            {"serial": d["serial"], "now": str(d["now"]), "proposed": str(d["proposed"])}
            for d in result.get("top_devices", [])
        ],
        remarks=_find_remarks(view, result, profile),
        assumptions=[_find_assumption(view, text) for text in result.get("assumptions", [])],
    )


def _say_scope(view: View, result: Mapping[str, Any]) -> str:
    """Over which days, devices and readings. Where none was counted, the days in which all settle may reach beyond
    the end of the window: then no span is named."""
    devices, days = result.get("devices", 0), result.get("device_days", 0)
    level = view.name("backtest_level", result.get("level"))
    since, until = (str(result.get(name, ""))[:10] for name in ("counted_from", "until"))
    if not days and since > until:
        return view.t("backtest.scope_nothing", devices=devices, level=level, until=until)
    since = since or str(result.get("since", ""))[:10]
    return view.t("backtest.scope", since=since, until=until, devices=devices, days=f"{days:,}", level=level)


def _find_lines(view: View, now: Mapping[str, Any], proposed: Mapping[str, Any]) -> list[BacktestLine]:
    def line(label: str, name: str, decimals: int = 0) -> BacktestLine:
        return _compare(label, now.get(name), proposed.get(name), decimals)

    lines = [
        line(view.t("backtest.rate"), "per_1000_device_days", 2),
        line(view.t("backtest.tickets"), "tickets"),
        line(view.t("backtest.breaches"), "breaches"),
    ]
    before, after = now.get("by_outcome", {}), proposed.get("by_outcome", {})
    for outcome in OUTCOMES:
        if outcome in before or outcome in after:
            label = view.t("backtest.tickets_of", outcome=_name_outcome(view, outcome))
            lines.append(_compare(label, before.get(outcome, 0), after.get(outcome, 0), 0))
    leads = [side.get("lead_time_h", {}) for side in (now, proposed)]
    if any(lead.get("median") is not None for lead in leads):
        said = [_say_lead(view, lead) for lead in leads]
        lines.append(BacktestLine(view.t("backtest.lead"), said[0], said[1], ""))
    return lines


def _compare(label: str, now: float | None, proposed: float | None, decimals: int) -> BacktestLine:
    change = ""
    if now is not None and proposed is not None:
        difference = proposed - now
        change = f"{difference:+,.{decimals}f}".replace("-", "−") if difference else "0"
    return BacktestLine(label, say_number(now, decimals), say_number(proposed, decimals), change)


def say_number(value: float | None, decimals: int) -> str:
    """The number; a dash where there is none."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def _say_lead(view: View, lead: Mapping[str, Any]) -> str:
    if lead.get("median") is None:
        return "–"
    return view.t("backtest.lead_value", median=_say_hours(lead["median"]), orders=lead["orders"])


def _say_hours(hours: float) -> str:
    return f"{hours:.1f}".replace("-", "−")


def _find_orders(view: View, found: Mapping[str, Any], *, is_lost: bool) -> OrdersFound:
    by_outcome = found.get("by_outcome", {})
    listed = [
        {
            "code": str(order["code"]),
            "serial": str(order["serial"]),
            "outcome": _name_outcome(view, order["outcome"]),
            "at": str(order["created_at"])[:10],
        }
        for order in found.get("listed", [])
    ]
    parts = [
        view.t("backtest.of_outcome", n=by_outcome[outcome], outcome=_name_outcome(view, outcome))
        for outcome in OUTCOMES
        if outcome in by_outcome
    ]
    useful = by_outcome.get("CONFIRMED", 0) + by_outcome.get("SENSOR_FAULT", 0)
    return OrdersFound(
        count=found.get("orders", 0),
        by_outcome=view.t("list.comma").join(parts),
        listed=listed[:LISTED],
        more=listed[LISTED:],
        is_bad=is_lost and useful > 0,
    )


def _name_outcome(view: View, outcome: str) -> str:
    return view.name("backtest_outcome" if outcome in ("UNDECIDED", "NO_ORDER") else "outcome", outcome)


def _find_remarks(view: View, result: Mapping[str, Any], profile: Profile | None) -> list[Remark]:
    remarks = []
    if not result.get("device_days"):
        remarks.append(Remark(view.t("backtest.no_days")))
    for left in result.get("uncovered", []):
        remarks.append(Remark(view.t("backtest.uncovered", monitor=name_monitor(view, profile, left["monitor"]))))
        told = tell_pattern(view.language, left["reason"], "backtest_reason")
        remarks.append(Remark(left["reason"], is_english=True) if told is None else Remark(told))
    uncovered = {left["monitor"] for left in result.get("uncovered", [])}
    left_out = sorted({left["monitor"] for left in result.get("left_out", [])} - uncovered)
    if left_out:
        remarks.append(Remark(view.t("backtest.left_out", monitors=name_monitors(view, profile, left_out))))
    if result.get("approximate"):
        names = name_monitors(view, profile, result["approximate"])
        remarks.append(Remark(view.t("backtest.approximate", monitors=names)))
    failed = sorted({key for side in ("now", "proposed") for key in result[side].get("unscored", {})})
    if failed:
        remarks.append(Remark(view.t("backtest.unscored", monitors=name_monitors(view, profile, failed))))
    return remarks


def _find_assumption(view: View, text: str) -> Remark:
    """The sentence in the reader's language; that of another version of the program as it stands."""
    key = next((k for k, said in load_catalogue("en").items() if k.startswith("assumption.") and said == text), None)
    return Remark(text, is_english=True) if key is None else Remark(view.name(*key.split(".", 1)))
