"""How many long jobs may wait."""

import pytest

from domain.long_jobs import MOST_OPEN, MOST_OPEN_EACH, QueueGuard, find_queue_refusal


@pytest.mark.parametrize(
    ("open_jobs", "own", "guard"),
    [
        (0, 0, None),
        (MOST_OPEN - 1, MOST_OPEN_EACH - 1, None),
        (MOST_OPEN_EACH, MOST_OPEN_EACH, QueueGuard.TOO_MANY_JOBS_OF_YOURS),
        (MOST_OPEN, 0, QueueGuard.TOO_MANY_JOBS),
        (MOST_OPEN + 7, MOST_OPEN_EACH - 1, QueueGuard.TOO_MANY_JOBS),
        # What a person can do something about is said first.
        (MOST_OPEN, MOST_OPEN_EACH, QueueGuard.TOO_MANY_JOBS_OF_YOURS),
    ],
)
def test_one_more_is_refused_at_the_limit(open_jobs: int, own: int, guard: QueueGuard | None) -> None:
    refusal = find_queue_refusal(open_jobs, own)
    assert (None if refusal is None else refusal[0]) is guard
    if refusal is not None:
        assert str(own if guard is QueueGuard.TOO_MANY_JOBS_OF_YOURS else open_jobs) in refusal[1]
