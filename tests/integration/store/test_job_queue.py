"""The queue of long jobs, whatever they are: one worker a job, what becomes of those whose worker was killed, and how
many may wait."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from anomaly.job_runner import URL_VARIABLE
from anomaly.job_worker import CalledOffError, run_claimed, work
from anomaly.training.progress import Step, Tell
from domain.audit import Actor
from domain.errors import GuardRefusedError
from domain.lab import LabRequest
from domain.long_jobs import MOST_OPEN, MOST_OPEN_EACH, QueueGuard
from lab.judged_profile import load_bundled
from store.job_queue import JobQueue
from store.lab_runs import LAB_RUNS, load_run, open_run
from store.model_jobs import MODEL_JOBS, open_job
from store.pool import DATABASE_GONE, Connection, open_connection, transaction
from tests.support.databases import Database
from tests.support.waiting import wait_until

Queue = JobQueue[Any]
NOW = datetime(2026, 9, 1, tzinfo=UTC)
LAB_REQUEST = LabRequest(model="VEN-500", fault="circuit_leak", devices=2, days=1, seed=4, rate=1.0)
# Begins a job in a process of its own and stays at it.
HOLD = """
import sys
from store.lab_runs import LAB_RUNS
from store.model_jobs import MODEL_JOBS
from store.pool import open_connection
with open_connection(sys.argv[1], application="worker", autocommit=True) as conn:
    job = {"lab_run": LAB_RUNS, "model_job": MODEL_JOBS}[sys.argv[2]].begin(conn)
    print(job.id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[MODEL_JOBS, LAB_RUNS], ids=["model_job", "lab_run"])
def queue(request: pytest.FixtureRequest) -> Queue:
    found: Queue = request.param
    return found


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with open_connection(database.url, application="test", autocommit=True) as opened:
        yield opened


def ask(conn: Connection, queue: Queue, by: str = "eva") -> int:
    """A job that waits."""
    if queue is MODEL_JOBS:
        return open_job(conn, "train", {"model": "M"}, by)
    code = open_run(conn, Actor(by, "engineer", "profile.write"), LAB_REQUEST, load_bundled("VEN-500"), None, NOW)
    run = load_run(conn, code)
    assert run is not None
    return run.id


def find(conn: Connection, queue: Queue, job_id: int) -> tuple[str, int, str | None]:
    job = queue.load(conn, job_id)
    assert job is not None
    return job.state, job.attempts, job.error


def test_a_job_whose_worker_was_killed_is_taken_up_again_and_by_nobody_before(
    database: Database, conn: Connection, queue: Queue
) -> None:
    job_id = ask(conn, queue)
    for attempt in range(1, 3):
        words = [sys.executable, "-P", "-c", HOLD, database.url, queue.table]
        holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == str(job_id).encode()
            assert not queue.is_waiting(conn)
            assert queue.begin(conn) is None
            assert find(conn, queue, job_id) == ("RUNNING", attempt, None)
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.communicate(timeout=60)
        wait_until(lambda: queue.is_waiting(conn), what="the lock of the killed worker to go")
    done: list[int] = []

    def run(worker: Connection, job: Any) -> str | None:
        def finish(tell: Tell) -> None:
            queue.finish(worker, job.id, result={"figures": {}})

        done.append(job.id)
        return run_claimed(worker, queue, job, finish)

    assert work(database.url, queue, run) == 1
    assert done == [job_id]
    assert find(conn, queue, job_id) == ("DONE", 3, None)
    assert not queue.is_waiting(conn)


def test_workers_at_once_run_each_job_once(database: Database, conn: Connection, queue: Queue) -> None:
    jobs = [ask(conn, queue) for _ in range(12)]
    done: list[int] = []
    together = threading.Barrier(4)

    def run(worker: Connection, job: Any) -> str | None:
        def finish(tell: Tell) -> None:
            done.append(job.id)
            queue.finish(worker, job.id, result={"figures": {}})

        return run_claimed(worker, queue, job, finish)

    def begin() -> None:
        together.wait(60)
        work(database.url, queue, run)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == jobs
    assert {find(conn, queue, job_id) for job_id in jobs} == {("DONE", 1, None)}


def test_a_worker_that_lost_its_session_writes_nothing_more(database: Database, conn: Connection, queue: Queue) -> None:
    job_id = ask(conn, queue)
    with open_connection(database.url, application="worker", autocommit=True) as worker:
        job: Any = queue.begin(worker)
        conn.execute("SELECT pg_terminate_backend(%s, 10000)", (worker.info.backend_pid,))
        again: Any = queue.begin(conn)
        assert (job.id, again.id) == (job_id, job_id)

        def finish(tell: Tell) -> None:
            tell(Step(0.5, None, "half"))

        with pytest.raises(DATABASE_GONE):
            run_claimed(worker, queue, job, finish)
    assert find(conn, queue, job_id) == ("RUNNING", 2, None)
    queue.hand_back(conn, job)  # the first attempt is not the one that runs now
    assert find(conn, queue, job_id) == ("RUNNING", 2, None)


