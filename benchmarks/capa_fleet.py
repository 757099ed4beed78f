"""Simulated installed bases for the cohort statistic: models, lots, firmware versions, customers, and Poisson failures.

Nothing is said to the statistic but what the production code would count: cases of the window, device-days, and the
events of the twelve months before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from domain.profile import TicketPolicy
from service_link.cohort import Baseline, Case, Cohort, Exposure

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = TicketPolicy()
WINDOW_D = 30
BASELINE_D = 365
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Model:
    """One device model: of each device its lot, firmware and customer as a number; `rates` per device-day and group."""

    id: int
    lots: Ints
    firmwares: Ints
    customers: Ints
    rates: Floats

    @property
    def devices(self) -> int:
        return len(self.lots)

    @property
    def hypotheses(self) -> int:
        """How many scopes could be proposed: for each fault group the model, each lot, each firmware version."""
        return len(self.rates) * (1 + len(np.unique(self.lots)) + len(np.unique(self.firmwares)))


@dataclass(frozen=True, slots=True)
class Excess:
    """The devices of one lot, one firmware version or a whole model fail so many times as often in one fault group."""

    model: int
    group: int
    kind: str  # LOT, FIRMWARE or MODEL
    value: int
    factor: float

    def find_factors(self, model: Model, group: int) -> Floats:
        factors = np.ones(model.devices)
        if (model.id, group) == (self.model, self.group):
            of = {"LOT": model.lots, "FIRMWARE": model.firmwares}.get(self.kind)
            factors[slice(None) if of is None else of == self.value] = self.factor
        return factors


def make_fleet(
    rng: np.random.Generator,
    *,
    models: int = 8,
    groups: int = 5,
    lots: int = 12,
    firmwares: int = 4,
    customers: int = 40,
    monthly: tuple[float, float] = (0.3, 30.0),
) -> list[Model]:
    """Models of 50 to 2,000 devices; each fault group brings `monthly` cases of a model, log-uniformly drawn."""
    fleet = []
    for n in range(models):
        devices = int(np.exp(rng.uniform(np.log(50), np.log(2_000))))
        cases = np.exp(rng.uniform(np.log(monthly[0]), np.log(monthly[1]), groups))
        fleet.append(
            Model(
                n + 1,
                rng.integers(0, lots, devices),
                rng.choice(firmwares, devices, p=np.arange(1, firmwares + 1) / (firmwares * (firmwares + 1) / 2)),
                rng.integers(0, customers, devices),
                cases / devices / WINDOW_D,
            )
        )
    return fleet


def draw_cohorts(rng: np.random.Generator, fleet: list[Model], excess: tuple[Excess, ...] = ()) -> list[Cohort]:
    """One evaluation: every model and fault group with the failures of 30 days and the history of a year before."""
    cohorts = []
    for model in fleet:
        exposures = find_exposures(model)
        for group, rate in enumerate(model.rates):
            factors = np.ones(model.devices)
            for e in excess:
                factors *= e.find_factors(model, group)
            counts = rng.poisson(rate * factors * WINDOW_D)
            history = int(rng.poisson(rate * model.devices * BASELINE_D))
            cohorts.append(make_cohort(model, group, np.repeat(np.arange(model.devices), counts), exposures, history))
    return cohorts


def make_cohort(
    model: Model, group: int, failed: Ints, exposures: tuple[Exposure, ...], history: int, history_days: float = 365.0
) -> Cohort:
    """What production would count of these failures; `failed` holds a device for each, in any order."""
    cases = tuple(
        Case(
            work_order_id=n + 1,
            device_id=int(device),
            customer_id=int(model.customers[device]),
            lot=f"L{model.lots[device]}",
            firmware=f"F{model.firmwares[device]}",
            opened_at=NOW - timedelta(days=1),
        )
        for n, device in enumerate(failed)
    )
    baseline = Baseline(history, model.devices * history_days)
    return Cohort(model.id, f"g{group}", cases, exposures, baseline, POLICY, is_simulated=False)


def find_exposures(model: Model) -> tuple[Exposure, ...]:
    """Device-days of the window by lot and firmware version."""
    pairs, counts = np.unique(np.stack([model.lots, model.firmwares]), axis=1, return_counts=True)
    return tuple(
        Exposure(f"L{lot}", f"F{firmware}", int(count), float(count * WINDOW_D))
        for (lot, firmware), count in zip(pairs.T, counts, strict=True)
    )
