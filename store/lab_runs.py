"""Runs of the lab as rows: asked for by people, run one after the other by a worker, kept with their result.

Who runs one holds an advisory lock on it for as long as its session lives. One that is RUNNING and that nobody holds
was left behind by a worker that died: it is begun again, until MOST_ATTEMPTS died. A worker that is told to stop hands
its run back. A run that is cancelled while it runs ends at the worker's next word of progress.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_lab import lab_run_asked, lab_run_cancelled
from domain.lab import OPEN_STATES, LabRequest
from domain.profile import Profile
from domain.profile_json import find_profile_sha256, profile_from_json, profile_to_json
from store.audit import record_audit, to_jsonb
from store.pool import Connection

LAB_LOCKS = 0x464F524C  # "FORL"
MOST_ATTEMPTS = 3  # that were not handed back


@dataclass(frozen=True, slots=True)
class LabRun:
    """One run; `progress` 0..1, `seconds_left` an estimate, `figures` those of the result."""

    id: int
    code: str
    request: Mapping[str, Any]
    profile_version: int
    profile_sha256: str
    proposal: str | None
    requested_by: str
    requested_at: datetime
    state: str
    attempts: int
    progress: float
    seconds_left: float | None
    message: str
    figures: Mapping[str, Any] | None
    error: str | None
    cancelled_by: str | None
    started_at: datetime | None
    finished_at: datetime | None


_SELECT = """
    SELECT id, code, request, profile_version, profile_sha256, proposal, requested_by, requested_at, state, attempts,
        progress, seconds_left, message, result -> 'figures' AS figures, error, cancelled_by, started_at, finished_at
    FROM lab_run
"""
OPEN_RUN = """
    INSERT INTO lab_run (code, request, profile, profile_version, profile_sha256, proposal, requested_by, requested_at)
    VALUES ('LAB-' || extract(year FROM %(now)s::timestamptz)::text || '-'
        || to_char(nextval('lab_run_number'), 'FM9999999999000000'),
        %(request)s, %(profile)s, %(version)s, %(sha256)s, %(proposal)s, %(by)s, %(now)s)
    RETURNING code
"""


def open_run(
    conn: Connection, actor: Actor, request: LabRequest, profile: Profile, proposal: str | None, now: datetime
) -> str:
    """Queues the run of this profile, audited, and gives its code."""
    sha256 = find_profile_sha256(profile)
    values = {
        "request": to_jsonb(request.to_json()),
        "profile": to_jsonb(profile_to_json(profile)),
        "version": profile.version,
        "sha256": sha256,
        "proposal": proposal,
        "by": actor.name,
        "now": now,
    }
    row = conn.execute(OPEN_RUN, values).fetchone()
    assert row is not None
    entry = lab_run_asked(
        row[0], request.to_json(), profile_version=profile.version, profile_sha256=sha256, proposal=proposal
    )
    record_audit(conn, actor, entry)
    return str(row[0])


LOAD_RUN = f"{_SELECT} WHERE code = %s"


def load_run(conn: Connection, code: str) -> LabRun | None:
    """The run of that code, or None."""
    with conn.cursor(row_factory=class_row(LabRun)) as cursor:
        return cursor.execute(LOAD_RUN, (code,)).fetchone()


LOAD_RUNS = f"{_SELECT} WHERE (%(before)s::bigint IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s"


def load_runs(conn: Connection, *, before_id: int | None = None, limit: int = 50) -> list[LabRun]:
    """Runs, the newest first."""
    with conn.cursor(row_factory=class_row(LabRun)) as cursor:
        return cursor.execute(LOAD_RUNS, {"before": before_id, "limit": limit}).fetchall()


LOAD_RESULT = "SELECT result FROM lab_run WHERE code = %s"


def load_result(conn: Connection, code: str) -> dict[str, Any] | None:
    """The whole result of the run; None where there is none yet."""
    row = conn.execute(LOAD_RESULT, (code,)).fetchone()
    return None if row is None else row[0]


LOAD_JUDGED_PROFILE = "SELECT profile FROM lab_run WHERE code = %s"


def load_judged_profile(conn: Connection, code: str) -> Profile | None:
    """The profile that the run judges, as it was when the run was asked for."""
    row = conn.execute(LOAD_JUDGED_PROFILE, (code,)).fetchone()
    return None if row is None else profile_from_json(row[0])


CANCEL_RUN = """
    UPDATE lab_run SET state = 'CANCELLED', cancelled_by = %(by)s, finished_at = %(now)s,
        seconds_left = NULL
    WHERE code = %(code)s AND state = ANY (%(open)s) RETURNING id
