"""Tickets per 1,000 device-days and how they changed, each with its exact 95 % interval.

Tickets are taken as Poisson. Of two periods, given the sum of both, the later count is binomial, which gives the
interval of the ratio. Source: Garwood 1936 (exact Poisson interval), Clopper and Pearson 1934 (exact binomial
interval), Przyborowski and Wilenski 1940 (comparison of two Poisson rates given their sum).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from domain.exact_chances import find_beta_quantile, find_gamma_quantile
from domain.exposure import PER, bears_rate
from store.fleet import FleetCapa, FleetExposure, FleetTickets

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its interval; `high` None: no upper end."""

    value: float
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One model with one firmware and one fault group, or all (""). A rate is None for too few device-days."""

    exposure: FleetExposure
    fault_group: str
    tickets: int
    tickets_before: int
    rate: Estimate | None
    rate_before: float | None
    change: Estimate | None  # rate over the rate before; None: nothing to compare
    capas: tuple[FleetCapa, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval of the change lies above 1."""
        return self.change is not None and self.change.low > 1.0

    @property
    def is_better(self) -> bool:
        """Whether the whole interval of the change lies below 1."""
        return self.change is not None and self.change.high is not None and self.change.high < 1.0


def find_rate(tickets: int, device_days: float) -> Estimate | None:
    """Tickets per 1,000 device-days; None for less than one device-day."""
    if not bears_rate(device_days):
        return None
    low = 0.0 if tickets == 0 else find_gamma_quantile(tickets, TAIL)
    high = find_gamma_quantile(tickets + 1, 1.0 - TAIL)
    return Estimate(PER * tickets / device_days, PER * low / device_days, PER * high / device_days)


def find_change(tickets: int, device_days: float, before: int, device_days_before: float) -> Estimate | None:
    """The rate over the rate before; None where one period has no device-days, or neither has a ticket. Where there was
    none before there is a lower end alone, and the value is infinite."""
    if not bears_rate(min(device_days, device_days_before)) or tickets + before == 0:
        return None
    days = device_days_before / device_days
    low = 0.0 if tickets == 0 else find_beta_quantile(tickets, before + 1, TAIL)
    high = 1.0 if before == 0 else find_beta_quantile(tickets + 1, before, 1.0 - TAIL)
    value = float("inf") if before == 0 else tickets / before * days
    return Estimate(value, low / (1.0 - low) * days, None if high >= 1.0 else high / (1.0 - high) * days)


def find_rows(
    exposures: Iterable[FleetExposure], tickets: Sequence[FleetTickets], capas: Sequence[FleetCapa], *, by_fault: bool
) -> list[FleetRow]:
    """The rows of the fleet: those that became worse first, the surest of them at the top, then by rate."""
    known = {(e.model, e.firmware): e for e in exposures}
    counts: dict[tuple[str, str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for line in tickets:
        key = (line.model, line.firmware, line.fault_group if by_fault else "")
        now, before = counts[key]
        counts[key] = now + line.tickets, before + line.tickets_before
    if not by_fault:
        for model, firmware in known:
            counts.setdefault((model, firmware, ""), (0, 0))
    rows = []
    for (model, firmware, fault_group), (now, before) in counts.items():
        exposure = known.get((model, firmware)) or FleetExposure(model, firmware, 0, 0.0, 0.0, 0, 0)
        row = _find_row(exposure, fault_group, now, before)
        rows.append(replace(row, capas=_find_capas(capas, exposure, fault_group)))
    return sorted(rows, key=_find_place)


def _find_row(exposure: FleetExposure, fault_group: str, now: int, before: int) -> FleetRow:
    earlier = find_rate(before, exposure.device_days_before)
    return FleetRow(
        exposure=exposure,
        fault_group=fault_group,
        tickets=now,
        tickets_before=before,
        rate=find_rate(now, exposure.device_days),
        rate_before=None if earlier is None else earlier.value,
        change=find_change(now, exposure.device_days, before, exposure.device_days_before),
    )


def _find_capas(capas: Iterable[FleetCapa], exposure: FleetExposure, fault_group: str) -> tuple[FleetCapa, ...]:
    return tuple(
        capa
        for capa in capas
        if capa.model == exposure.model
        and fault_group in ("", capa.fault_group)
        and (capa.scope_kind == "MODEL" or capa.scope_value == exposure.firmware)
    )


def _find_place(row: FleetRow) -> tuple[bool, float, float, str, str, str]:
    sure = row.change.low if row.is_worse and row.change is not None else 0.0
    rate = row.rate.value if row.rate is not None else -1.0
    return not row.is_worse, -sure, -rate, row.exposure.model, row.exposure.firmware, row.fault_group
