"""The worlds of the benchmark of firmware: who is updated when, what breaches, and what the figures say."""

import numpy as np
import pytest

from benchmarks import firmware_world
from benchmarks.firmware import summarise
from benchmarks.firmware_world import CANARIES, PUMPS, START, UPDATED, Kind, make_worlds
from forewarn.commands.profiles import load_bundled_profiles

PROFILE = next(p for p in load_bundled_profiles() if p.model == "INF-200")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six hours, updated within the first, all drives oscillating from then on."""
    monkeypatch.setattr(firmware_world, "HOURS", 6)
    monkeypatch.setattr(firmware_world, "UPDATES_FROM_H", -8)
    monkeypatch.setattr(firmware_world, "ROLL_OUT_H", 1.0)


def test_releases_of_one_seed_differ_by_the_release_alone(short: None) -> None:
    nothing, bad = make_worlds([(Kind.NOTHING, 1), (Kind.OSCILLATION, 1)], PROFILE)
    assert np.array_equal(nothing.updated_at, bad.updated_at, equal_nan=True)
    assert np.isfinite(nothing.updated_at).sum() == UPDATED
    assert (nothing.updated_at < 3_600).sum() == CANARIES
    assert nothing.sums.shape == (6, 8, PUMPS)
    drive = 3
    level = {world.kind: world.sums[5, drive] / world.per_hour for world in (nothing, bad)}
    canaries = nothing.updated_at < 3_600
    assert (level[Kind.OSCILLATION] - level[Kind.NOTHING])[canaries] == pytest.approx(0.6, abs=0.05)
    assert np.array_equal(level[Kind.OSCILLATION][~canaries], level[Kind.NOTHING][~canaries])
    # An oscillating drive is beyond its limit; no drive of the other world is.
    broken = {b.unit for b in bad.breaches if b.monitor == "motor_current_high"}
    assert broken == set(np.flatnonzero(canaries).tolist())
    assert not [b for b in nothing.breaches if b.monitor == "motor_current_high"]
    assert all(b.raised_at > START for b in bad.breaches)


def test_figures_count_what_was_proposed_for_good_releases() -> None:
    def found(kind: str, delay: float | None, groups: list[str]) -> dict[str, object]:
        return {
            "kind": kind,
            "hours_after_20": delay,
            "fault_groups": groups,
            "changed": [],
            "looks": 3,
            "slowest_look_s": 0.5,
        }

    figures = summarise(
        [
            found("nothing", None, []),
            found("cooler", 30.0, ["overheating"]),
            found("oscillation", 12.0, ["motor_drive"]),
            found("oscillation", 60.0, ["motor_drive"]),
            found("oscillation", None, []),
        ]
    )
    assert (figures["good_releases"], figures["false_proposals"]) == (2, 1)
    assert figures["kinds"]["oscillation"]["proposed"] == 2
    assert figures["kinds"]["oscillation"]["within_48_h"] == 1
