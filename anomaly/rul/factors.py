"""The few hidden states of wear that all sensors follow, and what each row says about them, whatever its regime.

A factor analysis with loadings of their own in every regime: a sensor reads mean + loading x state + noise. A row
gives a precision matrix J and a vector b with J x state = b; rows are pooled by adding both up, so a row of a noisy
regime, or one with sensors missing, counts for as little as it says.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_FACTORS = 6
MIN_SIGNAL = 0.5  # variance of the means over 10 rows, in units of the noise of one row
POOLED_ROWS = 10
HALF_WIDTH = 10  # rows to either side that are smoothed over while the loadings are found
ROUNDS = 4
MIN_ROWS = 20  # of a regime, for means of its own
FARTHEST = 10.0  # standardised values beyond it are cut: one wild reading is no state of wear
MIN_NOISE = 1e-3  # of a sensor's variance: rounding makes noise look smaller than it is
RIDGE = 0.05  # precision of the prior, in units of the training rows' state


@dataclass(frozen=True, slots=True)
class Factors:
    """What turns rows into evidence about the state.

    Attributes
    ----------
    places
        Columns of the table that are used.
    mean, scale
        Of each sensor in each regime, shape (regimes, sensors).
    offset, loading, precision
        Of the standardised sensors: shapes (regimes, sensors), (regimes, sensors, states), (regimes, sensors). A
        precision of 0: the sensor says nothing in that regime.
    """

    places: Ints
    mean: Floats
    scale: Floats
    offset: Floats
    loading: Floats
    precision: Floats

    @property
    def count(self) -> int:
        """How many states there are."""
        return int(self.loading.shape[2])

    def find_evidence(self, values: Floats, regime: Ints) -> tuple[Floats, Floats]:
        """J and b of every row, shapes (rows, states, states) and (rows, states); zero for rows of unknown regime."""
        states = self.count
        precision = np.zeros((values.shape[0], states, states))
        vector = np.zeros((values.shape[0], states))
        for r in range(self.mean.shape[0]):
            rows = np.flatnonzero(regime == r)
            z = _standardise(values[np.ix_(rows, self.places)], self.mean[r], self.scale[r])
            weight = np.where(np.isfinite(z), self.precision[r], 0.0)
            residual = np.where(np.isfinite(z), z - self.offset[r], 0.0)
            squares = self.loading[r][:, :, None] * self.loading[r][:, None, :]
            precision[rows] = np.tensordot(weight, squares, axes=(1, 0))
            vector[rows] = (residual * weight) @ self.loading[r]
        return precision, vector


def fit_factors(values: Floats, regime: Ints, starts: Ints, settings: Ints, regimes: int) -> Factors | None:
    """States that stand out of the noise, the same whatever the units of the sensors; None if no sensor moves at all.

    The first guess are the directions of the largest ratio of slow variance to the noise between neighbouring rows;
    then loadings and states are found in turn. A state is oriented so that it rises as units age.

    Source: Switzer and Green 1984 (maximum autocorrelation factors), Lawley and Maxwell 1971 (factor analysis),
    Rubin and Thayer 1982 (in turn).
    """
    places = np.setdiff1d(np.arange(values.shape[1]), settings)
    mean, scale = _find_moments(values[:, places], regime, regimes)
    usable = (scale > 0).any(axis=0)
    if not usable.any():
        return None
    places, mean, scale = places[usable], mean[:, usable], scale[:, usable]
    z = np.full((values.shape[0], places.size), np.nan)
    for r in range(regimes):
        rows = np.flatnonzero(regime == r)
        z[rows] = _standardise(values[np.ix_(rows, places)], mean[r], scale[r])
    state = _find_first_guess(z, starts)
    states = state.shape[1]
    offset = np.zeros((regimes, places.size))
    loading = np.zeros((regimes, places.size, states))
    precision = np.zeros((regimes, places.size))
    ends = np.repeat(starts[1:], np.diff(starts))
    begins = np.repeat(starts[:-1], np.diff(starts))
    identity = np.broadcast_to(np.eye(states), (z.shape[0], states, states))
    state = _smooth(identity, state, begins, ends)
    for _ in range(ROUNDS):
        state = state - state.mean(axis=0)
        spread = np.cov(state.T).reshape(states, states) + 1e-9 * np.eye(states)
        state = np.linalg.solve(np.linalg.cholesky(spread), state.T).T
        for r in range(regimes):
            rows = regime == r
            for j in range(places.size):
                seen = rows & np.isfinite(z[:, j])
                if scale[r, j] <= 0 or seen.sum() < MIN_ROWS:
                    continue
                design = np.column_stack((np.ones(int(seen.sum())), state[seen]))
                found, *_ = np.linalg.lstsq(design, z[seen, j], rcond=None)
                noise = float(np.mean((z[seen, j] - design @ found) ** 2))
                offset[r, j], loading[r, j] = found[0], found[1:]
                precision[r, j] = 1.0 / max(noise, MIN_NOISE)
        factors = Factors(places.astype(np.int64), mean, scale, offset, loading, precision)
        state = _smooth(*factors.find_evidence(values, regime), begins, ends)
    return factors


def find_state(precision: Floats, vector: Floats) -> Floats:
    """The most likely state for summed evidence, shape (rows, states)."""
    ridge = RIDGE * np.eye(vector.shape[1])
    return np.asarray(np.linalg.solve(precision + ridge, vector[..., None])[..., 0])


def _standardise(values: Floats, mean: Floats, scale: Floats) -> Floats:
    """NaN where a sensor is constant in the regime; rounded, so that another unit of a column changes nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, (values - mean) / scale, np.nan)
    return np.round(np.clip(z, -FARTHEST, FARTHEST), 6)


