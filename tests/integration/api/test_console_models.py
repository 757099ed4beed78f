"""The models' pages: the list, one proposed profile, and its activation by two engineers."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from domain.audit import Actor
from domain.model_record import ModelKind
from domain.monitor_names import name_monitor
from domain.profile import Profile
from domain.roles import Role
from store.model_jobs import MODEL_JOBS, open_job
from store.models import NewModel, load_model, record_model
from store.pool import open_connection
from store.profiles import load_profile, record_profile
from store.shadows import ShadowCount, record_shadow_counts
from tests.support.fleet import MODEL
from tests.support.http_api import PASSWORD, Api, Session
from tests.support.marked_fields import find_marks
from tests.support.monitors import find_comparison, find_watched

ORDERS, SERIALS = ("WO-2026-000001", "WO-2026-000002"), ("T-0000", "T-0001")


@pytest.fixture
def eva(api: Api) -> Session:
    """An engineer, on a safety-critical device model."""
    with open_connection(api.settings.database_url, application="test") as conn:
        profile = load_profile(conn, MODEL)
        assert profile is not None
        record_profile(conn, replace(profile, version=profile.version + 1, safety_critical=True), "test")
    return enter(api, "eva", Role.ENGINEER)


def load_current(api: Api) -> Profile:
    with open_connection(api.settings.database_url, application="test") as conn:
        profile = load_profile(conn, MODEL)
    assert profile is not None
    return profile


def enter(api: Api, name: str, role: Role) -> Session:
    api.add_user(name, role)
    return api.sign_in(name)


def propose(api: Api, session: Session) -> tuple[str, str, float]:
    """The code of a draft with a higher threshold, the monitor, and the threshold as it is."""
    watched = find_watched(load_current(api))
    assert watched.raise_at is not None
    body = {"changes": {"raise_at": watched.raise_at + 1.0}}
    made = api.post(f"/monitors/{MODEL}/{watched.key}/proposals", headers=session.writing, json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["code"]), watched.key, watched.raise_at


def backtest(api: Api, code: str, monitor: str) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        row = load_model(conn, code)
        assert row is not None
        job = open_job(conn, "backtest", {"model": MODEL}, "eva", row.id)
        conn.execute("UPDATE model_job SET state = 'RUNNING', started_at = requested_at WHERE id = %s", (job,))
        MODEL_JOBS.finish(conn, job, result=find_comparison(ORDERS, SERIALS, datetime.now(UTC)))
        days = [
            ShadowCount(datetime.now(UTC).date(), monitor, side, n, 0, 0) for side, n in (("live", 9), ("shadow", 4))
        ]
        record_shadow_counts(conn, row.id, days)


def read(api: Api, session: Session, path: str, status: int = 200) -> str:
    answer = api.client.get(path, headers=session.reading)
    assert answer.status_code == status
    return " ".join(unescape(answer.text).split())


def step(api: Api, session: Session, code: str, to: str, status: int, **fields: str) -> str:
    with open_connection(api.settings.database_url, application="test") as conn:
        row = load_model(conn, code)
    version = str(row.row_version if row else 0)
    data = {"to": to, "row_version": version, **fields}
    answer = api.client.post(f"/models/{code}/steps", headers=session.writing, data=data, follow_redirects=False)
    assert answer.status_code == status, answer.text
    return " ".join(unescape(answer.text).split())


def test_a_proposed_profile_waits_for_the_second_engineer_where_approvals_show_it(api: Api, eva: Session) -> None:
    code, monitor, was = propose(api, eva)
    page = read(api, eva, f"/models/{code}")
    assert "Nobody asked for a backtest yet" in page
    assert f": limit, high, Raises at: {was:g}" in page
    assert f'<a href="/monitors/{MODEL}/{monitor}">' in page
    watched = read(api, eva, f"/monitors/{MODEL}/{monitor}")
    assert f'<dt>Models that bear on it</dt><dd><a href="/models/{code}">{code}</a>' in watched
    others = [m.key for m in load_current(api).monitors if m.key != monitor]
    assert code not in read(api, eva, f"/monitors/{MODEL}/{others[0]}")
    step(api, eva, code, "shadow", 303)
    assert "No backtest has counted a device-day" in read(api, eva, f"/models/{code}")
    backtest(api, code, monitor)
    page = read(api, eva, f"/models/{code}")
    assert "120 devices, 10,800 device-days" in page
    assert f'<th role="rowheader" scope="row"><a href="/monitors/{MODEL}/{monitor}">' in page
    row = page.partition(f': limit, high</a> <span translate="no" class="under code small muted">{monitor}</span></th>')
    assert re.findall(r'<td role="cell" class="number" data-label="[^"]+">(\d+)</td>', row[2])[:3] == ["1", "9", "4"]

    wrong = step(api, eva, code, "activate", 422, reason="fewer in vain", password="guess", meaning="x")
    assert "That is not your password. Nothing was signed." in wrong
    assert ">fewer in vain</textarea>" in wrong
    assert find_marks(step(api, eva, code, "activate", 409, meaning="x")) == {
        "password": "This is signed: give your password."
    }
    assert "while you edited" in step(api, eva, code, "activate", 412, row_version="99", password=PASSWORD, meaning="x")
    step(api, eva, code, "activate", 303, password=PASSWORD, meaning="Reviewed")
    assert "You asked for it; another engineer approves it." in read(api, eva, f"/models/{code}")

    ben, mona = enter(api, "ben", Role.ENGINEER), enter(api, "mona", Role.SERVICE_MANAGER)
    mine, his, hers = (read(api, who, "/approvals") for who in (eva, ben, mona))
    for page in (mine, his, hers):
        assert f'href="/models/{code}"' in page
        assert f": limit, high, Raises at: {was:g}" in page
    assert "You have signed it or asked for it; a second person must." in mine
    assert "You may sign." in his
    assert "needs the permission “change profiles, monitors and models” (profile.write)" in hers
    assert read(api, mona, "/models")
    step(api, mona, code, "activate", 403, password=PASSWORD, meaning="x")

    step(api, ben, code, "activate", 303, password=PASSWORD, meaning="Reviewed too")
    assert code not in read(api, ben, "/approvals")
    page = read(api, ben, f"/models/{code}")
    assert page.count("✓ holds") == 2
    assert "Roll back" in page
    listed = read(api, ben, f"/models?state=LIVE&model={MODEL}")
    assert f'data-row="{code}"' in listed
    assert code not in read(api, ben, "/models?state=DRAFT")
    assert read(api, ben, "/models/MOD-1999-0001", 404)


def test_the_words_are_there_in_chinese(api: Api, eva: Session) -> None:
    code, _, _ = propose(api, eva)
    chinese = eva.reading | {"Accept-Language": "zh"}
    assert "影子运行" in api.client.get(f"/models/{code}", headers=chinese).text
    assert "草稿" in api.client.get("/models", headers=chinese).text


def test_a_fleet_prior_is_linked_with_the_monitors_that_start_from_it(api: Api, eva: Session) -> None:
    keys = [monitor.key for monitor in load_current(api).monitors]
    parts = [
        {"rule": "adaptive", "key": f"{key}:a,b", "version": 1, "devices": 3} for key in (keys[0], keys[0], "gone")
    ]
    with open_connection(api.settings.database_url, application="test") as conn:
        new = NewModel(ModelKind.FLEET_PRIOR, MODEL, "2.0", {"format": 1, "parts": parts}, b"", "a" * 64, {})
        code = record_model(
            conn, Actor(name="eva", role="engineer", permission="profile.write"), new, datetime.now(UTC)
        ).code
    page = read(api, eva, f"/models/{code}")
    assert page.count(f'href="/monitors/{MODEL}/{keys[0]}"') == 1
    assert "/monitors/TEST-100/gone" not in page
    assert ">gone</span>" in page
    assert f'href="/models/{code}">{code}</a> <span class="small muted">' in read(
        api, eva, f"/monitors/{MODEL}/{keys[0]}"
    )
    assert code not in read(api, eva, f"/monitors/{MODEL}/{keys[1]}")


def test_a_backtest_that_waits_names_its_monitor_as_people_do(api: Api) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    profile = load_current(api)
    watched = find_watched(profile)
    name = name_monitor(profile, watched)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        for monitor in (watched.key, "not_there_any_more"):
            open_job(conn, "backtest", {"model": MODEL, "monitor": monitor}, "eva")
    for language, said in (("en", name.en), ("zh", name.zh)):
        page = api.client.get("/models", headers=eva.reading | {"Accept-Language": language}).text
        assert f'<a href="/monitors/{MODEL}/{watched.key}">{MODEL} · {said}</a>' in page
        assert f"{MODEL} · not_there_any_more" in page


def test_work_that_waits_is_called_off_on_the_page_with_a_reason(api: Api) -> None:
    eva, otto = enter(api, "eva", Role.ENGINEER), enter(api, "otto", Role.AUDITOR)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", {"model": MODEL}, "eva")
        address = f"/model-jobs/{job_id}/cancel"

        def post(who: Session, reason: str, language: str = "en") -> tuple[int, str]:
            headers = who.writing | {"Accept-Language": language}
            answer = api.client.post(address, headers=headers, data={"reason": reason}, follow_redirects=False)
            return answer.status_code, answer.text

        shown = api.client.get("/models", headers=eva.reading).text
        assert "Trainings and backtests that wait or run" in shown
        assert f'action="{address}"' in shown
        refused = api.client.get("/models", headers=otto.reading).text
        assert "Call off" in refused
        assert address not in refused
        assert post(otto, "no")[0] == 403
        empty = post(eva, " ", "zh")
        assert (empty[0], "请说明取消的原因。" in empty[1]) == (422, True)
        assert post(eva, "wrong window")[0] == 303
        job = MODEL_JOBS.load(conn, job_id)
        assert job is not None
        assert (job.state, job.cancelled_by, job.cancel_reason) == ("CANCELLED", "eva", "wrong window")
        assert "that wait or run" not in api.client.get("/models", headers=eva.reading).text
        conn.execute("UPDATE model_job SET state = 'DONE', cancelled_by = NULL, cancel_reason = NULL")
        over = post(eva, "too late")
        assert (over[0], "It has ended already" in over[1]) == (409, True)
