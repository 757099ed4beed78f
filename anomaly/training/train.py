"""Training: the healthy history of a fleet through the production evaluator, and the fleet prior that comes of it.

Devices are taken in groups, each group's history slice by slice: what is in memory does not grow with the window, and
with the fleet only by the final states of its detectors (some kB a device). The result depends on the readings alone.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anomaly.backtest.evaluator import Evaluator, Side
from anomaly.backtest.levels import adapt_profile
from anomaly.training.contract import FleetPrior
from anomaly.training.fleet import Fleet, NothingToLearnError, find_fleet
from anomaly.training.pool import StateCollector
from anomaly.training.progress import Progress
from anomaly.training.record import find_code_version
from domain.clock import to_micros
from domain.counting import say_count
from domain.profile import MonitorRule, Profile
from domain.work_order import Outcome
from store.history import HistoryLevel, iterate_history, load_past_orders, load_reports
from store.pool import Connection
from store.registry import load_registry

GROUP = 1_000  # devices whose history is scored at once
HEALTHY_OUTCOMES = (Outcome.FALSE_ALARM.value, Outcome.NO_FAULT_FOUND.value)


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What is asked for; a limit of the window that is None is the first or the last reading."""

    model: str
    firmware: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A fleet prior and where it comes from."""

    prior: FleetPrior
    provenance: dict[str, Any]


def train(conn: Connection, request: TrainRequest, progress: Progress, *, careful: bool = False) -> Trained:
    """The fleet prior of the devices of a model, from those that had no fault in the window.

    Raises
    ------
    NotFoundError, NothingToLearnError
        There is no such model, or too few of its devices are past their warm-up.
    """
    fleet = find_fleet(conn, load_registry(conn), request.model, request.firmware, request.since, request.until)
    faulty = find_faulty(conn, fleet)
    collector = StateCollector(fleet.model)
    profile, _ = adapt_profile(fleet.profile, HistoryLevel.RAW)
    digest = hashlib.sha256()
    readings = 0
    groups = [fleet.devices[at : at + GROUP] for at in range(0, len(fleet.devices), GROUP)]
    for number, group in enumerate(groups):
        evaluator = Evaluator(group, [Side("training", {fleet.model: profile})], careful=careful)
        series = [i for device in group for i in device.series.values()]
        for piece in iterate_history(conn, series, fleet.since, fleet.until):
            reports = load_reports(conn, [d.id for d in group], piece.since, piece.until)
            evaluator.take(piece.columns, reports, to_micros(piece.until))
            for column in (piece.columns.series_id, piece.columns.observed_us, piece.columns.value):
                digest.update(column.tobytes())
            done = (piece.until - fleet.since) / (fleet.until - fleet.since)
            progress.note(
                0.99 * (number + done) / len(groups),
                f"devices {number * GROUP + 1} to {number * GROUP + len(group)} of {len(fleet.devices)}, "
                f"readings of {piece.until:%Y-%m-%d}",
            )
        readings += evaluator.readings
        collector.add(evaluator.evaluations[0].scorer, faulty)
    prior = collector.pool(fleet.firmware)
    if not prior.parts:
        raise NothingToLearnError(
            f"Too few of {say_count(len(fleet.devices), 'device')} of {fleet.model} are past the warm-up "
            f"of a learning monitor in {fleet.since:%Y-%m-%d %H:%M} to {fleet.until:%Y-%m-%d %H:%M}."
        )
    return Trained(prior, _describe(fleet, prior, faulty, readings, digest.hexdigest()))


def find_faulty(conn: Connection, fleet: Fleet) -> frozenset[int]:
    """The devices that a work order of the window may have been right about: they are no example of health."""
    orders = load_past_orders(conn, [d.id for d in fleet.devices], fleet.since, fleet.until)
    return frozenset(order.device_id for order in orders if order.outcome not in HEALTHY_OUTCOMES)


def _describe(
    fleet: Fleet, prior: FleetPrior, faulty: Collection[int], readings: int, data_sha256: str
) -> dict[str, Any]:
    return {
        "model": fleet.model,
        "firmware": fleet.firmware,
        "profile_version": fleet.profile.version,
        "since": fleet.since.isoformat(),
        "until": fleet.until.isoformat(),
        "data_sha256": data_sha256,
        "code_version": find_code_version(),
        "seed": None,  # nothing in it is drawn by lot
        "metrics": {
            "devices": len(fleet.devices),
            "left_out_as_faulty": len(faulty),
            "readings": readings,
            "parts": [{"rule": p.rule.value, "key": p.key, "devices": p.devices} for p in prior.parts],
            "monitors_without": find_monitors_without(fleet.profile, prior),
        },
    }


def find_monitors_without(profile: Profile, prior: FleetPrior) -> list[str]:
    """The learning monitors of which the prior knows nothing: new devices warm up there as before."""
    known = {part.key.partition(":")[0] for part in prior.parts}
    learning = (MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY)
    return [m.key for m in profile.monitors if m.rule in learning and m.key not in known]
