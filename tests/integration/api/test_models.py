"""Models by REST: asked for, followed, decided by two engineers; the work itself is done by a worker beside scoring."""

import random
from dataclasses import replace

import pytest

from domain.breach import Severity
from domain.long_jobs import MOST_OPEN_EACH
from domain.roles import Role
from store.model_jobs import MODEL_JOBS, open_job
from store.pool import open_connection
from store.profiles import load_profile, record_profile
from tests.support.fleet import MODEL, PROFILE
from tests.support.http_api import PASSWORD, Api, Session, find_errors
from tests.support.models import work_jobs
from tests.support.scoring import Sample, scoring, select, write_blocks
from tests.support.waiting import wait_until

TRAINING = {"model": MODEL}


@pytest.fixture
def fleet(api: Api) -> Api:
    """Six devices of a safety-critical model with a history."""
    url = api.settings.database_url
    with open_connection(url, application="test") as conn:
        record_profile(conn, replace(PROFILE, safety_critical=True, version=2), "test")
    chance = random.Random(1)
    write_blocks(
        url,
        [
            Sample(f"T-{i:04d}", sensor, k, around + chance.gauss(0, 1))
            for k in range(200)
            for i in range(6)
            for sensor, around in (("level", 50.0), ("flow", 200.0))
        ],
    )
    return api


def _engineer(api: Api, name: str) -> Session:
    api.add_user(name, Role.ENGINEER)
    return api.sign_in(name)


def _train(api: Api, session: Session) -> str:
    asked = api.post("/models", json=TRAINING, headers=session.writing)
    assert asked.status_code == 202, asked.text
    assert asked.json()["state"] == "QUEUED"
    assert work_jobs(api.settings.database_url) == 1
    job = api.get(asked.headers["location"], headers=session.reading).json()
    assert (job["state"], job["progress"], job["error"]) == ("DONE", 1.0, None)
    return str(job["result"]["code"])


def _step(api: Api, session: Session, code: str, step: str, **body: str) -> tuple[int, dict[str, object]]:
    seen = api.get(f"/models/{code}", headers=session.reading)
    headers = session.writing | {"If-Match": seen.headers["etag"]}
    answer = api.post(f"/models/{code}/transitions", json={"step": step} | body, headers=headers)
    return answer.status_code, answer.json()


def test_a_model_is_trained_backtested_and_made_live_by_two_engineers(fleet: Api) -> None:
    one, two = _engineer(fleet, "one"), _engineer(fleet, "two")
    code = _train(fleet, one)
    (listed,) = fleet.get(f"/models?model={MODEL}&state=DRAFT", headers=one.reading).json()["items"]
    assert (listed["code"], listed["created_by"], listed["has_backtest"]) == (code, "one", False)
    assert _step(fleet, one, code, "shadow")[0] == 200
    status, problem = _step(fleet, one, code, "activate", password=PASSWORD)
    assert (status, problem["guard"]) == (409, "backtest_missing")

    assert fleet.get(f"/models/{code}/backtest", headers=one.reading).status_code == 404
    asked = fleet.post(f"/models/{code}/backtest", json={"settle_days": 0}, headers=one.writing)
    assert asked.status_code == 202
    assert work_jobs(fleet.settings.database_url) == 1
    job = fleet.get(f"/models/{code}/backtest", headers=one.reading).json()
    assert (job["state"], job["result"]["device_days"]) == ("DONE", 6)

    status, problem = _step(fleet, one, code, "activate")
    assert (status, problem["guard"]) == (409, "signature_missing")
    status, problem = _step(fleet, one, code, "activate", password="guess")
    assert (status, problem["errors"]) == (422, [{"field": "password", "detail": "is not your password"}])
    status, asked_for = _step(fleet, one, code, "activate", password=PASSWORD)
    assert (status, asked_for["state"], asked_for["asked_by"]) == (200, "SHADOW", "one")
    status, problem = _step(fleet, one, code, "activate", password=PASSWORD)
    assert (status, problem["guard"]) == (409, "second_person")
    status, live = _step(fleet, two, code, "activate", password=PASSWORD, meaning="Reviewed")
    assert (status, live["state"], live["approved_by"]) == (200, "LIVE", "two")
    assert [s["step"] for s in live["next_steps"]] == ["roll_back", "retire"]  # type: ignore[attr-defined]

    newer = _train(fleet, one)
    _step(fleet, one, newer, "shadow")
    fleet.post(f"/models/{newer}/backtest", json={}, headers=one.writing)
    work_jobs(fleet.settings.database_url)
    _step(fleet, two, newer, "activate", password=PASSWORD)
    assert _step(fleet, one, newer, "activate", password=PASSWORD)[1]["replaced_code"] == code
    status, problem = _step(fleet, one, newer, "roll_back", password=PASSWORD)
    assert (status, problem["guard"]) == (409, "reason_missing")
    assert _step(fleet, one, newer, "roll_back", password=PASSWORD, reason="false alarms")[0] == 200
    assert fleet.get(f"/models/{code}", headers=one.reading).json()["state"] == "LIVE"


