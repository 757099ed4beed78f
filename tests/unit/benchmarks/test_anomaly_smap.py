"""How channels of SMAP and MSL are changed to see whether the figures hold."""

import numpy as np
import pytest

from benchmarks.anomaly_smap import Channel, drop_normal, find_half_spread, halve_warmup
from benchmarks.anomaly_smap_events import EARLY_STEPS, Tally

WARMUP = 300
EVENTS = ((1000, 1020), (1500, 1600))


def _make_channel() -> Channel:
    rows = np.arange(WARMUP + 2000)
    return Channel("X-1", "SMAP", rows, rows[:, None].astype(np.float64), WARMUP, EVENTS)


@pytest.mark.parametrize("seed", range(5))
def test_dropped_rows_are_normal_and_events_stay_where_they_were(seed: int) -> None:
    whole = _make_channel()
    part = drop_normal(whole, np.random.default_rng(seed))
    gone = len(whole.values) - len(part.values)
    assert gone > 0
    np.testing.assert_array_equal(part.values[:WARMUP], whole.values[:WARMUP])
    for (start, end), (old_start, old_end) in zip(part.events, EVENTS, strict=True):
        np.testing.assert_array_equal(
            part.values[WARMUP + start - EARLY_STEPS : WARMUP + end + 1],
            whole.values[WARMUP + old_start - EARLY_STEPS : WARMUP + old_end + 1],
        )
    assert np.sum(np.diff(part.at_us) > 1) == 1  # the gap shows in the time


def test_half_of_the_warmup_is_the_later_half() -> None:
    part = halve_warmup(_make_channel())
    assert part.warmup == WARMUP // 2
    assert part.values[0, 0] == WARMUP // 2
    assert part.values[part.warmup, 0] == WARMUP


def test_halves_of_equal_channels_are_equal() -> None:
    assert find_half_spread([Tally(1, 1, 0)] * 6) == {"p10": 1.0, "p50": 1.0, "p90": 1.0}
