"""The lab's page and its addresses: who may ask, what is refused and why, and what a finished run says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.audit import Actor
from domain.lab import LabRequest, find_refusals
from domain.long_jobs import MOST_OPEN_EACH
from domain.monitor_quality import Threshold
from domain.profile_json import find_profile_sha256
from domain.roles import Role
from lab.judged_profile import load_bundled
from store.lab_runs import load_judged_profile, open_run
from store.pool import open_connection
from store.profiles import record_profile
from store.threshold_proposals import propose_threshold
from tests.support.http_api import Api, Session
from tests.support.lab import make_lab_run

FORM = {
    "what": "INF-200/motor_wear",
    "profile": "",
    "devices": "20",
    "days": "30",
    "rate": "20",
    "span_h": "",
    "sensor": "",
    "seed": "1",
    "seeds": "1",
}
ASKED = {"model": "INF-200", "fault": "occlusion", "devices": 4, "days": 5, "seed": 7}


@pytest.fixture(autouse=True)
def pumps(api: Api) -> None:
    """The pump's profile is here; the ventilator's is not."""
    with open_connection(api.settings.database_url, application="test") as conn:
        record_profile(conn, load_bundled("INF-200"), "test")


def enter(api: Api, name: str, *roles: Role) -> Session:
    api.add_user(name, *roles)
    return api.sign_in(name)


def post(api: Api, who: Session, path: str, **fields: str) -> Any:
    return api.client.post(path, headers=who.writing, data={**FORM, **fields}, follow_redirects=False)


def make_run(api: Api, **changes: Any) -> str:
    """A finished run with the result of `make_result`."""
    request = LabRequest(**{"model": "INF-200", "fault": "motor_wear", "devices": 20, "days": 30, "seed": 1, **changes})
    assert find_refusals(request) == []
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        return make_lab_run(conn, request, load_bundled("INF-200"), datetime.now(UTC))


def test_an_engineer_plants_a_fault_and_calls_it_off(api: Api) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    empty = api.client.get("/lab", headers=eva.reading).text
    assert "Nobody has planted a fault yet." in empty
    assert "No lab is running" in empty
    assert "VEN-500: " not in empty  # its profile is not here
    asked = post(api, eva, "/lab", rate="12.5", span_h="200")
    assert asked.status_code == 303
    page = asked.headers["location"].partition("?")[0]
    shown = api.client.get(page, headers=eva.reading).text
    assert "INF-200: motor wear" in shown
    assert 'value="12.5"' in shown  # the form stands as it was asked: the same again, or nearly
    assert 'hx-trigger="every 2s"' in shown
    run = api.get(f"/lab/runs/{page.rpartition('/')[2]}", headers=eva.reading).json()
    assert (run["request"]["rate"], run["request"]["span_h"], run["state"]) == (0.125, 200.0, "QUEUED")
    assert post(api, eva, f"{page}/cancel", reason="the wrong fault").status_code == 303
    called_off = api.client.get(page, headers=eva.reading).text
    assert "Eva called the run off" in called_off
    assert "The reason: the wrong fault" in called_off
    run = api.get(f"/lab/runs/{page.rpartition('/')[2]}", headers=eva.reading).json()
    assert (run["cancelled_by"], run["cancel_reason"]) == ("eva", "the wrong fault")
    assert post(api, eva, "/lab/LAB-1999-000001/cancel").status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": "10"}, "Must be 21 or more for a fault of 336 h"),
        ({"devices": "many"}, "Must be a whole number."),
        ({"devices": "500", "days": "60"}, "30,000 device-days; 20,000 are the most"),
        ({"rate": "0"}, "Must lie between 0.1 and 100."),
        ({"sensor": "pressure"}, "Only for a sensor that sticks or is silent"),
        ({"what": "VEN-500/circuit_leak"}, "Has no profile here."),
        ({"what": "INF-200/nothing"}, "which has: occlusion of the line,"),
        ({"profile": "TP-1999-0001"}, "Is no open threshold proposal"),
    ],
)
def test_what_cannot_be_run_says_why_at_its_field(api: Api, changes: dict[str, str], said: str) -> None:
    refused = post(api, enter(api, "eva", Role.ENGINEER), "/lab", **changes)
    assert refused.status_code == 422
    assert said in refused.text
    for name, value in changes.items():
        if name in ("devices", "days"):
            assert f'value="{value}"' in refused.text  # what was typed is kept


def test_who_may_not_ask_reads_and_is_told_why(api: Api) -> None:
    code = make_run(api)
    quentin = enter(api, "quentin", Role.QUALITY_ENGINEER)
    page = api.client.get(f"/lab/{code}", headers=quentin.reading)
    assert page.status_code == 200
    assert 'aria-disabled="true"' in page.text
    assert "profile.write" in page.text
    assert post(api, quentin, "/lab").status_code == 403
    assert api.post("/lab/runs", headers=quentin.writing, json=ASKED).status_code == 403
    assert api.post(f"/lab/runs/{code}/cancel", headers=quentin.writing).status_code == 403
    for role in (Role.TECHNICIAN, Role.DISPATCHER, Role.DATA_STEWARD, Role.CUSTOMER):
        other = enter(api, role.value, role)
        assert api.client.get("/lab", headers=other.reading).status_code == 403
        assert api.get("/lab/runs", headers=other.reading).status_code == 403


def test_a_finished_run_answers_in_a_sentence_and_beside_another_one(api: Api) -> None:
    first, second = make_run(api), make_run(api)
    third = make_run(api, seed=2)
    eva = enter(api, "eva", Role.ENGINEER)
    page = api.client.get(f"/lab/{first}", headers=eva.reading).text
    for said in (
        "In part: 3 faults of 4 were caught.",
        "Half of those were told of 3 d 12 h or more before the failure.",
        "There was 1 false ticket, 1.67 per 1,000 device-days.",
        "A run with 4 faults says little",
        "raised a breach, but no ticket of the right fault group came of it.",
        "LAB-0003 (seed 1): “Motor current: ",
        'data-chart="caught-1-data"',
        "”: the simulated device has no sensor warmth.",
    ):
        assert said in page
    beside = api.client.get(f"/lab/{first}?other={second}", headers=eva.reading).text
    assert "the very same readings" in beside
    assert "differ in more than the profile" in api.client.get(f"/lab/{first}?other={third}", headers=eva.reading).text
    chinese = api.client.get(f"/lab/{first}", headers={**eva.reading, "Accept-Language": "zh"}).text
    assert "4 个故障中发现了 3 个" in chinese
    assert "motor wear" not in chinese
    assert post(api, eva, f"/lab/{first}/cancel").status_code == 409
    refused = api.post(f"/lab/runs/{first}/cancel", headers=eva.writing)
    assert (refused.status_code, refused.json()["guard"]) == (409, "run_is_over")
    assert "DONE" in refused.json()["detail"]


def test_the_same_request_with_the_same_key_is_one_run(api: Api) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    headers = {**eva.writing, "Idempotency-Key": "plant-once"}
    made = [api.post("/lab/runs", headers=headers, json=ASKED) for _ in range(2)]
    assert [answer.status_code for answer in made] == [202, 202]
    code = made[0].json()["code"]
    assert made[1].json()["code"] == code
    assert made[0].headers["location"] == f"/api/v1/lab/runs/{code}"
    assert made[0].json()["profile_version"] == load_bundled("INF-200").version
    listed = api.get("/lab/runs?limit=1", headers=eva.reading).json()
    assert ([run["code"] for run in listed["items"]], listed["next_cursor"]) == ([code], None)
    refused = api.post("/lab/runs", headers=eva.writing, json={**ASKED, "days": 2, "seeds": 99})
    assert refused.status_code == 422
    assert {error["field"]: error["detail"] for error in refused.json()["errors"]} == {
        "days": "must lie between 3 and 120",
        "seeds": "must lie between 1 and 10",
    }
    cancelled = [api.post(f"/lab/runs/{code}/cancel", headers=eva.writing).json()["state"] for _ in range(2)]
    assert cancelled == ["CANCELLED", "CANCELLED"]


def test_what_is_proposed_is_judged_instead_of_what_is_live(api: Api) -> None:
    eva = enter(api, "eva", Role.ENGINEER)
    live = load_bundled("INF-200")
    monitor = live.find_monitor("motor_current_high")
    assert monitor is not None
    with open_connection(api.settings.database_url, application="test") as conn:
        threshold = Threshold(0.61, 0.5, 3, 1, 3, (1.0,), (2.0,))
        code = propose_threshold(conn, Actor("service-link", "", ""), live, monitor, threshold, {}, datetime.now(UTC))
    assert code is not None
    assert f'<option value="{code}"' in api.client.get("/lab", headers=eva.reading).text
    page = post(api, eva, "/lab", profile=code).headers["location"].partition("?")[0]
    assert f"profile v{live.version + 1} as proposed in {code}" in api.client.get(page, headers=eva.reading).text
    with open_connection(api.settings.database_url, application="test") as conn:
        judged = load_judged_profile(conn, page.rpartition("/")[2])
    assert judged is not None
    changed = judged.find_monitor("motor_current_high")
    assert changed is not None
    assert (changed.raise_at, changed.clear_at) == (0.61, 0.5)
    assert find_profile_sha256(judged) == api.get(f"/lab/runs/{page[5:]}", headers=eva.reading).json()["profile_sha256"]


def test_no_more_runs_wait_than_may(api: Api) -> None:
    eva, rosa = enter(api, "eva", Role.ENGINEER), enter(api, "rosa", Role.ENGINEER)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        for _ in range(MOST_OPEN_EACH):
            request = LabRequest("INF-200", "occlusion", 4, 5, 7)
            open_run(
                conn,
                Actor("eva", "engineer", "profile.write"),
                request,
                load_bundled("INF-200"),
                None,
                datetime.now(UTC),
            )
    refused = api.post("/lab/runs", headers=eva.writing, json=ASKED)
    assert (refused.status_code, refused.json()["guard"]) == (409, "too_many_jobs_of_yours")
    assert f"asked for {MOST_OPEN_EACH} that have not ended" in refused.json()["detail"]
    page = post(api, eva, "/lab")
    assert page.status_code == 409
    assert "Too many that you asked for have not ended yet." in page.text
    assert 'value="30"' in page.text  # what was typed is kept
    assert api.post("/lab/runs", headers=rosa.writing, json=ASKED).status_code == 202
