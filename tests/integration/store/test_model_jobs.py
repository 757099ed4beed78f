"""Jobs of training and backtests: who runs them, what becomes of those whose worker died, and of those that fail."""

from collections.abc import Iterator

import psycopg
import pytest

from anomaly.training.worker import work
from store.model_jobs import (
    MOST_ATTEMPTS,
    begin_job,
    finish_job,
    hand_back_job,
    is_work_waiting,
    load_job,
    open_job,
    release_job,
)
from store.pool import Connection, open_connection
from tests.support.databases import Database
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
        begun = [begin_job(worker) for worker in (one, other, late)]
        assert [None if job is None else job.id for job in begun] == [first, second, None]
        assert not is_work_waiting(conn)
        finish_job(one, first, result={})
        finish_job(other, second, error="no readings")
    assert [(job.state, job.error) for job in (load_job(conn, first), load_job(conn, second)) if job is not None] == [
        ("DONE", None),
        ("FAILED", "no readings"),
    ]


def test_a_job_is_begun_again_after_every_stop_and_after_some_deaths(conn: Connection, any_database: Database) -> None:
    job_id = open_job(conn, "train", REQUEST, "eva")
    for attempt in range(1, MOST_ATTEMPTS + 1):
        with open_worker(any_database) as worker:
            stopped = begin_job(worker)
            assert stopped is not None
            hand_back_job(worker, stopped)
            release_job(worker, job_id)
            begun = begin_job(worker)
            assert begun is not None
            assert (begun.id, begun.attempts) == (job_id, attempt)
            assert not is_work_waiting(conn)
        wait_until(lambda: is_work_waiting(conn), what="the lock of the dead worker to go")
    with open_worker(any_database) as worker:
        assert begin_job(worker) is None
    left = load_job(conn, job_id)
    assert left is not None
    assert (left.state, left.attempts) == ("FAILED", MOST_ATTEMPTS)
    assert left.error == f"{MOST_ATTEMPTS} workers died while they ran it; ask for it anew."
    assert not is_work_waiting(conn)


def test_a_job_that_a_worker_died_of_waits_behind_the_others(conn: Connection, any_database: Database) -> None:
    deadly, harmless = (open_job(conn, "train", REQUEST, "eva") for _ in range(2))
    with open_worker(any_database) as worker:
        assert begin_job(worker, deadly) is not None
    with open_worker(any_database) as worker:
        begun = begin_job(worker)
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
        assert work(database.url) == 2
        for job_id in jobs:
            job = load_job(conn, job_id)
            assert job is not None
            assert (job.state, job.error) == ("FAILED", f"{type(error).__name__}: {error}")
