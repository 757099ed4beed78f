"""Score roll-ups: largest, mean and number of the scores of a series by minute of event time and monitor."""

from collections.abc import Sequence
from dataclasses import dataclass

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
            "largest": [s.max_score for s in scores],
            "means": [s.mean_score for s in scores],
            "counts": [s.n for s in scores],
        },
    )
