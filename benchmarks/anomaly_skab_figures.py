"""What SKAB counts: rows (F1, FAR, MAR) and change points (a NAB-like score), from alarms and labels alone.

Change points are judged as the benchmark's own evaluation does (the TSAD package, `evaluating_change_point` with
windows to the right): every flip of the alarm state is a detection; each labelled change opens a window of `WINDOW_S`,
cut short where the next one begins; the first detection in it is worth what a hyperbolic tangent gives between A_TP at
the window's begin and A_FP at its end; a window without one costs A_FN, a detection outside of all windows A_FP. 0 is a
detector that never speaks, 100 one that is immediate at every change.

Sources: Katser and Kozitsin 2020 (SKAB); Lavin and Ahmad 2015 (NAB).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import pi, tanh

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

WINDOW_S = 60.0
# What a find, a false one and a missed one are worth.
PROFILES = {"standard": (1.0, -0.11, -1.0), "low_fp": (1.0, -0.22, -1.0), "low_fn": (1.0, -0.11, -2.0)}


@dataclass(frozen=True, slots=True)
class Judged:
    """One recording after its warm-up; `at_s` in seconds, rising."""

    at_s: Floats
    fault: Bools
    change: Bools
    alarm: Bools


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows by label and alarm."""

    hit: int
    false: int
    missed: int
    quiet: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing is right."""
        return 2 * self.hit / max(2 * self.hit + self.false + self.missed, 1)

    @property
    def false_share(self) -> float:
        """FAR: share of the normal rows with an alarm."""
        return self.false / max(self.false + self.quiet, 1)

    @property
    def missed_share(self) -> float:
        """MAR: share of the faulty rows without one."""
        return self.missed / max(self.hit + self.missed, 1)


@dataclass(frozen=True, slots=True)
class ChangeFinds:
    """Of one recording: where in each window (0 begin .. 1 end) the first flip lies, None where there is none."""

    places: tuple[float | None, ...]
    outside: int


def count_rows(recordings: Iterable[Judged]) -> RowCounts:
    """The rows of all recordings, pooled."""
    hit = false = missed = quiet = 0
    for one in recordings:
        hit += int((one.fault & one.alarm).sum())
        false += int((~one.fault & one.alarm).sum())
        missed += int((one.fault & ~one.alarm).sum())
        quiet += int((~one.fault & ~one.alarm).sum())
    return RowCounts(hit, false, missed, quiet)


def find_changes(recording: Judged, window_s: float = WINDOW_S) -> ChangeFinds:
    """Which labelled changes the flips of the alarm state meet; an alarm in the first row is a flip."""
    flips = recording.at_s[np.diff(recording.alarm.astype(np.int8), prepend=0) != 0]
    begins = recording.at_s[recording.change]
    ends = begins + window_s
    ends[:-1] = np.minimum(ends[:-1], begins[1:])
    used = np.zeros(flips.shape[0], dtype=bool)
    places: list[float | None] = []
    for k, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        touches = k + 1 < begins.shape[0] and begins[k + 1] <= end  # what lies on the border is the next window's
        inside = (flips >= begin) & ((flips < end) if touches else (flips <= end))
        used |= inside
        places.append(float((flips[inside][0] - begin) / (end - begin)) if inside.any() else None)
    return ChangeFinds(tuple(places), int((~used).sum()))


def score_changes(finds: Sequence[ChangeFinds]) -> dict[str, float]:
    """The score of each profile, over the windows of all recordings; 0 where there are none."""
    windows = sum(len(one.places) for one in finds)
    outside = sum(one.outside for one in finds)
    scores: dict[str, float] = {}
    for name, (a_tp, a_fp, a_fn) in PROFILES.items():
        total = outside * a_fp
        for place in (p for one in finds for p in one.places):
            total += a_fn if place is None else _value_at(place, a_tp, a_fp)
        scores[name] = 100.0 * (total - windows * a_fn) / (windows * (a_tp - a_fn)) if windows else 0.0
    return scores


def _value_at(place: float, a_tp: float, a_fp: float) -> float:
    shape = -tanh(pi * (place - 0.5)) / tanh(pi / 2.0)  # 1 .. -1
    return (a_tp - a_fp) / 2.0 * shape + (a_tp + a_fp) / 2.0
