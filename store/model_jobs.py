"""Training and backtests as rows: asked for by people, run one after the other by a worker, followed by all.

Who runs a job holds an advisory lock on it for as long as its session lives. A worker that is told to stop hands its
job back, and the next one begins it again, however often that happens. A job that is RUNNING and that nobody holds was
left behind by a worker that died: it is begun again, too, behind those that nobody died of, until MOST_ATTEMPTS died.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from store.audit import to_jsonb
from store.pool import Connection

JOB_LOCKS = 0x464F524A  # "FORJ"
MOST_ATTEMPTS = 10  # that were not handed back: a job that kills its worker each time must end


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
    started_at: datetime | None
    finished_at: datetime | None


_SELECT = """
    SELECT j.id, j.kind, j.model_id, r.code AS model_code, j.request, j.requested_by, j.requested_at, j.state,
        j.attempts, j.progress, j.seconds_left, j.message, j.result, j.error, j.started_at, j.finished_at
    FROM model_job j LEFT JOIN model_record r ON r.id = j.model_id
"""
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


LOAD_JOB = f"{_SELECT} WHERE j.id = %s"


def load_job(conn: Connection, job_id: int) -> ModelJob | None:
    """The job of that id, or None."""
    with conn.cursor(row_factory=class_row(ModelJob)) as cursor:
        return cursor.execute(LOAD_JOB, (job_id,)).fetchone()


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


LOAD_JOBS = f"{_SELECT} WHERE (%(before)s::bigint IS NULL OR j.id < %(before)s) ORDER BY j.id DESC LIMIT %(limit)s"


def load_jobs(conn: Connection, *, before_id: int | None = None, limit: int = 50) -> list[ModelJob]:
    """Jobs newest first."""
    with conn.cursor(row_factory=class_row(ModelJob)) as cursor:
        return cursor.execute(LOAD_JOBS, {"before": before_id, "limit": limit}).fetchall()


IS_WORK_WAITING = """
    SELECT EXISTS (SELECT FROM model_job j WHERE j.state = 'QUEUED' OR j.state = 'RUNNING' AND NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = j.id::integer
            AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))
"""


def is_work_waiting(conn: Connection) -> bool:
    """Whether there is a job that nobody runs."""
    row = conn.execute(IS_WORK_WAITING, (JOB_LOCKS,)).fetchone()
    return row is not None and bool(row[0])


LOAD_CANDIDATES = """
    SELECT id FROM model_job
    WHERE state IN ('QUEUED', 'RUNNING') AND (%(id)s::bigint IS NULL OR id = %(id)s) ORDER BY attempts, id
"""
TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
UNLOCK = "SELECT pg_advisory_unlock(%s, %s)"
BEGIN_JOB = """
    UPDATE model_job SET
        state = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN 'FAILED' ELSE 'RUNNING' END,
        error = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s
            THEN format('%%s workers died while they ran it; ask for it anew.', attempts) END,
        finished_at = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN now() END,
        attempts = least(attempts + 1, %(most)s), started_at = now(), progress = 0, seconds_left = NULL, message = ''
    WHERE id = %(id)s AND state IN ('QUEUED', 'RUNNING') RETURNING state
"""


def begin_job(conn: Connection, job_id: int | None = None) -> ModelJob | None:
    """The oldest job that nobody runs (or just that one), which this session runs from now on; None: there is none.

    The connection has to be in autocommit and to be kept until `release_job`.
    """
    for (candidate,) in conn.execute(LOAD_CANDIDATES, {"id": job_id}).fetchall():
        locked = conn.execute(TRY_LOCK, (JOB_LOCKS, candidate)).fetchone()
        if locked is None or not locked[0]:
            continue
        begun = conn.execute(BEGIN_JOB, {"id": candidate, "most": MOST_ATTEMPTS}).fetchone()
        if begun is not None and begun[0] == "RUNNING":
            return load_job(conn, candidate)
        conn.execute(UNLOCK, (JOB_LOCKS, candidate))
    return None


NOTE_PROGRESS = """
    UPDATE model_job SET progress = %(progress)s, seconds_left = %(left)s, message = %(message)s
    WHERE id = %(id)s AND state = 'RUNNING'
"""


def note_progress(conn: Connection, job_id: int, progress: float, seconds_left: float | None, message: str) -> None:
    """Says how far the job is."""
    conn.execute(NOTE_PROGRESS, {"id": job_id, "progress": progress, "left": seconds_left, "message": message})


FINISH_JOB = """
    UPDATE model_job SET state = %(state)s, result = %(result)s, error = %(error)s, model_id = coalesce(%(model_id)s,
        model_id), progress = CASE WHEN %(state)s = 'DONE' THEN 1 ELSE progress END, seconds_left = NULL,
        message = coalesce(%(message)s, message), finished_at = now()
    WHERE id = %(id)s AND state = 'RUNNING'
"""


def finish_job(
    conn: Connection,
    job_id: int,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    model_id: int | None = None,
    message: str | None = None,
) -> None:
    """The job is done with its result, or has failed with its error. What it made is registered in the same
    transaction: a worker that dies leaves both or nothing."""
    values = {
        "id": job_id,
        "state": "DONE" if error is None else "FAILED",
        "result": to_jsonb(result),
        "error": error,
        "model_id": model_id,
        "message": message,
    }
    conn.execute(FINISH_JOB, values)


def release_job(conn: Connection, job_id: int) -> None:
    """This session holds the job no more; call it after what `finish_job` wrote is committed."""
    conn.execute(UNLOCK, (JOB_LOCKS, job_id))


HAND_BACK_JOB = """
    UPDATE model_job SET state = 'QUEUED', attempts = attempts - 1, started_at = NULL, progress = 0,
        seconds_left = NULL, message = ''
    WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
"""


def hand_back_job(conn: Connection, job: ModelJob) -> None:
    """The job that `begin_job` gave waits again as if it had never been begun, unless it is finished or somebody else
    has begun it since. From any session: that which ran it may be in the midst of something."""
    conn.execute(HAND_BACK_JOB, {"id": job.id, "attempts": job.attempts})
