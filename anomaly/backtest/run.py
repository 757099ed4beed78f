"""A backtest: what is live and what is proposed, side by side over the stored readings of a fleet.

The same store gives the same result, to the last digit: nothing in it depends on the clock or on chance.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from anomaly.backtest.comparison import BEFORE, compare_sides, judge_side
from anomaly.backtest.coverage import find_changed, find_uncovered
from anomaly.backtest.evaluator import Evaluator, Side
from anomaly.backtest.levels import adapt_profile, find_approximate, find_finest_needed
from anomaly.training.contract import FleetPrior
from anomaly.training.fleet import Fleet, find_fleet
from anomaly.training.progress import Progress
from anomaly.training.record import find_code_version
from domain.clock import MICROS_PER_DAY, to_micros
from domain.profile import Profile
from domain.profile_json import find_profile_sha256
from domain.ticket_replay import ReplayedDevice
from store.history import HistoryLevel, find_level_end, iterate_history, load_past_orders, load_reports
from store.pool import Connection
from store.registry import load_registry

FORMAT = 1
ASSUMPTIONS = (
    "Orders are closed as confirmed when the time of resolution of their priority and the quiet period are over.",
    "Nobody shelves; no device is under maintenance; gateways and storms gather no devices.",
    "A ticket is about an order of the same device and fault group that was open then, or opened within 30 days.",
    "The lead time is that before the order was opened in history; where the machine opened it, today's is about 0.",
)


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What is asked for. `proposed_profile` None: the current one; `level` None: the coarsest that leaves nothing out.

    What happens within `settle` of the begin is replayed and not counted: all detectors start from nothing there.
    """

    model: str
    firmware: str = ""
    since: datetime | None = None
    until: datetime | None = None
    level: HistoryLevel | None = None
    settle: timedelta = timedelta(0)
    proposed_profile: Profile | None = None


def run_backtest(
    conn: Connection,
    request: BacktestRequest,
    live_priors: tuple[FleetPrior, ...],
    proposed_priors: tuple[FleetPrior, ...],
    progress: Progress,
    *,
    careful: bool = False,
) -> dict[str, Any]:
    """The result as JSON, see docs/reference/models.md.

    Raises
    ------
    NotFoundError, NothingToLearnError
        There is no such model, or it has no readings in the window.
    """
    fleet = find_fleet(conn, load_registry(conn), request.model, request.firmware, request.since, request.until)
    proposed = request.proposed_profile or fleet.profile
    level = request.level or find_finest_needed([fleet.profile, proposed])
    fleet = _end_with_level(conn, fleet, level)
    now_adapted, left_now = adapt_profile(fleet.profile, level)
    proposed_adapted, left_proposed = adapt_profile(proposed, level)
    evaluator = Evaluator(
        fleet.devices,
        [
            Side("now", {fleet.model: now_adapted}, live_priors),
            Side("proposed", {fleet.model: proposed_adapted}, proposed_priors),
        ],
        careful=careful,
    )
    device_ids = [d.id for d in fleet.devices]
    for piece in iterate_history(conn, fleet.series_ids, fleet.since, fleet.until, level=level):
        evaluator.take(piece.columns, load_reports(conn, device_ids, piece.since, piece.until), to_micros(piece.until))
        share = (piece.until - fleet.since) / (fleet.until - fleet.since)
        progress.note(0.98 * share, f"readings of {piece.until:%Y-%m-%d %H:%M}")
    counted_from = fleet.since + request.settle
    # Also those that were opened later: a ticket at the end of the window may be about one of them.
    orders = load_past_orders(conn, device_ids, fleet.since, fleet.until + BEFORE)
    devices = [ReplayedDevice(d.id, d.serial, fleet.profile.safety_critical) for d in fleet.devices]
    now, then = (
        judge_side(e.transitions, devices, profile, orders, counted_from, e.unscored)
        for e, profile in zip(evaluator.evaluations, (now_adapted, proposed_adapted), strict=True)
    )
    days = {day: seen for day, seen in evaluator.days.items() if day >= to_micros(counted_from) // MICROS_PER_DAY}
    serials = {d.id: d.serial for d in fleet.devices}
    known = {p.record_id for p in live_priors}
    changed = find_changed(fleet.profile, proposed, [p for p in proposed_priors if p.record_id not in known])
    uncovered = find_uncovered(changed, (*left_now, *left_proposed), evaluator.evaluations[1].scorer)
    result = {
        "format": FORMAT,
        "model": fleet.model,
        "firmware": fleet.firmware,
        "since": fleet.since.isoformat(),
        "until": fleet.until.isoformat(),
        "counted_from": counted_from.isoformat(),
        "level": level.value,
        "readings": evaluator.readings,
        "devices": len(fleet.devices),
        "profile_now": {"version": fleet.profile.version, "sha256": find_profile_sha256(fleet.profile)},
        "profile_proposed": {"version": proposed.version, "sha256": find_profile_sha256(proposed)},
        "priors_now": [p.record_id for p in live_priors],
        "priors_proposed": [p.record_id for p in proposed_priors],
        "code_version": find_code_version(),
        "left_out": [asdict(left) for left in sorted({*left_now, *left_proposed}, key=lambda x: (x.monitor, x.reason))],
        "approximate": sorted({*find_approximate(now_adapted, level), *find_approximate(proposed_adapted, level)}),
        "changed": list(changed),
        "uncovered": [asdict(left) for left in uncovered],
        "assumptions": list(ASSUMPTIONS),
    }
    compared = compare_sides(now, then, orders, sum(int(seen.sum()) for seen in days.values()), serials)
    progress.note(1.0, "compared")
    return result | compared


def _end_with_level(conn: Connection, fleet: Fleet, level: HistoryLevel) -> Fleet:
    """The window, ended where the roll-ups of that level are complete."""
    end = find_level_end(conn, level)
    if end is None or end >= fleet.until:
        return fleet
    return replace(fleet, until=max(end, fleet.since + timedelta(microseconds=1)))
