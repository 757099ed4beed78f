"""The worker of the lab: takes the runs that wait, as `anomaly.job_worker` does.

python -m lab.worker        # FOREWARN_DATABASE_URL names the database
"""

from anomaly.job_worker import CalledOffError, run_claimed, serve
from anomaly.training.progress import Progress, Step, Tell
from domain.lab import request_from_json
from lab.run import run_lab
from store.lab_runs import LAB_RUNS, LabRun, load_judged_profile
from store.pool import Connection

NICENESS = 15
TOLD_FROM = 0.05  # of a run, before it is said how long the rest takes


def run_asked(conn: Connection, run: LabRun) -> str | None:
    """Runs what was asked of the lab, and records what came of it: None, or why nothing did."""

    def work(tell: Tell) -> None:
        profile = load_judged_profile(conn, run.code)
        assert profile is not None
        progress = Progress(lambda step: tell(_hide_first_guess(step)))
        result = run_lab(request_from_json(run.request), profile, progress.note)
        if not LAB_RUNS.finish(conn, run.id, result=result):
            raise CalledOffError

    return run_claimed(conn, LAB_RUNS, run, work)


def _hide_first_guess(step: Step) -> Step:
    # All devices are new at first, and send most then: what the rest takes cannot be told from it.
    return Step(step.share, None, step.message) if step.share < TOLD_FROM else step


if __name__ == "__main__":
    serve(LAB_RUNS, run_asked, niceness=NICENESS)