def test_thresholds_are_tried_on_stored_readings_before_anybody_changes_them(fleet: Api) -> None:
    one = _engineer(fleet, "one")
    path = f"/monitors/{MODEL}/level_high/backtest"
    asked = fleet.post(path, json={"changes": {"raise_at": 45.0, "clear_at": 40.0}}, headers=one.writing)
    assert asked.status_code == 202, asked.text
    work_jobs(fleet.settings.database_url)
    job = fleet.get(asked.headers["location"], headers=one.reading).json()
    assert job["result"]["now"]["tickets"] == 0
    assert job["result"]["proposed"]["tickets"] == 6
    (listed,) = fleet.get("/model-jobs", headers=one.reading).json()["items"]
    assert (listed["id"], listed["kind"]) == (job["id"], "backtest")
    for body, field in (
        ("{}", "changes"),
        ('{"n": 4, "m": 3}', "changes.n"),
        ('{"raise_at": NaN}', "changes.raise_at"),
        ('{"critical_at": 1e999}', "changes.critical_at"),
        ('{"raise_at": 1e308}', "changes.raise_at"),  # the level cannot be read so high
        ('{"raise_at": 10.0}', "changes.raise_at"),  # below where it clears
        ('{"duration_s": 1e308}', "changes.duration_s"),
        ('{"window_s": 60.0}', "changes.window_s"),  # means nothing to a limit
    ):
        for address in (path, f"/monitors/{MODEL}/level_high/proposals"):
            content = '{"changes": ' + body + "}"
            refused = fleet.post(address, content=content, headers=one.writing | {"Content-Type": "application/json"})
            assert refused.status_code == 422, refused.text
            assert field in [error["field"] for error in refused.json()["errors"]]
    same = {"since": "2026-03-02T08:00:00Z", "until": "2026-03-02T08:00:00Z"}
    for address, asked_for in ((path, {"changes": {"raise_at": 45.0, "clear_at": 40.0}}), ("/models", TRAINING)):
        refused = fleet.post(address, json=asked_for | same, headers=one.writing)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")
    assert fleet.post(path.replace("level_high", "none"), json={"changes": {}}, headers=one.writing).status_code == 404


def test_a_backtest_that_counted_nothing_is_none_and_a_roll_back_undoes_nothing_else(fleet: Api) -> None:
    one, two = _engineer(fleet, "one"), _engineer(fleet, "two")
    url = fleet.settings.database_url
    path = f"/monitors/{MODEL}/level_high/proposals"
    code = fleet.post(path, json={"changes": {"raise_at": 85.0}}, headers=one.writing).json()["code"]
    _step(fleet, one, code, "shadow")
    fleet.post(f"/models/{code}/backtest", json={"settle_days": 365}, headers=one.writing)
    work_jobs(url)
    job = fleet.get(f"/models/{code}/backtest", headers=one.reading).json()
    assert (job["state"], job["result"]["device_days"]) == ("DONE", 0)
    status, problem = _step(fleet, one, code, "activate", password=PASSWORD)
    assert (status, problem["guard"]) == (409, "backtest_missing")
    fleet.post(f"/models/{code}/backtest", json={}, headers=one.writing)
    work_jobs(url)
    _step(fleet, one, code, "activate", password=PASSWORD)
    assert _step(fleet, two, code, "activate", password=PASSWORD, reason="fewer false alarms")[0] == 200
    (applied, *_) = fleet.get(
        f"/audit?entity=device_model&entity_id={MODEL}", headers=fleet.token(Role.AUDITOR)
    ).json()["items"]
    assert (applied["actor"], applied["role"], applied["reason"]) == ("two", "engineer", "fewer false alarms")

    with open_connection(url, application="test") as conn:
        profile = load_profile(conn, MODEL)
        assert profile is not None
        others = tuple(replace(m, severity=Severity.CRITICAL) if m.key == "offline" else m for m in profile.monitors)
        record_profile(conn, replace(profile, version=profile.version + 1, monitors=others), "test")
    status, problem = _step(fleet, one, code, "roll_back", password=PASSWORD, reason="too late")
    assert (status, problem["guard"]) == (409, "profile_moved_on")


