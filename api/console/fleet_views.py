"""The fleet in words and figures: rows with rate, change, silence and CAPA; how good the alarms are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.facts import say_share
from api.console.fleet_rates import Estimate, FleetRow
from api.console.kpi_views import find_actors, find_figure_line
from api.console.order_rows import find_fault
from api.console.page import View
from domain.exposure import say_device_days
from domain.kpi import Kpi, KpiFigure
from domain.profile import Profile

WIDTH = 200.0  # of the drawing of an interval


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One row of the table; `low`, `at`, `high` are places in the drawing."""

    model: str
    firmware: str
    fault: str
    devices: str
    tickets: str
    rate: str
    interval: str
    before: str
    change: str
    change_interval: str
    verdict: str
    stale: str
    silent: int
    capas: list[str]
    low: float
    at: float
    high: float


def find_fleet_lines(view: View, rows: Sequence[FleetRow], profiles: Mapping[str, Profile]) -> list[FleetLine]:
    """The rows for this reader, all drawn to one scale."""
    top = max((row.rate.high or 0.0 for row in rows if row.rate is not None), default=1.0) or 1.0
    return [_find_line(view, row, profiles, top) for row in rows]


def _find_line(view: View, row: FleetRow, profiles: Mapping[str, Profile], top: float) -> FleetLine:
    exposure, rate = row.exposure, row.rate
    return FleetLine(
        model=exposure.model,
        firmware=exposure.firmware or view.t("fact.unknown"),
        fault=find_fault(view, profiles, exposure.model, row.fault_group) if row.fault_group else "",
        devices=f"{exposure.devices:,}",
        tickets=view.t("fleet.tickets_of", tickets=f"{row.tickets:,}", days=say_device_days(exposure.device_days)),
        rate="–" if rate is None else f"{rate.value:,.2f}",
        interval="" if rate is None else f"{rate.low:,.2f} – {rate.high:,.2f}",
        before="–" if row.rate_before is None else f"{row.rate_before:,.2f}",
        change=_say_change(view, row.change),
        change_interval=_say_ends(row.change),
        verdict="worse" if row.is_worse else "better" if row.is_better else "",
        stale="–" if not exposure.in_service else say_share(exposure.silent / exposure.in_service),
        silent=exposure.silent,
        capas=[capa.code for capa in row.capas],
        low=_place(rate.low if rate else 0.0, top),
        at=_place(rate.value if rate else 0.0, top),
        high=_place((rate.high or 0.0) if rate else 0.0, top),
    )


def _place(rate: float, top: float) -> float:
    # By the square root: a rate near zero stays apart from zero.
    return round(4 + math.sqrt(min(rate / top, 1.0)) * (WIDTH - 8), 1)


def _say_change(view: View, change: Estimate | None) -> str:
    if change is None:
        return "–"
    return view.t("fleet.new") if math.isinf(change.value) else f"× {change.value:,.2f}"


def _say_ends(change: Estimate | None) -> str:
    if change is None:
        return ""
    return f"≥ {change.low:,.2f}" if change.high is None else f"{change.low:,.2f} – {change.high:,.2f}"


def find_alarm_cards(
    view: View, found: Sequence[tuple[Kpi, Sequence[KpiFigure]]], profiles: Mapping[str, Profile]
) -> dict[str, Any]:
    """The figures of alarms with what ISA-18.2 wants of each, and who alarms most; `profiles` are by serial."""
    cards = [
        {"figure": find_figure_line(view, kpi, figures[0]), "wanted": view.t(f"fleet.wanted_{kpi.key}")}
        for kpi, figures in found
    ]
    top = next((figures[0] for kpi, figures in found if kpi.key == "alarm_top_ten"), None)
    return {"cards": cards, "actors": find_actors(view, top.detail, top.denominator, profiles) if top else []}
