"""Score roll-ups: largest, mean and number of the scores of a series by minute of event time and monitor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class MinuteScore:
    """The scores of one minute; `detector` is the key of the monitor that gave them."""

    series_id: int
    minute_us: int
    detector: str
    max_score: float
    mean_score: float
    n: int


RECORD_SCORES = """
    INSERT INTO score_rollup AS old (series_id, minute, detector, max_score, mean_score, n)
    SELECT series_id, to_timestamp(minute_us / 1000000), detector, max_score, mean_score, n
    FROM unnest(%(series)s::int[], %(minutes)s::bigint[], %(detectors)s::text[], %(largest)s::real[],
        %(means)s::real[], %(counts)s::int[]) AS new (series_id, minute_us, detector, max_score, mean_score, n)
    ON CONFLICT (series_id, detector, minute) DO UPDATE SET
        max_score = greatest(old.max_score, excluded.max_score),
        mean_score = (old.mean_score * old.n + excluded.mean_score * excluded.n) / (old.n + excluded.n),
        n = old.n + excluded.n
"""


def record_scores(conn: Connection, scores: Sequence[MinuteScore]) -> None:
    """Adds these minutes; a minute that is there already (after a restart without state) is joined with it.

    The same series, detector and minute may stand in `scores` once only.
    """
    if not scores:
        return
    conn.execute(
        RECORD_SCORES,
        {
            "series": [s.series_id for s in scores],
            "minutes": [s.minute_us for s in scores],
            "detectors": [s.detector for s in scores],
            "largest": _to_reals([s.max_score for s in scores]).tolist(),
            "means": _to_reals([s.mean_score for s in scores]).tolist(),
            "counts": [s.n for s in scores],
        },
    )


# PostgreSQL refuses what a `real` cannot hold, at the small end too, and with it the whole round. The margin is for the
# mean of two means, which is computed there.
_LEAST = 1e-30
_MOST = 1e38


def _to_reals(scores: Sequence[float]) -> NDArray[np.float64]:
    """The scores as a `real` can hold them: what is smaller than any score that matters is 0."""
    values = np.array(scores, dtype=np.float64)
    values[np.abs(values) < _LEAST] = 0.0
    return values.clip(-_MOST, _MOST)
