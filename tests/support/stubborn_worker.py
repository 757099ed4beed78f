"""A worker that says where it is once and then nothing more; asked to, it does not even end when it is told to, or goes
on to say words of progress and never comes to an end by itself."""

import itertools
import signal
import time

from anomaly.job_worker import run_claimed, serve
from anomaly.training.progress import Step, Tell
from store.model_jobs import MODEL_JOBS, ModelJob
from store.pool import Connection


def hang(conn: Connection, job: ModelJob) -> str | None:
    """Never returns, but where it is talkative and called off."""
    if job.request.get("is_deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if job.request.get("is_talkative"):
        return run_claimed(conn, MODEL_JOBS, job, talk)
    MODEL_JOBS.note_progress(conn, job.id, 0.5, None, "half")
    while True:
        time.sleep(600)


def talk(tell: Tell) -> None:
    """One word after the other, each with its number."""
    for number in itertools.count(1):
        tell(Step(0.5, None, str(number)))
        time.sleep(0.01)


if __name__ == "__main__":
    serve(MODEL_JOBS, hang, niceness=0)
