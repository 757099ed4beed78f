"""One column scored by itself: what is found, what is told once, and what must not matter."""

import numpy as np
import pytest

from anomaly.detectors.contract import Floats, Ints
from anomaly.offline.contract import ScoredTable
from anomaly.offline.univariate import News, score_univariate

MINUTE = 60_000_000
WEEK = 7 * 24 * 60 * MINUTE
MONDAY = 1_772_409_600_000_000
ROWS = 1_500
FAULT = 1_200


def _make_series(rows: int = ROWS, seed: int = 1) -> tuple[Ints, Floats]:
    """A daily rhythm with noise, every 20 minutes, and from row FAULT on three hours without it."""
    at_us = MONDAY + np.arange(rows, dtype=np.int64) * 20 * MINUTE
    day = 2 * np.pi * np.arange(rows) / 72
    values = 40.0 + 10.0 * np.sin(day) + np.random.default_rng(seed).normal(0, 0.5, rows)
    values[FAULT : FAULT + 9] = 62.0
    return at_us, values


def _score(at_us: Ints, values: Floats, warmup: int | None = None) -> ScoredTable:
    return score_univariate(["flow"], at_us, values.reshape(-1, 1), warmup)


@pytest.fixture(scope="module")
def scored() -> ScoredTable:
    return _score(*_make_series())


def test_a_planted_fault_is_told_once_and_at_its_first_reading(scored: ScoredTable) -> None:
    assert scored.alarm[FAULT]
    assert scored.state[FAULT] == "alarm"
    assert scored.score[FAULT] == scored.score[300:].max()
    assert scored.alarm[FAULT + 3 : FAULT + 60].sum() == 0
    assert scored.alarm[300:FAULT].sum() <= 4
    assert scored.detector[FAULT] in ("novelty.season", "novelty.level")
    assert scored.contributions[FAULT] == (("flow", 1.0),)


def test_warm_up_says_nothing(scored: ScoredTable) -> None:
    assert set(scored.state[:100]) == {"warming"}
    assert not scored.score[:100].any()
    later = _score(*_make_series(400), warmup=300)
    assert list(later.state[295:305]) == ["warming"] * 5 + ["normal"] * 5


@pytest.mark.parametrize("cut", [0, 1, 700, FAULT + 1])
def test_what_comes_later_changes_nothing(scored: ScoredTable, cut: int) -> None:
    at_us, values = _make_series()
    short = _score(at_us[:cut], values[:cut])
    assert short.score.tobytes() == scored.score[:cut].tobytes()
    assert np.array_equal(short.alarm, scored.alarm[:cut])


@pytest.mark.parametrize(("a", "b"), [(1_024.0, 0.0), (1.8, 32.0), (0.001, -273.15)])
def test_another_unit_changes_no_alarm(scored: ScoredTable, a: float, b: float) -> None:
    at_us, values = _make_series()
    assert np.array_equal(_score(at_us, a * values + b).alarm, scored.alarm)


def test_whole_weeks_later_it_is_the_same(scored: ScoredTable) -> None:
    at_us, values = _make_series()
    assert _score(at_us + 12 * WEEK, values).score.tobytes() == scored.score.tobytes()


def test_unusable_and_stuck_readings_are_held_not_judged(scored: ScoredTable) -> None:
    at_us, values = _make_series()
    values[500:510] = np.nan
    values[900:1_000] = values[899]
    found = _score(at_us, values)
    assert set(found.state[500:510]) == {"held"}
    assert found.state[999] == "held"
    assert not found.score[np.isin(found.state, ("held", "warming"))].any()
    assert found.alarm[FAULT]


def test_a_constant_series_raises_nothing() -> None:
    at_us, values = _make_series(600)
    found = _score(at_us, np.full_like(values, 37.0))
    assert not found.alarm.any()


def test_news_is_what_exceeds_what_was_told_a_moment_ago() -> None:
    news = News()
    for _ in range(100):
        assert news.tell(0.0) == 0.0
    assert news.tell(4.0) == 4.0
    assert news.tell(4.05) == 0.0
    assert news.tell(4.2) == 4.2
    # A tenth of what was seen later it is forgotten, and an equal score is news again.
    assert [news.tell(3.0) for _ in range(11)] == [0.0] * 11
    assert news.tell(3.0) == 3.0


def test_a_longer_warm_up_only_leaves_out_its_own_rows(scored: ScoredTable) -> None:
    warm = 600
    later = _score(*_make_series(), warmup=warm)
    assert set(later.state[:warm]) == {"warming"}
    assert not later.score[:warm].any()
    assert not later.alarm[:warm].any()
    assert later.score[warm:].tobytes() == scored.score[warm:].tobytes()
    assert np.array_equal(later.alarm[warm:], scored.alarm[warm:])
