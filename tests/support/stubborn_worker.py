"""A worker that says where it is once and then nothing more; asked to, it does not even end when it is told to."""

import signal
import time

from anomaly.job_worker import serve
from store.model_jobs import MODEL_JOBS, ModelJob
from store.pool import Connection


def hang(conn: Connection, job: ModelJob) -> str | None:
    """Never returns."""
    if job.request.get("is_deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    MODEL_JOBS.note_progress(conn, job.id, 0.5, None, "half")
    while True:
        time.sleep(600)


if __name__ == "__main__":
    serve(MODEL_JOBS, hang, niceness=0)