def test_other_thresholds_go_the_way_of_a_model_and_are_rolled_back(fleet: Api) -> None:
    one, two = _engineer(fleet, "one"), _engineer(fleet, "two")
    path = f"/monitors/{MODEL}/level_high/proposals"
    made = fleet.post(path, json={"changes": {"raise_at": 85.0}}, headers=one.writing)
    assert made.status_code == 201, made.text
    code = made.json()["code"]
    assert (made.json()["kind"], made.headers["location"]) == ("profile", f"/api/v1/models/{code}")
    assert _step(fleet, one, code, "shadow")[0] == 200
    assert fleet.get(f"/models/{code}/shadow", headers=one.reading).json() == {"items": []}
    fleet.post(f"/models/{code}/backtest", json={}, headers=one.writing)
    work_jobs(fleet.settings.database_url)
    result = fleet.get(f"/models/{code}/backtest", headers=one.reading).json()["result"]
    assert result["profile_now"]["sha256"] != result["profile_proposed"]["sha256"]
    _step(fleet, one, code, "activate", password=PASSWORD)
    assert _step(fleet, two, code, "activate", password=PASSWORD)[1]["state"] == "LIVE"

    def limit() -> tuple[int, float]:
        shown = fleet.get(f"/device-models/{MODEL}", headers=one.reading).json()
        (monitor,) = (m for m in shown["profile"]["monitors"] if m["key"] == "level_high")
        return shown["version"], monitor["raise_at"]

    assert limit() == (3, 85.0)
    assert _step(fleet, one, code, "roll_back", password=PASSWORD, reason="too late")[0] == 200
    assert limit() == (4, 80.0)


