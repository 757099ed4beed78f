"""Training and backtests as rows of the queue `MODEL_JOBS`; `store.job_queue` says how they wait, run and end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_model import model_job_cancelled
from store.audit import record_audit, to_jsonb
from store.job_queue import JobQueue
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ModelJob:
    """One piece of long work; `progress` 0..1, `seconds_left` an estimate."""

    id: int
    kind: str
    model_id: int | None
    model_code: str | None
    request: Mapping[str, Any]
    requested_by: str
    requested_at: datetime
    state: str
    attempts: int
    progress: float
    seconds_left: float | None
    message: str
    result: Mapping[str, Any] | None
    error: str | None
    cancelled_by: str | None
    cancel_reason: str | None
    started_at: datetime | None
    finished_at: datetime | None


_SELECT = """
    SELECT j.id, j.kind, j.model_id, r.code AS model_code, j.request, j.requested_by, j.requested_at, j.state,
        j.attempts, j.progress, j.seconds_left, j.message, j.result, j.error, j.cancelled_by,
        j.cancel_reason, j.started_at, j.finished_at
    FROM model_job j LEFT JOIN model_record r ON r.id = j.model_id
"""
# Told to stop with its program, a worker hands its job back: that ten die of one means that it kills them.
MODEL_JOBS = JobQueue("model_job", _SELECT, ModelJob, locks=0x464F524A, most_attempts=10)  # "FORJ"

OPEN_JOB = """
    INSERT INTO model_job (kind, model_id, request, requested_by) VALUES (%(kind)s, %(model_id)s, %(request)s, %(by)s)
    RETURNING id
"""


def open_job(conn: Connection, kind: str, request: Mapping[str, Any], by: str, model_id: int | None = None) -> int:
    """Queues the work and gives its id."""
    values = {"kind": kind, "model_id": model_id, "request": to_jsonb(request), "by": by}
    row = conn.execute(OPEN_JOB, values).fetchone()
    assert row is not None
    return int(row[0])


def cancel_job(conn: Connection, actor: Actor, job: ModelJob, reason: str, now: datetime) -> bool:
    """The job ends without a result, audited; False where it has ended already."""
    if not MODEL_JOBS.cancel(conn, job.id, by=actor.name, reason=reason, now=now):
        return False
    record_audit(conn, actor, model_job_cancelled(job.kind, job.id, reason))
    return True


LOAD_OPEN_JOBS = f"{_SELECT} WHERE j.state IN ('QUEUED', 'RUNNING') ORDER BY j.id"


def load_open_jobs(conn: Connection) -> list[ModelJob]:
    """All that wait or run, the oldest first."""
    with conn.cursor(row_factory=class_row(ModelJob)) as cursor:
        return cursor.execute(LOAD_OPEN_JOBS).fetchall()


LOAD_NEWEST_BACKTEST = f"{_SELECT} WHERE j.model_id = %s AND j.kind = 'backtest' ORDER BY j.id DESC LIMIT 1"


def load_newest_backtest(conn: Connection, model_id: int) -> ModelJob | None:
    """The backtest of the model that was asked for last, whatever became of it."""
    with conn.cursor(row_factory=class_row(ModelJob)) as cursor:
        return cursor.execute(LOAD_NEWEST_BACKTEST, (model_id,)).fetchone()


LOAD_MONITOR_BACKTESTS = f"""
    {_SELECT}
    WHERE j.kind = 'backtest' AND j.request ->> 'model' = %(model)s AND j.request ->> 'monitor' = %(monitor)s
    ORDER BY j.id DESC LIMIT %(limit)s
"""


def load_monitor_backtests(conn: Connection, model: str, monitor: str, *, limit: int) -> list[ModelJob]:
    """What people asked of other thresholds of that monitor, newest first."""
    with conn.cursor(row_factory=class_row(ModelJob)) as cursor:
        values = {"model": model, "monitor": monitor, "limit": limit}
        return cursor.execute(LOAD_MONITOR_BACKTESTS, values).fetchall()


NOTE_MADE = "UPDATE model_job SET model_id = %(model_id)s, message = %(message)s WHERE id = %(id)s"


def note_made(conn: Connection, job_id: int, model_id: int, message: str) -> None:
    """The job made that model; in the transaction that registers it and finishes the job."""
    conn.execute(NOTE_MADE, {"id": job_id, "model_id": model_id, "message": message})
