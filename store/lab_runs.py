"""Runs of the lab as rows of the queue `LAB_RUNS`; `store.job_queue` says how they wait, run and end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_lab import lab_run_asked, lab_run_cancelled
from domain.lab import LabRequest
from domain.profile import Profile
from domain.profile_json import find_profile_sha256, profile_from_json, profile_to_json
from store.audit import record_audit, to_jsonb
from store.job_queue import JobQueue
from store.pool import Connection


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
    cancel_reason: str | None
    started_at: datetime | None
    finished_at: datetime | None


_SELECT = """
    SELECT j.id, j.code, j.request, j.profile_version, j.profile_sha256, j.proposal, j.requested_by, j.requested_at,
        j.state, j.attempts, j.progress, j.seconds_left, j.message, j.result -> 'figures' AS figures, j.error,
        j.cancelled_by, j.cancel_reason, j.started_at, j.finished_at
    FROM lab_run j
"""
LAB_RUNS = JobQueue("lab_run", _SELECT, LabRun, locks=0x464F524C, most_attempts=3)  # "FORL"

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


LOAD_RUN = f"{_SELECT} WHERE j.code = %s"


def load_run(conn: Connection, code: str) -> LabRun | None:
    """The run of that code, or None."""
    with conn.cursor(row_factory=class_row(LabRun)) as cursor:
        return cursor.execute(LOAD_RUN, (code,)).fetchone()


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


def cancel_run(conn: Connection, actor: Actor, code: str, now: datetime, reason: str = "") -> bool:
    """The run ends without a result, audited; False where there is none or it has ended already."""
    run = load_run(conn, code)
    if run is None or not LAB_RUNS.cancel(conn, run.id, by=actor.name, reason=reason or None, now=now):
        return False
    record_audit(conn, actor, lab_run_cancelled(code, reason))
    return True
