"""Breaches before and after, each device once; looks that spend no more error than they may; what halts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain.field_action_halt import DEFAULT_P, find_spent_p, is_to_halt
from service_link.campaign_looks import Counts, count_first_breaches, find_control_windows, find_windows, look_at
from service_link.release_statistics import FIRST_LOOK_HOURS, find_next_look_hours
from store.field_action_campaigns import Upgraded
from store.releases import FirstBreaches

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def upgraded(device: int, days_ago: float, known_days: float = 60, until_days: float | None = None) -> Upgraded:
    at = NOW - days_ago * DAY
    return Upgraded(device, at, NOW - known_days * DAY, None if until_days is None else NOW - until_days * DAY)


def test_a_device_is_compared_as_far_as_it_was_known_and_stayed() -> None:
    devices = [upgraded(1, 2), upgraded(2, 2, known_days=3), upgraded(3, 2, until_days=1), upgraded(4, 0)]
    windows = find_windows(devices, 14 * DAY, NOW)
    days = [((w.updated_at - w.before_from) / DAY, (w.after_to - w.updated_at) / DAY) for w in windows]
    assert days == [(14, 2), (1, 2), (14, 1)]  # the last one has no time after yet
    assert [w.device_id for w in find_control_windows(windows, [7, 8, 9, 10])] == [7, 8, 9, 10]
    assert find_control_windows(windows, [7, 8, 9, 10])[3].updated_at == windows[0].updated_at


def test_a_device_counts_once_with_its_first_breach_whatever_the_group() -> None:
    windows = find_windows([upgraded(1, 2), upgraded(2, 2)], 14 * DAY, NOW)
    breaches = [
        FirstBreaches(1, "motor", None, NOW - DAY),
        FirstBreaches(1, "occlusion", NOW - 9 * DAY, NOW - 0.5 * DAY),
        FirstBreaches(2, "connectivity", NOW - 9 * DAY, NOW - DAY),
    ]
    counts = count_first_breaches(windows, breaches, ["connectivity"])
    assert (counts.events_before, counts.events_after) == (1, 1)
    assert (counts.days_before, counts.days_after) == (7 + 14, 1 + 2)


@pytest.mark.parametrize(
    ("own", "others", "halts"),
    [
        (Counts(0, 84.0, 3, 2.0), Counts(0, 84.0, 0, 3.0), True),
        (Counts(0, 84.0, 3, 2.0), Counts(0, 84.0, 3, 2.0), False),  # it befell those that wait as well
        (Counts(0, 84.0, 1, 2.0), Counts(0, 84.0, 0, 3.0), False),
        (Counts(20, 84.0, 1, 2.0), Counts(0, 84.0, 0, 3.0), False),
        (Counts(0, 84.0, 0, 2.0), None, False),
        (Counts(0, 0.0, 3, 2.0), None, False),  # nothing to compare with
    ],
)
def test_a_rise_halts_and_nothing_else(own: Counts, others: Counts | None, halts: bool) -> None:
    look = look_at(1, 6, own, 0 if others is None else 6, others)
    assert is_to_halt(look, 0.01) is halts
    assert not is_to_halt(look_at(1, 2, own, 0, others), 0.01), "two devices say nothing"


def test_later_looks_ask_for_more() -> None:
    own = Counts(0, 84.0, 2, 2.0)
    assert is_to_halt(look_at(1, 6, own, 0, None), 0.01)
    assert not is_to_halt(look_at(4, 6, own, 0, None), 0.01)
    assert sum(0.01 / find_spent_p(1e-9, k) * 1e-9 for k in range(1, 10_000)) == pytest.approx(0.01, rel=1e-3)
    with pytest.raises(ValueError, match="from 1"):
        find_spent_p(0.5, 0)


def halts_by_chance(rng: np.random.Generator, rate: float, factor: float, allowed_p: float = DEFAULT_P) -> bool:
    """Whether a campaign of 30 devices is halted within seven days; breaches come by a constant rate per device-day,
    `factor` times as often after the upgrade."""
    before = rng.exponential(1.0 / rate, 30)
    after = rng.exponential(1.0 / (rate * factor), 30)
    due, number = FIRST_LOOK_HOURS, 0
    for day in np.arange(0.125, 7.01, 0.125):
        if day * 24 * 30 < due:
            continue
        number += 1
        due = find_next_look_hours(float(day * 24 * 30))
        own = Counts(
            int((before < 14).sum()), float(np.minimum(before, 14).sum()),
            int((after < day).sum()), float(np.minimum(after, day).sum()),
        )  # fmt: skip
        if is_to_halt(look_at(number, 30, own, 0, None), allowed_p):
            return True
    return False


def test_a_harmless_version_is_hardly_ever_halted_and_a_bad_one_nearly_always() -> None:
    rng = np.random.default_rng(7)
    harmless = sum(halts_by_chance(rng, rate, 1.0) for rate in (0.005, 0.02, 0.1) for _ in range(200))
    bad = sum(halts_by_chance(rng, 0.02, 10.0) for _ in range(100))
    assert harmless <= 20, "of 600, at 5 % at most"
    assert bad >= 95, "of 100"
