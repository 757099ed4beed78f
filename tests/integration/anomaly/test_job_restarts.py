"""A worker of model jobs that is stopped or killed at a bad moment: the job is begun again, and makes one draft."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from anomaly.job_runner import MODULE, URL_VARIABLE
from anomaly.training.jobs import run_job
from anomaly.training.progress import Step
from domain.audit import Actor
from store.job_queue import JobQueue
from store.model_jobs import MODEL_JOBS, ModelJob, cancel_job, open_job
from store.pool import open_connection, transaction
from tests.support.databases import Database
from tests.support.fleet import MODEL, PROFILE, make_devices, register
from tests.support.models import work_jobs
from tests.support.scoring import Sample, select, write_blocks
from tests.support.waiting import wait_until

EVA = Actor("eva", "engineer", "profile.write")
REQUEST = {"model": MODEL, "firmware": "", "since": None, "until": None}
# The audit is written when the model is registered and its job is not yet done.
READING = "LOCK TABLE reading IN ACCESS EXCLUSIVE MODE"
REGISTERING = "LOCK TABLE audit_event IN EXCLUSIVE MODE"
IS_BLOCKED = """
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND application_name LIKE '%%model_job%%'
"""
WAITS_FOR_LOCK = """
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND application_name = 'forewarn {}'
"""
IS_GONE = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%%model_job%%'"


@pytest.fixture
def url(database: Database) -> str:
    register(database.url, PROFILE, make_devices(3))
    rows = [Sample(f"T-{i:04d}", "flow", k, 200.0 + 0.1 * ((k * 7 + i) % 11) + i) for k in range(200) for i in range(3)]
    write_blocks(database.url, rows)
    return database.url


@contextmanager
def blocked_worker(database: Database, lock: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that stands still at that lock until the block ends, which ends it as well."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(lock.encode())
        worker = subprocess.Popen([sys.executable, "-P", "-m", MODULE], env={**os.environ, URL_VARIABLE: database.url})
        try:
            wait_until(lambda: bool(select(database.url, IS_BLOCKED)), what="the worker at the lock", timeout_s=60.0)
            yield worker
        finally:
            worker.kill()
            worker.wait()


def test_stopped_twice_and_killed_while_it_registers_a_training_makes_one_draft(database: Database, url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", REQUEST, "eva")
        for _ in range(2):
            with blocked_worker(database, READING) as worker:
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(60) == 0
                handed_back = MODEL_JOBS.load(conn, job_id)
                assert handed_back is not None
                assert (handed_back.state, handed_back.attempts) == ("QUEUED", 0)
        with blocked_worker(database, REGISTERING):
            pass
        wait_until(lambda: not select(url, IS_GONE), what="the session of the killed worker to end")
        left = MODEL_JOBS.load(conn, job_id)
        assert left is not None
        assert (left.state, left.attempts) == ("RUNNING", 1)
        assert MODEL_JOBS.is_waiting(conn)
        assert work_jobs(url) == 1
        done = MODEL_JOBS.load(conn, job_id)
        assert done is not None
        assert (done.state, done.attempts, done.error) == ("DONE", 2, None)
    drafts = select(url, "SELECT code FROM model_record")
    assert [d["code"] for d in drafts] == [done.model_code]
    assert select(url, "SELECT entity_id FROM audit_event WHERE action = 'model.registered'") == [
        {"entity_id": done.model_code}
    ]


def test_what_somebody_else_began_since_is_not_handed_back(url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", REQUEST, "eva")
        with open_connection(url, application="worker", autocommit=True) as worker:
            mine = MODEL_JOBS.begin(worker)
        assert mine is not None
        wait_until(lambda: MODEL_JOBS.is_waiting(conn), what="the lock of the first session to go")
        with open_connection(url, application="worker", autocommit=True) as worker:
            theirs = MODEL_JOBS.begin(worker)
            assert theirs is not None
            MODEL_JOBS.hand_back(conn, mine)
            now = MODEL_JOBS.load(conn, job_id)
            assert now is not None
            assert (now.state, now.attempts) == ("RUNNING", 2)


def test_nothing_is_registered_by_a_worker_that_dies_before_its_job_is_finished(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", REQUEST, "eva")
        with monkeypatch.context() as patch:
            patch.setattr(JobQueue, "finish", die)
            with pytest.raises(KeyboardInterrupt):
                work_jobs(url)
        assert select(url, "SELECT 1 FROM model_record") == []
        assert work_jobs(url) == 1
        done = MODEL_JOBS.load(conn, job_id)
    assert done is not None
    assert (done.state, done.message) == ("DONE", f"registered as {done.model_code}")


def test_a_worker_whose_program_was_killed_ends_the_job_it_is_at_and_begins_no_other(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = iter([7, 7, 1])
    monkeypatch.setattr("anomaly.job_worker.os.getppid", lambda: next(parents))
    with open_connection(url, application="test", autocommit=True) as conn:
        jobs = [open_job(conn, "train", REQUEST, "eva") for _ in range(2)]
        assert work_jobs(url) == 1
        assert [job.state for i in jobs if (job := MODEL_JOBS.load(conn, i)) is not None] == ["DONE", "QUEUED"]


def test_nothing_is_registered_by_a_training_that_is_called_off_while_it_runs(url: str) -> None:
    with (
        open_connection(url, application="worker", autocommit=True) as conn,
        open_connection(url, application="test", autocommit=True) as other,
    ):
        job_id = open_job(other, "train", REQUEST, "eva")
        job = MODEL_JOBS.begin(conn)
        assert job is not None

        def call_off(step: Step) -> None:
            MODEL_JOBS.finish(other, job_id, error="not wanted any more")

        assert run_job(conn, job, call_off) == "It was called off."
        left = MODEL_JOBS.load(other, job_id)
        assert left is not None
        assert (left.state, left.error) == ("FAILED", "not wanted any more")
        assert not MODEL_JOBS.is_waiting(other)
    assert select(url, "SELECT 1 FROM model_record") == []


def call_off(url: str, job_id: int) -> bool:
    """Whether that was in time: as the API does it, in one transaction."""
    with open_connection(url, application="caller", autocommit=True) as conn, transaction(conn):
        job = MODEL_JOBS.load(conn, job_id)
        assert job is not None
        return cancel_job(conn, EVA, job, "the wrong window", datetime.now(UTC))


def load(url: str, job_id: int) -> ModelJob:
    with open_connection(url, application="test", autocommit=True) as conn:
        job = MODEL_JOBS.load(conn, job_id)
    assert job is not None
    return job


def wait_for_lock(url: str, who: str) -> None:
    wait_until(lambda: bool(select(url, WAITS_FOR_LOCK.format(who))), what=f"the {who} at a lock")


def list_actions(url: str) -> list[str]:
    return [
        row["action"] for row in select(url, "SELECT action FROM audit_event ORDER BY seq") if "model" in row["action"]
    ]


def test_who_calls_a_training_off_while_its_draft_is_registered_is_too_late(database: Database, url: str) -> None:
    """The worker is at the audit, and holds its job: neither waits for the other crosswise."""
    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", REQUEST, "eva")
    with ThreadPoolExecutor(2) as threads, psycopg.connect(database.owner_url) as owner:
        owner.execute(REGISTERING.encode())
        worker = threads.submit(work_jobs, url)
        wait_for_lock(url, "model_job")
        caller = threads.submit(call_off, url, job_id)
        wait_for_lock(url, "caller")
        owner.commit()
        assert (worker.result(60), caller.result(60)) == (1, False)
    done = load(url, job_id)
    assert (done.state, done.cancelled_by, done.error) == ("DONE", None, None)
    assert [row["code"] for row in select(url, "SELECT code FROM model_record")] == [done.model_code]
    assert list_actions(url) == ["model.registered"]


def test_a_training_that_is_called_off_just_before_its_draft_is_registered_leaves_none(
    database: Database, url: str
) -> None:
    """The worker has said its last word of progress, and comes to register while the calling off is not committed."""
    with (
        ThreadPoolExecutor(2) as threads,
        psycopg.connect(database.owner_url) as owner,
        open_connection(url, application="model_job", autocommit=True) as conn,
    ):
        job_id = open_job(conn, "train", REQUEST, "eva")
        job = MODEL_JOBS.begin(conn, job_id)
        assert job is not None
        callers: list[Future[bool]] = []

        def call_off_behind(step: Step) -> None:
            assert not callers, "so little is learnt with one word of progress"
            owner.execute(REGISTERING.encode())
            callers.append(threads.submit(call_off, url, job_id))
            wait_for_lock(url, "caller")

        worker = threads.submit(run_job, conn, job, call_off_behind)
        wait_for_lock(url, "model_job")
        owner.commit()
        assert (worker.result(60), [caller.result(60) for caller in callers]) == ("It was called off.", [True])
    left = load(url, job_id)
    assert (left.state, left.cancelled_by, left.cancel_reason) == ("CANCELLED", "eva", "the wrong window")
    assert select(url, "SELECT 1 FROM model_record") == []
    assert list_actions(url) == ["model.train_cancelled"]
