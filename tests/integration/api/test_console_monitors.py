"""The monitors' pages: the list, one monitor with its proposal and backtest, and what people decide there."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from anomaly.backtest.run import ASSUMPTIONS
from api.console.language import load_catalogue
from domain.roles import Role
from store.model_jobs import MODEL_JOBS
from store.pool import open_connection
from store.profiles import load_profile, record_profile
from store.threshold_proposals import load_threshold_proposal
from tests.support.http_api import PASSWORD, Api, Session
from tests.support.monitors import find_watched, make_monitors

REASON = "Half the tickets, no confirmed one lost"


@pytest.fixture
def code(api: Api) -> str:
    """A backtested proposal of TEST-100."""
    return seed(api, safety_critical=False)


def seed(api: Api, *, safety_critical: bool) -> str:
    with open_connection(api.settings.database_url, application="test") as conn:
        profile = load_profile(conn, "TEST-100")
        assert profile is not None
        if profile.safety_critical != safety_critical:
            profile = replace(profile, version=profile.version + 1, safety_critical=safety_critical)
            record_profile(conn, profile, "test")
        row = conn.execute("SELECT id FROM device_model WHERE key = 'TEST-100'").fetchone()
        assert row is not None
        orders = ("WO-2026-000001", "WO-2026-000002")
        return make_monitors(conn, profile, row[0], orders, ("T-0000", "T-0001"), datetime.now(UTC))


def enter(api: Api, name: str, *roles: Role) -> Session:
    api.add_user(name, *roles)
    return api.sign_in(name)


def find_page(api: Api) -> str:
    with open_connection(api.settings.database_url, application="test") as conn:
        profile = load_profile(conn, "TEST-100")
    assert profile is not None
    return f"/monitors/TEST-100/{find_watched(profile).key}"


def decide(api: Api, who: Session, code: str, to: str, *, version: int, **fields: str) -> tuple[int, str]:
    form = {"to": to, "row_version": str(version), "reason": REASON, "meaning": "Reviewed", **fields}
    address = f"{find_page(api)}/decision?proposal={code}"
    answer = api.client.post(address, headers=who.writing, data=form, follow_redirects=False)
    return answer.status_code, answer.text


def find_state(api: Api, code: str) -> tuple[str, int]:
    with open_connection(api.settings.database_url, application="test") as conn:
        proposal = load_threshold_proposal(conn, code)
    assert proposal is not None
    return proposal.state, proposal.row_version


def test_the_list_puts_what_needs_a_look_first(api: Api, code: str) -> None:
    manager = enter(api, "mona", Role.SERVICE_MANAGER)
    page = api.client.get("/monitors", headers=manager.reading)
    assert page.status_code == 200
    rows = re.findall(r'data-row="([^"]+)"', page.text)
    watched = find_page(api).rpartition("/")[2]
    assert rows[0] == f"TEST-100-{watched}"
    assert len(rows) > 1
    for shown in (
        code,
        "! 3.89",
        "allowed 1.52",
        "14 tickets in 3,600 device-days",
        "15–56%",
        "18 closed orders",
        "2 d 3 h (4 failures)",
        "Judged just now.",
        "drift",
    ):
        assert shown in page.text, shown
    only = api.client.get("/monitors?show=look&model=TEST-100", headers=manager.reading)
    assert re.findall(r'data-row="([^"]+)"', only.text) == rows[:1]
    none = api.client.get("/monitors?model=NOPE", headers=manager.reading)
    assert re.findall(r'data-row="([^"]+)"', none.text) == rows
    chinese = api.client.get("/monitors", headers=manager.reading | {"Accept-Language": "zh"})
    assert "每千设备日工单" in chinese.text


def test_one_monitor_with_its_backtest_before_the_decision(api: Api, code: str) -> None:
    manager = enter(api, "mona", Role.SERVICE_MANAGER)
    page = api.client.get(find_page(api), headers=manager.reading).text
    for shown in (
        code, "−11", "2.22", "1.20", 'href="/work-orders/WO-2026-000001"', 'href="/work-orders/WO-2026-000002"',
        'href="/devices/T-0000"', "120 devices, 10,800 device-days", "72% (42–93%)", "device_alarm",
        "needs the permission “change profiles, monitors and models” (profile.write)", "As a table",
    ):  # fmt: skip
        assert shown in page, shown
    assert "/decision" not in page
    refused = decide(api, manager, code, "ACCEPTED", version=2, password=PASSWORD)
    assert refused[0] == 403
    assert api.client.get("/monitors/TEST-100/none", headers=manager.reading).status_code == 404
    assert api.client.get("/monitors/NOPE/none", headers=manager.reading).status_code == 404
    chinese = api.client.get(find_page(api), headers=manager.reading | {"Accept-Language": "zh"}).text
    assert "无人搁置" in chinese
    assert "需要权限：“修改型号配置、监测规则和模型”（profile.write）" in chinese


def test_a_monitor_whose_orders_are_not_closed_yet_shows_no_interval_of_precision(api: Api, code: str) -> None:
    manager = enter(api, "mona", Role.SERVICE_MANAGER)
    drawn = re.compile('aria-label="Precision [^"]+, between ')
    assert drawn.search(api.client.get(find_page(api), headers=manager.reading).text)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        conn.execute("UPDATE monitor_quality SET confirmed = 0, sensor_fault = 0, no_fault_found = 0, false_alarm = 0")
    page = api.client.get(find_page(api), headers=manager.reading).text
    assert (drawn.search(page), "no closed order yet" in page) == (None, True)


def test_a_decision_is_signed_and_what_was_typed_is_kept(api: Api, code: str) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    state, version = find_state(api, code)
    assert state == "BACKTESTED"
    wrong = decide(api, eva, code, "ACCEPTED", version=version, password="not mine")
    assert wrong[0] == 422
    assert REASON in wrong[1]
    assert "not mine" not in wrong[1]
    unsigned = decide(api, eva, code, "ACCEPTED", version=version)
    assert (unsigned[0], "give your password" in unsigned[1]) == (409, True)
    silent = decide(api, eva, code, "ACCEPTED", version=version, password=PASSWORD, reason=" ")
    assert (silent[0], "needs its reason" in silent[1]) == (409, True)
    stale = decide(api, eva, code, "ACCEPTED", version=version - 1, password=PASSWORD)
    assert (stale[0], REASON in stale[1], "while you edited" in stale[1]) == (412, True, True)
    assert decide(api, eva, code, "ENDORSED", version=version, password=PASSWORD)[0] == 409
    assert decide(api, eva, code, "CLOSED", version=version)[0] == 422
    assert decide(api, eva, "TP-1999-0001", "ACCEPTED", version=1)[0] == 404
    assert find_state(api, code)[0] == "BACKTESTED"
    assert decide(api, eva, code, "ACCEPTED", version=version, password=PASSWORD)[0] == 303
    assert find_state(api, code)[0] == "ACCEPTED"
    page = api.client.get(find_page(api), headers=eva.reading).text
    assert "Accepted by Eva" in page
    assert "No threshold waits for a decision." in page


def test_two_people_on_a_safety_critical_model(api: Api) -> None:
    code = seed(api, safety_critical=True)
    eva, ben = (enter(api, name, Role.ENGINEER) for name in ("eva", "ben"))
    version = find_state(api, code)[1]
    assert decide(api, eva, code, "ENDORSED", version=version, password=PASSWORD)[0] == 303
    page = api.client.get(find_page(api), headers=eva.reading).text
    assert "Endorsed by Eva" in page
    assert "another person must" in page
    assert decide(api, eva, code, "ACCEPTED", version=version + 1, password=PASSWORD)[0] == 409
    assert decide(api, ben, code, "ACCEPTED", version=version + 1, password=PASSWORD)[0] == 303


def test_another_threshold_is_backtested_on_request(api: Api, code: str) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    address = f"{find_page(api)}/backtest"

    def ask(language: str = "en", **fields: str) -> tuple[int, str]:
        headers = eva.writing | {"Accept-Language": language}
        answer = api.client.post(address, headers=headers, data=fields, follow_redirects=False)
        return answer.status_code, answer.text

    with open_connection(api.settings.database_url, application="test") as conn:
        before = len(MODEL_JOBS.load_page(conn))
        profile = load_profile(conn, "TEST-100")
    assert profile is not None
    watched = find_watched(profile)
    same = ask(raise_at=str(watched.raise_at), clear_at=str(watched.clear_at), days="90")
    assert (same[0], "nothing to compare" in same[1]) == (422, True)
    word = ask(raise_at="a lot", days="90")
    assert (word[0], "Not a number: Raises at." in word[1], 'value="a lot"' in word[1]) == (422, True, True)
    assert ask(raise_at="nan", days="90")[0] == 422
    beyond = ask(raise_at="1e9", days="90")
    assert (beyond[0], "cannot have this threshold" in beyond[1]) == (422, True)
    assert watched.raise_at is not None
    sensor = profile.find_sensor(watched.sensors[0])
    assert sensor is not None
    assert f"physical range of “{sensor.label.en}”, " in beyond[1]
    crossed = ask(raise_at=str(watched.raise_at), clear_at=str(watched.raise_at + 1), days="90")
    assert f"Raises at: must be above “Clears at” ({watched.raise_at + 1:.15g})" in crossed[1]
    in_chinese = ask("zh", raise_at="1e9", clear_at="2e9", days="90")[1]
    assert "须高于“触发值”（1000000000）" in in_chinese
    assert f"超出“{sensor.label.zh}”的物理范围" in in_chinese
    assert ask(raise_at=str(watched.raise_at + 1), days="30")[0] == 303
    with open_connection(api.settings.database_url, application="test") as conn:
        jobs = MODEL_JOBS.load_page(conn)
    assert len(jobs) == before + 1
    assert jobs[0].request["changes"] == {"raise_at": watched.raise_at + 1}
    assert jobs[0].requested_by == "eva"
    page = api.client.get(find_page(api), headers=eva.reading).text
    assert "queued" in page
    assert 'hx-trigger="every 5s"' in page


def test_every_assumption_of_a_backtest_is_said_in_both_languages() -> None:
    said = {text for key, text in load_catalogue("en").items() if key.startswith("assumption.")}
    assert said == set(ASSUMPTIONS)
