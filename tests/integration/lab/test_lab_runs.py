"""Runs of the lab as rows: taken up by the real worker, cancelled, left behind by workers that die."""

import threading
from datetime import UTC, datetime

import pytest

from domain.audit import Actor
from domain.lab import LabRequest
from domain.profile_json import find_profile_sha256
from lab.judged_profile import load_bundled
from lab.program import run as run_program
from lab.run import run_lab
from lab.settings import LabSettings
from store.heartbeats import load_heartbeats
from store.lab_runs import LAB_RUNS, LabRun, cancel_run, load_result, load_run, open_run
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.scoring import select
from tests.support.waiting import wait_until

# Shorter than may be asked for: a leak needs no past, and devices settle for two days at most.
REQUEST = LabRequest(model="VEN-500", fault="circuit_leak", devices=2, days=1, seed=4, rate=1.0)
EVA = Actor("eva", "engineer", "profile.write")
# What would hold a trace of a device that exists nowhere.
COUNTS = """
    SELECT (SELECT count(*) FROM device) + (SELECT count(*) FROM breach) + (SELECT count(*) FROM work_order)
        + (SELECT count(*) FROM reading) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM reading_block) AS n
"""


@pytest.fixture
def code(database: Database) -> str:
    """A run that waits."""
    with open_connection(database.url, application="test", autocommit=True) as conn:
        return open_run(conn, EVA, REQUEST, load_bundled("VEN-500"), None, datetime.now(UTC))


def find(database: Database, code: str) -> LabRun:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        run = load_run(conn, code)
    assert run is not None
    return run


def test_the_program_takes_a_run_and_its_result_is_that_of_the_same_request_in_memory(
    database: Database, code: str
) -> None:
    stop = threading.Event()
    settings = LabSettings(database.url, instance="test", poll_s=0.1, heartbeat_s=0.2)
    thread = threading.Thread(target=run_program, args=(settings, stop))
    thread.start()
    try:
        wait_until(lambda: find(database, code).state in ("DONE", "FAILED"), what="the run to end", timeout_s=240.0)
        with open_connection(database.url, application="test", autocommit=True) as conn:
            beats = [beat for beat in load_heartbeats(conn) if beat.program == "lab"]
            result = load_result(conn, code)
    finally:
        stop.set()
        thread.join(60)
    run = find(database, code)
    assert (run.state, run.error, run.attempts, run.progress) == ("DONE", None, 1, 1.0)
    assert [beat.instance for beat in beats] == ["test"]
    assert result == run_lab(REQUEST, load_bundled("VEN-500"), lambda share, message: None)
    assert result["profile"]["sha256"] == run.profile_sha256 == find_profile_sha256(load_bundled("VEN-500"))
    assert run.figures is not None
    assert run.figures == result["figures"]
    assert (run.figures["planted"], run.figures["caught"]) == (2, 2)
    assert result["examples"]["caught"]["signals"]
    assert select(database.url, COUNTS) == [{"n": 0}]
    assert select(database.url, "SELECT action, actor, entity_id FROM audit_event") == [
        {"action": "lab.run_asked", "actor": "eva", "entity_id": code}
    ]


def test_what_a_dead_worker_left_is_begun_again_and_fails_in_the_end(database: Database, code: str) -> None:
    for attempt in range(1, LAB_RUNS.most_attempts + 1):
        with open_connection(database.url, application="worker", autocommit=True) as worker:
            begun = LAB_RUNS.begin(worker)
            assert begun is not None
            assert (begun.state, begun.attempts) == ("RUNNING", attempt)
            with open_connection(database.url, application="test", autocommit=True) as conn:
                assert not LAB_RUNS.is_waiting(conn)
                assert LAB_RUNS.begin(conn) is None  # one run has one worker
        with open_connection(database.url, application="test", autocommit=True) as conn:
            wait_until(lambda: LAB_RUNS.is_waiting(conn), what="the lock of the dead worker to go")
    with open_connection(database.url, application="worker", autocommit=True) as worker:
        assert LAB_RUNS.begin(worker) is None
    run = find(database, code)
    assert run.state == "FAILED"
    assert run.error is not None
    assert f"{LAB_RUNS.most_attempts} workers died" in run.error


def test_a_worker_that_is_told_to_stop_hands_its_run_back(database: Database, code: str) -> None:
    with open_connection(database.url, application="worker", autocommit=True) as worker:
        begun = LAB_RUNS.begin(worker)
        assert begun is not None
        LAB_RUNS.hand_back(worker, begun)
    assert (find(database, code).state, find(database, code).attempts) == ("QUEUED", 0)


def test_a_run_that_is_cancelled_ends_at_the_next_word_of_progress(database: Database, code: str) -> None:
    now = datetime.now(UTC)
    with (
        open_connection(database.url, application="worker", autocommit=True) as worker,
        open_connection(database.url, application="test", autocommit=True) as conn,
    ):
        begun = LAB_RUNS.begin(worker)
        assert begun is not None
        assert LAB_RUNS.note_progress(worker, begun.id, 0.5, 3.0, "seed 4")
        assert cancel_run(conn, EVA, code, now)
        assert not LAB_RUNS.note_progress(worker, begun.id, 0.6, 2.0, "seed 4")
        LAB_RUNS.finish(worker, begun.id, result={"figures": {}})
        assert not cancel_run(conn, EVA, code, now)
    run = find(database, code)
    assert (run.state, run.cancelled_by, run.figures) == ("CANCELLED", "eva", None)
    assert [row["action"] for row in select(database.url, "SELECT action FROM audit_event ORDER BY seq")] == [
        "lab.run_asked",
        "lab.run_cancelled",
    ]
