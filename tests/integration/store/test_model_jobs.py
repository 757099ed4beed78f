"""Jobs of training and backtests: who runs them, what becomes of those whose worker died, and of those that fail."""

from collections.abc import Iterator

import psycopg
import pytest

from store.model_jobs import MODEL_JOBS, open_job
from store.pool import Connection, open_connection
from tests.support.databases import Database
from tests.support.models import work_jobs
from tests.support.waiting import wait_until

REQUEST = {"model": "M", "firmware": "", "since": None, "until": None}


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        yield opened


def open_worker(database: Database) -> Connection:
    return open_connection(database.url, application="worker", autocommit=True)


def test_two_workers_at_once_run_no_job_twice(conn: Connection, any_database: Database) -> None:
    first, second = (open_job(conn, "train", REQUEST, "eva") for _ in range(2))
    with open_worker(any_database) as one, open_worker(any_database) as other, open_worker(any_database) as late:
        begun = [MODEL_JOBS.begin(worker) for worker in (one, other, late)]
        assert [None if job is None else job.id for job in begun] == [first, second, None]
        assert not MODEL_JOBS.is_waiting(conn)
        MODEL_JOBS.finish(one, first, result={})
        MODEL_JOBS.finish(other, second, error="no readings")
    assert [
        (job.state, job.error)
        for job in (MODEL_JOBS.load(conn, first), MODEL_JOBS.load(conn, second))
        if job is not None
    ] == [
        ("DONE", None),
        ("FAILED", "no readings"),
    ]


def test_a_job_is_begun_again_after_every_stop_and_after_some_deaths(conn: Connection, any_database: Database) -> None:
    job_id = open_job(conn, "train", REQUEST, "eva")
    for attempt in range(1, MODEL_JOBS.most_attempts + 1):
        with open_worker(any_database) as worker:
            stopped = MODEL_JOBS.begin(worker)
            assert stopped is not None
            MODEL_JOBS.hand_back(worker, stopped)
            MODEL_JOBS.release(worker, job_id)
            begun = MODEL_JOBS.begin(worker)
            assert begun is not None
            assert (begun.id, begun.attempts) == (job_id, attempt)
            assert not MODEL_JOBS.is_waiting(conn)
        wait_until(lambda: MODEL_JOBS.is_waiting(conn), what="the lock of the dead worker to go")
    with open_worker(any_database) as worker:
        assert MODEL_JOBS.begin(worker) is None
    left = MODEL_JOBS.load(conn, job_id)
    assert left is not None
    assert (left.state, left.attempts) == ("FAILED", MODEL_JOBS.most_attempts)
    assert left.error == f"{MODEL_JOBS.most_attempts} workers died while they ran it; ask for it anew."
    assert not MODEL_JOBS.is_waiting(conn)


def test_a_job_that_a_worker_died_of_waits_behind_the_others(conn: Connection, any_database: Database) -> None:
    deadly, harmless = (open_job(conn, "train", REQUEST, "eva") for _ in range(2))
    with open_worker(any_database) as worker:
        assert MODEL_JOBS.begin(worker, deadly) is not None
    with open_worker(any_database) as worker:
        begun = MODEL_JOBS.begin(worker)
        assert begun is not None
        assert begun.id == harmless


@pytest.mark.parametrize("error", [RuntimeError("broken"), MemoryError("full"), psycopg.errors.DataError("too large")])
def test_a_job_that_fails_in_any_way_says_so_and_the_next_one_is_run(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("anomaly.training.jobs.train", fail)
    with open_worker(database) as conn:
        jobs = [open_job(conn, "train", REQUEST, "eva") for _ in range(2)]
        assert work_jobs(database.url) == 2
        for job_id in jobs:
            job = MODEL_JOBS.load(conn, job_id)
            assert job is not None
            assert (job.state, job.error) == ("FAILED", f"{type(error).__name__}: {error}")