"""


def cancel_run(conn: Connection, actor: Actor, code: str, now: datetime) -> bool:
    """The run ends without a result, audited; False where it has ended already."""
    values = {"code": code, "by": actor.name, "now": now, "open": [state.value for state in OPEN_STATES]}
    if conn.execute(CANCEL_RUN, values).fetchone() is None:
        return False
    record_audit(conn, actor, lab_run_cancelled(code))
    return True


IS_RUN_WAITING = """
    SELECT EXISTS (SELECT FROM lab_run r WHERE r.state = 'QUEUED' OR r.state = 'RUNNING' AND NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = r.id::integer
            AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))
"""


def is_run_waiting(conn: Connection) -> bool:
    """Whether there is a run that nobody is at."""
    row = conn.execute(IS_RUN_WAITING, (LAB_LOCKS,)).fetchone()
    return row is not None and bool(row[0])


LOAD_CANDIDATES = "SELECT id, code FROM lab_run WHERE state IN ('QUEUED', 'RUNNING') ORDER BY attempts, id"
TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
UNLOCK = "SELECT pg_advisory_unlock(%s, %s)"
BEGIN_RUN = """
    UPDATE lab_run SET
        state = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN 'FAILED' ELSE 'RUNNING' END,
        error = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s
            THEN format('%%s workers died while they ran it; ask for it anew.', attempts) END,
        finished_at = CASE WHEN state = 'RUNNING' AND attempts >= %(most)s THEN now() END,
        attempts = least(attempts + 1, %(most)s), started_at = now(), progress = 0, seconds_left = NULL, message = ''
    WHERE id = %(id)s AND state IN ('QUEUED', 'RUNNING') RETURNING state
"""


def begin_run(conn: Connection) -> tuple[LabRun, Profile] | None:
    """The oldest run that nobody is at, with its profile: this session runs it from now on. None: there is none.

    The connection has to be in autocommit and to be kept until `release_run`.
    """
    for run_id, code in conn.execute(LOAD_CANDIDATES).fetchall():
        locked = conn.execute(TRY_LOCK, (LAB_LOCKS, run_id)).fetchone()
        if locked is None or not locked[0]:
            continue
        begun = conn.execute(BEGIN_RUN, {"id": run_id, "most": MOST_ATTEMPTS}).fetchone()
        if begun is not None and begun[0] == "RUNNING":
            run, profile = load_run(conn, code), load_judged_profile(conn, code)
            assert run is not None
            assert profile is not None
            return run, profile
        conn.execute(UNLOCK, (LAB_LOCKS, run_id))
    return None


NOTE_PROGRESS = """
    UPDATE lab_run SET progress = %(progress)s, seconds_left = %(left)s, message = %(message)s
    WHERE id = %(id)s AND state = 'RUNNING' RETURNING id
"""


def note_progress(conn: Connection, run_id: int, progress: float, seconds_left: float | None, message: str) -> bool:
    """Says how far the run is; False: nobody wants it any more."""
    values = {"id": run_id, "progress": progress, "left": seconds_left, "message": message}
    return conn.execute(NOTE_PROGRESS, values).fetchone() is not None


FINISH_RUN = """
    UPDATE lab_run SET state = %(state)s, result = %(result)s, error = %(error)s, seconds_left = NULL, message = '',
        progress = CASE WHEN %(state)s = 'DONE' THEN 1 ELSE progress END, finished_at = now()
    WHERE id = %(id)s AND state = 'RUNNING'
"""


def finish_run(
    conn: Connection, run_id: int, *, result: Mapping[str, Any] | None = None, error: str | None = None
) -> None:
    """The run is done with its result, or has failed with its error; one that was cancelled meanwhile stays so."""
    state = "DONE" if error is None else "FAILED"
    conn.execute(FINISH_RUN, {"id": run_id, "state": state, "result": to_jsonb(result), "error": error})


def release_run(conn: Connection, run_id: int) -> None:
    """This session holds the run no more."""
    conn.execute(UNLOCK, (LAB_LOCKS, run_id))


HAND_BACK_RUN = """
    UPDATE lab_run SET state = 'QUEUED', attempts = attempts - 1, started_at = NULL, progress = 0, seconds_left = NULL,
        message = ''
    WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
"""


def hand_back_run(conn: Connection, run: LabRun) -> None:
    """The run that `begin_run` gave waits again as if it had never been begun, unless it is over or somebody else has
    begun it since."""
    conn.execute(HAND_BACK_RUN, {"id": run.id, "attempts": run.attempts})
