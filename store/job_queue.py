"""Long jobs as rows of a table: asked for by people, run one after the other by workers, followed by all.

    QUEUED -> RUNNING -> DONE | FAILED; either of the first two -> CANCELLED

Who runs a job holds an advisory lock on it for as long as its session lives, and writes through that session alone: the
lock is lease and heartbeat in one. The database lets go of it when the session ends, within seconds where the process
was killed and within half a minute where its machine vanished (`store.pool`); who has lost the lock can write no more.

A job that is RUNNING and that nobody holds was left behind by a worker that died. It is begun again, behind those that
nobody died of, until as many workers died as its queue allows; then it has FAILED. A worker that is told to stop hands
its job back, which counts for nothing. One that is called off ends at its worker's next word of progress,
or is ended by the program that started the worker (`anomaly.job_runner`), as are those that say nothing any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from psycopg.rows import class_row

from domain.errors import GuardRefusedError
from domain.long_jobs import find_queue_refusal
from store.audit import to_jsonb
from store.pool import Connection


class JobRow(Protocol):
    """What every job is; `attempts` counts how often it was begun and not handed back."""

    @property
    def id(self) -> int: ...
    @property
    def attempts(self) -> int: ...


Job = TypeVar("Job", bound=JobRow)


@dataclass(frozen=True, slots=True)
class JobQueue(Generic[Job]):
    """The jobs of `table`, which `select` reads as `row_type` under the name `j`.

    `locks` is the first key of the advisory locks, a number of its own for each queue; a job that `most_attempts`
    workers died of has failed.
    """

    table: str
    select: str
    row_type: type[Job]
    locks: int
    most_attempts: int

    def load(self, conn: Connection, job_id: int) -> Job | None:
        """The job of that id, or None."""
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            return cursor.execute(f"{self.select} WHERE j.id = %s".encode(), (job_id,)).fetchone()

    def load_page(self, conn: Connection, *, before_id: int | None = None, limit: int = 50) -> list[Job]:
        """Jobs, the newest first."""
        query = f"""
            {self.select} WHERE (%(before)s::bigint IS NULL OR j.id < %(before)s) ORDER BY j.id DESC LIMIT %(limit)s
        """
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            return cursor.execute(query.encode(), {"before": before_id, "limit": limit}).fetchall()

    def verify_room(self, conn: Connection, by: str) -> None:
        """Returns when `by` may ask for another job; whoever else wants to know waits until the transaction ends.

        Raises
        ------
        GuardRefusedError
            Too many have not ended; `guard` is a value of `domain.long_jobs.QueueGuard`.
        """
        conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (self.locks,))  # no job has the id 0
        query = f"""
            SELECT count(*), count(*) FILTER (WHERE requested_by = %s) FROM {self.table}
            WHERE state IN ('QUEUED', 'RUNNING')
        """  # noqa: S608
        row = conn.execute(query.encode(), (by,)).fetchone()
        assert row is not None
        if refusal := find_queue_refusal(*row):
            raise GuardRefusedError(*refusal)

    def is_waiting(self, conn: Connection) -> bool:
        """Whether there is a job that nobody is at."""
        query = f"""
            SELECT EXISTS (SELECT FROM {self.table} j WHERE j.state = 'QUEUED' OR j.state = 'RUNNING' AND NOT EXISTS (
                SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = j.id::integer
                    AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database
                        WHERE datname = current_database())))
        """  # noqa: S608
        row = conn.execute(query.encode(), (self.locks,)).fetchone()
        return row is not None and bool(row[0])

    def begin(self, conn: Connection, job_id: int | None = None) -> Job | None:
        """The oldest job that nobody is at, or just that one: this session runs it from now on. None: there is none.

        The connection has to be in autocommit and to be kept until `release`.
        """
        candidates = f"""
            SELECT id FROM {self.table}
            WHERE state IN ('QUEUED', 'RUNNING') AND (%(id)s::bigint IS NULL OR id = %(id)s) ORDER BY attempts, id
        """  # noqa: S608
        begin = f"""
            UPDATE {self.table} SET
                state = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN 'FAILED' ELSE 'RUNNING' END,
                error = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s
                    THEN format('%%s workers died while they ran it; ask for it anew.', attempts) END,
                finished_at = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN now() END,
                attempts = least(attempts + 1, %(most)s), started_at = now(), progress = 0, seconds_left = NULL,
                message = ''
            WHERE id = %(id)s AND state IN ('QUEUED', 'RUNNING') RETURNING state
        """  # noqa: S608
        for (candidate,) in conn.execute(candidates.encode(), {"id": job_id}).fetchall():
            locked = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (self.locks, candidate)).fetchone()
            if locked is None or not locked[0]:
                continue
            begun = conn.execute(begin.encode(), {"id": candidate, "most": self.most_attempts}).fetchone()
            if begun is not None and begun[0] == "RUNNING":
                return self.load(conn, candidate)
            self.release(conn, candidate)
        return None

    def note_progress(
        self, conn: Connection, job_id: int, progress: float, seconds_left: float | None, message: str
    ) -> bool:
        """Says how far the job is; False: nobody wants it any more."""
        query = f"""
            UPDATE {self.table} SET progress = %(progress)s, seconds_left = %(left)s, message = %(message)s
            WHERE id = %(id)s AND state = 'RUNNING' RETURNING id
        """  # noqa: S608
        values = {"id": job_id, "progress": progress, "left": seconds_left, "message": message}
        return conn.execute(query.encode(), values).fetchone() is not None

    def finish(
        self, conn: Connection, job_id: int, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> bool:
        """The job is done with its result, or has failed with its error; False: it had ended already, and stays so.

        What it made is written in the same transaction: a worker that dies leaves both or nothing.
        """
        query = f"""
            UPDATE {self.table} SET state = %(state)s, result = %(result)s, error = %(error)s, seconds_left = NULL,
                progress = CASE WHEN %(state)s = 'DONE' THEN 1 ELSE progress END, finished_at = now()
            WHERE id = %(id)s AND state = 'RUNNING' RETURNING id
        """  # noqa: S608
        state = "DONE" if error is None else "FAILED"
        values = {"id": job_id, "state": state, "result": to_jsonb(result), "error": error}
        return conn.execute(query.encode(), values).fetchone() is not None

    def hold(self, conn: Connection, job_id: int) -> bool:
        """Whether the job is still wanted; until the transaction ends nobody calls it off. Whoever writes what the job
        made asks first: who calls it off locks the job before the audit, too."""
        query = f"SELECT 1 FROM {self.table} WHERE id = %s AND state = 'RUNNING' FOR NO KEY UPDATE"  # noqa: S608
        return conn.execute(query.encode(), (job_id,)).fetchone() is not None

    def cancel(self, conn: Connection, job_id: int, *, by: str, reason: str | None, now: datetime) -> bool:
        """The job ends without a result, whether it waits or runs; False: it has ended already, and stays so."""
        query = f"""
            UPDATE {self.table} SET state = 'CANCELLED', cancelled_by = %(by)s, cancel_reason = %(reason)s,
                finished_at = %(now)s, seconds_left = NULL
            WHERE id = %(id)s AND state IN ('QUEUED', 'RUNNING') RETURNING id
        """  # noqa: S608
        values = {"id": job_id, "by": by, "reason": reason, "now": now}
        return conn.execute(query.encode(), values).fetchone() is not None

    def release(self, conn: Connection, job_id: int) -> None:
        """This session holds the job no more; call it after what `finish` wrote is committed."""
        conn.execute("SELECT pg_advisory_unlock(%s, %s)", (self.locks, job_id))

    def hand_back(self, conn: Connection, job: Job) -> None:
        """The job that `begin` gave waits again as if it had never been begun, unless it is over or somebody else has
        begun it since. From any session: that which ran it may be in the midst of something."""
        query = f"""
            UPDATE {self.table} SET state = 'QUEUED', attempts = attempts - 1, started_at = NULL, progress = 0,
                seconds_left = NULL, message = ''
            WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
        """  # noqa: S608
        conn.execute(query.encode(), {"id": job.id, "attempts": job.attempts})