def test_a_request_with_a_key_queues_one_job_and_a_stale_version_changes_nothing(fleet: Api) -> None:
    one = _engineer(fleet, "one")
    headers = one.writing | {"Idempotency-Key": "train-once"}
    first, again = (fleet.post("/models", json=TRAINING, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert fleet.post("/models", json={"model": "NONE-1"}, headers=one.writing).status_code == 404
    work_jobs(fleet.settings.database_url)
    code = fleet.get("/models", headers=one.reading).json()["items"][0]["code"]
    assert _step(fleet, one, code, "shadow")[0] == 200
    path = f"/models/{code}/transitions"
    stale = fleet.post(path, json={"step": "retire"}, headers=one.writing | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["current"]["changed_by"]) == (412, "one")
    assert fleet.post(path, json={"step": "retire"}, headers=one.writing).status_code == 428


def test_the_scoring_program_runs_what_waits_in_a_process_of_its_own(fleet: Api) -> None:
    one = _engineer(fleet, "one")
    url = fleet.settings.database_url
    job = fleet.post("/models", json=TRAINING, headers=one.writing).json()["id"]
    gone = fleet.post("/models", json={"model": MODEL, "since": "2031-01-01T00:00:00Z"}, headers=one.writing).json()
    with scoring(url):
        wait_until(
            lambda: not select(url, "SELECT FROM model_job WHERE finished_at IS NULL"), what="the worker", timeout_s=60
        )
    assert fleet.get(f"/model-jobs/{job}", headers=one.reading).json()["state"] == "DONE"
    failed = fleet.get(f"/model-jobs/{gone['id']}", headers=one.reading).json()
    assert (failed["state"], failed["error"].startswith("There is nothing to learn from.")) == ("FAILED", True)


def test_work_that_a_dead_worker_left_is_begun_again_until_too_many_died(fleet: Api) -> None:
    one = _engineer(fleet, "one")
    url = fleet.settings.database_url
    job = fleet.post("/models", json=TRAINING, headers=one.writing).json()["id"]
    select(url, "UPDATE model_job SET state = 'RUNNING', attempts = 1 WHERE id = %s RETURNING id", job)
    assert work_jobs(url) == 1
    assert fleet.get(f"/model-jobs/{job}", headers=one.reading).json()["state"] == "DONE"
    job = fleet.post("/models", json=TRAINING, headers=one.writing).json()["id"]
    left = "UPDATE model_job SET state = 'RUNNING', attempts = %s WHERE id = %s RETURNING id"
    select(url, left, MODEL_JOBS.most_attempts, job)
    assert work_jobs(url) == 0
    failed = fleet.get(f"/model-jobs/{job}", headers=one.reading).json()
    assert (failed["state"], "workers died while they ran it" in failed["error"]) == ("FAILED", True)


def test_no_more_trainings_and_backtests_wait_than_may_of_one_person(fleet: Api) -> None:
    one, two = _engineer(fleet, "one"), _engineer(fleet, "two")
    with open_connection(fleet.settings.database_url, application="test", autocommit=True) as conn:
        for _ in range(MOST_OPEN_EACH):
            open_job(conn, "train", TRAINING, "one")
    path, changes = f"/monitors/{MODEL}/level_high/backtest", {"changes": {"raise_at": 81.0}}
    for asked in (
        fleet.post("/models", json=TRAINING, headers=one.writing),
        fleet.post(path, json=changes, headers=one.writing),
    ):
        assert (asked.status_code, asked.json()["guard"]) == (409, "too_many_jobs_of_yours"), asked.text
    form = {"raise_at": "81", "clear_at": "", "days": "30"}
    page = fleet.client.post(path, headers=one.writing, data=form)
    assert page.status_code == 409
    assert "Too many that you asked for have not ended yet." in page.text
    assert fleet.post(path, json=changes, headers=two.writing).status_code == 202


def test_a_backtest_is_called_off_by_whoever_may_ask_for_one_and_says_by_whom_and_why(fleet: Api) -> None:
    one = _engineer(fleet, "one")
    ask = f"/monitors/{MODEL}/level_high/backtest"
    asked = fleet.post(ask, json={"changes": {"raise_at": 45.0, "clear_at": 40.0}}, headers=one.writing).json()
    path = f"/model-jobs/{asked['id']}/cancel"
    auditor = fleet.token(Role.AUDITOR)
    assert fleet.post(path, json={"reason": "no"}, headers=auditor).status_code == 403
    for body in ({}, {"reason": ""}, {"reason": " \n"}, {"reason": "x" * 10_001}):
        assert set(find_errors(fleet.post(path, json=body, headers=one.writing))) == {"reason"}
    assert fleet.post("/model-jobs/999999/cancel", json={"reason": "x"}, headers=one.writing).status_code == 404
    once = one.writing | {"Idempotency-Key": "call-it-off"}
    first = fleet.post(path, json={"reason": "wrong threshold"}, headers=once)
    again = fleet.post(path, json={"reason": "wrong threshold"}, headers=once)
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (200, 200, "true")
    assert fleet.post(path, json={"reason": "another"}, headers=one.writing).json() == first.json()
    job = first.json()
    assert (job["state"], job["cancelled_by"], job["cancel_reason"]) == ("CANCELLED", "one", "wrong threshold")
    assert work_jobs(fleet.settings.database_url) == 0
    done = fleet.post(ask, json={"changes": {"raise_at": 45.0, "clear_at": 40.0}}, headers=one.writing).json()["id"]
    work_jobs(fleet.settings.database_url)
    refused = fleet.post(f"/model-jobs/{done}/cancel", json={"reason": "too late"}, headers=one.writing)
    assert (refused.status_code, refused.json()["guard"]) == (409, "job_is_over")
