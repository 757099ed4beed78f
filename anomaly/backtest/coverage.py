"""Whether a backtest judged what it is about: the monitors that the proposal changes.

A backtest from means may leave out the very monitor whose threshold is to be moved, and then finds both sides alike.
Such a comparison says nothing of the change, and must not open the way for it.
"""

from collections.abc import Collection, Iterable, Sequence

from anomaly.backtest.levels import UNHEARD, LeftOut
from anomaly.detectors.contract import NEVER
from anomaly.shard_scorer import ShardScorer
from anomaly.training.contract import FleetPrior
from domain.profile import Monitor, Profile


def find_changed(now: Profile, proposed: Profile, priors: Iterable[FleetPrior]) -> tuple[str, ...]:
    """The monitors that one side judges otherwise than the other: they or their sensors differ, or are in one profile
    alone, or begin with one of these priors, which only the proposal has. What nobody can judge from stored readings is
    no matter of a backtest and not among them."""
    seeded = {part.key.partition(":")[0] for prior in priors for part in prior.parts}
    keys = dict.fromkeys(m.key for profile in (now, proposed) for m in profile.monitors)
    return tuple(
        key
        for key in keys
        if (key in seeded or _find_rule(now, key) != _find_rule(proposed, key))
        and not all(m is None or m.rule in UNHEARD for m in (now.find_monitor(key), proposed.find_monitor(key)))
    )


def _find_rule(profile: Profile, key: str) -> tuple[Monitor, tuple[object, ...]] | None:
    monitor = profile.find_monitor(key)
    return None if monitor is None else (monitor, tuple(profile.find_sensor(sensor) for sensor in monitor.sensors))


def find_uncovered(changed: Collection[str], left_out: Sequence[LeftOut], proposed: ShardScorer) -> tuple[LeftOut, ...]:
    """Those of the changed monitors that the backtest says nothing of, and why; `proposed` has scored the window. A
    monitor that the proposal only takes away has no slot there, and is covered as far as it was not left out."""
    reasons = {left.monitor: left.reason for left in left_out}
    failed = {(u.device_id, u.monitor) for u in proposed.unscored}
    found = []
    for key in changed:
        slots = [slot for slot in proposed.slots if slot.monitor.key == key]
        judged = [slot for slot in slots if (slot.device.id, key) not in failed]
        if key in reasons:
            found.append(LeftOut(key, reasons[key]))
        elif slots and not judged:
            found.append(LeftOut(key, "its detector failed"))
        elif slots and not any(_has_heard(proposed, slot.series_ids) for slot in judged):
            found.append(LeftOut(key, "no device sent readings of its sensors in the window"))
    return tuple(found)


def _has_heard(scorer: ShardScorer, series_ids: Sequence[int]) -> bool:
    return all(scorer.find_last_observed_us(series_id) != NEVER for series_id in series_ids)
