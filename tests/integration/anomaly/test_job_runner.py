"""Jobs that are called off, and workers that hang: ended by the program that started them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from anomaly import job_runner
from anomaly.job_runner import JobRunner
from domain.audit import Actor
from store.model_jobs import MODEL_JOBS, ModelJob, cancel_job, open_job
from store.pool import Connection, open_connection
from tests.support.databases import Database
from tests.support.waiting import wait_until

EVA = Actor("eva", "engineer", "profile.write")


@pytest.fixture
def conn(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setattr(job_runner, "GRACE_S", 0.1)
    monkeypatch.setattr(job_runner, "STOP_S", 0.3)
    with open_connection(database.url, application="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def url(database: Database) -> str:
    return database.url


def load(conn: Connection, job_id: int) -> ModelJob:
    job = MODEL_JOBS.load(conn, job_id)
    assert job is not None
    return job


def start(url: str, conn: Connection, job_id: int, silence_s: float) -> JobRunner:
    """A runner whose worker hangs at that job."""
    runner = JobRunner(url, 0.02, module="tests.support.stubborn_worker", silence_s=silence_s)
    runner.look(conn)
    wait_until(lambda: load(conn, job_id).progress == 0.5, what="the worker at its job", timeout_s=60.0)
    return runner


def is_ended(runner: JobRunner, conn: Connection) -> bool:
    runner.look(conn)
    return not runner.is_working


def has_failed(runner: JobRunner, conn: Connection, job_id: int) -> bool:
    runner.look(conn)
    return load(conn, job_id).state == "FAILED"


def has_said_more(conn: Connection, job_id: int, said: int) -> bool:
    """Beyond the word of that number; the one before the newest is in the pipe for certain."""
    return int(load(conn, job_id).message) > said + 1


@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_job_that_is_called_off_ends_though_its_worker_says_nothing(
    url: str, conn: Connection, is_deaf: bool
) -> None:
    job_id = open_job(conn, "train", {"model": "M", "is_deaf": is_deaf}, "eva")
    runner = start(url, conn, job_id, 600.0)
    try:
        runner.look(conn)
        assert runner.is_working
        assert cancel_job(conn, EVA, load(conn, job_id), "the wrong window", datetime.now(UTC))
        assert not cancel_job(conn, EVA, load(conn, job_id), "again", datetime.now(UTC))
        wait_until(lambda: is_ended(runner, conn), what="the worker to be ended", timeout_s=60.0)
    finally:
        runner.close()
    left = load(conn, job_id)
    assert (left.state, left.cancelled_by, left.cancel_reason) == ("CANCELLED", "eva", "the wrong window")
    assert left.finished_at is not None
    assert not MODEL_JOBS.is_waiting(conn)
    audited = "SELECT actor, action, reason FROM audit_event WHERE entity = 'model_job' AND entity_id = %s"
    assert conn.execute(audited, (str(job_id),)).fetchall() == [("eva", "model.train_cancelled", "the wrong window")]


def test_a_job_that_says_nothing_for_too_long_has_failed_and_the_next_one_is_begun(url: str, conn: Connection) -> None:
    hanging, following = (open_job(conn, "train", {"model": "M"}, "eva") for _ in range(2))
    runner = start(url, conn, hanging, 0.5)
    try:
        wait_until(lambda: has_failed(runner, conn, hanging), what="the job to have failed", timeout_s=60.0)
    finally:
        runner.close()
    error = load(conn, hanging).error
    assert error is not None
    assert error.startswith("The job said nothing for ")
    start(url, conn, following, 600.0).close()


def test_a_job_that_goes_on_saying_words_is_left_alone_and_ends_by_itself_when_it_is_called_off(
    url: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(job_runner, "time", SimpleNamespace(monotonic=lambda: clock.now))
    job_id = open_job(conn, "train", {"model": "M", "is_talkative": True}, "eva")
    runner = start(url, conn, job_id, 100.0)
    try:
        for _ in range(5):
            clock.now += 60.0
            said = int(load(conn, job_id).message)
            wait_until(partial(has_said_more, conn, job_id, said), what="more words")
            runner.look(conn)
            assert runner.is_working
            assert load(conn, job_id).state == "RUNNING"
        assert cancel_job(conn, EVA, load(conn, job_id), "the wrong window", datetime.now(UTC))
        wait_until(lambda: not runner.is_working, what="the worker to end at its next word")
    finally:
        runner.close()
    assert (load(conn, job_id).state, load(conn, job_id).error) == ("CANCELLED", None)


def test_a_job_that_is_called_off_before_it_was_begun_never_is(conn: Connection) -> None:
    job_id = open_job(conn, "backtest", {"model": "M"}, "eva")
    assert cancel_job(conn, EVA, load(conn, job_id), "not needed", datetime.now(UTC))
    assert not MODEL_JOBS.is_waiting(conn)
    assert MODEL_JOBS.begin(conn) is None
    assert load(conn, job_id).state == "CANCELLED"
