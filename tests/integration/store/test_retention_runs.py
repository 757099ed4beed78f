"""Runs of the lab, trainings and backtests that ended go after their days; what a decision rests on stays."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.audit import Actor
from domain.lab import LabRequest
from domain.model_record import ModelKind
from domain.retention import KeptClass
from lab.judged_profile import load_bundled
from service_link.housekeeping import apply_retention
from service_link.settings import ServiceLinkSettings
from store.kept_amounts import load_kept_amounts
from store.lab_runs import LAB_RUNS, cancel_run, open_run
from store.model_jobs import MODEL_JOBS, open_job
from store.models import NewModel, record_model
from store.pool import Connection, open_connection
from store.profiles import record_profile
from store.retention import remove_old_runs
from store.retention_classes import load_kept_classes
from tests.support.databases import Database

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=11)
SETTINGS = ServiceLinkSettings("", run_days=10)
EVA = Actor("eva", "engineer", "profile.write")
REQUEST = LabRequest(model="VEN-500", fault="circuit_leak", devices=2, days=3, seed=4)
PROPOSE = """
    INSERT INTO threshold_proposal (code, device_model_id, monitor, profile_version, state, raise_at, clear_at,
        proposed_raise_at, proposed_clear_at, basis, created_at, updated_at, backtest_job_id)
    SELECT 'TP-2026-0001', id, 'flow_low', 1, 'PROPOSED', 1, 1, 2, 2, '{}', now(), now(), %s FROM device_model
"""


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        yield opened


def run_lab(conn: Connection, proposal: str | None, error: str | None = None) -> str:
    """A run that ended."""
    code = open_run(conn, EVA, REQUEST, load_bundled("VEN-500"), proposal, NOW)
    run = LAB_RUNS.begin(conn)
    assert run is not None
    assert LAB_RUNS.finish(conn, run.id, result={"figures": {}} if error is None else None, error=error)
    LAB_RUNS.release(conn, run.id)
    return code


def run_job(conn: Connection, error: str | None = None, model_id: int | None = None) -> int:
    """A backtest that ended."""
    job_id = open_job(conn, "backtest", {"model": "VEN-500"}, "eva", model_id)
    assert MODEL_JOBS.begin(conn, job_id) is not None
    assert MODEL_JOBS.finish(conn, job_id, result={}, error=error)
    MODEL_JOBS.release(conn, job_id)
    return job_id


def test_what_ended_goes_and_what_a_decision_rests_on_stays(conn: Connection) -> None:
    tried, failed = run_lab(conn, None), run_lab(conn, "TP-2026-0001", "it broke")
    judged = run_lab(conn, "TP-2026-0001")
    called_off, waits = (open_run(conn, EVA, REQUEST, load_bundled("VEN-500"), None, NOW) for _ in range(2))
    cancel_run(conn, EVA, called_off, NOW)
    record_profile(conn, load_bundled("VEN-500"), "test")
    draft = record_model(conn, EVA, NewModel(ModelKind.PROFILE, "VEN-500", "", {}, b"", "0" * 64, {}), NOW)
    idle, broken, grounds = run_job(conn), run_job(conn, "no readings"), run_job(conn)
    of_draft, failed_of_draft = run_job(conn, model_id=draft.id), run_job(conn, "no readings", draft.id)
    conn.execute(PROPOSE, (grounds,))
    waiting = open_job(conn, "train", {"model": "VEN-500"}, "eva")
    runs, jobs = {run.code for run in LAB_RUNS.load_page(conn)}, {job.id for job in MODEL_JOBS.load_page(conn)}
    assert load_kept_amounts(conn).runs_from == NOW.date()

    apply_retention(conn, NOW + timedelta(days=9), SETTINGS, lambda: True)
    assert {run.code for run in LAB_RUNS.load_page(conn)} == runs
    apply_retention(conn, LATER, replace(SETTINGS, run_days=0), lambda: True)
    assert {run.code for run in LAB_RUNS.load_page(conn)} == runs
    assert {job.id for job in MODEL_JOBS.load_page(conn)} == jobs
    apply_retention(conn, LATER, SETTINGS, lambda: True)
    runs_left = {run.code for run in LAB_RUNS.load_page(conn)}
    assert (runs - runs_left, runs_left) == ({tried, failed, called_off}, {judged, waits})
    jobs_left = {job.id for job in MODEL_JOBS.load_page(conn)}
    assert (jobs - jobs_left, jobs_left) == ({idle, broken, failed_of_draft}, {grounds, of_draft, waiting})
    assert load_kept_classes(conn)[KeptClass.RUNS].applied_days == 10
    assert load_kept_amounts(conn).runs_from is None  # nothing that could go is left


def test_the_oldest_go_first_and_no_more_than_asked_for(conn: Connection) -> None:
    run_lab(conn, None)
    run_job(conn)
    second = run_lab(conn, None)
    assert remove_old_runs(conn, LATER, 2) == 2
    assert [run.code for run in LAB_RUNS.load_page(conn)] == [second]
    assert MODEL_JOBS.load_page(conn) == []


def test_the_programs_remove_no_run_themselves_and_nobody_removes_what_stays(
    any_database: Database, conn: Connection
) -> None:
    judged = run_lab(conn, "MOD-2026-0001")
    open_run(conn, EVA, REQUEST, load_bundled("VEN-500"), None, NOW)
    for table in ("lab_run", "model_job"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"DELETE FROM {table}")
    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        for condition in (f"code = '{judged}'", "state = 'QUEUED'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
                owner.execute(f"DELETE FROM lab_run WHERE {condition}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
            owner.execute("UPDATE lab_run SET requested_by = 'nobody'")
        record_profile(conn, load_bundled("VEN-500"), "test")
        open_job(conn, "backtest", {"model": "VEN-500"}, "eva", None)
        conn.execute(PROPOSE, (run_job(conn),))
        for condition in ("state = 'QUEUED'", "state = 'DONE'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
                owner.execute(f"DELETE FROM model_job WHERE {condition}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
            owner.execute("UPDATE model_job SET request = '{}'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            conn.execute("UPDATE model_job SET requested_by = 'nobody'")
