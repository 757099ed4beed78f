"""Settings are told from sensors by the data alone, and rows belong to the regime they are set to."""

import numpy as np

from anomaly.rul.regimes import UNKNOWN, find_settings, fit_regimes

UNITS, ROWS = 8, 100
STARTS = np.arange(UNITS + 1, dtype=np.int64) * ROWS
CYCLE = np.tile(np.arange(1.0, ROWS + 1), UNITS)
WEAR = (CYCLE / ROWS) ** 2


def _make_columns(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A load of four levels and the columns load, height (follows load), heat, force (read with load), counter."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 1.0, (6, CYCLE.size))
    level = rng.integers(0, 4, CYCLE.size)
    load = level * 10.0 + 0.002 * noise[0]
    height = level * 5.0
    heat = 500.0 + 30.0 * level + 3.0 * WEAR + 0.5 * noise[1]
    force = 100.0 - 20.0 * level + 2.0 * WEAR + 0.5 * noise[2]
    worn = 1000.0 * level + 4.0 * WEAR + noise[3]  # tight levels, but what it reads within a level is wear
    return level, np.column_stack((load, height, heat, force, worn))


def test_a_setting_is_found_and_what_follows_it_is_no_second_one() -> None:
    _, values = _make_columns(1)
    assert find_settings(values, CYCLE, STARTS) == (0,)


def test_a_sensor_whose_levels_hold_wear_is_no_setting() -> None:
    _, values = _make_columns(1)
    assert find_settings(values[:, 2:], CYCLE, STARTS) == ()


def test_two_settings_that_only_together_tell_regimes_apart() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2, CYCLE.size) * 1.0, rng.integers(0, 3, CYCLE.size) * 1.0
    sensors = [10.0 * a + 7.0 * b + WEAR + rng.normal(0.0, 0.3, CYCLE.size) for _ in range(3)]
    assert find_settings(np.column_stack((a, b, *sensors)), CYCLE, STARTS) == (0, 1)


def test_a_step_that_follows_age_and_a_flag_that_moves_nothing_are_no_settings() -> None:
    rng = np.random.default_rng(3)
    stage = np.floor(WEAR * 3.99)
    flag = rng.integers(0, 2, CYCLE.size) * 1.0
    sensors = [WEAR + rng.normal(0.0, 0.1, CYCLE.size) for _ in range(3)]
    assert find_settings(np.column_stack((stage, flag, *sensors)), CYCLE, STARTS) == ()


def test_rows_belong_to_their_level_and_strange_ones_to_none() -> None:
    level, values = _make_columns(4)
    regimes = fit_regimes(values, (0,), seed=1)
    found = regimes.find_regimes(values)
    assert regimes.count == 4
    assert len(set(zip(level.tolist(), found.tolist(), strict=True))) == 4
    strange = values[:3].copy()
    strange[0, 0], strange[1, 0] = 17.0, np.nan
    assert regimes.find_regimes(strange).tolist() == [UNKNOWN, UNKNOWN, found[2]]


def test_other_units_of_the_settings_change_nothing() -> None:
    _, values = _make_columns(5)
    plain = fit_regimes(values, (0,), seed=1).find_regimes(values)
    other = values * 1.8 + 32.0
    assert np.array_equal(fit_regimes(other, (0,), seed=1).find_regimes(other), plain)


def test_without_settings_there_is_one_regime() -> None:
    _, values = _make_columns(6)
    regimes = fit_regimes(values, (), seed=1)
    assert regimes.count == 1
    assert not regimes.find_regimes(values).any()


def test_a_setting_without_levels_is_cut_into_a_few_regimes() -> None:
    values = np.random.default_rng(7).uniform(0.0, 1.0, (2_000, 1))
    regimes = fit_regimes(values, (0,), seed=1)
    assert 2 <= regimes.count <= 12
    assert (regimes.find_regimes(values) >= 0).all()
