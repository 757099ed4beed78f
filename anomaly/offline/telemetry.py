"""Scores a recorded signal with its commands: the first column is the signal, the others say what it was told to do.

The signal is judged against what it did before, whatever it was told to do; of the commands only a burst of ones never
met before counts. Their order is of no account, and without them the signal is judged alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from anomaly.detectors.channel import FAMILIES, ChannelDetector
from anomaly.detectors.contract import Bools, Floats, Ints
from anomaly.offline.contract import ScoredTable

DEFAULT_WARMUP = 500  # rows, where the caller names none
GAP = 10.0  # times the usual interval of the warm-up
MOST_NAMED = 5
Shares = tuple[tuple[str, float], ...]
DETECTORS = np.array([f"channel.{family}" for family in FAMILIES], dtype=object)


def score_telemetry(columns: Sequence[str], at_us: Ints, values: Floats, warmup: int | None) -> ScoredTable:
    """The scores of the first column of `values`; see `TableScorer`.

    A row without a value is held and takes no part. After a gap of ten usual intervals windows fill anew.
    """
    rows = values.shape[0]
    signal, commands = values[:, 0].astype(np.float64), values[:, 1:]
    usable = np.isfinite(signal)
    learnt = min(DEFAULT_WARMUP if warmup is None else warmup, rows)
    score, alarm = np.zeros(rows), np.zeros(rows, dtype=bool)
    state = np.full(rows, "warming", dtype=object)
    detector = np.full(rows, "", dtype=object)
    contributions: list[Shares] = [()] * rows
    state[~usable] = "held"

    follows_gap = _find_gaps(at_us, learnt)
    healthy = usable & (np.arange(rows) < learnt)
    if healthy.any():
        channel = ChannelDetector(signal[healthy], commands.shape[1])
        channel.learn_commands(commands[healthy])
        for part in _split(np.flatnonzero(healthy), follows_gap):
            channel.learn(signal[part])
            channel.restart()
        for part in _split(np.flatnonzero(usable & ~healthy), follows_gap):
            scored = channel.score_block(signal[part], commands[part])
            channel.restart()
            score[part], alarm[part] = scored.score, scored.alarm
            state[part] = np.where(scored.settling, "warming", np.where(scored.alarm, "alarm", "normal"))
            detector[part] = np.where(scored.evidence > 0.0, DETECTORS[scored.family], "")
            for k in np.flatnonzero(scored.evidence > 0.0).tolist():
                new = scored.commands.get(k, ())
                contributions[part[k]] = _name_shares(columns, new, scored.command_share[k])
    return ScoredTable(score, alarm, state, detector, contributions)


def _name_shares(columns: Sequence[str], new: Sequence[int], share: float) -> Shares:
    """The signal and the first four of the commands that were new, each by its part of the evidence."""
    found = [(columns[0], 1.0 - share), *((columns[1 + k], share / len(new)) for k in new[: MOST_NAMED - 1])]
    return tuple(sorted((part for part in found if part[1] > 0.0), key=lambda part: -part[1]))


def _find_gaps(at_us: Ints, learnt: int) -> Bools:
    """True for each row that comes later than it should after the row before it."""
    follows_gap = np.zeros(at_us.shape[0], dtype=bool)
    usual = np.median(np.diff(at_us[:learnt])) if learnt > 1 else 0.0
    if usual > 0.0:
        follows_gap[1:] = np.diff(at_us) > GAP * usual
    return follows_gap


def _split(rows: Ints, follows_gap: Bools) -> Iterator[Ints]:
    """Parts of `rows` with no gap within."""
    if rows.size:
        gaps = np.cumsum(follows_gap)[rows]
        yield from np.split(rows, np.flatnonzero(np.diff(gaps)) + 1)
