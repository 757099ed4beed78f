"""Two people call the same work off at the same moment: one does, and the other is told that it is done."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from domain.audit import Actor
from domain.lab import LabRequest
from domain.roles import Role
from lab.judged_profile import load_bundled
from store.lab_runs import cancel_run, open_run
from store.model_jobs import MODEL_JOBS, cancel_job, open_job
from store.pool import Connection, open_connection
from tests.support.fleet import MODEL
from tests.support.http_api import Api
from tests.support.scoring import select
from tests.support.waiting import wait_until

ADA = Actor("ada", "engineer", "profile.write")
WAITS = """
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND application_name = 'forewarn api'
"""
# The address, and what calls it off over a connection.
Work = tuple[str, Callable[[Connection], bool]]


def ask_for_training(conn: Connection) -> Work:
    job_id = open_job(conn, "train", {"model": MODEL}, "ada")

    def call_off(conn: Connection) -> bool:
        job = MODEL_JOBS.load(conn, job_id)
        assert job is not None
        return cancel_job(conn, ADA, job, "wrong window", datetime.now(UTC))

    return f"/model-jobs/{job_id}/cancel", call_off


def ask_the_lab(conn: Connection) -> Work:
    request, now = LabRequest("INF-200", "occlusion", 4, 5, seed=7), datetime.now(UTC)
    code = open_run(conn, ADA, request, load_bundled("INF-200"), None, now)
    return f"/lab/runs/{code}/cancel", lambda conn: cancel_run(conn, ADA, code, now, "wrong window")


@pytest.mark.parametrize("ask", [ask_for_training, ask_the_lab])
def test_who_comes_second_is_told_who_called_it_off(api: Api, ask: Callable[[Connection], Work]) -> None:
    api.add_user("eva", Role.ENGINEER)
    eva, url = api.sign_in("eva"), api.settings.database_url
    with open_connection(url, application="test") as conn, ThreadPoolExecutor(1) as threads:
        path, call_off = ask(conn)
        conn.commit()
        assert call_off(conn)
        second = threads.submit(api.post, path, headers=eva.writing, json={"reason": "me too"})
        wait_until(lambda: bool(select(url, WAITS)), what="the second one to wait for the first")
        conn.commit()
        answer = second.result(60)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["state"], job["cancelled_by"], job["cancel_reason"]) == ("CANCELLED", "ada", "wrong window")
    said = select(url, "SELECT actor FROM audit_event WHERE action LIKE '%%_cancelled'")
    assert [row["actor"] for row in said] == ["ada"]