def test_a_job_that_the_database_refuses_to_answer_has_failed_and_says_so(conn: Connection, queue: Queue) -> None:
    job_id = ask(conn, queue)
    job = queue.begin(conn)
    assert job is not None

    def take_too_long(tell: Tell) -> None:
        with transaction(conn):
            conn.execute("SET LOCAL statement_timeout = 20")
            conn.execute("SELECT pg_sleep(60)")

    assert "statement timeout" in str(run_claimed(conn, queue, job, take_too_long))
    state, attempts, error = find(conn, queue, job_id)
    assert (state, attempts) == ("FAILED", 1)
    assert error is not None
    assert "statement timeout" in error
    assert not queue.is_waiting(conn)


def test_the_server_itself_notices_that_a_worker_vanished(conn: Connection) -> None:
    # What was asked for, which stays 0 in force on a socket of this machine: that one ends with its process.
    asked: dict[str, int] = dict(
        conn.execute("SELECT name, reset_val::integer FROM pg_settings WHERE name ~ '^(tcp|client_conn)'").fetchall()
    )
    assert min(asked.values()) > 0, asked  # 0 is what the system does: hours, or never
    silent_s = asked["tcp_keepalives_idle"] + asked["tcp_keepalives_interval"] * asked["tcp_keepalives_count"]
    looks_ms = asked["client_connection_check_interval"]  # while it works
    assert 1000 * silent_s <= 30_000 - looks_ms
    assert asked["tcp_user_timeout"] <= 30_000 - looks_ms  # where what it sent last was not acknowledged


def test_what_is_over_ends_at_the_next_word_of_progress(conn: Connection, queue: Queue) -> None:
    job_id = ask(conn, queue)
    job = queue.begin(conn)

    def finish(tell: Tell) -> None:
        assert queue.finish(conn, job_id, error="called off elsewhere")
        tell(Step(0.5, None, "half"))
        raise AssertionError("it went on")

    assert run_claimed(conn, queue, job, finish) == str(CalledOffError())
    assert not queue.finish(conn, job_id, result={"figures": {}})
    assert find(conn, queue, job_id) == ("FAILED", 1, "called off elsewhere")


def test_so_many_wait_of_one_person_and_in_all_and_no_more(conn: Connection, queue: Queue) -> None:
    for _ in range(MOST_OPEN_EACH - 1):
        ask(conn, queue)
    ended = ask(conn, queue, "eva")
    refused = _find_refusal(conn, queue, "eva")
    assert refused is not None
    assert (refused.guard, str(MOST_OPEN_EACH) in refused.detail) == (QueueGuard.TOO_MANY_JOBS_OF_YOURS, True)
    assert _find_refusal(conn, queue, "rosa") is None
    assert queue.begin(conn, ended) is not None
    assert _find_refusal(conn, queue, "eva") is not None  # one that runs has not ended
    queue.finish(conn, ended, error="it failed")
    assert _find_refusal(conn, queue, "eva") is None
    for n in range(MOST_OPEN - MOST_OPEN_EACH + 1):
        ask(conn, queue, f"person-{n}")
    refused = _find_refusal(conn, queue, "rosa")
    assert refused is not None
    assert (refused.guard, str(MOST_OPEN) in refused.detail) == (QueueGuard.TOO_MANY_JOBS, True)


def _find_refusal(conn: Connection, queue: Queue, by: str) -> GuardRefusedError | None:
    try:
        queue.verify_room(conn, by)
    except GuardRefusedError as refused:
        return refused
    return None


def test_those_who_ask_at_once_are_counted_one_after_the_other(
    database: Database, conn: Connection, queue: Queue
) -> None:
    for _ in range(MOST_OPEN_EACH - 1):
        ask(conn, queue)
    together = threading.Barrier(3)
    refused: list[str] = []

    def ask_at_once() -> None:
        with open_connection(database.url, application="test", autocommit=True) as mine:
            together.wait(60)
            try:
                with transaction(mine):
                    queue.verify_room(mine, "eva")
                    ask(mine, queue)
            except GuardRefusedError as error:
                refused.append(error.guard)

    threads = [threading.Thread(target=ask_at_once) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert refused == [QueueGuard.TOO_MANY_JOBS_OF_YOURS] * 2
    assert len(queue.load_page(conn, limit=100)) == MOST_OPEN_EACH


def test_the_worker_of_the_lab_is_killed_in_the_midst_of_a_run(database: Database, conn: Connection) -> None:
    job_id = ask(conn, LAB_RUNS)
    env = {**os.environ, URL_VARIABLE: database.url}
    worker = subprocess.Popen([sys.executable, "-P", "-m", "lab.worker"], env=env)
    try:
        wait_until(lambda: _is_under_way(conn, job_id), what="the run to be under way", timeout_s=120.0)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(60)
    wait_until(lambda: LAB_RUNS.is_waiting(conn), what="the lock of the killed worker to go")
    assert find(conn, LAB_RUNS, job_id) == ("RUNNING", 1, None)
    again = LAB_RUNS.begin(conn)
    assert again is not None
    assert (again.id, again.attempts, again.progress) == (job_id, 2, 0.0)


def _is_under_way(conn: Connection, job_id: int) -> bool:
    run = LAB_RUNS.load(conn, job_id)
    assert run is not None
    assert run.state in ("QUEUED", "RUNNING")
    return run.progress > 0.0