def _find_moments(values: Floats, regime: Ints, regimes: int) -> tuple[Floats, Floats]:
    """Mean and spread by regime; a spread of 0 where the sensor is constant there or hardly ever seen."""
    mean = np.zeros((regimes, values.shape[1]))
    scale = np.zeros((regimes, values.shape[1]))
    for r in range(regimes):
        for j in range(values.shape[1]):
            seen = values[(regime == r) & np.isfinite(values[:, j]), j]
            if seen.size >= MIN_ROWS:
                centre = float(seen.mean())
                spread = float(np.sqrt(np.mean((seen - centre) ** 2)))
                if spread > 1e-9 * max(float(np.abs(seen).max()), 1e-300):
                    mean[r, j], scale[r, j] = centre, spread
    return mean, scale


def _find_first_guess(z: Floats, starts: Ints) -> Floats:
    filled = np.where(np.isfinite(z), z, 0.0)
    inner = np.ones(z.shape[0], dtype=np.bool_)
    inner[starts[:-1]] = False
    step = filled[1:][inner[1:]] - filled[:-1][inner[1:]]
    sensors = z.shape[1]
    noise = step.T @ step / max(2 * step.shape[0], 1)
    noise += np.eye(sensors) * (1e-3 * float(np.trace(noise)) / sensors + 1e-9)
    means = np.empty_like(filled)
    for first, last in pairwise(starts):
        total = np.concatenate((np.zeros((1, sensors)), np.cumsum(filled[first:last], axis=0)))
        row = np.arange(last - first)
        low = np.maximum(row + 1 - POOLED_ROWS, 0)
        means[first:last] = (total[row + 1] - total[low]) / (row + 1 - low)[:, None]
    signal, direction = scipy.linalg.eigh(np.cov(means.T).reshape(sensors, sensors), noise)
    order = np.argsort(-signal, kind="stable")
    count = int(np.clip((signal > MIN_SIGNAL).sum(), 1, min(MAX_FACTORS, sensors)))
    state = filled @ direction[:, order[:count]]
    age = np.concatenate([np.linspace(0.0, 1.0, int(n)) for n in np.diff(starts)])
    rising = (age - age.mean()) @ (state - state.mean(axis=0))
    return np.asarray(state * np.where(rising < 0, -1.0, 1.0))


def _smooth(precision: Floats, vector: Floats, begins: Ints, ends: Ints) -> Floats:
    """The state from each row's neighbours of the same unit, before and after: for fitting alone, never to predict."""
    states = vector.shape[1]
    row = np.arange(vector.shape[0])
    low, high = np.maximum(row - HALF_WIDTH, begins), np.minimum(row + HALF_WIDTH + 1, ends)
    summed = np.concatenate((np.zeros((1, states, states)), np.cumsum(precision, axis=0)))
    added = np.concatenate((np.zeros((1, states)), np.cumsum(vector, axis=0)))
    return find_state(summed[high] - summed[low], added[high] - added[low])
