"""How many long jobs (runs of the lab, trainings, backtests) may wait: whoever asks for more is told why not. Pure."""

from enum import StrEnum

# Of each kind. A job takes minutes of one core, and they are run one after the other.
MOST_OPEN, MOST_OPEN_EACH = 100, 20


class QueueGuard(StrEnum):
    """The rule that refused another job, or to call one off; a 409 names it. Values never change."""

    TOO_MANY_JOBS = "too_many_jobs"
    TOO_MANY_JOBS_OF_YOURS = "too_many_jobs_of_yours"
    JOB_IS_OVER = "job_is_over"


def find_queue_refusal(open_jobs: int, own: int) -> tuple[QueueGuard, str] | None:
    """The guard that refuses another job where so many have not ended, `own` of them the asker's, and why; or None."""
    if own >= MOST_OPEN_EACH:
        return QueueGuard.TOO_MANY_JOBS_OF_YOURS, f"You have asked for {own} that have not ended; more are not taken."
    if open_jobs >= MOST_OPEN:
        return QueueGuard.TOO_MANY_JOBS, f"{open_jobs} wait to be run; no more are taken before some have ended."
    return None
